import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { raiseStack } from '@fairlead/e2e/rig/stack';
import { FairleadError } from '@fairlead/shared/contract/errors';
import { endingWell } from './ending.ts';
import { readFlags } from './flags.ts';

const USAGE = `npm run -s stack -- [--json] [--repo PATH]... [--instances N] [--executor ID]

Starts relay, daemon and connector on free loopback ports with state in a temporary folder, proves the path from planner
to repository, prints where everything is, and stays until SIGTERM or Ctrl-C. Leaves nothing behind.
`;

const { values } = readFlags(USAGE, () =>
  parseArgs({
    options: {
      json: { type: 'boolean', default: false },
      repo: { type: 'string', multiple: true },
      instances: { type: 'string' },
      executor: { type: 'string' },
    },
  }),
);

/** Settles at the first reason to stop. Under npm, the death of npm is one: a killed shell passes no signal on. */
const reasonToStop = (): Promise<string> =>
  new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.once(signal, () => resolve(signal));
    const parent = process.ppid;
    if (process.env['npm_lifecycle_event'] !== undefined) setInterval(() => process.ppid !== parent && resolve('SIGHUP'), 500).unref();
  });

const wrong = (field: string, rule: string): never => {
  throw new FairleadError('invalid_input', {
    field,
    rule,
    detail: `${field}: ${rule}`,
    hint: 'npm run stack -- --help tells what each flag takes.',
  });
};

const count = (text: string): number => {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 50) wrong('--instances', 'must be a number from 1 to 50');
  return value;
};

const main = async (): Promise<number> => {
  // A wrong path is told before anything is raised.
  for (const repo of values.repo ?? []) if (!existsSync(repo)) wrong('--repo', `${repo} must be the path of a git repository`);
  const asked = reasonToStop();
  const stack = await raiseStack({
    ...(values.repo && { repositories: values.repo }),
    ...(values.instances !== undefined && { instances: count(values.instances) }),
    ...(values.executor !== undefined && { executor: values.executor }),
    tell: (line) => process.stderr.write(`fairlead: ${line}\n`),
  });
  const about = {
    relay_url: stack.relayUrl,
    mcp_url: stack.mcpUrl,
    planner_token: stack.plannerToken,
    admin_token: stack.adminToken,
    daemon_url: stack.daemonUrl,
    daemon_token: stack.daemonToken,
    instances: stack.instances,
    home: stack.home,
  };
  const human = Object.entries(about).map(
    ([name, value]) =>
      `${name.padEnd(14)} ${typeof value === 'string' ? value : value.map(({ id, repo }) => `${id} ${repo}`).join('\n'.padEnd(16))}`,
  );
  process.stdout.write(values.json ? `${JSON.stringify(about)}\n` : `${human.join('\n')}\nStop with Ctrl-C.\n`);
  const died = Promise.race(Object.values(stack.parts).map(({ name, ended }) => ended.then(() => `${name} ended`)));
  const why = await Promise.race([asked, died]);
  process.stderr.write(why.startsWith('SIG') ? 'fairlead: stopping\n' : `fairlead: ${why} by itself; stopping the rest\n`);
  await stack.close();
  return why.startsWith('SIG') ? 0 : 5;
};

process.exitCode = await endingWell(values.json, main);
