import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../rig/processes.ts';
import { addFilePatch, git } from '../rig/repositories.ts';
import type { PartName } from '../rig/stack.ts';
import { isSettled, layGround, type Ground } from './ground.ts';
import { seeded } from './seeded.ts';
import { truthHolds } from './truth.ts';

const SEED = Number(process.env['FAIRLEAD_SEED'] ?? 20_260_705);
const OPERATIONS = 360;
const PLANNERS = 5;
/** Answers between two kills: enough for something to begin, too few for all to end. And not for ever, since a line may be long in coming back. */
const CALM = { most: 12, ms: 10_000 } as const;
/** Who dies, over and over. Between two deaths of the relay the connector dies too, and so dials again without its growing patience. */
const DECK = ['daemon', 'relay', 'connector'] as const satisfies readonly PartName[];

/** What a state may rightly refuse, whoever died: another planner was there first, or the step is in doubt. */
const REFUSALS = new Set([
  'transition_refused',
  'gate_outdated',
  'change_not_approved',

  'digest_mismatch',
  'local_only',
]);

type Move = 'patch' | 'bad' | 'nap' | 'wait' | 'cancel' | 'retry' | 'approve' | 'reject' | 'integrate';
const MOVES: readonly Move[] = [
  'patch',
  'patch',
  'patch',
  'bad',
  'nap',
  'wait',
  'wait',
  'cancel',
  'retry',
  'approve',
  'approve',
  'reject',
  'integrate',
  'integrate',
];

/** One planner that draws what it does next from its seed. */
const plannerOf = (ground: Ground, name: string, seed: number) => {
  const { pick, next } = seeded(seed);
  const steps: string[] = [];
  const refusals: string[] = [];
  let count = 0;
  const key = () => `${name}-${count}`;
  const submit = async (run: string, task: object) => {
    const step = await ground.ask('submit_task', { run_id: run, task: { title: key(), ...task } }, key());
    steps.push(step.id);
  };
  const stepOf = async (id: string) => ground.ask('get_step', { step_id: id });
  const moves: Readonly<Record<Move, (run: string, id: string) => Promise<unknown>>> = {
    patch: (run) => submit(run, { executor: 'patch', patch: addFilePatch(`${key()}.txt`, 'ok') }),
    bad: (run) =>
      submit(run, {
        executor: 'patch',
        patch: 'diff --git a/state.txt b/state.txt\n--- a/state.txt\n+++ b/state.txt\n@@ -1 +1 @@\n-ok\n+bad\n',
      }),
    nap: (run) => submit(run, { executor: 'command.nap', goal: 'nap', timeout: '4s' }),
    wait: (_, id) => ground.ask('wait_step', { step_id: id, timeout_ms: Math.floor(next() * 800) }),
    cancel: (_, id) => ground.ask('cancel_step', { step_id: id }, key()),
    retry: (_, id) => ground.ask('retry_step', { step_id: id, resume: false }, key()),
    approve: async (_, id) => {
      const { gate_id } = await stepOf(id);
      if (gate_id === null) return;
      const { digest, state } = await ground.ask('get_gate', { gate_id });
      if (state === 'pending') await ground.ask('approve_gate', { gate_id, digest }, key());
    },
    reject: async (_, id) => {
      const { gate_id } = await stepOf(id);
      if (gate_id !== null) await ground.ask('reject_gate', { gate_id }, key());
    },
    integrate: async (_, id) => {
      const { change_id } = await stepOf(id);
      if (change_id !== null) await ground.ask('integrate_change', { change_id }, key());
    },
  };
  return {
    steps,
    refusals,
    async work(operations: number): Promise<void> {
      const run = await ground.ask('start_run', { instance_id: ground.instance, title: name }, `${name}-run`);
      for (count = 1; count <= operations; count++) {
        const move = steps.length < 2 ? 'patch' : pick(MOVES);
        await moves[move](run.id, steps.length === 0 ? '' : pick(steps.slice(-6))).catch((error: { code?: string }) => {
          if (!REFUSALS.has(error.code ?? '')) throw error;
          refusals.push(error.code!);
        });
      }
    },
  };
};

/** DESIGN, promise 2, with several planners at once and no plan: whatever they do and whoever dies, the same property holds. */
describe(`planners at work while parts are killed (seed ${SEED})`, () => {
  let ground: Ground;
  beforeAll(async () => {
    ground = await layGround();
  });
  afterAll(() => ground?.close());

  const killAtRandom = async (over: AbortSignal): Promise<void> => {
    const { next, pick } = seeded(SEED);
    for (let at = 0; !over.aborted; at++) {
      const [from, since, calm] = [ground.answers, Date.now(), 1 + next() * CALM.most];
      await until('there is something to break', async () => over.aborted || ground.answers > from + calm || Date.now() > since + CALM.ms);
      if (over.aborted) return;
      await ground.standing();
      ground.kill(at % 2 === 0 ? DECK[(at / 2) % DECK.length]! : pick(['daemon', 'connector']));
    }
  };

  it('leaves each acknowledged write there once', async ({ annotate }) => {
    const facts = { origin: git(ground.repo, 'rev-parse', 'main'), since: new Date().toISOString() };
    const over = new AbortController();
    const killing = killAtRandom(over.signal);
    const planners = Array.from({ length: PLANNERS }, (_, at) => plannerOf(ground, `p${at}`, SEED + at));
    try {
      await Promise.all(planners.map(({ work }) => work(OPERATIONS / PLANNERS)));
    } finally {
      over.abort();
      await killing;
    }
    for (const id of planners.flatMap(({ steps }) => steps))
      await ground.follow(id, (step) => isSettled(step) || step.state === 'indeterminate');
    const acknowledged = ground.acknowledged.length;
    await truthHolds(ground, facts);
    const { kills, repeated, wire } = ground;
    expect(Math.min(kills.daemon, kills.connector, kills.relay)).toBeGreaterThan(5);
    expect(acknowledged).toBeGreaterThan(OPERATIONS / 3);
    await annotate(`${OPERATIONS} operations in one random run`, 'count');
    await annotate(`${acknowledged} acknowledged writes in one random run`, 'count');
    await annotate(`${repeated} writes repeated by their key`, 'count');
    for (const [part, count] of Object.entries(kills)) await annotate(`${count} kills of the ${part}`, 'count');
    await annotate(`${wire.frames} frames on the line`, 'count');
  });
});
