import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FairleadError } from '@fairlead/shared/contract/errors';
import { systemClock } from '@fairlead/shared/kit/clock';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isBuilt, startDaemonProcess, type DaemonProcess } from './daemon-process.ts';
import { testRepository, type TestRepository } from './repository.ts';

/** A file system of 24 MiB, so that it can really be filled. Only root may mount one. */
const mountSmall = (folder: string): boolean => {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m,mode=0700', 'tmpfs', folder], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};

const canMount = (): boolean => {
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-mount-'));
  const mounted = mountSmall(folder);
  if (mounted) execFileSync('umount', [folder]);
  rmSync(folder, { recursive: true, force: true });
  return mounted;
};

/** Processor time that a process has taken, in ticks of 10 ms. */
const ticksOf = (pid: number): number => {
  const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
};

const sleep = (ms: number): Promise<void> => systemClock.sleep(ms);

const why = isBuilt() ? (canMount() ? '' : ' (skipped: needs to mount a small file system)') : ' (skipped: the daemon is not built)';

describe.skipIf(why !== '')(`a full disk${why}`, () => {
  let folder: string;
  let repository: TestRepository;
  let daemon: DaemonProcess;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'fairlead-full-'));
    mkdirSync(join(folder, 'home'));
    mountSmall(join(folder, 'home'));
    repository = testRepository({ 'a.txt': 'one\n' });
    daemon = await startDaemonProcess(join(folder, 'home'));
  });

  afterEach(async () => {
    await daemon.stop();
    execFileSync('umount', [join(folder, 'home')]);
    rmSync(folder, { recursive: true, force: true });
    repository.remove();
  });

  const fill = (): string => {
    const ballast = join(folder, 'home', 'ballast');
    const { bavail, bsize } = statfsSync(join(folder, 'home'));
    try {
      writeFileSync(ballast, Buffer.alloc(bavail * bsize));
    } catch {
      // The last block is the one that does not fit.
    }
    return ballast;
  };

  it('refuses a write with its code, loses nothing, and takes the same key when there is space again', async () => {
    const { client } = daemon;
    const instance = await client.call('add_instance', { path: repository.path });
    const run = await client.call('start_run', { instance_id: instance.id, title: 'Before' });
    const task = { executor: 'patch', title: 'Add b', goal: 'x'.repeat(200_000), patch: repository.patch({ 'b.txt': 'two\n' }) };
    const ballast = fill();
    const refused = await client
      .call('submit_task', { run_id: run.id, task }, { idempotencyKey: 'once' })
      .then(() => undefined)
      .catch((error: FairleadError) => error.toProblem());
    expect(refused).toMatchObject({ code: 'disk_full', retryable: true });
    expect(refused?.hint).toContain('Free some space');
    expect((await client.call('list_steps', { run_id: run.id })).items).toEqual([]);

    rmSync(ballast);
    const step = await client.call('submit_task', { run_id: run.id, task }, { idempotencyKey: 'once' });
    const again = await client.call('submit_task', { run_id: run.id, task }, { idempotencyKey: 'once' });
    expect(again.id).toBe(step.id);
    const { items } = await client.call('list_steps', { run_id: run.id });
    expect(items.map(({ id }) => id)).toEqual([step.id]);
    let ended = step;
    while (ended.state !== 'needs_approval' && !ended.ended) ({ step: ended } = await client.call('wait_step', { step_id: step.id }));
    expect(ended.state).toBe('needs_approval');
  });

  it('ends a step whose end it could not write, takes what waited, and does not spin meanwhile', async () => {
    const { client } = daemon;
    const instance = await client.call('add_instance', { path: repository.path });
    const run = await client.call('start_run', { instance_id: instance.id, title: 'Through it' });
    const task = { executor: 'simulation.slow', title: 'Slow', goal: 'wait', timeout: '4s' };
    const steps = await Promise.all([1, 2, 3, 4, 5, 6].map(() => client.call('submit_task', { run_id: run.id, task })));
    const stateOf = async (id: string) => (await client.call('get_step', { step_id: id })).state;
    const working = async () => (await Promise.all(steps.map(({ id }) => stateOf(id)))).filter((state) => state === 'running').length;
    while ((await working()) === 0) await sleep(50);
    const ballast = fill();
    // Past the time limit: what works now ends while nothing can be written, and what waits is begun in vain.
    await sleep(5000);
    const before = ticksOf(daemon.child.pid!);
    await sleep(3000);
    expect(ticksOf(daemon.child.pid!) - before).toBeLessThan(60);

    rmSync(ballast);
    const ends = new Set<string>();
    for (const { id } of steps) {
      let { step } = await client.call('wait_step', { step_id: id });
      while (!step.ended) ({ step } = await client.call('wait_step', { step_id: id }));
      ends.add(step.state);
    }
    // What worked while the disk was full cannot say what it came to; what waited runs into its time limit as always.
    expect([...ends].toSorted()).toEqual(['needs_manual_attention', 'timeout']);
  }, 60_000);
});
