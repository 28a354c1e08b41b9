import { FairleadError } from '@fairlead/shared/contract/errors';
import type { Gate } from '@fairlead/shared/contract/gates';
import type { GateRecord, StepRecord } from '../core/records.ts';
import { approvedEvent } from '../core/verdict.ts';
import { BY_DAEMON } from '../core/records.ts';
import type { Reads, Tx } from '../ledger/ledger.ts';
import { subjectOf } from '../policy/subject.ts';
import { gateView } from '../ledger/views.ts';
import { causeOf, checkNotHalted, scopeOf, servedInstance } from './asking.ts';
import type { Asker, Command, CommandDeps } from './command.ts';
import { putAway } from '../ledger/put-away.ts';

/** @throws FairleadError `not_found`, `instance_mismatch`, `authority_required` */
const decidable = (read: Reads, asker: Asker, id: string): GateRecord => {
  const gate = read.gate(id);
  if (!gate) throw new FairleadError('not_found', { field: 'gate_id' });
  servedInstance(read, asker, gate.instance_id);
  // The api asks this too; a decision asks again.
  if (asker.remote && !asker.grant?.accept_relay_decisions) throw new FairleadError('authority_required');
  return gate;
};

const stepOf = (read: Reads, gate: GateRecord): StepRecord => {
  const step = read.step(gate.step_id);
  if (!step) throw new FairleadError('not_found', { field: 'gate_id' });
  return step;
};

/** Nobody remote approves what they asked for, unless the policy that the gate is bound to says so. @throws FairleadError `self_approval` */
const checkNotSelf = (read: Reads, asker: Asker, step: StepRecord, gate: GateRecord): void => {
  if (!asker.remote || !step.asked_by.includes(subjectOf(asker))) return;
  const policy = read.policy((gate.binding ?? gate.permission).policy_digest);
  if (!policy?.gates.self_approval) throw new FairleadError('self_approval');
};

/** @throws FairleadError `gate_outdated` (naming the one that replaced it), `transition_refused` */
const checkPending = (read: Reads, gate: GateRecord, now: number): void => {
  if (gate.state === 'pending' && gate.expires_at > now) return;
  if (gate.state === 'outdated') {
    const newest = stepOf(read, gate).gate_id;
    throw new FairleadError(
      'gate_outdated',
      newest !== null && newest !== gate.id ? { more: { gate_id: newest, digest: read.gate(newest)?.digest } } : {},
    );
  }
  const state = gate.state === 'pending' ? 'expired' : gate.state;
  throw new FairleadError('transition_refused', { detail: `The gate is ${state}; only a pending gate is decided.`, more: { state } });
};

/**
 * Approves exactly the content whose digest is named. It integrates nothing: where the policy integrates on approval, the scheduler does.
 * @throws FairleadError `digest_mismatch`, `gate_outdated`, `self_approval`, `authority_required`, `transition_refused`
 */
export const approveGate =
  ({ ledger, renewGate, clock }: CommandDeps): Command<'approve_gate'> =>
  async (input, asker) => {
    const gate = decidable(ledger.read, asker, input.gate_id);
    const scope = scopeOf('approve_gate', input, asker, { instance_id: gate.instance_id, run_id: gate.run_id });
    const before = scope && ledger.answered(scope);
    if (before) return before.answer as Gate;
    checkNotHalted(ledger.read);
    checkNotSelf(ledger.read, asker, stepOf(ledger.read, gate), gate);
    checkPending(ledger.read, gate, clock.now());
    if (input.digest !== gate.digest)
      throw new FairleadError('digest_mismatch', {
        field: 'digest',
        rule: 'must be the digest of the gate',
        more: { gate_id: gate.id, digest: gate.digest },
      });
    const current = await renewGate(gate);
    if (current.id !== gate.id) {
      throw new FairleadError('gate_outdated', {
        detail: 'The target or the policy was changed, so the gate no longer matches what would be integrated',
        more: { gate_id: current.id, digest: current.digest },
      });
    }
    return ledger.record((tx) =>
      tx.idempotent(scope, (): Gate => {
        const now = decidable(tx.read, asker, gate.id);
        checkPending(tx.read, now, tx.at);
        const step = stepOf(tx.read, now);
        checkNotSelf(tx.read, asker, step, now);
        const about = causeOf(asker);
        const approved = tx.move.gate(gate.id, 'approved', { comment: input.comment ?? null }, about);
        // A gate that was opened anew at integration belongs to a step that has completed already.
        if (step.state === 'needs_approval' && step.gate_id === gate.id)
          tx.move.step(step.id, approvedEvent(step.warnings), { reason: null }, about);
        return gateView(approved);
      }),
    );
  };

const REJECTED = { code: 'rejected', message: 'A person rejected the change.' } as const;
const EXPIRED = { code: 'gate_expired', message: 'Nobody decided on the change before its gate expired.' } as const;

/** Rejects what a gate holds. For a change the step ends as rejected, and the change is discarded; an agent is told no, and goes on. @throws FairleadError `authority_required`, `transition_refused`, `gate_outdated` */
export const rejectGate =
  ({ ledger }: CommandDeps): Command<'reject_gate'> =>
  async (input, asker) => {
    const gate = decidable(ledger.read, asker, input.gate_id);
    const scope = scopeOf('reject_gate', input, asker, { instance_id: gate.instance_id, run_id: gate.run_id });
    return ledger.record((tx) =>
      tx.idempotent(scope, (): Gate => {
        const now = decidable(tx.read, asker, gate.id);
        checkPending(tx.read, now, tx.at);
        const about = causeOf(asker);
        const rejected = tx.move.gate(gate.id, 'rejected', { comment: input.comment ?? null }, about);
        endHeld(tx, stepOf(tx.read, now), now, REJECTED, about);
        return gateView(rejected);
      }),
    );
  };

/**
 * Ends the step that a gate held, with its change. A step that has completed already stays so; its change is discarded all the same. An
 * agent that asked for something goes on without it.
 */
const endHeld = (
  tx: Tx,
  step: StepRecord,
  gate: GateRecord,
  reason: { readonly code: string; readonly message: string },
  about: Parameters<typeof putAway>[2],
): void => {
  if (gate.kind !== 'change' || step.gate_id !== gate.id) return;
  putAway(tx, step, about);
  if (step.state === 'needs_approval') tx.move.step(step.id, 'rejected', { reason }, about);
};

/** Ends the gates whose time is over, and with each the step that it held: no decision is no. Answers how many. The scheduler calls it. */
export const expireGates = async ({ ledger, clock }: Pick<CommandDeps, 'ledger' | 'clock'>): Promise<number> => {
  if (ledger.read.expiredGates(clock.now()).length === 0) return 0;
  return ledger.record((tx) => {
    const over = tx.read.expiredGates(tx.at);
    for (const gate of over) {
      tx.move.gate(gate.id, 'expired', {}, BY_DAEMON);
      endHeld(tx, stepOf(tx.read, gate), gate, EXPIRED, BY_DAEMON);
    }
    return over.length;
  });
};
