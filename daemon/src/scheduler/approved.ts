import { FairleadError } from '@fairlead/shared/contract/errors';
import type { GateRecord, GrantRecord } from '../core/records.ts';
import type { Decider } from '../delivery/decider.ts';
import type { SchedulerOptions } from './scheduler.ts';

type Parts = Pick<SchedulerOptions, 'ledger' | 'delivery' | 'log'>;

/** The grant under which a gate was approved from far away: its line of history says which. */
const approversGrant = ({ ledger }: Pick<Parts, 'ledger'>, gate: GateRecord): GrantRecord | undefined => {
  let after = 0;
  for (;;) {
    const page = ledger.read.events({ instance_id: gate.instance_id, step_id: gate.step_id, after, limit: 200 });
    const line = page.findLast(({ type, data }) => type === 'gate.approved' && data['gate_id'] === gate.id);
    if (line) return ledger.read.grants(gate.instance_id).find(({ digest }) => digest === line.data['grant_digest']);
    if (page.length === 0) return undefined;
    after = page.at(-1)!.instance_seq;
  }
};

/**
 * In whose name an approval is followed by the integration. At the machine the owner decides both. From far away the right to approve is
 * not the right to move the branch: the approver's grant must name `integrate_change` too, and still hold.
 */
const deciderOf = (parts: Pick<Parts, 'ledger'>, gate: GateRecord): Decider | undefined => {
  if (!gate.decided_by || !gate.authority) return undefined;
  const who = { principal: gate.decided_by, authority: gate.authority };
  if (gate.authority === 'local') return { ...who, remote: false };
  const grant = approversGrant(parts, gate);
  if (!grant?.operations.includes('integrate_change')) return undefined;
  return { ...who, remote: true, instance_id: gate.instance_id, grant };
};

/** Where the policy that a gate is bound to says `integrate_on_approval`, its approval is followed by the integration. */
export const integrateApproved = async (parts: Parts, { step_id }: { readonly step_id: string | null }): Promise<void> => {
  const { ledger, delivery, log } = parts;
  const step = step_id === null ? undefined : ledger.read.step(step_id);
  const change = step?.change_id ? ledger.read.change(step.change_id) : undefined;
  const gate = step?.gate_id ? ledger.read.gate(step.gate_id) : undefined;
  if (!change || gate?.kind !== 'change' || gate.state !== 'approved') return;
  if (!ledger.read.policy(gate.binding.policy_digest)?.gates.integrate_on_approval) return;
  const decider = deciderOf(parts, gate);
  if (!decider) return log.info({ change: change.id }, 'approved by somebody who may not integrate; the owner integrates');
  try {
    await delivery.integrate({ change_id: change.id }, decider);
  } catch (error) {
    // A refusal is recorded with the change, or shows when it is integrated by hand; nothing moved.
    log.warn({ err: error instanceof FairleadError ? error.code : error, change: change.id }, 'not integrated on approval');
  }
};

/** Goes on with approvals whose integration the last daemon did not live to begin. */
export const integrateLeftBehind = (parts: Parts): void => {
  for (const { step_id } of parts.ledger.read.changesIn(['held'])) void integrateApproved(parts, { step_id });
};
