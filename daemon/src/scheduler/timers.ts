import type { Clock } from '@fairlead/shared/kit/clock';
import type { Log } from '@fairlead/shared/kit/log';
import { BY_DAEMON } from '../core/records.ts';
import type { Ledger } from '../ledger/ledger.ts';

/** The longest time between two looks: gates live for days, so that one an hour is near enough. */
const LONGEST_MS = 3_600_000;

export interface Timers {
  /** Sets the one timer to the next time at which something falls due. */
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
  let cancel = (): void => undefined;

  const due = async (): Promise<void> => {
    const now = clock.now();
    await ledger.record((tx) => {
      for (const step of tx.read.stepsIn(['waiting_quota'])) {
        if ((step.resume_at ?? now) <= now) tx.move.step(step.id, 'resumed', { reason: null }, BY_DAEMON);
      }
    });
    await expireGates?.();
  };

  const timers: Timers = {
    set() {
      cancel();
      const now = clock.now();
      const waits = ledger.read.stepsIn(['waiting_quota']).map((step) => Math.max(0, (step.resume_at ?? now) - now));
      cancel = clock.after(Math.min(LONGEST_MS, ...waits), () => {
        void due()
          .catch((error: unknown) => log.error({ err: error }, 'what fell due could not be recorded'))
          .then(() => timers.set());
      });
    },
    clear: () => cancel(),
  };
  return timers;
};
