import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { InputOf, OperationName, OutputOf } from '@fairlead/shared/contract/operations/table';
import type { Event, Step } from '@fairlead/shared/contract/resources';
import { systemClock } from '@fairlead/shared/kit/clock';
import { openLedger } from '../src/ledger/open-ledger.ts';
import { isBuilt, startDaemonProcess, type DaemonProcess } from './daemon-process.ts';
import { testRepository, type TestRepository } from './repository.ts';

const POLICY = `version: 1
validations:
  unit: { run: [grep, -q, ok, state.txt], timeout: 30s, judges: ['judges/**'] }
gates: { when: [always] }
`;
/** Two numbers that no other process sleeps for, those of a test file beside this one included, so that survivors can be found. */
const NAPS = ['1', '3'].map((end) => `9${process.pid}${end}`);
const CONFIG = `commands:
  nap: { run: [sh, -c, "setsid sleep ${NAPS[0]} & sleep ${NAPS[1]}"] }
  work: { run: [sh, -c, "echo ok worked > state.txt"] }
`;

let home: string;
let repository: TestRepository;
let instance: string;
let daemon: DaemonProcess;
let deaths: (NodeJS.Signals | null)[];
let count = 0;

/** Asks as a planner would: when the line breaks, the daemon is started again and the same request is sent with the same key. */
const ask = async <N extends OperationName>(name: N, input: InputOf<N>, key?: string): Promise<OutputOf<N>> => {
  const options = key === undefined ? {} : { idempotencyKey: key };
  try {
    return await daemon.client.call(name, input as never, options);
  } catch (error) {
    // A daemon that killed itself is gone within a moment; one that answers an error is not.
    const died = await Promise.race([daemon.gone.then(() => true), systemClock.sleep(300).then(() => false)]);
    if (!died) throw error;
    deaths.push(await daemon.gone);
    daemon = await startDaemonProcess(home);
    return daemon.client.call(name, input as never, options);
  }
};

const follow = async (stepId: string, until: (step: Step) => boolean): Promise<Step> => {
  let cursor: string | undefined;
  for (let turn = 0; turn < 60; turn++) {
    const answer = await ask('wait_step', { step_id: stepId, timeout_ms: 1000, ...(cursor !== undefined && { cursor }) });
    if (until(answer.step)) return answer.step;
    cursor = answer.next_cursor;
  }
  throw new Error(`Step ${stepId} went nowhere`);
};
const settled = (step: Step): boolean => step.ended || step.state === 'needs_approval';

const sleepers = (): string[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
        return line.startsWith('sleep\0') && NAPS.some((nap) => line.includes(nap)) ? [pid] : [];
      } catch {
        return [];
      }
    });

export type Scenario = 'land' | 'reject' | 'retry' | 'cancel' | 'work';

interface Told {
  readonly point: string;
  readonly run: string;
  readonly key: string;
  readonly before: string;
}

const submitPatch = (told: Told, text: string): Promise<Step> =>
  ask(
    'submit_task',
    { run_id: told.run, task: { title: told.key, patch: repository.patch({ 'state.txt': `${text} ${told.key}\n` }) } } as never,
    `${told.key}-s`,
  );

const SCENARIOS = {
  async land(told: Told) {
    const held = await follow((await submitPatch(told, 'ok')).id, settled);
    expect(held).toMatchObject({ state: 'needs_approval', attempts: expect.any(Number) });
    const gate = await ask('get_gate', { gate_id: held.gate_id! });
    await ask('approve_gate', { gate_id: gate.id, digest: gate.digest }, `${told.key}-a`);
    const landed = await ask('integrate_change', { change_id: held.change_id! }, `${told.key}-i`);
    expect(landed).toMatchObject({ state: 'integrated', integrated: { from: told.before, to: repository.tip() } });
    expect(repository.tip('refs/heads/main~1')).toBe(told.before);
    expect(repository.git('log', '-1', '--format=%b')).toContain(held.id);
    expect(repository.git('status', '--porcelain')).toBe('');
    return {
      step: held.id,
      state: 'completed',
      once: ['step.queued', 'change.recorded', 'gate.opened', 'gate.approved', 'step.approved', 'change.integrated'],
    };
  },
  async reject(told: Told) {
    const held = await follow((await submitPatch(told, 'ok')).id, settled);
    await ask('reject_gate', { gate_id: held.gate_id! }, `${told.key}-r`);
    expect(repository.tip()).toBe(told.before);
    return { step: held.id, state: 'rejected', once: ['step.queued', 'gate.rejected', 'change.discarded', 'step.ended'] };
  },
  async retry(told: Told) {
    const failed = await follow((await submitPatch(told, 'bad')).id, settled);
    expect(failed.state).toBe('failed_validation');
    await ask('retry_step', { step_id: failed.id, resume: false }, `${told.key}-t`);
    const again = await follow(failed.id, (step) => step.ended && step.attempts === 2);
    expect(repository.tip()).toBe(told.before);
    return { step: again.id, state: 'failed_validation', once: ['step.queued'] };
  },
  async cancel(told: Told) {
    const step = await ask('submit_task', { run_id: told.run, task: { goal: 'nap', executor: 'command.nap' } } as never, `${told.key}-s`);
    await follow(step.id, ({ state }) => state === 'running');
    while (sleepers().length < 2) await systemClock.sleep(20);
    // A cancel that never reached the ledger leaves a step whose outcome nobody knows; asking again is then refused, and rightly.
    await ask('cancel_step', { step_id: step.id }, `${told.key}-c`).catch(() => undefined);
    const ended = await follow(step.id, settled);
    expect(['cancelled', 'indeterminate']).toContain(ended.state);
    return { step: step.id, state: ended.state, once: ['step.queued', 'step.ended'] };
  },
  /** Work that may act outside of what the daemon sees is never repeated by itself: known once it ended, in doubt before. */
  async work(told: Told) {
    const step = await ask('submit_task', { run_id: told.run, task: { goal: 'work', executor: 'command.work' } } as never, `${told.key}-s`);
    const ended = await follow(step.id, settled);
    // Before it was started nothing had happened, so that it is begun anew; until its end is recorded, its outcome is in doubt.
    const anew = told.point === 'step.started:before';
    const doubt = told.point === 'step.started:after' || /^(step\.executed|attempt\.ended):before/.test(told.point);
    expect(ended).toMatchObject({ state: doubt ? 'indeterminate' : 'needs_approval', attempts: anew ? 2 : 1 });
    if (ended.change_id)
      expect((await ask('get_change', { change_id: ended.change_id })).files.map(({ path }) => path)).toEqual(['state.txt']);
    return {
      step: step.id,
      state: ended.state,
      once: [
        'step.queued',
        'step.started',
        ...(anew ? [] : ['attempt.started', 'attempt.ended']),
        ...(doubt ? ['step.ended'] : ['change.recorded']),
      ],
    };
  },
};

export const scenarioOf = (point: string): Scenario => {
  if (/^(gate\.rejected|change\.discarded)/.test(point)) return 'reject';
  if (/^(step\.requeued|step\.ended)/.test(point)) return 'retry';
  return point.startsWith('step.stop_requested') ? 'cancel' : 'land';
};

const historyOf = async (run: string): Promise<Event[]> =>
  (await ask('list_events', { instance_id: instance, run_id: run, limit: 500 })).items;

/** Tests that kill the daemon at these points and hold it to its word. A file of its own for each share, so that they run side by side. */
export const crashSuite = (points: readonly (readonly [point: string, scenario: Scenario])[]): void => {
  beforeAll(async () => {
    if (!isBuilt()) return;
    home = mkdtempSync(join(tmpdir(), 'fairlead-crash-'));
    mkdirSync(join(home, 'daemon'), { mode: 0o700 });
    writeFileSync(join(home, 'daemon', 'config.yaml'), CONFIG);
    repository = testRepository({ '.fairlead/project.yaml': POLICY, 'state.txt': 'ok\n' });
    daemon = await startDaemonProcess(home);
    instance = (await daemon.client.call('add_instance', { path: repository.path, unconfined: true })).id;
    await daemon.stop();
  }, 60_000);

  afterEach(() => daemon?.stop());

  afterAll(async () => {
    if (!isBuilt()) return;
    await daemon?.stop();
    rmSync(home, { recursive: true, force: true });
    repository.remove();
  });

  it.skipIf(!isBuilt()).each(points.map((pair) => [...pair] as const))('%s (%s)', { timeout: 60_000 }, async (point, scenario) => {
    deaths = [];
    count += 1;
    daemon = await startDaemonProcess(home, point);
    const run = (await daemon.client.call('start_run', { instance_id: instance, title: point }, { idempotencyKey: `run-${count}` })).id;
    const told: Told = { point, run, key: `k${count}`, before: repository.tip() };
    const { step, state, once } = await SCENARIOS[scenario](told);
    expect(deaths).toEqual(['SIGKILL']);

    const steps = (await ask('list_steps', { run_id: run, limit: 50 })).items;
    expect(steps.map(({ id }) => id)).toEqual([step]);
    expect(steps[0]!.state).toBe(state);
    const events = (await historyOf(run)).map(({ type }) => type as string);
    for (const type of once) expect([type, events.filter((name) => name === type).length]).toEqual([type, 1]);
    expect(sleepers()).toEqual([]);
    await daemon.stop();
    expect(readdirSync(join(home, 'daemon', 'workspaces'))).toEqual([]);
    const ledger = openLedger({ file: join(home, 'daemon', 'ledger.db'), clock: systemClock });
    expect(ledger.verify(instance).problems).toEqual([]);
    expect(ledger.read.gitEffects({ state: 'planned' })).toEqual([]);
    await ledger.close();
  });
};
