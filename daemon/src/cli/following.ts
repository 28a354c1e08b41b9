import { FairleadError } from '@fairlead/shared/contract/errors';
import type { OutputOf } from '@fairlead/shared/contract/operations/table';
import { EXIT, STEP_STATES, type ExitCode, type StepState } from '@fairlead/shared/contract/states';
import { CommandEnd } from '@fairlead/shared/kit/cli';
import { systemClock } from '@fairlead/shared/kit/clock';
import type { CliContext } from './context.ts';
import { progressLine } from './shown/events.ts';

type Waited = OutputOf<'wait_step'>;

/** How long a wait goes on asking a daemon that is away, as it is in a restart. In milliseconds. */
const PATIENCE = 30_000;
const PAUSE = 500;

/** Ends a command with the exit code of a step's state. Does nothing for exit 0. */
export const endWithState = (state: StepState): void => {
  const exit: ExitCode = STEP_STATES[state]?.exit ?? EXIT.attention;
  if (exit !== EXIT.ok) throw new CommandEnd(exit);
};

/**
 * Follows a step until it has ended, needs a person, or the time is over; tells what happens on the way. A restart of the daemon
 * in between is sat out; hanging up never stops the work.
 * @param limit in milliseconds; undefined is no limit
 */
export const followStep = async (context: CliContext, stepId: string, limit: number | undefined, from?: string): Promise<Waited> => {
  const until = limit === undefined ? Infinity : systemClock.monotonic() + limit;
  let cursor = from;
  let awaySince: number | undefined;
  for (;;) {
    const left = until - systemClock.monotonic();
    try {
      const answer = await context.ask('wait_step', {
        step_id: stepId,
        ...(cursor !== undefined && { cursor }),
        timeout_ms: Math.max(0, Math.min(25_000, left)) | 0,
      });
      awaySince = undefined;
      cursor = answer.next_cursor;
      for (const event of answer.events) {
        const line = progressLine(event);
        if (line !== undefined) context.out.progress(line);
      }
      if (!answer.wait_again || left <= 0) return answer;
    } catch (error) {
      const away = error instanceof FairleadError && (error.code === 'daemon_not_running' || error.code === 'draining');
      const now = systemClock.monotonic();
      awaySince ??= now;
      if (!away || now - awaySince > PATIENCE || now > until) throw error;
      if (awaySince === now) context.out.progress('The daemon does not answer; waiting for it to come back.');
      await systemClock.sleep(PAUSE);
    }
  }
};
