import type { ActivityItem, ToolKind } from '@fairlead/shared/contract/activity';
import type { AgentRequest } from '../executor.ts';
import { textDiff } from './text-diff.ts';
import { countOf, isObject, objectOf, objectsOf, textOf, textsOf, type Message } from './untrusted.ts';

const KINDS = new Set<unknown>(['execute', 'read', 'search', 'edit', 'delete', 'move', 'fetch', 'think']);

/** A call of a tool, as far as the agent has told of it: the protocol gives it in parts, each of which replaces what it names. */
export interface AcpCall {
  readonly id: string;
  /** Everything that was told, the latest of each. */
  readonly told: Message;
  /** The latest part alone. */
  readonly latest: Message;
  /** The first title; of some agents the name of the tool. */
  readonly first: string;
  /** The changes of files that it was last told to make; a later part may leave them out. */
  readonly diffs: readonly Message[];
}

const isFull = (value: unknown): boolean =>
  Array.isArray(value) ? value.length > 0 : isObject(value) ? Object.keys(value).length > 0 : value !== undefined && value !== null;

/** Puts a further part to what is known of a call. Empty members say nothing. */
export const mergeCall = (known: AcpCall | undefined, part: Message): AcpCall => {
  const diffs = objectsOf(part['content']).filter(({ type }) => type === 'diff');
  return {
    id: textOf(part['toolCallId']),
    told: { ...known?.told, ...Object.fromEntries(Object.entries(part).filter(([, value]) => isFull(value))) },
    latest: part,
    first: known?.first ?? textOf(part['title']),
    diffs: diffs.length > 0 ? diffs : (known?.diffs ?? []),
  };
};

/** The agent's own name of a tool. The protocol has no place for it: two agents put it beside, one into the id, one into the first title. */
const nameOf = ({ id, told, first }: AcpCall): string =>
  textOf(objectOf(told['_meta'])['toolName']) ||
  (/^([A-Za-z]\w*?)__/.exec(id)?.[1] ?? (/^[\w-]{1,40}$/.test(first) ? first : '')) ||
  textOf(told['kind']) ||
  'other';

export const acpToolKind = (call: AcpCall): ToolKind => {
  if (nameOf(call).startsWith('mcp_')) return 'mcp';
  const { kind } = call.told;
  return KINDS.has(kind) ? (kind as ToolKind) : 'other';
};

const inputOf = ({ told }: AcpCall): Message =>
  isObject(told['rawInput']) ? told['rawInput'] : { title: told['title'] ?? '', locations: told['locations'] ?? [] };

interface FileDiff {
  readonly path: string;
  readonly old: string | undefined;
  readonly fresh: string | undefined;
}

const diffsOf = ({ diffs }: AcpCall): readonly FileDiff[] =>
  diffs.map((one) => ({
    path: textOf(one['path']),
    // What is new has no old text; some agents say that it is empty.
    old: textOf(one['oldText']) || undefined,
    fresh: typeof one['newText'] === 'string' ? one['newText'] : undefined,
  }));

const contentText = (part: Message): string =>
  objectsOf(part['content'])
    .filter(({ type }) => type === 'content')
    .map(({ content }) => textOf(objectOf(content)['text']))
    .join('\n');

/** A call in the words of the activity log. */
export const acpCallItem = (call: AcpCall): ActivityItem => {
  const tool = nameOf(call);
  const title = textOf(call.told['title']).split('\n')[0]!.slice(0, 200);
  return {
    kind: 'tool_call',
    call_id: call.id,
    tool,
    tool_kind: acpToolKind(call),
    title: title === '' || title === tool ? tool : `${tool}: ${title}`,
    input: inputOf(call),
  };
};

/** Where agents put an exit status; the protocol has no place for it. */
const exitOf = ({ told }: AcpCall): number | null => {
  const out = objectOf(told['rawOutput']);
  return countOf(out['exitCode']) ?? countOf(out['exit_code']) ?? countOf(objectOf(out['metadata'])['exit']);
};

/** What came of a call that has ended. */
export const acpResultItems = (call: AcpCall): readonly ActivityItem[] => {
  const failed = call.told['status'] === 'failed';
  const output = textOf(objectOf(call.told['rawOutput'])['output']);
  const said = contentText(call.latest);
  return [
    ...(failed ? [] : diffsOf(call)).map(({ path, old, fresh }): ActivityItem => ({
      kind: 'file_change',
      path,
      change: fresh === undefined ? 'deleted' : old === undefined ? 'added' : 'modified',
      call_id: call.id,
    })),
    {
      kind: 'tool_result',
      call_id: call.id,
      status: failed ? 'failed' : 'completed',
      // Of a command the output itself, without what one agent writes around it for its model.
      text: acpToolKind(call) === 'execute' ? output || said : said || output,
      exit_code: exitOf(call),
    },
  ];
};

const CWDS = ['cwd', 'workdir', 'directory', 'dir_path'];
const URLS = ['url', 'uri'];

const namedTexts = (input: Message, names: readonly string[]): readonly string[] =>
  names.map((name) => textOf(input[name])).filter(Boolean);

/** Where a command starts: as its input says, or as gemini writes it in front of what it explains. */
const cwdOf = (call: AcpCall, input: Message): string | undefined =>
  namedTexts(input, CWDS)[0] ?? /^\[in ([^\]]+)\]/.exec(contentText(call.latest))?.[1];

const commandOf = ({ told }: AcpCall, input: Message): string | readonly string[] => {
  const given = input['command'] ?? input['cmd'];
  if (typeof given === 'string') return given;
  // An agent that does not give its input says in the title what it will run.
  return Array.isArray(given) ? textsOf(given) : textOf(told['title']);
};

/** What a call asks leave for. */
export const acpRequest = (call: AcpCall): AgentRequest => {
  const kind = acpToolKind(call);
  const input = inputOf(call);
  const cwd = cwdOf(call, input);
  const diffs = diffsOf(call);
  const paths = [...new Set([...objectsOf(call.told['locations']), ...diffs].map(({ path }) => textOf(path)).filter(Boolean))];
  const urls = [...namedTexts(input, URLS), ...(textOf(call.told['title']).match(/https?:\/\/[^\s"'<>]+/g) ?? [])];
  return {
    tool: nameOf(call),
    kind,
    input,
    ...(kind === 'execute' && { command: commandOf(call, input), ...(cwd !== undefined && { cwd }) }),
    ...(kind !== 'execute' && paths.length > 0 && { paths }),
    ...((kind === 'fetch' || kind === 'other') && urls.length > 0 && { urls: [...new Set(urls)] }),
    ...(diffs.length > 0 && { diff: diffs.map(({ path, old, fresh }) => textDiff(path, old, fresh)).join('\n') }),
  };
};
