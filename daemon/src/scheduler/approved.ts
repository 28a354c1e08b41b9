import { FairleadError } from '@fairlead/shared/contract/errors';
import type { EventRecord } from '../core/records.ts';
import type { SchedulerOptions } from './scheduler.ts';

/** Where the project policy says `integrate_on_approval`, an approval is followed by the integration, in the name of who approved. */
export const integrateApproved = async (
  { ledger, delivery, log }: Pick<SchedulerOptions, 'ledger' | 'delivery' | 'log'>,
  event: Pick<EventRecord, 'step_id' | 'principal' | 'authority'>,
): Promise<void> => {
  const step = event.step_id === null ? undefined : ledger.read.step(event.step_id);
  const change = step?.change_id ? ledger.read.change(step.change_id) : undefined;
  const attempt = change && ledger.read.attempt(change.attempt_id);
  const policy = attempt?.policy_digest ? ledger.read.policy(attempt.policy_digest) : undefined;
  if (!change || !policy?.gates.integrate_on_approval) return;
  try {
    // The owner's policy asks for it, so it is a decision of this machine, whoever approved.
    await delivery.integrate({ change_id: change.id }, { principal: event.principal, authority: event.authority, remote: false });
  } catch (error) {
    // A refusal is recorded with the change, or shows when it is integrated by hand; nothing moved.
    log.warn({ err: error instanceof FairleadError ? error.code : error, change: change.id }, 'not integrated on approval');
  }
};

/** Goes on with approvals whose integration the last daemon did not live to begin. */
export const integrateLeftBehind = (options: Pick<SchedulerOptions, 'ledger' | 'delivery' | 'log'>): void => {
  const { read } = options.ledger;
  for (const { step_id } of read.changesIn(['held'])) {
    const gateId = read.step(step_id)?.gate_id;
    const gate = gateId ? read.gate(gateId) : undefined;
    if (gate?.state !== 'approved' || !gate.decided_by || !gate.authority) continue;
    void integrateApproved(options, { step_id, principal: gate.decided_by, authority: gate.authority });
  }
};
