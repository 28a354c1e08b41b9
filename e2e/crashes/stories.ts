import { expect } from 'vitest';
import { until } from '../rig/processes.ts';
import { git } from '../rig/repositories.ts';
import { isSettled, type Ground } from './ground.ts';

/** A patch that replaces the one line of `state.txt`, whatever stands there now. */
export const statePatch = (repo: string, text: string): string =>
  `diff --git a/state.txt b/state.txt\n--- a/state.txt\n+++ b/state.txt\n@@ -1 +1 @@\n-${git(repo, 'show', 'main:state.txt')}\n+${text}\n`;

const begin = async (ground: Ground, key: string, text: string) => {
  const run = await ground.ask('start_run', { instance_id: ground.instance, title: key }, `${key}-run`);
  const task = { title: key, patch: statePatch(ground.repo, `${text} ${key}`), executor: 'patch' };
  const step = await ground.ask('submit_task', { run_id: run.id, task }, `${key}-step`);
  return ground.follow(step.id, isSettled);
};

/** One remote step each, from a planner's first request to its end. They hold whoever dies meanwhile. */
export const STORIES = {
  async land(ground: Ground, key: string) {
    const before = git(ground.repo, 'rev-parse', 'main');
    const held = await begin(ground, key, 'ok');
    expect(held.state).toBe('needs_approval');
    const gate = await ground.ask('get_gate', { gate_id: held.gate_id! });
    await ground.ask('approve_gate', { gate_id: gate.id, digest: gate.digest }, `${key}-approve`);
    const landed = await ground.ask('integrate_change', { change_id: held.change_id! }, `${key}-integrate`);
    const { step, change } = await ground.ask('get_step_result', { step_id: held.id });
    expect([step.state, change?.state]).toEqual(['completed', 'integrated']);
    expect(landed.integrated).toMatchObject({ from: before, to: git(ground.repo, 'rev-parse', 'main') });
  },
  async reject(ground: Ground, key: string) {
    const before = git(ground.repo, 'rev-parse', 'main');
    const held = await begin(ground, key, 'ok');
    await ground.ask('reject_gate', { gate_id: held.gate_id! }, `${key}-reject`);
    expect((await ground.ask('get_step', { step_id: held.id })).state).toBe('rejected');
    expect(git(ground.repo, 'rev-parse', 'main')).toBe(before);
  },
  async retry(ground: Ground, key: string) {
    const failed = await begin(ground, key, 'bad');
    expect(failed.state).toBe('failed_validation');
    await ground.ask('retry_step', { step_id: failed.id, resume: false }, `${key}-retry`);
    const again = await ground.follow(failed.id, (step) => step.ended && step.attempts >= 2);
    expect([again.state, again.attempts]).toEqual(['failed_validation', 2]);
  },
  async cancel(ground: Ground, key: string) {
    const run = await ground.ask('start_run', { instance_id: ground.instance, title: key }, `${key}-run`);
    const task = { title: key, goal: 'nap', executor: 'command.nap' };
    const step = await ground.ask('submit_task', { run_id: run.id, task }, `${key}-step`);
    const running = await ground.follow(step.id, ({ state, ended }) => ended || state === 'running');
    // What may act outside is never repeated by itself: a daemon that died in its work leaves it in doubt, and then there is no way to cancel.
    await ground.ask('cancel_step', { step_id: running.id }, `${key}-cancel`).catch((error: { code?: string }) => {
      if (error.code !== 'transition_refused') throw error;
    });
    const ended = await ground.follow(step.id, (seen) => seen.ended || seen.state === 'indeterminate');
    expect(['cancelled', 'indeterminate']).toContain(ended.state);
  },
} as const;

export type StoryName = keyof typeof STORIES;

/** The story on whose way a journal point of the daemon lies. */
export const storyOf = (point: string): StoryName => {
  if (/^(gate\.rejected|change\.discarded)/.test(point)) return 'reject';
  if (/^(step\.requeued|step\.ended)/.test(point)) return 'retry';
  return point.startsWith('step.stop_requested') ? 'cancel' : 'land';
};

/** Waits until the whole line from planner to daemon is there. */
export const lineIsUp = (ground: Ground) =>
  until(
    'the line is up',
    () => ground.stack.planner.call('get_instance', { instance_id: ground.instance }).catch(() => false as const),
    45_000,
  );
