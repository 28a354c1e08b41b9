import { join } from 'node:path';
import { readFileSync } from 'node:fs';
import { LIMITS } from '@fairlead/shared/contract/limits';
import { afterEach, describe, expect, it } from 'vitest';
import { until } from '../rig/processes.ts';
import { git } from '../rig/repositories.ts';
import { isSettled, layGround, type Ground } from './ground.ts';
import { truthHolds } from './truth.ts';

/** Longer than a peer may be silent: three intervals, and one more until the timer looks. */
const AWAY_MS = LIMITS.heartbeat.value * 4 + 5_000;
const CONFIG = 'commands:\n  work: { run: [sh, -c, "sleep 20; echo ok worked > state.txt"] }\n';

interface Told {
  readonly state: string;
  readonly last_error: { readonly code: string } | null;
}

const statusOf = ({ stack }: Ground): Told => JSON.parse(readFileSync(join(stack.home, 'connector', 'status.json'), 'utf8')) as Told;

/** DESIGN, promises 1 and 2: a relay can deny, and that is all that its absence does. */
describe('a relay that is gone for longer than three heartbeats in mid-step', () => {
  let ground: Ground;
  afterEach(() => ground?.close());

  /** What takes the relay away, and brings it back. */
  const WAYS = {
    'stopped in its tracks': async () => {
      const { pid } = ground.stack.parts.relay;
      process.kill(pid, 'SIGSTOP');
      return async () => void process.kill(pid, 'SIGCONT');
    },
    killed: () => ground.keepAway('relay'),
  } as const;

  it.each(Object.keys(WAYS) as (keyof typeof WAYS)[])('%s: the step goes on, and the wait is taken up with its cursor', async (way) => {
    ground = await layGround({ config: CONFIG });
    const { stack, instance, repo } = ground;
    const facts = { origin: git(repo, 'rev-parse', 'main'), since: new Date().toISOString() };
    const run = await ground.ask('start_run', { instance_id: instance, title: way }, 'run');
    const task = { title: 'Work', goal: 'work', executor: 'command.work' };
    const step = await ground.ask('submit_task', { run_id: run.id, task }, 'step');
    await ground.follow(step.id, ({ state }) => state === 'running');
    const first = await ground.ask('wait_step', { step_id: step.id, timeout_ms: 1 });
    const input = { step_id: step.id, cursor: first.next_cursor, timeout_ms: 40_000 };
    // This wait is on its way when the relay goes; it may be answered late or break, and is asked again as it was.
    const wait = ground.ask('wait_step', input);
    wait.catch(() => undefined);

    const gone = Date.now();
    const bringBack = await WAYS[way]();
    await until('the connector says that the line is down', async () => statusOf(ground).last_error?.code !== undefined, AWAY_MS);
    expect(['error', 'connecting']).toContain(statusOf(ground).state);
    const here = () => stack.operator.call('get_step', { step_id: step.id });
    await until('the step has gone on by itself', async () => (await here()).state === 'needs_approval', AWAY_MS);
    await until('it was away for long', async () => Date.now() - gone > AWAY_MS, AWAY_MS + 10_000);
    expect(statusOf(ground)).not.toMatchObject({ state: 'verified' });

    await bringBack();
    await until('the connector is back', async () => statusOf(ground).state === 'verified', 90_000);
    expect((await wait).step.id).toBe(step.id);
    // The same cursor again: it tells what happened while nobody could be told.
    const after = await ground.ask('wait_step', input);
    expect(after.next_cursor).not.toBe(first.next_cursor);
    const held = await ground.follow(step.id, isSettled);
    expect([held.state, held.attempts]).toEqual(['needs_approval', 1]);
    await truthHolds(ground, facts);
  });
});
