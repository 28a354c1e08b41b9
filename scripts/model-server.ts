import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { createModelServer } from '@fairlead/e2e/agents/model-server';
import type { ScriptInput } from '@fairlead/e2e/agents/script';
import { endingWell } from './ending.ts';
import { readFlags } from './flags.ts';

const USAGE = `npm run -s model-server -- [--port N] [--scripts FILE]

A scripted model on loopback that speaks Anthropic Messages, OpenAI Responses, OpenAI Chat and Gemini, for running coding agents
without a provider. FILE is JSON: {"<id>": {"turns": [{"tool": "write", "args": {"path": "a.txt", "content": "x"}}, {"say": "Done."}]}}.
A request plays the script named by SCRIPT:<id> in its prompt, by its API key or its model, or the one called default.
Prints one line of JSON when it is ready, then one for each request, and stays until SIGTERM or Ctrl-C.
`;

const { values } = readFlags(USAGE, () =>
  parseArgs({
    options: { port: { type: 'string', default: '0' }, scripts: { type: 'string' }, json: { type: 'boolean', default: false } },
  }),
);

const FALLBACK: Record<string, ScriptInput> = { default: { turns: [] } };

const main = async (): Promise<number> => {
  const scripts =
    values.scripts === undefined ? FALLBACK : (JSON.parse(readFileSync(values.scripts, 'utf8')) as Record<string, ScriptInput>);
  const tell = (line: unknown) => process.stdout.write(`${JSON.stringify(line)}\n`);
  const server = await createModelServer({
    scripts,
    port: Number(values.port),
    tell: ({ wire, kind, script, turn, model, tools, toolResults }) =>
      tell({
        wire,
        kind,
        script,
        turn,
        model,
        tools: tools.map(({ name }) => name),
        results: toolResults.map(({ text }) => text.slice(0, 200)),
      }),
  });
  tell({ url: server.url, port: server.port });
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
  });
  await server.close();
  return 0;
};

process.exitCode = await endingWell(values.json, main);
