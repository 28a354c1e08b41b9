import { Command } from 'commander';
import { addInstanceCommand } from './commands/add.ts';
import { artifactCommand } from './commands/artifact.ts';
import { changeCommand } from './commands/change.ts';
import { configCommand } from './commands/config.ts';
import { doctorCommand } from './commands/doctor.ts';
import { eventsCommand } from './commands/events.ts';
import { executorsCommand } from './commands/executors.ts';
import { gateCommand } from './commands/gate.ts';
import { haltCommand } from './commands/halt.ts';
import { listCommand } from './commands/list.ts';
import { removeCommand } from './commands/remove.ts';
import { resumeCommand } from './commands/resume.ts';
import { runCommand } from './commands/run.ts';
import { serveCommand, type StartDaemon } from './commands/serve.ts';
import { statusCommand } from './commands/status.ts';
import { stepCommand } from './commands/step.ts';
import { submitCommand } from './commands/submit.ts';
import type { Streams } from './context.ts';
import type { ExamineHistory } from './doctor/history.ts';

const EXIT_CODES = `
Exit codes: 0 done; 1 wrong usage or input; 2 a check or the fence failed; 3 a time limit passed;
4 a person or a decision is needed; 5 the machine or a part of Fairlead cannot.`;

interface ProgramParts {
  readonly version: string;
  readonly start: StartDaemon;
  readonly examine: ExamineHistory;
}

/** The whole command line. Commands load what they need when they run, so that the small ones start fast. */
export const createProgram = (streams: Streams, about: ProgramParts): Command => {
  const program = new Command('fairlead')
    .description('Have coding work done on this machine, through one narrow opening, with evidence.')
    .version(about.version, '--version', 'print the version')
    .option('--json', 'print exactly one JSON document')
    .option('--quiet', 'print nothing but the result')
    .option('--home <folder>', 'where Fairlead keeps its state; default: $FAIRLEAD_HOME or ~/.fairlead')
    .option('--url <url>', 'the daemon to ask; default: the one that serves the home')
    .option('--token <token>', "the token to ask with; default: the operator's, from the home")
    .showSuggestionAfterError(true)
    .addHelpText('after', EXIT_CODES);
  serveCommand(program, streams, about.start);
  doctorCommand(program, streams, about.examine);
  for (const add of [
    statusCommand,
    addInstanceCommand,
    removeCommand,
    listCommand,
    submitCommand,
    runCommand,
    stepCommand,
    gateCommand,
    changeCommand,
    eventsCommand,
    artifactCommand,
    executorsCommand,
    configCommand,
    haltCommand,
    resumeCommand,
  ])
    add(program, streams);
  return program;
};
