import * as fc from 'fast-check';
import { copyFileSync } from 'node:fs';
import { FairleadError } from '@fairlead/shared/contract/errors';
import { STEP_STATES, type StepState } from '@fairlead/shared/contract/states';
import { TaskSpec } from '@fairlead/shared/contract/task';
import { manualClock } from '@fairlead/shared/kit/clock';
import type { Asker } from '../../src/commands/command.ts';
import type { EventRecord, StepRecord } from '../../src/core/records.ts';
import { armJournalPoint, JOURNAL_POINTS } from '../../src/ledger/journal.ts';
import { openLedger } from '../../src/ledger/open-ledger.ts';
import { deviations } from '../model/conformance.ts';
import { EXECUTORS, INSTANCE, OPERATOR, PARALLELISM, startMachine, type Machine } from './machine.ts';
import type { Mood, World } from './world.ts';

const mood: fc.Arbitrary<Mood> = fc.record({
  outcome: fc.constantFrom('finished', 'finished', 'finished', 'refused', 'crashed', 'timed_out', 'quota', 'quota', 'cancelled'),
  works: fc.constantFrom(0, 5, 40, 400),
  stage: fc.constantFrom(0, 2, 10),
  changes: fc.boolean(),
  fence: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
  passes: fc.integer({ min: 0, max: 4 }).map((n) => n > 0),
  unprepared: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
  leaves: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
});

const nth = fc.nat({ max: 7 });
const about = { n: nth, turns: fc.nat({ max: 6 }), ms: fc.constantFrom(0, 0, 2, 10, 50, 500) };
const POINTS = JOURNAL_POINTS.map(({ name }) => name).filter((name) => !name.startsWith('effect.'));

/** One thing that somebody does, or that befalls the machine; then so many turns and so much time pass. */
const move = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('submit' as const),
      ...about,
      moods: fc.array(mood, { minLength: 1, maxLength: 3 }),
      executor: fc.constantFrom(...(Object.keys(EXECUTORS) as (keyof typeof EXECUTORS)[])),
      gate: fc.boolean(),
      fallback: fc.boolean(),
      stands: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('crash' as const), ...about, point: fc.option(fc.constantFrom(...POINTS)) }) },
  {
    weight: 10,
    arbitrary: fc.record({
      do: fc.constantFrom(
        'cancel_step',
        'cancel_step',
        'retry_step',
        'retry_step',
        'approve',
        'approve',
        'reject',
        'integrate',
        'integrate',
        'discard',
        'halt',
        'resume',
        'resume',
        'again',
        'cancel_run',
        'close_run',
        'start_run',
        'wait',
      ),
      ...about,
    }),
  },
);
export const moves = fc.array(move, { minLength: 3, maxLength: 25, size: 'max' });
export type Move = ReturnType<typeof moves.generate>['value'][number];

/** What was answered, and so must hold from then on. */
interface Told {
  readonly steps: Map<string, string>;
  readonly stops: Set<string>;
  readonly tasks: { readonly key: string; readonly input: never; readonly asker: Asker }[];
  readonly runs: string[];
  readonly faults: string[];
}

const turns = async (count: number): Promise<void> => {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => void setImmediate(resolve));
};

interface Stage {
  machine: Machine;
  readonly world: World;
  readonly told: Told;
  readonly file: string;
}

const allSteps = ({ machine, told }: Stage): StepRecord[] =>
  told.runs.flatMap((run_id) => machine.ledger.read.steps({ run_id, limit: 500 }));

/** Asks for one thing. What is refused by a code of the table is an answer; anything else is a fault. */
const ask = <T>(stage: Stage, work: () => Promise<T>, then: (answer: T) => void = () => undefined): void => {
  const fault = (error: unknown) =>
    error instanceof FairleadError && error.code !== 'internal' ? undefined : void stage.told.faults.push(String((error as Error).stack));
  try {
    work().then(then, fault);
  } catch (error) {
    fault(error);
  }
};

const submit = (stage: Stage, key: string, input: never, asker: Asker): void =>
  ask(
    stage,
    () => stage.machine.commands.submit_task(input, { ...asker, idempotency_key: key }),
    ({ id }) => {
      const before = stage.told.steps.get(key);
      if (before !== undefined && before !== id) stage.told.faults.push(`the key ${key} made a second step`);
      stage.told.steps.set(key, id);
    },
  );

const perform = (stage: Stage, one: Exclude<Move, { do: 'crash' }>): void => {
  const { machine, told } = stage;
  const { commands, ledger, delivery } = machine;
  const steps = allSteps(stage);
  const step = steps[one.n % Math.max(1, steps.length)];
  const run_id = told.runs[one.n % told.runs.length]!;
  if (one.do === 'submit') {
    const base = one.stands ? steps.filter((other) => other.run_id === run_id).at(-1)?.id : undefined;
    const fallback = one.fallback && one.executor === 'command.agent' ? ['command.other'] : [];
    const task = TaskSpec.parse({
      goal: JSON.stringify(one.moods),
      executor: one.executor,
      fallback,
      ...(base && { base }),
      timeout: '300s',
    });
    const asked = { key: `key-${told.tasks.length}`, input: { run_id, task } as never, asker: OPERATOR };
    told.tasks.push(asked);
    return submit(stage, asked.key, asked.input, asked.asker);
  }
  const instance_id = INSTANCE;
  const gate = ledger.read.gates({ instance_id, state: 'pending', limit: 20 })[0];
  switch (one.do) {
    case 'start_run':
      return ask(
        stage,
        () => commands.start_run({ instance_id, title: 'r' }, OPERATOR),
        ({ id }) => void told.runs.push(id),
      );
    case 'halt':
      return ask(stage, () => commands.halt({}, OPERATOR));
    case 'resume':
      return ask(stage, () => commands.resume({}, OPERATOR));
    case 'cancel_run':
      return ask(stage, () => commands.cancel_run({ run_id }, OPERATOR));
    case 'close_run':
      return ask(stage, () => commands.close_run({ run_id }, OPERATOR));
    case 'approve':
      return gate && ask(stage, () => commands.approve_gate({ gate_id: gate.id, digest: gate.digest }, OPERATOR));
    case 'reject':
      return gate && ask(stage, () => commands.reject_gate({ gate_id: gate.id }, OPERATOR));
    case 'again': {
      const asked = told.tasks[one.n % Math.max(1, told.tasks.length)];
      return asked && submit(stage, asked.key, asked.input, asked.asker);
    }
    case 'wait':
      return;
    default:
  }
  if (!step) return;
  if (one.do === 'cancel_step')
    return ask(
      stage,
      () => commands.cancel_step({ step_id: step.id }, OPERATOR),
      ({ id }) => void told.stops.add(id),
    );
  if (one.do === 'retry_step')
    return ask(
      stage,
      () => commands.retry_step({ step_id: step.id, resume: false }, OPERATOR),
      ({ id }) => void told.stops.delete(id),
    );
  const change = ledger.read.changes(step.id).at(-1);
  if (!change) return;
  ask(stage, () => delivery[one.do as 'integrate' | 'discard']({ change_id: change.id }, OPERATOR));
};

const restart = async (stage: Stage): Promise<void> => {
  stage.machine.pull();
  armJournalPoint(undefined);
  await turns(4);
  await stage.machine.close();
  stage.machine = await startMachine(stage.world, stage.file);
};

/** The power goes now, or at a point of the journal when the daemon next comes to it; then somebody starts it again. */
const crash = async (stage: Stage, point: string | null): Promise<void> => {
  if (point !== null) {
    armJournalPoint(point, () => {
      stage.machine.pull();
      if (point.endsWith(':before')) throw new Error('The power is off');
    });
    for (let wait = 0; wait < 10 && stage.machine.powered(); wait++) {
      await turns(3);
      await stage.world.clock.advance(20);
    }
  }
  await restart(stage);
};

const linesOf = ({ machine }: Stage): EventRecord[] => {
  const lines: EventRecord[] = [];
  for (;;) {
    const page = machine.ledger.read.events({ instance_id: INSTANCE, after: lines.at(-1)?.instance_seq ?? 0, limit: 500 });
    if (page.length === 0) return lines;
    lines.push(...page);
  }
};

/** A step that is taken while another has waited longer, and could have been taken. */
const unfair = (lines: readonly EventRecord[], read: Machine['ledger']['read']): string[] => {
  const waiting = new Map<string, number>();
  return lines.flatMap(({ type, step_id, at, data }) => {
    if (step_id === null) return [];
    const queued = type === 'step.queued' || type === 'step.requeued';
    const passed =
      type === 'step.prepared'
        ? [...waiting]
            .slice(0, [...waiting.keys()].indexOf(step_id))
            .filter(([id, since]) => since < at && read.step(id)?.base === 'target')
        : [];
    if (type.startsWith('step.') && type !== 'step.stop_requested') waiting.delete(step_id);
    if (queued && (type === 'step.queued' || data['to'] === 'queued')) waiting.set(step_id, at);
    return passed.map(([id]) => `${step_id} was taken before ${id}, which had waited longer`);
  });
};

const OPEN: ReadonlySet<StepState> = new Set(['needs_approval']);

/** What a history must have kept. Answers what it did not, in words. */
const broken = (stage: Stage): string[] => {
  const { machine, world, told } = stage;
  const { read } = machine.ledger;
  const lines = linesOf(stage);
  const steps = allSteps(stage);
  const faults = [
    ...told.faults,
    ...machine.ledger.verify(INSTANCE).problems.map(({ message }) => message),
    ...deviations(lines),
    ...unfair(lines, read),
  ];
  const say = (holds: boolean, what: string): unknown => holds || faults.push(what);
  for (const [key, id] of told.steps) say(read.step(id) !== undefined, `the step of ${key} was acknowledged and is lost`);
  const known = new Set(told.steps.values());
  say(steps.length <= told.tasks.length && steps.filter(({ id }) => known.has(id)).length === known.size, 'a task made two steps, or none');
  for (const step of steps) say(STEP_STATES[step.state].end || OPEN.has(step.state), `${step.id} stays ${step.state}`);
  for (const step of steps) if (told.stops.has(step.id)) say(STEP_STATES[step.state].end, `${step.id} was to stop and is ${step.state}`);
  say(machine.scheduler.active() === 0 && world.working === 0, `${machine.scheduler.active()} are still active`);
  say(world.most <= PARALLELISM, `${world.most} worked at the same time`);
  const attempts = world.works.map(({ attempt }) => attempt);
  say(new Set(attempts).size === attempts.length, 'an attempt was executed twice');
  const retries = (id: string) =>
    lines.filter(({ type, step_id, data }) => type === 'step.requeued' && step_id === id && data['event'] === 'retried').length;
  const resumed = (id: string) => lines.filter(({ step_id, data }) => step_id === id && data['event'] === 'quota_reached').length;
  for (const step of steps.filter(({ executor_requested }) => executor_requested === 'command.once'))
    say(
      world.works.filter((work) => work.step === step.id).length <= 1 + retries(step.id) + resumed(step.id),
      `${step.id} must not be repeated, and was`,
    );
  const changes = steps.flatMap(({ id }) => read.changes(id));
  say(new Set(world.landed).size === world.landed.length, 'a change landed twice');
  for (const { id, state } of changes)
    say((state === 'integrated') === world.landed.includes(id), `${id} is ${state}, and the target says otherwise`);
  return faults;
};

/** Rounds without a new line of history after which what is open will stay so: they are longer than any wait that a step may be in. */
const STANDSTILL = 30;

/** Lets everything come to its end: what is halted goes on, time passes, nothing more is asked. */
const finish = async (stage: Stage): Promise<void> => {
  ask(stage, () => stage.machine.commands.resume({}, OPERATOR));
  for (let [round, still, seen] = [0, 0, 0]; still < STANDSTILL; round++) {
    await turns(12);
    const { scheduler, ledger } = stage.machine;
    const open = allSteps(stage).some(({ state }) => !STEP_STATES[state].end && !OPEN.has(state));
    if (!open && scheduler.active() === 0 && ledger.read.changesIn(['integrating']).length === 0) return;
    const last = ledger.read.events({ instance_id: INSTANCE, after: seen, limit: 500 }).at(-1)?.instance_seq;
    still = last === undefined ? still + 1 : 0;
    seen = last ?? seen;
    await stage.world.clock.advance(round < 20 ? 300 : 90_000);
  }
};

/** Plays one history from an empty ledger. @throws Error that says which promise it broke */
export const play = async (
  file: string,
  empty: string,
  history: readonly Move[],
): Promise<{ readonly lines: number; readonly crashes: number }> => {
  copyFileSync(empty, file);
  const world: World = { clock: manualClock(), files: new Map(), works: [], landed: [], working: 0, most: 0 };
  const stage: Stage = {
    machine: await startMachine(world, file),
    world,
    file,
    told: { steps: new Map(), stops: new Set(), tasks: [], runs: [], faults: [] },
  };
  try {
    ask(
      stage,
      () => stage.machine.commands.start_run({ instance_id: INSTANCE, title: 'r' }, OPERATOR),
      ({ id }) => void stage.told.runs.push(id),
    );
    await turns(3);
    for (const one of history) {
      if (one.do === 'crash') await crash(stage, one.point);
      else perform(stage, one);
      await turns(one.turns);
      if (one.ms > 0) await world.clock.advance(one.ms);
    }
    await finish(stage);
    const faults = broken(stage);
    if (faults.length > 0) throw new Error(faults.join('\n'));
    return { lines: linesOf(stage).length, crashes: history.filter((one) => one.do === 'crash').length };
  } finally {
    stage.machine.pull();
    await turns(3);
    await stage.machine.close();
  }
};

/** An empty ledger with one instance, which each history begins with a copy of. */
export const emptyLedger = async (file: string): Promise<void> => {
  const ledger = openLedger({ file, clock: manualClock() });
  await ledger.record((tx) =>
    tx.add.instance(
      {
        id: INSTANCE,
        label: 'test',
        repository: '/nowhere',
        target: 'refs/heads/main',
        policy_ref: 'refs/heads/main',
        listed_branches: [],
        default_executor: 'command.again',
        unconfined: true,
        nonce: 'AAAAAAAAAAAAAAAAAAAAAA',
        origin_digest: null,
        added_at: tx.at,
        removed_at: null,
      },
      OPERATOR,
    ),
  );
  await ledger.close();
};
