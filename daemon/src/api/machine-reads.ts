import type { OutputOf } from '@fairlead/shared/contract/operations/table';
import type { Reads } from '../ledger/ledger.ts';
import { grantView } from '../ledger/views.ts';
import type { HandlersOf } from './asked.ts';

type Status = OutputOf<'daemon_status'>;

/** What the daemon knows of itself from its start. */
export interface MachineParts {
  readonly read: Reads;
  readonly about: Pick<Status, 'version' | 'started_at' | 'machine' | 'confinement' | 'confinement_detail' | 'parallelism'>;
  readonly workspaces: () => Status['workspaces'];
  readonly health: () => Status['process'];
  readonly provenance: OutputOf<'get_config'>['items'];
}

const ACTIVE = ['preparing', 'running', 'collecting', 'validating'] as const;

/** Reads for the operator alone: the daemon, its settings, and what is shared. */
export const machineReads = ({
  read,
  about,
  workspaces,
  health,
  provenance,
}: MachineParts): HandlersOf<'daemon_status' | 'get_config' | 'list_grants'> => ({
  daemon_status: () => ({
    ...about,
    process: health(),
    halted: read.halted(),
    instances: read.instances().length,
    steps: { queued: read.queueLength(), active: read.stepsIn(ACTIVE).length, needs_approval: read.stepsIn(['needs_approval']).length },
    ledger_bytes: read.size(),
    artifact_bytes: read.artifactBytes(),
    workspaces: workspaces(),
  }),
  get_config: () => ({ items: provenance }),
  list_grants: ({ instance_id }) => ({ items: read.grants(instance_id).map(grantView) }),
});
