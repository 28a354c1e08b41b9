import { createOutput, type Output, type TextSink } from '@fairlead/shared/kit/cli';
import type { Command } from 'commander';
import { environment } from '../config/environment.ts';
import { filesIn, type Files } from '../config/files.ts';
import { readSettings, type Settings } from '../config/settings.ts';

/** The options that every command takes. */
export interface GlobalOptions {
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly home?: string;
  readonly log?: string;
  readonly daemonUrl?: string;
}

export interface Streams {
  readonly stdout: TextSink;
  readonly stderr: TextSink;
}

/** What a command has to work with. */
export interface CliContext {
  readonly settings: Settings;
  readonly files: Files;
  readonly out: Output;
}

const createContext = (options: GlobalOptions, streams: Streams): CliContext => {
  const env = environment();
  const settings = readSettings(env, options);
  const out = createOutput({
    json: options.json ?? false,
    quiet: options.quiet ?? false,
    ...(env['NO_COLOR'] && { color: false }),
    ...streams,
  });
  return { settings, files: filesIn(settings.home), out };
};

/** Adds a command to the program; its action is given a context made from the global options, and the command for its own options. */
export const addCommand = (
  program: Command,
  streams: Streams,
  about: { readonly use: string; readonly text: string },
  action: (context: CliContext, command: Command) => Promise<void>,
): Command =>
  program
    .command(about.use)
    .description(about.text)
    .action(async (_: unknown, command: Command) => action(createContext(command.optsWithGlobals<GlobalOptions>(), streams), command));

/** Collects an option that may be given more than once. */
export const many = (value: string, before: readonly string[] = []): string[] => [...before, value];
