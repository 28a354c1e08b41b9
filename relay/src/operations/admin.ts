import { FairleadError } from '@fairlead/shared/contract/errors';
import { newRelayId } from '@fairlead/shared/contract/ids';
import { OPERATIONS, type InputOf, type OutputOf, type RelayAdminName } from '@fairlead/shared/contract/operations/table';
import type { ProcessHealth } from '@fairlead/shared/contract/values';
import { isoTime, type Clock } from '@fairlead/shared/kit/clock';
import { hashSecret, mintSecret } from '@fairlead/shared/kit/secret';
import { VERSION } from '../config/version.ts';
import { defaultScopes, isAdminScope } from '../core/access.ts';
import type { PlannerTokens } from '../auth/planner-tokens.ts';
import type { Enrollment } from '../enrollment/enrollment.ts';
import type { Hub } from '../sessions/hub.ts';
import type { ConnectorRow } from '../store/connector-rows.ts';
import type { EnrollmentRow } from '../store/enrollment-rows.ts';
import type { Store } from '../store/store.ts';
import { identityHandlers } from './identities.ts';
import { auditView, connectorView, enrollmentView, instanceView, plannerTokenView } from './views.ts';

export type AdminHandlers = { readonly [N in RelayAdminName]: (input: InputOf<N>) => OutputOf<N> };

export interface AdminParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly tokens: PlannerTokens;
  readonly hub: Hub;
  readonly enrollment: Enrollment;
  readonly about: {
    readonly origin: () => string;
    readonly relayKey: string;
    readonly startedAt: number;
    readonly draining: () => boolean;
    readonly health: () => ProcessHealth;
  };
}

/** Reads the position that an audit page gave. @throws FairleadError `invalid_input` */
const pageStart = (page: string | undefined): number => {
  if (page === undefined) return Number.MAX_SAFE_INTEGER;
  if (/^[1-9][0-9]{0,15}$/.test(page)) return Number(page);
  throw new FairleadError('invalid_input', {
    field: 'page',
    rule: 'must be next_page of the answer before',
    detail: 'page: must be next_page of the answer before',
  });
};

const readings = ({ store, clock, tokens, hub, about }: AdminParts) => {
  const viewConnector = (row: ConnectorRow) =>
    connectorView(row, { online: hub.online(row.id), instances: hub.registry.sharedBy(row.id).map(({ id }) => id) });
  return {
    viewConnector,
    relay_status: () => {
      const connectors = store.connectors.all();
      return {
        version: VERSION,
        started_at: isoTime(about.startedAt),
        origin: about.origin(),
        key: about.relayKey,
        draining: about.draining(),
        connectors: connectors.length,
        online_connectors: hub.sessions(),
        instances: hub.registry.shared().length,
        pending: hub.pending(),
        process: about.health(),
      };
    },
    list_connectors: () => ({ items: store.connectors.all().map(viewConnector) }),
    list_all_instances: () => ({
      items: hub.registry
        .shared()
        .map((row) => ({ ...instanceView(row, hub.online(row.connector_id), clock.now()), connector_id: row.connector_id })),
    }),
    list_audit: ({ limit, page, action, outcome }: InputOf<'list_audit'>) => {
      const rows = store.audit.page({ before: pageStart(page), limit: limit + 1, action: action ?? null, outcome: outcome ?? null });
      const items = rows.slice(0, limit);
      return { items: items.map(auditView), next_page: rows.length > limit ? String(items.at(-1)!.id) : null };
    },
    list_enrollment_tokens: () => ({ items: store.enrollments.all().map(enrollmentView) }),
    list_planner_tokens: () => ({ items: tokens.list().map(plannerTokenView) }),
  };
};

/** Operations for the relay's operator, and enrolment. The compiler sees to it that none is missing. */
export const adminHandlers = (parts: AdminParts): AdminHandlers => {
  const { store, clock, tokens, hub, enrollment } = parts;
  const { viewConnector, ...reads } = readings(parts);
  const connector = (id: string): ConnectorRow => {
    const row = store.connectors.byId(id);
    if (!row) throw new FairleadError('not_found');
    return row;
  };
  return {
    ...reads,
    set_connector_state({ connector_id, state }) {
      const row = connector(connector_id);
      if (row.state === 'revoked' && state !== 'revoked') {
        throw new FairleadError('transition_refused', {
          detail: 'A revoked connector stays revoked.',
          hint: 'Let the machine enrol anew: fairlead-relay enrollment-token create.',
        });
      }
      hub.setConnectorState(connector_id, state);
      return viewConnector(connector(connector_id));
    },
    rename_connector({ connector_id, label }) {
      store.atomically(() => store.connectors.rename(connector_id, label));
      return viewConnector(connector(connector_id));
    },
    create_enrollment_token({ label, expires_ms }) {
      const secret = mintSecret('fle');
      const now = clock.now();
      const row: EnrollmentRow = {
        id: newRelayId('enr'),
        label,
        hash: hashSecret(secret),
        created_at: now,
        expires_at: now + expires_ms,
        used_at: null,
        revoked_at: null,
        connector_id: null,
      };
      store.enrollments.add(row);
      return { ...enrollmentView(row), secret };
    },
    revoke_enrollment_token({ enrollment_token_id }) {
      store.enrollments.revoke(enrollment_token_id, clock.now());
      const row = store.enrollments.byId(enrollment_token_id);
      if (!row) throw new FairleadError('not_found');
      return enrollmentView(row);
    },
    create_planner_token({ name, scopes = defaultScopes(OPERATIONS), instances, expires_ms }) {
      const admin = scopes.findIndex(isAdminScope);
      if (admin >= 0) {
        throw new FairleadError('invalid_input', {
          field: `scopes[${admin}]`,
          rule: 'must not be an admin scope',
          detail: 'A planner token never administers the relay; the admin token does.',
        });
      }
      const { row, secret } = tokens.create({ name, scopes: [...new Set(scopes)], instances, expires_ms });
      return { ...plannerTokenView(row), secret };
    },
    revoke_planner_token: ({ token_id }) => plannerTokenView(tokens.revoke(token_id)),
    enroll: (input) => enrollment.enroll(input),
    ...identityHandlers(parts),
  };
};
