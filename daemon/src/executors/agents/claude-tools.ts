import type { ToolKind } from '@fairlead/shared/contract/activity';
import type { AgentRequest } from '../executor.ts';

type Input = Readonly<Record<string, unknown>>;

const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

const KINDS: Readonly<Record<string, ToolKind>> = {
  Bash: 'execute',
  BashOutput: 'read',
  KillShell: 'other',
  Monitor: 'execute',
  Read: 'read',
  NotebookRead: 'read',
  Glob: 'search',
  Grep: 'search',
  LS: 'search',
  ToolSearch: 'think',
  Write: 'edit',
  Edit: 'edit',
  MultiEdit: 'edit',
  NotebookEdit: 'edit',
  WebFetch: 'fetch',
  WebSearch: 'fetch',
  Task: 'agent',
  Agent: 'agent',
  TodoWrite: 'think',
  TaskCreate: 'think',
  TaskUpdate: 'think',
};

export const claudeToolKind = (tool: string): ToolKind => (tool.startsWith('mcp__') ? 'mcp' : (KINDS[tool] ?? 'other'));

const lines = (mark: string, value: string): string =>
  value
    .replace(/\n$/, '')
    .split('\n')
    .map((line) => `${mark}${line}`)
    .join('\n');

/** What an edit would change, in the form of a difference. Made of the tool's own input, which is all that is known before it ran. */
const diffOf = (tool: string, input: Input): string | undefined => {
  const path = text(input['file_path']) ?? text(input['notebook_path']) ?? '';
  if (tool === 'Write') return `+++ ${path}\n${lines('+', text(input['content']) ?? '')}`;
  const edits = tool === 'MultiEdit' && Array.isArray(input['edits']) ? (input['edits'] as Input[]) : [input];
  if (tool !== 'Edit' && tool !== 'MultiEdit') return undefined;
  const hunks = edits.map((edit) => `${lines('-', text(edit['old_string']) ?? '')}\n${lines('+', text(edit['new_string']) ?? '')}`);
  return `--- ${path}\n+++ ${path}\n${hunks.join('\n')}`;
};

/** What a tool call of claude asks for, in our words. */
export const claudeRequest = (tool: string, given: unknown): AgentRequest => {
  const input = (typeof given === 'object' && given !== null ? given : {}) as Input;
  const kind = claudeToolKind(tool);
  const command = kind === 'execute' ? text(input['command']) : undefined;
  const path = text(input['file_path']) ?? text(input['notebook_path']) ?? text(input['path']);
  const url = text(input['url']);
  const diff = diffOf(tool, input);
  return {
    tool,
    kind,
    input: given,
    ...(command !== undefined && { command }),
    ...(path !== undefined && { paths: [path] }),
    ...(url !== undefined && { urls: [url] }),
    ...(diff !== undefined && { diff }),
  };
};

/** One line that tells what a call is about. */
export const claudeTitle = (tool: string, given: unknown): string => {
  const input = (typeof given === 'object' && given !== null ? given : {}) as Input;
  const about = ['command', 'file_path', 'notebook_path', 'pattern', 'url', 'query', 'description', 'prompt'].map((key) =>
    text(input[key]),
  );
  const first = about.find((value) => value !== undefined);
  return first === undefined ? tool : `${tool}: ${first.split('\n')[0]!.slice(0, 200)}`;
};
