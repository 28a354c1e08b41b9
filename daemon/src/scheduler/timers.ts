import { createBackoff } from '@fairlead/shared/kit/backoff';
import type { Clock } from '@fairlead/shared/kit/clock';
import type { Log } from '@fairlead/shared/kit/log';
import { BY_DAEMON } from '../core/records.ts';
import type { Ledger } from '../ledger/ledger.ts';

/** The longest time between two looks, so that a clock that was put right is noticed within it. */
const LONGEST_MS = 3_600_000;

/** The waits after a look that could not be recorded. In ms. */
const AGAIN = { base: 1000, cap: 60_000 };

export interface Timers {
  /** Looks at once for what fell due while no daemon ran, and from then on at each time at which something does. */
  start(): void;
  /** Something new may fall due: the next look comes nearer if it has to, and never moves away. */
  set(): void;
  clear(): void;
}

export interface TimerOptions {
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly log: Log;
  /** Ends the gates whose time is over, with the steps that they hold. `commands/decide-gate` gives it, because it is a decision: no. */
  readonly expireGates?: () => Promise<number>;
}

/** Steps whose agent's limit resets at a known time resume; gates that nobody decided expire. */
export const createTimers = ({ ledger, clock, log, expireGates }: TimerOptions): Timers => {
  let next: { readonly at: number; readonly cancel: () => void } | undefined;
  let cleared = false;
  const backoff = createBackoff(AGAIN);

  const due = async (): Promise<void> => {
    const now = clock.now();
    const waiting = (read: Ledger['read']) => read.stepsIn(['waiting_quota']).filter((step) => (step.resume_at ?? now) <= now);
    if (waiting(ledger.read).length > 0) {
      await ledger.record((tx) => {
        for (const step of waiting(tx.read)) tx.move.step(step.id, 'resumed', { reason: null }, BY_DAEMON);
      });
    }
    await expireGates?.();
  };

  const look = (): void => {
    next?.cancel();
    next = undefined;
    void due().then(
      () => {
        backoff.reset();
        timers.set();
      },
      (error: unknown) => {
        log.error({ err: error }, 'what fell due could not be recorded');
        at(clock.now() + AGAIN.base + backoff.next());
      },
    );
  };

  const at = (time: number): void => {
    if (cleared || (next && next.at <= time)) return;
    next?.cancel();
    next = { at: time, cancel: clock.after(Math.max(0, time - clock.now()), look) };
  };

  const timers: Timers = {
    start: look,
    set() {
      const latest = clock.now() + LONGEST_MS;
      const resumes = ledger.read.stepsIn(['waiting_quota']).map((step) => step.resume_at ?? 0);
      const expires = expireGates ? ledger.read.expiredGates(latest).map((gate) => gate.expires_at) : [];
      at([...resumes, ...expires].reduce((a, b) => Math.min(a, b), latest));
    },
    clear() {
      cleared = true;
      next?.cancel();
    },
  };
  return timers;
};
