import { ERRORS, type ErrorCode } from '@fairlead/shared/contract/error-table';
import { FairleadError } from '@fairlead/shared/contract/errors';
import type { Stack, StackOptions } from '../rig/stack.ts';

/** Told each fact that a scenario has proven, as a sentence. */
export type Report = (fact: string) => void;

/** One way of using Fairlead from end to end, with real processes. It throws at the first thing that does not hold. */
export interface Scenario {
  readonly name: string;
  /** What it proves, in a line. */
  readonly proves: string;
  readonly stack?: StackOptions;
  play(stack: Stack, report: Report): Promise<void>;
}

/** Throws unless something holds; reports it when it does. */
export const holds = (condition: boolean, fact: string, report: Report, seen?: unknown): void => {
  if (!condition) throw new Error(`It does not hold that ${fact}${seen === undefined ? '' : `; seen: ${JSON.stringify(seen)}`}`);
  report(fact);
};

/** Throws unless something is refused with one of these codes; answers the refusal. */
export const refused = async (
  codes: ErrorCode | readonly ErrorCode[],
  fact: string,
  report: Report,
  work: () => Promise<unknown>,
): Promise<FairleadError> => {
  const wanted: readonly string[] = typeof codes === 'string' ? [codes] : codes;
  const outcome: unknown = await work().then(
    (value) => ({ answered: value }),
    (error: unknown) => error,
  );
  if (!(outcome instanceof FairleadError) || !wanted.includes(outcome.code)) {
    throw new Error(
      `It does not hold that ${fact}: expected ${wanted.join(' or ')}, seen ${outcome instanceof Error ? outcome.message : JSON.stringify(outcome)}`,
      { cause: outcome },
    );
  }
  report(`${fact} (${outcome.code}, ${ERRORS[outcome.code].status})`);
  return outcome;
};
