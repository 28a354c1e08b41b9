import { newResourceId } from '@fairlead/shared/contract/ids';
import { LIMITS } from '@fairlead/shared/contract/limits';
import type { GateReason } from '@fairlead/shared/contract/project-policy';
import type { GateBinding } from '@fairlead/shared/contract/gates';
import { gateDigest } from '../core/digest.ts';
import { BY_DAEMON, type ChangeRecord, type ChangeGate } from '../core/records.ts';
import type { Tx } from '../ledger/ledger.ts';

const DAY_MS = 86_400_000;

/** Opens a gate within a transaction. It expires after `LIMITS.gate_life`. */
export const addGate = (
  tx: Tx,
  change: ChangeRecord,
  binding: GateBinding,
  reasons: readonly GateReason[],
  replaces?: string,
): ChangeGate =>
  tx.add.gate<ChangeGate>(
    {
      kind: 'change',
      permission: null,
      attempt_id: null,
      id: newResourceId('gate', change.instance_id),
      instance_id: change.instance_id,
      run_id: change.run_id,
      step_id: change.step_id,
      change_id: change.id,
      reasons,
      digest: gateDigest(binding),
      binding,
      expires_at: tx.at + LIMITS.gate_life.value * DAY_MS,
    },
    { ...BY_DAEMON, data: { change_id: change.id, digest: gateDigest(binding), reasons, ...(replaces !== undefined && { replaces }) } },
  );
