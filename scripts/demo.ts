import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { parseArgs } from 'node:util';
import { FairleadError } from '@fairlead/shared/contract/errors';
import type { TaskInput } from '@fairlead/shared/contract/task';
import { createOutput, type Output } from '@fairlead/shared/kit/cli';
import { printable } from '@fairlead/shared/kit/printable';
import { mcpPlanner } from '@fairlead/e2e/rig/mcp-planner';
import { runCommand } from '@fairlead/e2e/rig/processes';
import { git, MENDING_PATCH } from '@fairlead/e2e/rig/repositories';
import { closeOnSignal, raiseStack, type Stack } from '@fairlead/e2e/rig/stack';
import { evidenceText, tellerOf } from './demo/shown.ts';
import { documentOf, exitOf, tellStory, type Story } from './demo/story.ts';
import { endingWell } from './ending.ts';
import { readFlags } from './flags.ts';

const USAGE = `npm run demo -- [--mcp] [--repo PATH --task FILE [--yes]] [--json] [--quiet]

  (nothing)                 a small project with a failing test; the planner sends a patch over HTTP
  --mcp                     the same, over MCP with the official client
  --repo PATH --task FILE   your own repository and your own task file (YAML or JSON); you are asked before anything
                            moves, unless --yes, --json or there is no terminal
  --json                    print one JSON document and nothing else on stdout
`;

const SAMPLE_TASK: TaskInput = {
  title: 'Send orders of exactly 50.00 free of charge',
  goal: 'The test for an order of exactly 50.00 fails. Make it pass.',
  executor: 'patch',
  patch: MENDING_PATCH,
};

const { values } = readFlags(USAGE, () =>
  parseArgs({
    options: {
      mcp: { type: 'boolean', default: false },
      repo: { type: 'string' },
      task: { type: 'string' },
      yes: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      quiet: { type: 'boolean', default: false },
    },
  }),
);

/** The way out of a wrong flag. */
const HINT = 'npm run demo -- --help tells what each flag takes.';

const readTask = async (file: string): Promise<TaskInput> => {
  try {
    const text = readFileSync(file, 'utf8');
    const { parse } = await import('yaml');
    return parse(text) as TaskInput;
  } catch (cause) {
    throw new FairleadError('invalid_input', {
      field: '--task',
      rule: 'must be a task file in YAML or JSON',
      hint: HINT,
      detail: `${file} cannot be read: ${(cause as Error).message}`,
      cause,
    });
  }
};

/** How the sample's own tests fare in the owner's checkout, in one line. */
const sampleTests = async (repo: string): Promise<string> => {
  const { code, stdout } = await runCommand({ name: 'node --test', argv: [process.execPath, '--test'], cwd: repo });
  const count = (name: string) => new RegExp(`^(?:#|ℹ) ${name} (\\d+)`, 'm').exec(stdout)?.[1] ?? '?';
  return `node --test in the owner's checkout: ${count('pass')} passed, ${count('fail')} failed (exit ${code})`;
};

const asksOwner = async (output: Output, patch: string): Promise<boolean> => {
  if (values.repo === undefined || values.yes || values.json || !process.stdin.isTTY) return true;
  output.note(`\n${printable(patch, { multiline: true })}`);
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await prompt.question('Approve exactly this, and move the branch of your repository? [y/N] ');
  prompt.close();
  return /^y(es)?$/i.test(answer.trim());
};

const play = async (stack: Stack, task: TaskInput, output: Output): Promise<Story> => {
  const tell = tellerOf(output);
  const own = values.repo === undefined;
  const { repo } = stack.instances[0]!;
  if (stack.confinement === 'unconfined' && own)
    tell.fairlead("this machine has no sandbox: the demo's own throw-away repository is worked on UNCONFINED");
  if (own) tell.owner(await sampleTests(repo));
  const planner = values.mcp ? await mcpPlanner(stack.mcpUrl, stack.plannerToken) : stack.planner;
  try {
    tell.planner(
      `connects over ${values.mcp ? `MCP, ${stack.mcpUrl}` : `HTTP, ${stack.relayUrl}/api/v2`}; it sees no path, port or secret of the machine`,
    );
    const story = await tellStory({ stack, planner, task, tell, approves: (patch) => asksOwner(output, patch) });
    if (own) tell.owner(await sampleTests(repo));
    if (story.change?.integrated) tell.owner(`git log          ${git(repo, 'log', '-1', '--format=%h %s', story.change.integrated.ref)}`);
    return story;
  } finally {
    await planner.close();
  }
};

/** A wrong path is told before anything is raised. */
const checkFlags = (): void => {
  const wrong = (field: string, rule: string): never => {
    throw new FairleadError('invalid_input', { field, rule, detail: `${field}: ${rule}`, hint: HINT });
  };
  if (values.repo === undefined && values.task !== undefined) wrong('--repo', 'is needed with --task');
  if (values.repo !== undefined && values.task === undefined) wrong('--task', 'is needed with --repo');
  if (values.repo !== undefined && !existsSync(values.repo)) wrong('--repo', 'must be the path of a git repository');
};

const main = async (output: Output): Promise<number> => {
  checkFlags();
  const task = values.task === undefined ? SAMPLE_TASK : await readTask(values.task);
  const started = performance.now();
  const stack = await raiseStack({
    ...(values.repo !== undefined && { repositories: [resolve(values.repo)] }),
    tell: (text) => output.note(`${output.colour('cyan', 'fairlead ')} ${text}`),
  });
  const raised = Math.round(performance.now() - started);
  // A demo that is interrupted leaves nothing behind either.
  closeOnSignal(stack);
  try {
    const story = await play(stack, task, output);
    const timed = { ...story, durations: { raise: raised, ...story.durations, total: Math.round(performance.now() - started) } };
    output.result(documentOf(timed), () => evidenceText(output, timed));
    return exitOf(story);
  } finally {
    await stack.close();
  }
};

const run = (): Promise<number> => {
  const output = createOutput({
    json: values.json,
    quiet: values.quiet || values.json,
    ...(process.env['NO_COLOR'] !== undefined && { color: false }),
    stdout: process.stdout,
    stderr: process.stderr,
  });
  return endingWell(values.json, () => main(output));
};

process.exitCode = await run();
