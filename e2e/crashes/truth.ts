import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { openLedger } from '@fairlead/daemon/ledger/open-ledger';
import type { Event } from '@fairlead/shared/contract/resources';
import { systemClock } from '@fairlead/shared/kit/clock';
import { expect } from 'vitest';
import { until } from '../rig/processes.ts';
import { git } from '../rig/repositories.ts';
import { NAPS, type Ground } from './ground.ts';

const read = (look: () => string): string => {
  try {
    return look();
  } catch {
    return '';
  }
};

/** Processes of this stack but for its three parts, by what is said of each: its command line, its folder, its environment. */
const strays = ({ stack }: Ground): string[] => {
  const parts = new Set(Object.values(stack.parts).map(({ pid }) => String(pid)));
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && !parts.has(name) && name !== String(process.pid))
    .flatMap((pid) => {
      const command = read(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8')).replaceAll('\0', ' ');
      const known = [command, read(() => readlinkSync(`/proc/${pid}/cwd`)), read(() => readFileSync(`/proc/${pid}/environ`, 'utf8'))];
      const naps = command.startsWith('sleep ') && NAPS.some((nap) => command.includes(nap));
      return naps || known.some((text) => text.includes(stack.home)) ? [`${pid} ${command}`] : [];
    });
};

/** No process is left without an owner, and no folder of an attempt without its attempt. */
const atRest = async (ground: Ground): Promise<void> => {
  const workspaces = join(ground.stack.home, 'daemon', 'workspaces');
  let left: string[] = [];
  const quiet = async () => (left = [...strays(ground), ...readdirSync(workspaces)]).length === 0;
  await until('nothing of any attempt is left', quiet).catch((cause: Error) => {
    throw new Error(`${cause.message}: ${left.join(', ')}`, { cause });
  });
};

/** The chain holds, no effect hangs in the air, and the user's ref is where the journal says that it was moved to last. */
const journalHolds = async ({ stack, instance, repo }: Ground, origin: string): Promise<void> => {
  const ledger = openLedger({ file: join(stack.home, 'daemon', 'ledger.db'), clock: systemClock });
  try {
    expect(ledger.verify(instance).problems).toEqual([]);
    expect(ledger.read.gitEffects({ state: 'planned' })).toEqual([]);
    expect(ledger.read.gitEffects({ state: 'applied' })).toEqual([]);
    const moved = ledger.read.gitEffects({ state: 'reconciled' });
    // Each one begins where the one before it ended: no move was lost and none was made twice.
    expect([origin, ...moved.map(({ to }) => to)]).toEqual([...moved.map(({ from }) => from), git(repo, 'rev-parse', 'main')]);
    expect(git(repo, 'rev-list', '--count', `${origin}..main`)).toBe(String(moved.length));
    expect(git(repo, 'status', '--porcelain')).toBe('');
  } finally {
    await ledger.close();
  }
};

/** Each acknowledged write, sent once more with its key, is answered with the very thing that was made the first time. */
const repeatsAreAnswered = async (ground: Ground): Promise<void> => {
  // Asking again adds to the list: only what is there now is gone through.
  const first = ground.acknowledged.slice();
  for (const { operation, input, key, answer } of first) {
    const again = await ground.ask(operation, input as never, key);
    expect([operation, (again as { id: string }).id]).toEqual([operation, answer.id]);
  }
};

/** The relay has a line for each write that it acknowledged, on the disk before the answer left. */
const auditHas = async ({ stack, acknowledged }: Ground, since: string): Promise<void> => {
  for (const action of new Set(acknowledged.map(({ operation }) => operation))) {
    const { items } = await stack.admin.call('list_audit', { action, outcome: 'ok', limit: 500 });
    const lines = items.filter(({ at }) => at >= since).length;
    const acks = acknowledged.filter(({ operation }) => operation === action).length;
    expect(lines, `lines of ${action} in the audit`).toBeGreaterThanOrEqual(Math.min(acks, 500));
  }
};

const eventsOf = async ({ stack, instance }: Ground, run: string): Promise<Event[]> =>
  (await stack.operator.call('list_events', { instance_id: instance, run_id: run, limit: 500 })).items;

/** What each acknowledged write has left in the history, once and only once. */
const TRACES: Readonly<Record<string, string>> = {
  submit_task: 'step.queued',
  approve_gate: 'gate.approved',
  reject_gate: 'gate.rejected',
  integrate_change: 'change.integrated',
};

/** Every run and step that was asked for is there once: as many as there are keys, and the history has one line for each write. */
const nothingTwice = async (ground: Ground): Promise<void> => {
  const { stack, acknowledged } = ground;
  const idsOf = (name: string) => new Set(acknowledged.filter(({ operation }) => operation === name).map(({ answer }) => answer.id));
  for (const run of idsOf('start_run')) {
    const wanted = acknowledged.filter(
      ({ operation, input }) => operation === 'submit_task' && (input as { run_id: string }).run_id === run,
    );
    const { items } = await stack.operator.call('list_steps', { run_id: run, limit: 500 });
    expect(new Set(items.map(({ id }) => id))).toEqual(new Set(wanted.map(({ answer }) => answer.id)));
    expect(items.length).toBe(new Set(wanted.map(({ key }) => key)).size);
    const events = await eventsOf(ground, run);
    for (const [operation, type] of Object.entries(TRACES)) {
      const lines = events.filter((event) => event.type === type);
      const steps = new Set(lines.map(({ step_id }) => step_id));
      expect([operation, lines.length]).toEqual([operation, steps.size]);
    }
    expect(events.filter(({ type }) => type === 'run.started').length).toBe(1);
  }
};

/**
 * The property that every crash must keep: what was acknowledged is there exactly once, what was not can be repeated by its key and is
 * then there once, processes are gone or owned, refs are where the journal says, and the chain of the history holds.
 * @param facts.origin the commit of the user's branch before anything was integrated · `since` when what is to be in the audit began
 */
export const truthHolds = async (ground: Ground, facts: { readonly origin: string; readonly since: string }): Promise<void> => {
  await ground.standing();
  await auditHas(ground, facts.since);
  await repeatsAreAnswered(ground);
  await nothingTwice(ground);
  await atRest(ground);
  await journalHolds(ground, facts.origin);
};
