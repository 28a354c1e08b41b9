import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '@fairlead/shared/kit/clock';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { key, ServedDaemon } from './served.fixture.ts';

let daemon: ServedDaemon;
beforeAll(async () => {
  daemon = await new ServedDaemon().start(
    "commands: { edit: { run: [sh, -c, 'cat vendor/lib >> src/sum.txt'] } }\npool: { folders_per_instance: 1, disk: 10000000 }\n",
  );
});
afterAll(() => daemon.remove());

const POLICY = 'version: 1\ngates: { when: [] }\nprovision: { mount: [{ path: vendor, mode: copy_on_write }] }\n';

const workspaces = async () => (await daemon.operator.call('daemon_status', {})).workspaces;

/** Waits until the one instance has so many checkouts ready. */
const ready = async (count: number) => {
  const until = systemClock.monotonic() + 20_000;
  for (;;) {
    const seen = await workspaces();
    if (seen.instances[0]?.ready === count) return seen;
    if (systemClock.monotonic() > until) throw new Error(`there are ${seen.instances[0]?.ready} checkouts ready, not ${count}`);
    await systemClock.sleep(50);
  }
};

const runStep = async (instance: string): Promise<string> => {
  const { id: run_id } = await daemon.operator.call('start_run', { instance_id: instance, title: 'Run' }, { idempotencyKey: key() });
  const task = { title: 'Edit', executor: 'command.edit' };
  const { id } = await daemon.operator.call('submit_task', { run_id, task }, { idempotencyKey: key() });
  for (let cursor: string | undefined; ;) {
    const { step, next_cursor } = await daemon.operator.call('wait_step', { step_id: id, ...(cursor !== undefined && { cursor }) });
    if (step.ended || step.state === 'needs_approval') return step.state;
    cursor = next_cursor;
  }
};

describe('the status of checkouts', () => {
  it('shows what is ready, within which budget, and how the last one was provisioned, until the owner halts', async () => {
    const instance = await daemon.instance('shop', POLICY);
    mkdirSync(join(daemon.root, 'shop', 'vendor'));
    writeFileSync(join(daemon.root, 'shop', 'vendor', 'lib'), 'two\n');
    expect(await workspaces()).toEqual({
      folders_per_instance: 1,
      pool_bytes: 0,
      pool_budget_bytes: 10_000_000,
      instances: [{ instance_id: instance, label: 'shop', ready: 0, bytes: 0, held_back: null, provisioned: null }],
    });
    const first = await runStep(instance);
    const seen = await ready(1);
    expect(seen.pool_bytes).toBe(2 * 4096);
    expect(seen.instances[0]).toMatchObject({
      bytes: 2 * 4096,
      held_back: null,
      provisioned: { copied: ['vendor'], mounted_read_only: [], post_create: false },
    });
    // From the pool it ends as it did cold.
    expect(await runStep(instance)).toBe(first);
    await ready(1);
    await daemon.operator.call('halt', {}, { idempotencyKey: key() });
    expect((await ready(0)).pool_bytes).toBe(0);
    await daemon.operator.call('resume', {}, { idempotencyKey: key() });
    await runStep(instance);
    await ready(1);
    await daemon.operator.call('remove_instance', { instance_id: instance }, { idempotencyKey: key() });
    expect(await workspaces()).toMatchObject({ pool_bytes: 0, instances: [] });
    await daemon.stop();
    expect(existsSync(daemon.home.pool) ? readdirSync(daemon.home.pool) : []).toEqual([]);
  });
});
