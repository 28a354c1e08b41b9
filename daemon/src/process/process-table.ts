import { FairleadError } from '@fairlead/shared/contract/errors';

/** One process of this machine and this boot: a pid alone may be given to another one later. */
export interface ProcessName {
  readonly pid: number;
  readonly started: string;
}

/** The start-time token of a live process, or undefined when there is none. */
export const startTokenOf = async (pid: number): Promise<string | undefined> => {
  throw new FairleadError('internal', { detail: `not yet: ${pid}` });
};

/** Whether exactly that process still runs (a zombie does not). */
export const isAlive = async (name: ProcessName): Promise<boolean> => {
  throw new FairleadError('internal', { detail: `not yet: ${name.pid}` });
};

/** Ends what a crashed daemon left behind: the process, its group and its descendants. Answers whether all are gone. */
export const endSurvivor = async (name: ProcessName): Promise<'was_gone' | 'ended' | 'unconfirmed'> => {
  throw new FairleadError('internal', { detail: `not yet: ${name.pid}` });
};
