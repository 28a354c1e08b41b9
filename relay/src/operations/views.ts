import type { OutputOf } from '@fairlead/shared/contract/operations/table';
import type { InstanceSummary } from '@fairlead/shared/contract/resources';
import { isoTime } from '@fairlead/shared/kit/clock';
import type { StoredAuditRow } from '../store/audit-rows.ts';
import type { ConnectorRow } from '../store/connector-rows.ts';
import type { EnrollmentRow } from '../store/enrollment-rows.ts';
import type { InstanceRow } from '../store/instance-rows.ts';
import type { PlannerTokenRow } from '../store/planner-token-rows.ts';

type Item<N extends 'list_connectors' | 'list_enrollment_tokens' | 'list_planner_tokens' | 'list_audit'> = OutputOf<N>['items'][number];

const time = (ms: number | null): string | null => (ms === null ? null : isoTime(ms));

export const connectorView = (
  row: ConnectorRow,
  about: { readonly online: boolean; readonly instances: string[] },
): Item<'list_connectors'> => ({
  id: row.id,
  label: row.label,
  key: row.key,
  state: row.state,
  ...about,
  last_seen_at: time(row.last_seen_at),
  enrolled_at: isoTime(row.enrolled_at),
});

export const enrollmentView = (row: EnrollmentRow): Item<'list_enrollment_tokens'> => ({
  id: row.id,
  label: row.label,
  created_at: isoTime(row.created_at),
  expires_at: isoTime(row.expires_at),
  used_at: time(row.used_at),
  revoked_at: time(row.revoked_at),
});

export const plannerTokenView = (row: PlannerTokenRow): Item<'list_planner_tokens'> => ({
  id: row.id,
  name: row.name,
  scopes: [...row.scopes],
  instances: row.instances && [...row.instances],
  created_at: isoTime(row.created_at),
  expires_at: time(row.expires_at),
  revoked_at: time(row.revoked_at),
  last_used_at: time(row.last_used_at),
});

export const auditView = ({ at, detail, ...row }: StoredAuditRow): Item<'list_audit'> => ({
  ...row,
  at: isoTime(at),
  detail: { ...detail },
});

export const instanceView = (row: InstanceRow, online: boolean, now: number): InstanceSummary => ({
  id: row.id,
  label: row.label,
  machine: row.machine,
  default_branch: row.default_branch,
  executors: [...row.executors],
  online,
  last_seen_at: isoTime(online ? now : row.last_seen_at),
});
