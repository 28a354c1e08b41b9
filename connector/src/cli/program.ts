import { Command } from 'commander';
import { configCommand } from './config.ts';
import type { Streams } from './context.ts';
import { discoverCommand } from './discover.ts';
import { enrollCommand } from './enroll.ts';
import { listCommand } from './list.ts';
import { rotateKeyCommand } from './rotate-key.ts';
import { runCommand, type RunConnector } from './run.ts';
import { shareCommand, unshareCommand } from './share.ts';
import { statusCommand } from './status.ts';
import { unenrollCommand } from './unenroll.ts';

const EXIT_CODES = `
Exit codes: 0 done; 1 wrong usage or input; 4 a person or a decision is needed; 5 the machine or a part of Fairlead cannot.`;

/** The whole command line of the connector. */
export const createProgram = (streams: Streams, about: { readonly version: string; readonly run: RunConnector }): Command => {
  const program = new Command('fairlead-connector')
    .description('Connect this machine to a relay, outbound only, and share what you decide to share.')
    .version(about.version, '--version', 'print the version')
    .option('--json', 'print exactly one JSON document')
    .option('--quiet', 'print nothing but the result')
    .option('--home <folder>', 'where Fairlead keeps its state; default: $FAIRLEAD_HOME or ~/.fairlead')
    .option('--daemon-url <url>', 'the daemon to share from; default: the one that serves the home')
    .option('--log <level>', 'fatal, error, warn, info, debug, trace or silent; default: info')
    .showSuggestionAfterError(true)
    .addHelpText('after', EXIT_CODES);
  enrollCommand(program, streams);
  runCommand(program, streams, about.run);
  for (const add of [
    statusCommand,
    listCommand,
    discoverCommand,
    shareCommand,
    unshareCommand,
    rotateKeyCommand,
    unenrollCommand,
    configCommand,
  ])
    add(program, streams);
  return program;
};
