import type { ActivityItem, ToolKind } from '@fairlead/shared/contract/activity';
import type { AgentRequest } from '../executor.ts';
import { countOf, objectOf, objectsOf, textOf, textsOf, type Message } from './untrusted.ts';

/** The tool of codex that an item is a use of, and how we call its kind. */
const TOOLS: Readonly<Record<string, readonly [tool: string, kind: ToolKind]>> = {
  commandExecution: ['shell', 'execute'],
  fileChange: ['apply_patch', 'edit'],
  mcpToolCall: ['mcp', 'mcp'],
  dynamicToolCall: ['dynamic', 'other'],
  collabAgentToolCall: ['agent', 'agent'],
  webSearch: ['web_search', 'fetch'],
  imageView: ['view_image', 'read'],
  imageGeneration: ['image_generation', 'other'],
};

const toolOf = (item: Message): string => {
  const [tool = textOf(item['type'])] = TOOLS[textOf(item['type'])] ?? [];
  if (item['type'] === 'mcpToolCall') return `mcp__${textOf(item['server'])}__${textOf(item['tool'])}`;
  return item['type'] === 'dynamicToolCall' || item['type'] === 'collabAgentToolCall' ? textOf(item['tool']) || tool : tool;
};

interface FileEdit {
  readonly path: string;
  /** Where it is moved to. */
  readonly to: string | undefined;
  readonly change: 'added' | 'modified' | 'deleted' | 'moved';
  readonly diff: string;
}

const editsOf = (item: Message): readonly FileEdit[] =>
  objectsOf(item['changes']).map((one) => {
    const kind = objectOf(one['kind']);
    const to = textOf(kind['move_path']) || undefined;
    const change = kind['type'] === 'add' ? 'added' : kind['type'] === 'delete' ? 'deleted' : to === undefined ? 'modified' : 'moved';
    return { path: textOf(one['path']), to, change, diff: textOf(one['diff']) };
  });

const marked = (mark: string, content: string): string =>
  content
    .replace(/\n$/, '')
    .split('\n')
    .map((line) => `${mark}${line}`)
    .join('\n');

/** Codex gives the whole content of a file that is added or deleted, and hunks of one that is modified. */
const diffOf = ({ path, to, change, diff }: FileEdit): string => {
  if (change === 'added') return `+++ ${path}\n${marked('+', diff)}`;
  if (change === 'deleted') return `--- ${path}\n${marked('-', diff)}`;
  return `--- ${path}\n+++ ${to ?? path}\n${diff}`;
};

const editKind = (edits: readonly FileEdit[]): ToolKind => {
  if (edits.some(({ change }) => change === 'deleted')) return 'delete';
  return edits.some(({ change }) => change === 'moved') ? 'move' : 'edit';
};

const inputOf = (item: Message): Message => {
  switch (item['type']) {
    case 'commandExecution':
      return { command: item['command'], cwd: item['cwd'] };
    case 'fileChange':
      return { changes: item['changes'] };
    case 'webSearch':
      return { query: item['query'], action: item['action'] };
    case 'imageView':
      return { path: item['path'] };
    case 'collabAgentToolCall':
      return { prompt: item['prompt'], model: item['model'] };
    default:
      return objectOf(item['arguments']);
  }
};

/** A command without the shell around it, as codex reads it itself. */
const shownCommand = (item: Message): string => {
  const parts = objectsOf(item['commandActions']).map(({ command }) => textOf(command));
  return parts.length === 1 && parts[0] ? parts[0] : textOf(item['command']);
};

const titleOf = (item: Message): string => {
  const about: Readonly<Record<string, string>> = {
    commandExecution: shownCommand(item),
    fileChange: editsOf(item)
      .map(({ path }) => path)
      .join(', '),
    webSearch: textOf(item['query']),
    imageView: textOf(item['path']),
    collabAgentToolCall: textOf(item['prompt']),
  };
  const first = about[textOf(item['type'])]?.split('\n')[0]?.slice(0, 200);
  return first ? `${toolOf(item)}: ${first}` : toolOf(item);
};

/** An item that is the use of a tool, when it begins; undefined for any other item. */
export const codexCall = (item: Message): ActivityItem | undefined => {
  const known = TOOLS[textOf(item['type'])];
  if (!known) return undefined;
  return {
    kind: 'tool_call',
    call_id: textOf(item['id']),
    tool: toolOf(item),
    tool_kind: item['type'] === 'fileChange' ? editKind(editsOf(item)) : known[1],
    title: titleOf(item),
    input: inputOf(item),
  };
};

const resultText = (item: Message): string => {
  if (item['type'] === 'commandExecution') return textOf(item['aggregatedOutput']);
  const { message } = objectOf(item['error']);
  const parts = objectsOf(objectOf(item['result'])['content'] ?? item['contentItems']).map((part) => textOf(part['text']));
  return textOf(message) || parts.join('\n');
};

const statusOf = ({ status }: Message): 'completed' | 'failed' | 'denied' => {
  if (status === 'declined') return 'denied';
  return status === 'failed' || status === 'interrupted' ? 'failed' : 'completed';
};

/** The same item when it is done: what came of it, and the files that it changed. */
export const codexResult = (item: Message): readonly ActivityItem[] => {
  if (!TOOLS[textOf(item['type'])]) return [];
  const call_id = textOf(item['id']);
  const status = statusOf(item);
  const changed = item['type'] === 'fileChange' && status === 'completed' ? editsOf(item) : [];
  return [
    ...changed.map(({ path, to, change }): ActivityItem => ({ kind: 'file_change', path: to ?? path, change, call_id })),
    { kind: 'tool_result', call_id, status, text: resultText(item), exit_code: countOf(item['exitCode']) },
  ];
};

/** What codex thinks aloud: its summary, or the whole where the model gives it. */
export const codexThought = (item: Message): string => [...textsOf(item['summary']), ...textsOf(item['content'])].join('\n\n');

/** Of a request, what differs from call to call of the same: what a person decided is known again without it. */
const OF_THE_CALL = new Set(['threadId', 'turnId', 'itemId', 'approvalId', 'startedAtMs']);

const askedOf = (params: Message): Message => Object.fromEntries(Object.entries(params).filter(([name]) => !OF_THE_CALL.has(name)));

/** What a command asks for. Its text is an argv that codex has quoted for a POSIX shell. */
export const codexCommandRequest = (params: Message): AgentRequest => {
  const command = textOf(params['command']);
  const cwd = textOf(params['cwd']);
  const host = textOf(objectOf(params['networkApprovalContext'])['host']);
  // Input for a program that runs already is no command: what it would mean there cannot be told, so it is asked for as a tool of its own.
  if (params['kind'] === 'writeStdin') return { tool: 'write_stdin', kind: 'other', input: askedOf(params) };
  return {
    tool: 'shell',
    kind: 'execute',
    input: askedOf(params),
    ...(command !== '' && { command }),
    ...(cwd !== '' && { cwd }),
    ...(host !== '' && { urls: [`https://${host}`] }),
  };
};

/** What an edit asks for, as the item said that announced it. */
export const codexEditRequest = (item: Message, params: Message): AgentRequest => {
  const edits = editsOf(item);
  return {
    tool: 'apply_patch',
    kind: editKind(edits),
    input: { changes: item['changes'] ?? [], reason: params['reason'] ?? null },
    paths: edits.flatMap(({ path, to }) => (to === undefined ? [path] : [path, to])),
    diff: edits.map(diffOf).join('\n'),
  };
};
