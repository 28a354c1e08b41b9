import { randomUUID } from 'node:crypto';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { operationsOf } from '@fairlead/shared/contract/operations/table';
import { runCli } from '@fairlead/shared/kit/cli';
import { createProgram as connectorProgram } from '../../connector/src/cli/program.ts';
import { createProgram as daemonProgram } from '../../daemon/src/cli/program.ts';
import { relayProgram } from '../../relay/src/cli/program.ts';
import { doTask, httpPlanner } from '../rig/planner.ts';
import { git, makeRepository } from '../rig/repositories.ts';
import { raiseStack, type Stack } from '../rig/stack.ts';

/**
 * Attack 17: escape sequences, C1 controls, links and clipboard writes (OSC 8 and 52), bidirectional and zero-width characters and HTML, wherever
 * somebody may put text, through every command that prints and every route. Rule: hostile text stays text, visible and inert.
 */

const NASTY =
  '\u001b[31mred\u001b]8;;http://evil\u0007x\u001b]52;c;ZXZpbA==\u0007\u009b2J\u202egnp\u200b\ufeff\u2028<img src=x onerror=alert(1)>';
/** Where a name must be short and without what names cannot hold. */
const NAME = 'n\u202eam\u200be\u009b<b>';
/** The same for what takes no control characters at all. */
const LINE = NAME.replaceAll('\u009b', '');
/** What a terminal acts on, or shows as something else, or not at all. Line ends and tabs are ours. */
// oxlint-disable-next-line no-control-regex
const RAW = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/u;

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'fairlead-text-')));
const SHOUT = `printf '%b' '\\033[2J\\033]52;c;ZXZpbA==\\007\\302\\233\\342\\200\\256' ; cat shout.txt; cp shout.txt "$FAIRLEAD_OUT/${NAME}.html"; cp shout.txt '${NAME}.txt'`;

type Command = ReturnType<typeof relayProgram>;

let stack: Stack;
const ids: Record<string, string> = {};

beforeAll(async () => {
  const files = { 'shout.txt': `${NASTY}\n`, 'shout.sh': `${SHOUT}\n`, 'a.txt': 'one\n' };
  const policy = `version: 1\nvalidations: { unit: { run: [cat, shout.txt], judges: ['x/**'] } }\n`;
  const good = makeRepository(join(folder, `shop ${NAME}`), { ...files, '.fairlead/project.yaml': policy });
  git(good, 'branch', NAME.replaceAll(/[<>]/g, ''));
  const bad = makeRepository(join(folder, 'bad'), { ...files, '.fairlead/project.yaml': `version: 1\n${JSON.stringify(NASTY)}: 1\n` });
  const config = `commands:\n  shout: { run: [sh, shout.sh], description: ${JSON.stringify(`Says ${NAME}`)} }\n`;
  stack = await raiseStack({ repositories: [good, bad], config, share: ['--allow', 'default'] });
  const { secret } = await stack.admin.call('create_planner_token', { name: LINE }, { idempotencyKey: randomUUID() });
  const planner = httpPlanner(stack.relayUrl, secret);
  await stack.admin.call('create_enrollment_token', { label: LINE }, { idempotencyKey: randomUUID() });
  const id = stack.instances[0]!.id;
  const task = {
    title: `Title ${LINE}`,
    goal: NASTY,
    context: { summary: NASTY },
    constraints: [NASTY],
    acceptance: [NASTY],
    executor: 'command.shout',
  };
  const result = await doTask(planner, id, task);
  expect(result.step, JSON.stringify(result.step)).toMatchObject({ state: 'needs_approval' });
  const [artifacts, grants] = [result.artifacts, await stack.operator.call('list_grants', {})];
  Object.assign(ids, {
    instance: id,
    run: result.runId,
    step: result.step.id,
    change: result.change!.id,
    gate: result.gate!.id,
    artifact: artifacts.find(({ kind }) => kind === 'output')!.id,
    grant: grants.items[0]!.id,
  });
}, 180_000);
afterAll(async () => {
  await stack?.close();
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

/** Every command that does something, with its words. */
const leaves = (command: Command, words: readonly string[] = []): { words: readonly string[]; command: Command }[] =>
  command.commands.length === 0 ? [{ words, command }] : command.commands.flatMap((below) => leaves(below, [...words, below.name()]));

/** They serve until they are stopped. */
const SERVES = new Set(['serve', 'run']);
/** They change what the others show, and come last. */
const LAST =
  /^(submit|add|remove|halt|resume|share|unshare|enroll|disable|enable)$|(close|cancel|retry|approve|reject|integrate|discard|revoke|start|disable)$/;
const argvOf = ({ words, command }: ReturnType<typeof leaves>[number], value: (name: string) => string): string[] => [
  ...words,
  ...command.registeredArguments.map((argument) => value(argument.name())),
  ...(command.options.some(({ long }) => long === '--instance') ? ['--instance', value('instance')] : []),
];
const ordered = (program: Command) => {
  const all = leaves(program).filter(({ words }) => !(words.length === 1 && SERVES.has(words[0]!)));
  const last = (one: (typeof all)[number]) => Number(LAST.test(one.words.join(' ')));
  return all.toSorted((one, other) => last(one) - last(other));
};

const never = (): never => {
  throw new Error('not in this test');
};
/** A command line in this process; the relay's, which prints to its own process, as one. */
const run = async (part: 'fairlead' | 'connector' | 'relay', argv: readonly string[]): Promise<string> => {
  if (part === 'relay') {
    const { stdout, stderr } = await stack.run('relay', ...argv);
    return stdout + stderr;
  }
  let said = '';
  const sink = { write: (text: string) => void (said += text) };
  const streams = { stdout: sink, stderr: sink };
  const program =
    part === 'fairlead'
      ? daemonProgram(streams, { version: '0', start: never, examine: async () => [] })
      : connectorProgram(streams, { version: '0', run: never });
  await runCli(program, ['node', part, '--home', stack.home, ...argv], streams);
  return said;
};

const isQuoted = (text: string): void => expect(RAW.exec(text)?.[0].codePointAt(0)?.toString(16), text.slice(0, 2000)).toBeUndefined();

describe('hostile text in commands', { timeout: 240_000 }, () => {
  const silent = { stdout: { write: never }, stderr: { write: never } };
  it.each([
    ['fairlead', daemonProgram(silent, { version: '0', start: never, examine: never }), ['␛', '\\u{202e}', '\\u{9b}', '<img src=x']],
    ['connector', connectorProgram(silent, { version: '0', run: never }), ['\\u{202e}']],
    ['relay', relayProgram(), ['\\u{202e}']],
  ] as const)('of %s is visible and inert, and escaped in --json', async (part, program, visible) => {
    let shown = '';
    const known = (name: string): string => ids[name] ?? NASTY;
    for (const leaf of ordered(program)) {
      const argv = argvOf(leaf, known);
      for (const text of [await run(part, argv), await run(part, [...argv, '--json'])]) {
        isQuoted(text);
        shown += text;
      }
      // What was typed comes back in the refusal.
      isQuoted(
        await run(
          part,
          argvOf(leaf, () => NASTY),
        ),
      );
    }
    isQuoted(await run(part, [NASTY]));
    isQuoted(await run(part, [`--${NASTY}`]));
    for (const text of visible) expect(shown).toContain(text);
  });
});

describe('hostile text over HTTP', { timeout: 120_000 }, () => {
  const fill = (path: string): string => path.replaceAll(/:(\w+)_id/g, (_, kind: string) => ids[kind] ?? 'none');
  it.each(['daemon', 'relay'] as const)('is answered by the %s as data, never as a page', async (api) => {
    const reads = operationsOf(api).filter((row) => row.route.startsWith('GET ') && row.surface !== 'connector');
    for (const row of reads) {
      const url = `${api === 'daemon' ? `${stack.daemonUrl}/api/v1` : `${stack.relayUrl}/api/v2`}${fill(row.route.slice(4))}`;
      const admin = row.surface === 'relay_admin' ? stack.adminToken : stack.plannerToken;
      const token = api === 'daemon' ? stack.daemonToken : admin;
      const query = new URLSearchParams({ ...(row.name === 'wait_step' && { timeout_ms: '1000' }) }).toString();
      const answer = await fetch(`${url}?${query}`, { headers: { authorization: `Bearer ${token}`, accept: 'text/html, */*' } });
      const header = (name: string) => answer.headers.get(name) ?? '';
      const body = await answer.text();
      expect(header('x-content-type-options'), row.name).toBe('nosniff');
      if (row.stream === 'bytes' && answer.status === 200) {
        expect(header('content-disposition'), row.name).toMatch(/^attachment/);
        expect(header('content-security-policy'), row.name).toContain('sandbox');
      } else {
        expect(header('content-type'), row.name).toMatch(/^application\/(problem\+)?json/);
        expect(() => JSON.parse(body) as unknown, row.name).not.toThrow();
      }
      // In a header, text of others would be an instruction.
      expect(JSON.stringify([...answer.headers]), row.name).not.toMatch(RAW);
    }
  });
});
