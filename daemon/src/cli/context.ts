import type { Client } from '@fairlead/shared/contract/client';
import type { OperationName, CallOf, OutputOf } from '@fairlead/shared/contract/operations/table';
import { createOutput, type Output, type TextSink } from '@fairlead/shared/kit/cli';
import type { Command } from 'commander';
import { environment, remoteFrom, rootFrom } from '../config/environment.ts';
import { daemonHome, type DaemonHome } from '../config/home.ts';

/** The options that every command takes. */
export interface GlobalOptions {
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly home?: string;
  readonly url?: string;
  readonly token?: string;
}

/** What a command has to work with. Everything heavy is loaded when it is first asked for. */
export interface CliContext {
  readonly home: DaemonHome;
  readonly out: Output;
  readonly options: GlobalOptions;
  /** The typed client of the daemon that flags, environment or home name. @throws FairleadError `daemon_not_running`, `secret_exposed` */
  readonly client: () => Promise<Client>;
  /** Asks the daemon for one operation. A write gets a new idempotency key unless one is given. */
  readonly ask: <N extends OperationName>(
    name: N,
    input: CallOf<N>,
    options?: { readonly key?: string; readonly signal?: AbortSignal },
  ) => Promise<OutputOf<N>>;
}

export interface Streams {
  readonly stdout: TextSink;
  readonly stderr: TextSink;
}

/** Makes the context of one command from the options it was given. */
export const createContext = (options: GlobalOptions, streams: Streams): CliContext => {
  const home = daemonHome(rootFrom(options.home));
  const colourless = Boolean(environment()['NO_COLOR']);
  const out = createOutput({ json: options.json ?? false, quiet: options.quiet ?? false, ...(colourless && { color: false }), ...streams });
  let made: Promise<Client> | undefined;
  const client = () => (made ??= import('./connection.ts').then(({ connect }) => connect(home, remoteFrom(options))));
  return {
    home,
    out,
    options,
    client,
    async ask(name, input, { key, signal } = {}) {
      const [asked, { newKey }] = await Promise.all([client(), import('./connection.ts')]);
      return asked.call(name, input, { idempotencyKey: key ?? newKey(), ...(signal && { signal }) }).catch(async (error: unknown) => {
        const { withCommands } = await import('./cures.ts');
        throw withCommands(error);
      });
    },
  };
};

/** What a command's action gets: the context, the arguments in their order, and its own options. */
export type Action<O> = (context: CliContext, args: readonly (string | undefined)[], options: O) => Promise<void>;

/** Adds a command to the program; its action is given a context made from the global options. */
export const addCommand = <O extends object>(
  parent: Command,
  streams: Streams,
  about: { readonly use: string; readonly text: string },
  action: Action<O>,
): Command =>
  parent
    .command(about.use)
    .description(about.text)
    .action(async (...given: unknown[]) => {
      const command = given.at(-1) as Command;
      const args = given.slice(0, -2) as (string | undefined)[];
      await action(createContext(command.optsWithGlobals<GlobalOptions>(), streams), args, command.opts<O>());
    });

/** Collects an option that may be given more than once. */
export const many = (value: string, before: readonly string[] = []): string[] => [...before, value];
