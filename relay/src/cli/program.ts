import { Command, Option } from 'commander';
import { createOutput, type Output } from '@fairlead/shared/kit/cli';
import { relayFromEnvironment } from '../config/settings.ts';
import { VERSION } from '../config/version.ts';
import { MCP_CLIENTS } from './mcp-clients.ts';
import type { GlobalFlags } from './connection.ts';

const collect = (value: string, before: string[] = []): string[] => [...before, value];
const number = (text: string): number => Number(text);

type Act<T> = (context: {
  readonly output: Output;
  readonly globals: GlobalFlags;
  readonly flags: T;
  readonly args: readonly string[];
}) => Promise<void>;

/** Binds a command to its action; an action's module is only loaded when it runs. */
const act = <T>(command: Command, load: () => Promise<Act<T>>): Command =>
  command.action(async (...all: unknown[]) => {
    const self = all.at(-1) as Command;
    const globals = self.optsWithGlobals<GlobalFlags>();
    const output = createOutput({
      json: globals.json ?? false,
      quiet: globals.quiet ?? false,
      ...(relayFromEnvironment().noColour && { color: false }),
      stdout: process.stdout,
      stderr: process.stderr,
    });
    await (
      await load()
    )({ output, globals, flags: self.opts<T & object>(), args: self.processedArgs as string[] });
  });

const addServe = (program: Command): void => {
  const command = program.command('serve').description('Serve the relay until SIGTERM; prints one line when it is ready');
  command.option('--host <name>', 'address to listen on').option('--port <n>', 'port to listen on, 0 for a free one', number);
  command.option('--origin <url>', 'public origin, where a proxy serves the relay under another name');
  command.option('--planner-rate <n>', 'requests per minute of one planner token', number);
  command
    .option('--allow-host <name>', 'further Host name that requests may carry', collect)
    .option('--allow-origin <url>', 'web origin that may call', collect);
  act(command, async () => (await import('./serve.ts')).serve);
};

const addTokens = (program: Command): void => {
  const reads = async () => import('./admin-commands.ts');
  const enrolment = program.command('enrollment-token').description('One-time secrets with which connectors enrol');
  act(
    enrolment.command('create').option('--label <text>', 'what it is for').option('--expires <duration>', 'such as 10m'),
    async () => (await reads()).createEnrollmentToken,
  );
  act(enrolment.command('list'), async () => (await reads()).listEnrollmentTokens);
  act(enrolment.command('revoke').argument('<id>'), async () => (await reads()).revokeEnrollmentToken);
  const planner = program.command('planner-token').description('Secrets of planners, with scopes, instances and an end');
  const create = planner.command('create').argument('[name]', 'who the planner is').option('--name <text>', 'who the planner is');
  create.option('--scope <scope>', 'may be repeated or a list with commas; default: reads, and writes that decide nothing', collect);
  create
    .option('--instance <id>', 'may be repeated or a list with commas; default: every instance', collect)
    .option('--expires <duration>', 'such as 30d; default: never');
  act(create, async () => (await reads()).createPlannerToken);
  act(planner.command('list'), async () => (await reads()).listPlannerTokens);
  act(planner.command('revoke').argument('<id>'), async () => (await reads()).revokePlannerToken);
};

/** The relay's command line. Everything but `serve` asks a running relay over HTTP with the admin token. */
export const relayProgram = (): Command => {
  const program = new Command('fairlead-relay').description('The meeting point of planners and machines').version(VERSION);
  program.addOption(new Option('--json', 'print one JSON document')).addOption(new Option('--quiet', 'print results only'));
  program.option('--home <folder>', 'Fairlead home; default FAIRLEAD_HOME or ~/.fairlead');
  program.option('--url <url>', 'the relay to ask').option('--token <secret>', 'the admin token');
  const reads = async () => import('./admin-commands.ts');
  addServe(program);
  act(program.command('status').description('What is connected and how much is under way'), async () => (await reads()).status);
  act(program.command('connectors').description('Enrolled machines'), async () => (await reads()).listConnectors);
  act(program.command('instances').description('Shared repositories'), async () => (await reads()).listInstances);
  const audit = program
    .command('audit')
    .description('Who asked what and what came of it, newest first')
    .option('--limit <n>', 'rows', number);
  audit.option('--page <page>', 'read on').option('--action <name>', 'only this operation').option('--outcome <code>', 'only this outcome');
  act(audit, async () => (await reads()).listAudit);
  addTokens(program);
  const connector = program.command('connector').description('Enable, disable, revoke or rename a machine');
  for (const [verb, state] of [
    ['enable', 'enabled'],
    ['disable', 'disabled'],
    ['revoke', 'revoked'],
  ] as const) {
    act(connector.command(verb).argument('<id>'), async () => (await reads()).setConnectorState(state));
  }
  act(connector.command('rename').argument('<id>').argument('<label>'), async () => (await reads()).renameConnector);
  const mcp = program.command('mcp-config').description('Configuration with which an MCP client asks this relay; holds no secret');
  mcp.option('--client <name>', `one of ${MCP_CLIENTS.map(({ name }) => name).join(', ')}`);
  mcp.option('--token-env <name>', 'variable that will hold the planner token; default FAIRLEAD_TOKEN');
  mcp.option('--endpoint <url>', 'the MCP endpoint as the client reaches it; default: that of the running relay');
  act(mcp, async () => (await import('./mcp-config.ts')).mcpConfig);
  return program;
};
