import type { ErrorCode } from '@fairlead/shared/contract/error-table';
import { FairleadError } from '@fairlead/shared/contract/errors';
import type { Operation } from '@fairlead/shared/contract/operations/operation';
import type { Clock } from '@fairlead/shared/kit/clock';
import type { Ledger, Tx } from '../ledger/ledger.ts';
import type { Caller } from './authentication.ts';

/** Refusals that the owner should be able to find: somebody remote reached for what they may not. */
const TOLD: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'instance_mismatch',
  'grant_denied',
  'grant_expired',
  'grant_spent',
  'authority_required',
  'self_approval',
  'local_only',
  'argv_not_allowed',
  'base_not_allowed',
  'halted',
]);
/** Lines in a minute for one instance; a flood must not fill the disk. */
const PER_MINUTE = 60;

/**
 * Keeps refused remote requests as lines of the instance's history, without their input. Answers are not held up by it.
 */
export const createRefusalLog = (ledger: Ledger, clock: Clock): ((error: unknown, row: Operation, caller: Caller) => void) => {
  const spent = new Map<string, { minute: number; lines: number }>();
  const mayWrite = (instanceId: string): boolean => {
    const minute = Math.floor(clock.monotonic() / 60_000);
    const found = spent.get(instanceId);
    if (found?.minute !== minute) spent.set(instanceId, { minute, lines: 1 });
    else if (++found.lines > PER_MINUTE) return false;
    return true;
  };
  const record = async (event: Parameters<Tx['note']>[0]): Promise<void> => {
    try {
      await ledger.record((tx) => void tx.note(event));
    } catch {
      // A disk that is full has its own errors where they matter; the refusal itself stands.
    }
  };
  return (error, row, caller) => {
    if (!(error instanceof FairleadError) || !TOLD.has(error.code) || caller.kind !== 'connector') return;
    const { instance_id, principal, connector_key } = caller;
    if (instance_id === undefined || !principal || !ledger.read.instance(instance_id) || !mayWrite(instance_id)) return;
    const grant = ledger.read.grantFor({ connector_key, instance_id });
    const data = { operation: row.name, code: error.code, ...(error.context.field !== undefined && { field: error.context.field }) };
    const about = { principal, authority: 'relay_asserted' as const, data, ...(grant && { grant_digest: grant.digest }) };
    void record({ type: 'request.refused', instance_id, ...about });
  };
};
