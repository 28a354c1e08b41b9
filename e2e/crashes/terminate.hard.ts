import { ERRORS, type ErrorCode } from '@fairlead/shared/contract/error-table';
import { FairleadError } from '@fairlead/shared/contract/errors';
import { afterEach, describe, expect, it } from 'vitest';
import { clientFor } from '../rig/planner.ts';
import { until } from '../rig/processes.ts';
import { addFilePatch, git } from '../rig/repositories.ts';
import type { PartName } from '../rig/stack.ts';
import { isSettled, layGround, type Ground } from './ground.ts';
import { truthHolds } from './truth.ts';

const STEPS = 18;
/** The rig's own TERM grace is ten seconds; a part that needs more would be killed, and not end with 0. */
const DEADLINE_MS = 10_000;

/** What became of a request: `answered`, or the code that it was refused with. */
const fateOf = (asked: Promise<unknown>): Promise<string> =>
  asked.then(
    () => 'answered',
    (error: unknown) => (error instanceof FairleadError ? error.code : String(error)),
  );

/** DESIGN, promise 2: an end in order is no crash, and loses no more than one. */
describe('SIGTERM under load', () => {
  let ground: Ground;
  afterEach(() => ground?.close());

  const read = async (stream: Promise<AsyncIterable<Uint8Array>>): Promise<void> => {
    for await (const chunk of await stream) void chunk;
  };

  /** Steps of all kinds in flight, a wait on each, and streams that follow the history and a log. */
  const load = async () => {
    const { stack, instance } = ground;
    const run = await ground.ask('start_run', { instance_id: instance, title: 'Load' }, 'run');
    const tasks = Array.from({ length: STEPS }, (_, at) =>
      at % 3 === 0
        ? { title: `${at}`, goal: 'nap', executor: 'command.nap' }
        : { title: `${at}`, patch: addFilePatch(`f${at}.txt`, `${at}`), executor: 'patch' },
    );
    const steps = await Promise.all(tasks.map((task, at) => ground.ask('submit_task', { run_id: run.id, task }, `step-${at}`)));
    await until('a nap runs', async () => {
      const { items } = await stack.operator.call('list_steps', { run_id: run.id, limit: 100 });
      return items.some(({ state, executor }) => state === 'running' && JSON.stringify(executor).includes('nap'));
    });
    const planner = clientFor(stack.relayUrl, '/api/v2', stack.plannerToken);
    const waits = steps.map(({ id }) => fateOf(planner.call('wait_step', { step_id: id, timeout_ms: 40_000 })));
    const accept = { accept: 'text/event-stream' };
    const streams = [planner, stack.operator].map((client) =>
      fateOf(read(client.stream('list_events', { instance_id: instance, run_id: run.id }, accept))),
    );
    return { steps, waits, streams };
  };

  it.each(['daemon', 'connector', 'relay'] as const satisfies readonly PartName[])(
    'of the %s: it ends in time with 0, waiters are told, and a new start goes on',
    async (part) => {
      ground = await layGround();
      const { stack, repo } = ground;
      const facts = { origin: git(repo, 'rev-parse', 'main'), since: new Date().toISOString() };
      const { steps, waits, streams } = await load();
      const since = performance.now();
      const ended = await stack.parts[part].stop();
      expect(ended).toEqual({ code: 0, signal: null });
      expect(performance.now() - since).toBeLessThan(DEADLINE_MS);
      // Nobody hangs on a part that is gone: an answer, or a code with which the same may be asked again.
      const fates = await Promise.all(waits);
      const clear = (fate: string) => fate === 'answered' || ERRORS[fate as ErrorCode]?.retryable;
      expect(fates.filter((fate) => !clear(fate))).toEqual([]);

      await stack.start(part);
      for (const step of steps) {
        const seen = await ground.ask('get_step', { step_id: step.id });
        if (seen.executor.requested === 'command.nap' && !seen.ended && seen.state !== 'indeterminate')
          await ground.ask('cancel_step', { step_id: step.id }, `cancel-${step.id}`).catch((error: { code?: string }) => {
            if (error.code !== 'transition_refused') throw error;
          });
      }
      for (const { id } of steps) {
        const end = await ground.follow(id, (step) => isSettled(step) || step.state === 'indeterminate');
        // Work that is not repeated by itself ended with the daemon, and says so; it was confirmed gone, so there is no doubt.
        if (part === 'daemon' && end.state === 'failed_executor') expect(end.reason).toMatchObject({ code: 'daemon_stopped' });
        else expect(['needs_approval', 'cancelled'], JSON.stringify(end)).toContain(end.state);
      }
      await truthHolds(ground, facts);
      await stack.parts.relay.stop();
      await stack.parts.daemon.stop();
      await Promise.all(streams);
      await stack.start('relay');
    },
  );
});
