import type { Grant } from '@fairlead/shared/contract/resources';
import { OPERATIONS, type OperationTable } from '@fairlead/shared/contract/operations/table';

const listed = (names: readonly string[]): string => names.join(', ');

const duration = (ms: number): string => (ms % 3_600_000 === 0 ? `${ms / 3_600_000} h` : `${Math.round(ms / 60_000)} min`);

/** What accepting relay decisions means, for the one who is about to. */
export const RELAY_DECISIONS = [
  'You accept decisions that come through this relay. That means:',
  '  - whoever holds a planner token with the scope gates:decide or changes:decide at that relay can approve work and move your branch;',
  '  - the relay itself, or whoever breaks into it, can do so too: nothing but its word says who decided;',
  '  - nobody remote approves a step of their own, unless your project policy allows self_approval, but the relay could name another.',
  'Every such decision is recorded with the authority relay_asserted. Take it back with fairlead-connector unshare.',
].join('\n');

/** Says in plain words what a grant lets planners do. One sentence a line. */
export const inPlainWords = (grant: Grant, label: string, relay: string, table: OperationTable = OPERATIONS): string => {
  const of = (effect: string) => grant.operations.filter((name) => table[name]?.effect === effect);
  const files = grant.operations.filter((name) => table[name]?.scope === 'files:read');
  const reads = of('read').filter((name) => !files.includes(name));
  const lines = [`Planners at ${relay} may now, on ${label}:`];
  if (reads.length > 0) lines.push(`  - read: ${listed(reads)}`);
  if (files.length > 0) lines.push(`  - read every tracked file of the repository: ${listed(files)}`);
  if (of('write').length > 0) lines.push(`  - ask for work: ${listed(of('write'))}`);
  if (of('decide').length > 0) lines.push(`  - decide: ${listed(of('decide'))}`);
  else lines.push('They may not approve, reject, integrate or discard: that stays with you.');
  lines.push(
    grant.executors === null
      ? 'Any executor of this machine may be named.'
      : `Only these executors may be named: ${listed(grant.executors)}.`,
  );
  if (grant.validations !== null) lines.push(`Only these optional validations may be named: ${listed(grant.validations)}.`);
  const { steps, wall_ms: wall } = grant.budget;
  lines.push(steps === null ? 'The number of steps is not limited.' : `At most ${steps} steps may be submitted or retried.`);
  if (wall !== null) lines.push(`The time limits of those steps may sum up to ${duration(wall)}.`);
  lines.push(`It ends by itself on ${grant.expires_at.slice(0, 10)}.`);
  return lines.join('\n');
};

/** Says what the share allowed whose place another takes: whoever widens one is to see it. */
export const formerShare = ({ operations, executors, validations, budget, accept_relay_decisions: decisions }: Grant): string => {
  const { steps, wall_ms: wall } = budget;
  return [
    `This takes the place of an earlier share. That one allowed ${operations.length} operations`,
    `executors: ${executors === null ? 'any' : listed(executors)}`,
    ...(validations === null ? [] : [`optional validations: ${listed(validations)}`]),
    `steps: ${steps ?? 'not limited'}`,
    ...(wall === null ? [] : [`time: ${duration(wall)}`]),
    `decisions: ${decisions ? 'accepted' : 'local'}.`,
  ].join('; ');
};

const STEPS_NAMED = 5;

/** Says that ending a share ends no work, and how to end that too. */
export const stepsGoOn = (steps: readonly string[]): string =>
  [
    `${steps.length === 1 ? '1 step that planners asked for goes' : `${steps.length} steps that planners asked for go`} on. To end ${steps.length === 1 ? 'it' : 'them'}:`,
    ...steps.slice(0, STEPS_NAMED).map((id) => `  fairlead step cancel ${id}`),
    ...(steps.length > STEPS_NAMED ? [`  and ${steps.length - STEPS_NAMED} more; fairlead halt stops everything`] : []),
  ].join('\n');
