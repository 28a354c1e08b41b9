import { LIMITS } from '@fairlead/shared/contract/limits';
import type { PermissionRequest, ToolKind } from './request.ts';
import type { RuleId } from './rules.ts';

/** A request with everything in it that can be judged. */
export interface Asked {
  readonly tool: string;
  readonly kind: ToolKind;
  readonly command: string | readonly string[] | undefined;
  readonly cwd: string | undefined;
  readonly paths: readonly string[];
  readonly urls: readonly string[];
}

const DEEPEST = LIMITS.json_depth.value;

/** Whether a value is JSON of well-formed texts within a budget of characters; counts down `left`. */
const isJson = (value: unknown, left: { characters: number }, depth = 0): boolean => {
  if (--left.characters < 0 || depth > DEEPEST) return false;
  if (typeof value === 'string') {
    left.characters -= value.length;
    return left.characters >= 0 && value.isWellFormed();
  }
  if (value === null || typeof value === 'boolean') return true;
  if (typeof value === 'number') return Number.isFinite(value);
  if (Array.isArray(value)) return value.every((one) => isJson(one, left, depth + 1));
  if (typeof value !== 'object') return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== null && prototype !== Object.prototype) return false;
  return Object.entries(value).every(([key, one]) => isJson(key, left, depth + 1) && (one === undefined || isJson(one, left, depth + 1)));
};

const isTexts = (value: unknown): value is readonly string[] => Array.isArray(value) && value.every((one) => typeof one === 'string');

const KINDS: ReadonlySet<unknown> = new Set<ToolKind>([
  'execute',
  'read',
  'search',
  'edit',
  'delete',
  'move',
  'fetch',
  'mcp',
  'agent',
  'think',
  'other',
]);

/**
 * Why a request cannot be judged at all; undefined where it can.
 * What is parsed (command, paths, URLs) is bounded tightly; the whole input may be larger by a lot, as edits carry files.
 */
export const isJudgeable = (request: PermissionRequest): RuleId | undefined => {
  const { tool, kind, command, cwd, paths, urls, input } = request;
  const shaped =
    typeof tool === 'string' &&
    KINDS.has(kind) &&
    (command === undefined || typeof command === 'string' || isTexts(command)) &&
    (cwd === undefined || typeof cwd === 'string') &&
    (paths === undefined || isTexts(paths)) &&
    (urls === undefined || isTexts(urls)) &&
    typeof input === 'object' &&
    input !== null &&
    !Array.isArray(input);
  if (!shaped) return 'request.malformed';
  const asked = askedOf(request);
  const parsed = [asked.tool, asked.cwd ?? '', ...[asked.command ?? ''].flat(), ...asked.paths, ...asked.urls];
  if (parsed.reduce((sum, text) => sum + text.length + 1, 0) > LIMITS.permission_request.value) return 'request.too_large';
  if (parsed.some((text) => !text.isWellFormed() || text.includes('\0'))) return 'request.malformed';
  return isJson(input, { characters: LIMITS.request_body.value }) ? undefined : 'request.malformed';
};

/** Members of inputs in which agents put what a tool works on. */
const COMMANDS = ['command', 'cmd', 'script'] as const;
const PATHS = [
  'file_path',
  'filePath',
  'absolute_path',
  'notebook_path',
  'path',
  'dir_path',
  'directory',
  'source',
  'destination',
  'old_path',
  'new_path',
] as const;
const URLS = ['url', 'uri'] as const;

/**
 * The request, completed from the input of its tool where the adapter did not say, so that a tool whose kind is not known does not
 * escape the rules for what it plainly carries.
 */
export const askedOf = ({ tool, kind, command, cwd, paths, urls, input }: PermissionRequest): Asked => {
  const members = input as Readonly<Record<string, unknown>>;
  const texts = (names: readonly string[]): string[] =>
    names.flatMap((name) => {
      const value = Object.hasOwn(members, name) ? members[name] : undefined;
      return typeof value === 'string' ? [value] : [];
    });
  const given = COMMANDS.map((name) => (Object.hasOwn(members, name) ? members[name] : undefined)).find(
    (value): value is string | readonly string[] => typeof value === 'string' || isTexts(value),
  );
  const carries = kind === 'execute' || kind === 'other';
  return {
    tool,
    kind,
    command: command ?? (carries ? given : undefined),
    cwd,
    paths: paths ?? (kind === 'execute' || kind === 'think' || kind === 'agent' || kind === 'mcp' ? [] : texts(PATHS)),
    urls: urls ?? (kind === 'fetch' || kind === 'other' ? texts(URLS) : []),
  };
};
