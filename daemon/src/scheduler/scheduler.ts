import { STEP_STATES, type StepState } from '@fairlead/shared/contract/states';
import type { EventRecord } from '../core/records.ts';
import type { Delivery } from '../delivery/delivery.ts';
import type { StopReason } from '../executors/executor.ts';
import type { Runner } from '../runner/runner.ts';
import { admitted, type Waiting } from './admission.ts';
import { integrateApproved, integrateLeftBehind } from './approved.ts';
import { createTimers, type TimerOptions } from './timers.ts';

export interface SchedulerOptions extends TimerOptions {
  readonly runner: Pick<Runner, 'run' | 'resume' | 'abandon' | 'close'>;
  readonly delivery: Pick<Delivery, 'integrate'>;
  /** How many steps work at the same time. */
  readonly parallelism: number;
}

/** Decides when a step's turn has come. It is woken by commits of the ledger; nothing polls. */
export interface Scheduler {
  /** Begins to take steps. Those that recovery left in mid-flight are entered again first. */
  start(): void;
  /** Looks for work now. Commits wake it by themselves. */
  wake(): void;
  /** How many steps work now. */
  active(): number;
  /** Takes no new step, stops those that work (the next start goes on with them), and settles when all have let go. */
  stop(): Promise<void>;
}

/** Commits that may make a step's turn come, or move the time of the next timer. */
const WAKING: ReadonlySet<string> = new Set(['step.queued', 'step.requeued', 'step.ended', 'step.held', 'step.approved', 'daemon.resumed']);

const IN_FLIGHT: ReadonlySet<StepState> = new Set(['preparing', 'running', 'collecting', 'validating']);

export const createScheduler = (options: SchedulerOptions): Scheduler => {
  const { ledger, runner, log, parallelism } = options;
  const active = new Map<string, { readonly stop: AbortController; readonly done: Promise<void> }>();
  let taking = false;
  let planned = false;

  const begin = (stepId: string, work: Runner['run']): void => {
    const stop = new AbortController();
    const done = work(stepId, stop.signal)
      .catch((error: unknown) => log.error({ err: error, step: stepId }, 'the runner failed'))
      .then(() => {
        active.delete(stepId);
        scheduler.wake();
      });
    active.set(stepId, { stop, done });
    // A stop that was asked for before the step was taken up again.
    if (ledger.read.step(stepId)?.stop_why) stop.abort('cancel' satisfies StopReason);
  };

  const waiting = (stepId: string): Waiting => {
    const step = ledger.read.step(stepId);
    const base = step?.base.startsWith('step_') ? ledger.read.step(step.base) : undefined;
    const open = base && !STEP_STATES[base.state].end && base.state !== 'needs_approval';
    return { step_id: stepId, instance_id: step?.instance_id ?? '', waits_for: open ? base.id : undefined };
  };

  const look = (): void => {
    planned = false;
    if (!taking) return;
    const queue = ledger.read.queued().filter((id) => !active.has(id));
    const instances = [...active.keys()].map((id) => ledger.read.step(id)?.instance_id ?? '');
    for (const id of admitted(queue.map(waiting), { parallelism, active: instances, halted: ledger.read.halted() })) begin(id, runner.run);
  };

  const timers = createTimers(options);

  /** A step in mid-flight that nobody runs is ended by whoever asks it to stop. */
  const stop = (stepId: string): void => {
    const working = active.get(stepId);
    if (working) working.stop.abort('cancel' satisfies StopReason);
    else if (taking && IN_FLIGHT.has(ledger.read.step(stepId)?.state ?? 'queued')) begin(stepId, runner.abandon);
  };

  const heard = (events: readonly EventRecord[]): void => {
    for (const event of events) {
      if (event.type === 'step.stop_requested' && event.step_id) stop(event.step_id);
      if (event.type === 'gate.approved' && taking) void integrateApproved(options, event);
      if (event.type === 'step.held' || event.type === 'gate.opened') timers.set();
      if (WAKING.has(event.type)) scheduler.wake();
    }
  };
  let deaf = (): void => undefined;

  const scheduler: Scheduler = {
    start() {
      taking = true;
      deaf = ledger.onCommit(heard);
      for (const step of ledger.read.stepsIn(['running', 'collecting', 'validating'])) begin(step.id, runner.resume);
      integrateLeftBehind(options);
      timers.start();
      scheduler.wake();
    },
    wake() {
      if (planned) return;
      planned = true;
      // After the turn in which the commit was made, so that many commits cause one look.
      setImmediate(look);
    },
    active: () => active.size,
    async stop() {
      taking = false;
      deaf();
      timers.clear();
      runner.close();
      for (const { stop } of active.values()) stop.abort('shutdown' satisfies StopReason);
      await Promise.all([...active.values()].map(({ done }) => done));
    },
  };
  return scheduler;
};
