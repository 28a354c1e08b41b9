import { OPERATIONS, type OperationTable } from '@fairlead/shared/contract/operations/table';
import { systemClock, type Clock } from '@fairlead/shared/kit/clock';
import { createLog, type Log } from '@fairlead/shared/kit/log';
import type { Command } from 'commander';
import type { Files } from '../config/files.ts';
import type { StatusFile } from '../status/status-file.ts';
import { addCommand, type Streams } from './context.ts';

export interface RunOrder {
  readonly files: Files;
  readonly table: OperationTable;
  readonly clock: Clock;
  readonly log: Log;
  /** Told whenever anything that `status` shows has changed. */
  readonly onStatus?: (status: StatusFile) => void;
}

/** Runs a connector until it is stopped; `stop` finishes what is under way. The program brings it, because it is made of all modules. */
export type RunConnector = (order: RunOrder) => Promise<{
  /** Settles when the identity was given up on this machine: there is nothing left to run. */
  readonly unenrolled: Promise<void>;
  stop(): Promise<void>;
}>;

/** Settles at the first signal to stop. A second one ends the process at once. */
const reasonToStop = (): Promise<string> =>
  new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
      process.once(signal, () => {
        resolve(signal);
        process.once(signal, () => process.exit(1));
      });
    }
  });

export const runCommand = (program: Command, streams: Streams, run: RunConnector): void => {
  addCommand(
    program,
    streams,
    { use: 'run', text: 'connect to the relay and serve what is shared, until SIGTERM' },
    async ({ files, settings, out }) => {
      const log = createLog({ part: 'connector', level: settings.log });
      let told = false;
      let last = '';
      const stop = reasonToStop();
      const connector = await run({
        files,
        table: OPERATIONS,
        clock: systemClock,
        log,
        onStatus: ({ state, connector_id, relay, pid, last_error: error }) => {
          if (state !== last && state === 'elsewhere')
            out.note('This identity runs elsewhere. This connector stays down until it is started again.');
          last = state;
          if (told || (state !== 'connected' && state !== 'verified')) {
            if (error) log.debug({ state, code: error.code }, 'status');
            return;
          }
          told = true;
          out.result({ connector_id, relay, pid }, `Connected to ${relay} as ${connector_id}. Stop with Ctrl-C.`);
        },
      });
      const why = await Promise.race([stop, connector.unenrolled.then(() => 'unenrolled')]);
      log.info({ why }, 'stopping');
      await connector.stop();
    },
  );
};
