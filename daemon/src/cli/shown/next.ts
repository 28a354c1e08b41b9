import type { Change, Step } from '@fairlead/shared/contract/resources';
import type { Gate } from '@fairlead/shared/contract/gates';
import { printable } from '@fairlead/shared/kit/printable';
import { permissionText } from './permission.ts';
import { short } from '../layout.ts';

interface Shown {
  readonly step: Step;
  readonly change: Pick<Change, 'id' | 'state'> | null;
  readonly gate: Gate | null;
}

/** Reasons that another attempt cannot remove: the patch itself has to be another. */
const OF_THE_PATCH: ReadonlySet<string> = new Set(['patch_not_applicable', 'patch_invalid', 'patch_required']);

const baseOf = ({ base, base_commit: commit }: Step): string => (commit === null ? base : `${base} at ${short(commit)}`);

const afterFailure = (step: Step): string => {
  if (step.reason && OF_THE_PATCH.has(step.reason.code)) return `Make the patch against ${baseOf(step)} and submit a new step.`;
  const again = `fairlead step retry ${step.id}`;
  if (step.state === 'failed_fence') return 'Leave what it may not touch as it is, and submit a new step.';
  if (step.state === 'failed_validation') return `Submit a new step that repairs it, or run this one again: ${again}`;
  return `When the cause is gone, queue it again: ${again}`;
};

const afterSuccess = (change: Shown['change']): string => {
  switch (change?.state) {
    case 'held':
      return `Integrate it: fairlead change integrate ${change.id}`;
    case 'integrating':
      return 'Its change is being integrated.';
    case 'integrated':
      return 'Its change is integrated.';
    case 'conflict':
      return 'Its change does not replay onto the target as it is now: submit a new step.';
    case 'failed_validation':
      return 'Its change fails a check on the target as it is now: submit a new step that repairs it.';
    default:
      return '';
  }
};

/** What to do about a gate, with the commands spelt out. */
export const gateAdvice = (gate: Gate): string =>
  gate.state === 'pending' && gate.permission
    ? `The agent asks for something, and waits for a person:\n${permissionText(gate.permission)}\n  fairlead gate approve ${gate.id} --digest ${gate.digest}\n  fairlead gate reject ${gate.id}`
    : gate.state === 'pending'
      ? `A person decides (${gate.reasons.join(', ')}):\n  fairlead change diff ${gate.change_id}\n  fairlead gate approve ${gate.id} --digest ${gate.digest}\n  fairlead gate reject ${gate.id}`
      : `Gate ${gate.id}: ${gate.state}${gate.decided_by ? ` by ${printable(gate.decided_by.name)} (${gate.authority})` : ''}`;

const afterwards = ({ step, change, gate }: Shown): string => {
  if (step.state === 'needs_approval') return gate ? '' : `Show what is held: fairlead gate get ${step.gate_id ?? 'GATE'}`;
  if (!step.ended) return `Follow it: fairlead step wait ${step.id}`;
  if (step.state === 'completed' || step.state === 'completed_with_warnings') return gate?.state === 'pending' ? '' : afterSuccess(change);
  if (step.state === 'indeterminate' || step.state === 'needs_manual_attention')
    return `Look at what happened, then queue it again if that is right: fairlead step retry ${step.id}`;
  return step.state === 'cancelled' || step.state === 'rejected' ? '' : afterFailure(step);
};

/** Gate and next command for the owner at the machine, in paragraphs; the sentence of the contract is for planners, who have tools instead. */
export const nextFor = (shown: Shown): string[] => [...(shown.gate ? [gateAdvice(shown.gate)] : []), afterwards(shown)].filter(Boolean);
