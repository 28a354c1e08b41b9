import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { ProjectPolicy } from '@fairlead/shared/contract/project-policy';
import type { StepState } from '@fairlead/shared/contract/states';
import { systemClock } from '@fairlead/shared/kit/clock';
import { BY_DAEMON } from '../src/core/records.ts';
import { SIMULATIONS } from '../src/executors/simulation.ts';
import { detectConfinement } from '../src/process/detect.ts';
import { LOCAL, openShop, settled, startRun, submit, type Shop, type WorkshopOptions, changeGate } from './workshop.ts';

const folder = mkdtempSync(join(tmpdir(), 'fairlead-detect-'));
const { sandbox, reason } = await detectConfinement({ folder, toolchain: [] });
rmSync(folder, { recursive: true, force: true });
/** What a sandbox alone can promise is not asked of a machine that has none. */
const confined = it.skipIf(!sandbox);
const why = sandbox ? '' : ` (skipped: ${reason})`;

const FILES = { 'src/a.txt': 'one\n', 'state.txt': 'ok\n', 'test/state.txt': 'strict\n' };
const OPEN = ProjectPolicy.parse({ version: 1, gates: { when: ['protected'] } });
const NAPS = ['86421', '86423'] as const;

let shop: Shop | undefined;
afterEach(async () => {
  await shop?.close();
  shop = undefined;
});

const open = async (options: WorkshopOptions = {}): Promise<Shop> => (shop = await openShop(FILES, { policy: () => OPEN, ...options }));

/** Processes by their whole command line; found outside of what the daemon itself records. */
const sleeping = (): number =>
  readdirSync('/proc').filter((pid) => {
    try {
      const line = /^\d+$/.test(pid) ? readFileSync(`/proc/${pid}/cmdline`, 'utf8') : '';
      return line.startsWith('sleep\0') && NAPS.some((nap) => line.includes(nap));
    } catch {
      return false;
    }
  }).length;

const waitFor = async (holds: () => boolean, ms = 10_000): Promise<void> => {
  const end = systemClock.monotonic() + ms;
  while (!holds()) {
    if (systemClock.monotonic() > end) throw new Error('It never held');
    await systemClock.sleep(10);
  }
};

const reached = (of: Shop, stepId: string, state: StepState) => waitFor(() => of.ledger.read.step(stepId)?.state === state);
const requestStop = (of: Shop, stepId: string) => of.ledger.record((tx) => void tx.requestStop(stepId, 'cancel', LOCAL));

const ENDS: Readonly<Record<(typeof SIMULATIONS)[number], StepState>> = {
  finished: 'completed_with_warnings',
  no_change: 'completed_with_warnings',
  refused: 'failed_executor',
  timed_out: 'timeout',
  cancelled: 'failed_executor',
  crashed: 'failed_executor',
  quota: 'waiting_quota',
  stop_unconfirmed: 'needs_manual_attention',
  slow: 'cancelled',
  fence_broken: 'failed_fence',
  protected_path: 'needs_approval',
  judge_changed: 'completed_with_warnings',
  large_output: 'completed_with_warnings',
  out_file: 'completed_with_warnings',
};

describe('simulation', () => {
  it('reaches each of its ends by name, and says that it is simulated', async () => {
    const of = await open({ parallelism: 4 });
    const steps = await Promise.all(SIMULATIONS.map((name) => submit(of, of.run.id, { goal: 'x', executor: `simulation.${name}` })));
    const slow = steps[SIMULATIONS.indexOf('slow')]!;
    await reached(of, slow.id, 'running');
    await requestStop(of, slow.id);
    const ended = await Promise.all(steps.map((step) => settled(of, step.id)));
    expect(Object.fromEntries(ended.map((step, index) => [SIMULATIONS[index], step.state]))).toEqual(ENDS);
    expect(ended.every(({ simulated }) => simulated)).toBe(true);
    const kinds = (name: (typeof SIMULATIONS)[number]) =>
      of.ledger.read.artifacts({ step_id: steps[SIMULATIONS.indexOf(name)]!.id }).map(({ kind }) => kind);
    expect(kinds('out_file')).toContain('out_file');
    const log = of.ledger.read
      .artifacts({ step_id: steps[SIMULATIONS.indexOf('large_output')]!.id })
      .find(({ kind }) => kind === 'output')!;
    expect(log.size).toBe(8 * 1024 * 1024 + 'wrote simulated.txt\n'.length);
    expect(readdirSync(`${of.home}/workspaces`)).toEqual([]);
  });
});

describe('a command', () => {
  const commands = [
    {
      name: 'edit',
      run: ['sh', '-c', 'cat > task.json; echo edited > src/a.txt; echo report > "$FAIRLEAD_OUT/report.txt"; echo the-secret-value'],
    },
    { name: 'fail', run: ['sh', '-c', 'echo half > src/a.txt; exit 3'] },
    {
      name: 'commit',
      run: [
        'sh',
        '-c',
        'echo two > src/a.txt && git add -A && git -c user.name=Forged -c user.email=f@example.org commit -q -m forged && echo left > src/left.txt',
      ],
    },
    { name: 'nap', run: ['sh', '-c', `setsid sleep ${NAPS[0]} & sleep ${NAPS[1]}`] },
  ];

  it('works confined, is told its task on standard input, and its output is redacted', async () => {
    const of = await open({ commands, secrets: ['the-secret-value'] });
    const step = await settled(of, (await submit(of, of.run.id, { goal: 'Do it', executor: 'command.edit' })).id);
    expect(step).toMatchObject({ state: 'completed_with_warnings', executor_used: 'command.edit' });
    const change = of.ledger.read.change(step.change_id!)!;
    expect(change.files.map(({ path }) => path)).toEqual(['src/a.txt', 'task.json']);
    const rows = of.ledger.read.artifacts({ step_id: step.id });
    const output = rows.find(({ kind }) => kind === 'output')!;
    expect(output.redactions).toEqual({ known_value: 1 });
    expect((await of.artifacts.read(output.sha256)).toString()).not.toContain('the-secret-value');
    expect(rows.find(({ kind }) => kind === 'out_file')).toMatchObject({ name: 'report.txt' });
  });

  it('that fails keeps what it did as evidence, and may be retried without losing it', async () => {
    const of = await open({ commands });
    const step = await settled(of, (await submit(of, of.run.id, { goal: 'x', executor: 'command.fail' })).id);
    expect(step).toMatchObject({ state: 'failed_executor', reason: { code: 'command_failed' } });
    expect(of.ledger.read.attempt(step.attempt_id!)).toMatchObject({ state: 'crashed', exit_code: 3 });
    expect(of.ledger.read.changes(step.id)).toHaveLength(1);
    await expect(of.delivery.integrate({ change_id: step.change_id! }, { ...LOCAL, remote: false })).rejects.toMatchObject({
      code: 'transition_refused',
    });
    await of.ledger.record((tx) => void tx.move.step(step.id, 'retried', { change_id: null, gate_id: null }, LOCAL));
    await waitFor(() => of.ledger.read.attempts(step.id).length === 2);
    expect((await settled(of, step.id)).attempts).toBe(2);
    expect(of.ledger.read.changes(step.id)).toHaveLength(2);
  });

  it('may make commits of its own: they are a bundle beside the snapshot, never what lands', async () => {
    const of = await open({ commands });
    const step = await settled(of, (await submit(of, of.run.id, { goal: 'x', executor: 'command.commit' })).id);
    const change = of.ledger.read.change(step.change_id!)!;
    expect(change.files.map(({ path }) => path)).toEqual(['src/a.txt', 'src/left.txt']);
    const bundles = of.ledger.read.artifacts({ step_id: step.id }).filter(({ kind }) => kind === 'agent_commits');
    expect(bundles).toHaveLength(of.confining.sandbox ? 1 : 0);
    expect(of.repository.git('log', '--format=%an', '-1', 'main')).toBe('Owner');
  });

  it('is cancelled in the middle once every process is gone, those in sessions of their own too', async () => {
    const of = await open({ commands });
    const { id } = await submit(of, of.run.id, { goal: 'x', executor: 'command.nap' });
    await waitFor(() => sleeping() === 2);
    await requestStop(of, id);
    expect(await settled(of, id)).toMatchObject({ state: 'cancelled' });
    expect(sleeping()).toBe(0);
  });

  it('ends at its time limit, and everything stopped', async () => {
    const of = await open({ commands });
    const step = await settled(of, (await submit(of, of.run.id, { goal: 'x', executor: 'command.nap', timeout: '800ms' })).id);
    expect(step).toMatchObject({ state: 'timeout' });
    expect(sleeping()).toBe(0);
  });
});

describe('validations', () => {
  const policyWith = (run: string[], more = {}) =>
    ProjectPolicy.parse({ version: 1, validations: { unit: { run, judges: ['test/**'], ...more } }, gates: { when: [] } });

  it('decide, and their output is evidence', async () => {
    const of = await open({ policy: () => policyWith(['sh', '-c', 'cat state.txt; grep -q ok state.txt']) });
    const good = await settled(of, (await submit(of, of.run.id, { patch: of.repository.patch({ 'state.txt': 'ok too\n' }) })).id);
    const bad = await settled(of, (await submit(of, of.run.id, { patch: of.repository.patch({ 'state.txt': 'bad\n' }) })).id);
    expect([good.state, bad.state]).toEqual(['completed', 'failed_validation']);
    const [row] = of.ledger.read.validations({ step_id: bad.id });
    expect(row).toMatchObject({ name: 'unit', passed: false, exit_code: 1, output_tail: 'bad\n', phase: 'change' });
  });

  confined(`see nothing that the executor left but the snapshot${why}`, async () => {
    const commands = [
      {
        name: 'cheat',
        run: ['sh', '-c', 'echo planted > /tmp/planted; echo x > src/a.txt; echo ignored > cheat.log; echo "*.log" > .git-ignored'],
      },
    ];
    const of = await open({ commands, policy: () => policyWith(['sh', '-c', 'test ! -e /tmp/planted && test -e src/a.txt']) });
    expect(await settled(of, (await submit(of, of.run.id, { goal: 'x', executor: 'command.cheat' })).id)).toMatchObject({
      state: 'completed',
    });
  });

  /** Threats row 11. */
  it('whose judges are changed run again with the judges of the base, and a gate shows both', async () => {
    const of = await open({ policy: () => policyWith(['sh', '-c', 'grep -q lax test/state.txt || grep -q ok state.txt']) });
    const patch = of.repository.patch({ 'test/state.txt': 'lax\n', 'state.txt': 'bad\n' });
    const step = await settled(of, (await submit(of, of.run.id, { patch })).id);
    expect(step).toMatchObject({ state: 'needs_approval', warnings: ['judges_restored_failed:unit'] });
    expect(of.ledger.read.gate(step.gate_id!)!.reasons).toEqual(['judge_changed']);
    expect(of.ledger.read.validations({ step_id: step.id }).map(({ phase, passed }) => [phase, passed])).toEqual([
      ['change', true],
      ['judges_restored', false],
    ]);
    expect(changeGate(of, step.gate_id!).binding.validation_digests).toHaveLength(2);
  });

  it('that delete the judge do not escape it', async () => {
    const of = await open({ policy: () => policyWith(['sh', '-c', 'test ! -e test/state.txt || grep -q ok state.txt']) });
    of.repository.git('rm', '-q', 'test/state.txt');
    of.repository.write({ 'state.txt': 'bad\n' });
    of.repository.git('add', '-A');
    const patch = `${of.repository.git('diff', '--cached')}\n`;
    of.repository.git('reset', '-q', '--hard');
    const step = await settled(of, (await submit(of, of.run.id, { patch })).id);
    expect(step).toMatchObject({ state: 'needs_approval', warnings: ['judges_restored_failed:unit'] });
  });

  it('are stopped by a cancel, and nothing of them survives', async () => {
    const of = await open({ policy: () => policyWith(['sh', '-c', `setsid sleep ${NAPS[0]} & sleep ${NAPS[1]}`]) });
    const { id } = await submit(of, of.run.id, { patch: of.repository.patch({ 'state.txt': 'ok 2\n' }) });
    await waitFor(() => sleeping() === 2);
    await requestStop(of, id);
    expect(await settled(of, id)).toMatchObject({ state: 'cancelled' });
    expect(sleeping()).toBe(0);
  });
});

describe('the queue', () => {
  it('lets as many work as it may, shows places, and ends what runs when the daemon stops', async () => {
    const of = await open({ parallelism: 1 });
    const slow = await submit(of, of.run.id, { goal: 'x', executor: 'simulation.slow' });
    await reached(of, slow.id, 'running');
    const next = await submit(of, of.run.id, { goal: 'x', executor: 'simulation.finished' });
    expect(of.ledger.read.position(of.ledger.read.step(next.id)!)).toBe(1);
    await of.scheduler.stop();
    expect(of.ledger.read.step(slow.id)!.state).toBe('running');
    expect(of.ledger.read.step(next.id)!.state).toBe('queued');
  });
});

describe('runs beside each other', () => {
  it('work at the same time, and one that waits is queued and never fails for it', async () => {
    const of = await open({ parallelism: 2 });
    const runs = await Promise.all([1, 2, 3].map(() => startRun(of)));
    const [one, two, three] = await Promise.all(runs.map((run) => submit(of, run.id, { goal: 'x', executor: 'simulation.slow' })));
    await reached(of, one!.id, 'running');
    await reached(of, two!.id, 'running');
    expect(of.ledger.read.step(three!.id)!.state).toBe('queued');
    await requestStop(of, one!.id);
    await reached(of, three!.id, 'running');
    expect(of.ledger.read.step(two!.id)!.state).toBe('running');
    for (const step of [two!, three!]) await requestStop(of, step.id);
    for (const step of [two!, three!]) expect(await settled(of, step.id)).toMatchObject({ state: 'cancelled', attempts: 1 });
  }, 90_000);
});

describe('the words of a task', () => {
  /** Whatever would take them for a command line leaves a file behind. */
  it('are never a command line, whoever works on it', async () => {
    const of = await open({ commands: [{ name: 'read', run: ['sh', '-c', 'cat > src/task.json'] }] });
    const marker = join(of.home, 'ran');
    const words = `x'; touch ${marker}; "$(touch ${marker})" \`touch ${marker}\` && touch ${marker} #`;
    const asked = [
      { executor: 'simulation.finished', title: words, goal: words },
      { executor: 'command.read', title: words, goal: words },
      { title: words, patch: of.repository.patch({ 'state.txt': 'ok too\n' }) },
    ];
    for (const task of asked) {
      const step = await settled(of, (await submit(of, of.run.id, task)).id);
      expect(step.state, task.executor).toBe('completed_with_warnings');
      await of.delivery.integrate({ change_id: step.change_id! }, { ...LOCAL, remote: false });
    }
    expect(existsSync(marker)).toBe(false);
    expect(of.repository.git('log', '--format=%s', '-1', 'main')).toBe(words);
  }, 90_000);
});

describe('a check cannot help another', () => {
  it('what one check writes into its checkout, the next does not see', async () => {
    const policy = ProjectPolicy.parse({
      version: 1,
      validations: {
        first: { run: ['sh', '-c', 'echo ok > state.txt; echo ok > "$FAIRLEAD_OUT/state"'], judges: ['judges/**'] },
        second: { run: ['sh', '-c', 'grep -q ok state.txt || grep -q ok "$FAIRLEAD_OUT/state"'], judges: ['judges/**'] },
      },
      gates: { when: [] },
    });
    const of = await open({ policy: () => policy });
    const step = await submit(of, of.run.id, { title: 'Break', patch: of.repository.patch({ 'state.txt': 'bad\n' }) });
    expect(await settled(of, step.id)).toMatchObject({ state: 'failed_validation' });
    expect(of.ledger.read.validations({ step_id: step.id }).map(({ name, passed }) => [name, passed])).toEqual([
      ['first', true],
      ['second', false],
    ]);
  });

  confined(`what it prints names no place of this machine${why}`, async () => {
    const policy = ProjectPolicy.parse({
      version: 1,
      validations: { look: { run: ['cat', '/proc/self/mountinfo'] } },
      gates: { when: [] },
    });
    const of = await open({ policy: () => policy });
    const step = await submit(of, of.run.id, { title: 'Look', patch: of.repository.patch({ 'state.txt': 'new\n' }) });
    await settled(of, step.id);
    const [look] = of.ledger.read.validations({ step_id: step.id });
    expect(look).toMatchObject({ passed: true });
    expect(look!.output_tail).toContain('[redacted]');
    expect(look!.output_tail).not.toContain(of.home);
  });
});

describe('a step whose executor made nothing', () => {
  it('is told no stage that did not take place', async () => {
    const of = await open();
    const patch = of.repository.patch({ 'state.txt': 'new\n' });
    of.repository.commit('Meanwhile', { 'state.txt': 'quite different\n' });
    const step = await submit(of, of.run.id, { title: 'Late', patch });
    expect(await settled(of, step.id)).toMatchObject({ state: 'failed_executor', reason: { code: 'patch_not_applicable' } });
    const types = of.ledger.read.events({ instance_id: step.instance_id, after: 0, limit: 100, step_id: step.id }).map(({ type }) => type);
    expect(types).not.toContain('step.executed');
    expect(types).not.toContain('step.collected');
    expect(types.at(-1)).toBe('step.ended');
  });
});

describe('a step in mid-flight that nobody runs', () => {
  it('is ended by whoever asks it to stop', async () => {
    const of = await open({ parallelism: 1 });
    const first = await submit(of, of.run.id, { executor: 'simulation.slow', goal: 'Take the only place' });
    await reached(of, first.id, 'running');
    const lost = await submit(of, of.run.id, { executor: 'simulation.slow', goal: 'Be left alone' });
    // As a fault of ours would leave it: begun, and forgotten.
    await of.ledger.record((tx) => void tx.move.step(lost.id, 'prepared', {}, BY_DAEMON));
    await requestStop(of, lost.id);
    expect(await settled(of, lost.id)).toMatchObject({ state: 'cancelled' });
    await requestStop(of, first.id);
    expect(await settled(of, first.id)).toMatchObject({ state: 'cancelled' });
    expect(of.scheduler.active()).toBeLessThanOrEqual(1);
  });
});
