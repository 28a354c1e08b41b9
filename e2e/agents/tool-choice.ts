import { posix } from 'node:path';
import type { OfferedTool } from './conversation.ts';
import type { ToolCall } from './script.ts';

/** A call as it goes over the wire. */
export interface ChosenCall {
  readonly tool: OfferedTool;
  /** An object of arguments, or the text of a freeform tool. */
  readonly input: Readonly<Record<string, unknown>> | string;
}

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
const lines = (text: string, mark: string): string[] =>
  text
    .replace(/\n$/, '')
    .split('\n')
    .map((line) => mark + line);
const argument = (args: ToolCall['args'], name: string): string => {
  const value = args[name];
  if (typeof value !== 'string') throw new TypeError(`the script gives no ${name}`);
  return value;
};

/** The patch language that Codex's `apply_patch` takes. */
const patchText = (lines: readonly string[]): string => ['*** Begin Patch', ...lines, '*** End Patch', ''].join('\n');

interface Logical {
  readonly path: string;
  readonly args: ToolCall['args'];
}

const patchFor = (kind: string, { path, args }: Logical): string =>
  kind === 'write'
    ? patchText([`*** Add File: ${path}`, ...lines(argument(args, 'content'), '+')])
    : patchText([`*** Update File: ${path}`, '@@', ...lines(argument(args, 'old'), '-'), ...lines(argument(args, 'new'), '+')]);

const shellFor = (kind: string, { path, args }: Logical): string => {
  if (kind === 'shell') return argument(args, 'command');
  if (kind === 'read') return `cat ${quoted(path)}`;
  if (kind === 'write') return `printf %s ${quoted(argument(args, 'content'))} > ${quoted(path)}`;
  return `apply_patch <<'END_OF_PATCH'\n${patchFor(kind, { path, args })}END_OF_PATCH`;
};

type Arguments = Readonly<Record<string, unknown>> | string;
type Fit = readonly [name: string, input: (logical: Logical, tool: OfferedTool) => Arguments];

const patchInput =
  (kind: string): Fit[1] =>
  (logical, tool) =>
    tool.freeform ? patchFor(kind, logical) : { input: patchFor(kind, logical) };

/** Some clients insist on a description of a command. */
const described = (command: string, tool: OfferedTool): Arguments => ({
  command,
  ...(tool.parameters.includes('description') && { description: 'Run a command' }),
  ...(tool.parameters.includes('is_background') && { is_background: false }),
});

const shells = (kind: string): readonly Fit[] => [
  ['Bash', (logical, tool) => described(shellFor(kind, logical), tool)],
  ['run_shell_command', (logical, tool) => described(shellFor(kind, logical), tool)],
  ['bash', (logical, tool) => described(shellFor(kind, logical), tool)],
  ['exec_command', (logical) => ({ cmd: shellFor(kind, logical) })],
  ['shell_command', (logical) => ({ command: shellFor(kind, logical) })],
  ['shell', (logical) => ({ command: ['bash', '-lc', shellFor(kind, logical)] })],
];

/** What stands for each logical tool, by the names the five clients give theirs; the first that is offered is called. */
const FITS: Readonly<Record<string, readonly Fit[]>> = {
  write: [
    ['Write', ({ path, args }) => ({ file_path: path, content: argument(args, 'content') })],
    ['write_file', ({ path, args }) => ({ file_path: path, content: argument(args, 'content') })],
    ['write', ({ path, args }) => ({ filePath: path, content: argument(args, 'content') })],
    ['apply_patch', patchInput('write')],
    ...shells('write'),
  ],
  edit: [
    ['Edit', ({ path, args }) => ({ file_path: path, old_string: argument(args, 'old'), new_string: argument(args, 'new') })],
    [
      'replace',
      ({ path, args }) => ({
        file_path: path,
        old_string: argument(args, 'old'),
        new_string: argument(args, 'new'),
        instruction: 'Replace the text',
      }),
    ],
    [
      'edit',
      ({ path, args }, tool) =>
        tool.parameters.includes('filePath')
          ? { filePath: path, oldString: argument(args, 'old'), newString: argument(args, 'new') }
          : { file_path: path, old_string: argument(args, 'old'), new_string: argument(args, 'new') },
    ],
    ['apply_patch', patchInput('edit')],
    ...shells('edit'),
  ],
  read: [
    ['Read', ({ path }) => ({ file_path: path })],
    ['read_file', ({ path }) => ({ file_path: path })],
    ['read', ({ path }) => ({ filePath: path })],
    ...shells('read'),
  ],
  shell: shells('shell'),
};

/**
 * Fits a scripted call to what the client offers.
 * @returns the call, or a sentence that says why the client cannot be asked for it
 */
export const chooseCall = (call: ToolCall, offered: readonly OfferedTool[], cwd: string): ChosenCall | string => {
  const fits = FITS[call.tool];
  const names = offered.map(({ name }) => name).join(', ');
  if (fits === undefined) {
    const exact = offered.find(({ name }) => name === call.tool) ?? (call.force ? { name: call.tool, parameters: [] } : undefined);
    return exact === undefined ? `the client offers no tool ${call.tool}, only ${names}` : { tool: exact, input: call.args };
  }
  const path = typeof call.args['path'] === 'string' ? posix.resolve(cwd, call.args['path']) : '';
  for (const [name, input] of fits) {
    const tool = offered.find((one) => one.name === name);
    if (tool !== undefined) return { tool, input: input({ path, args: call.args }, tool) };
  }
  return `the client offers nothing to ${call.tool} with, only ${names}`;
};
