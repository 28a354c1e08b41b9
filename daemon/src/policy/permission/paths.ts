import { compilePatterns, type Matcher } from '../glob.ts';
import { entersGit, leavesTree } from '../link.ts';
import { isAlwaysProtected, isProtectedByDefault } from '../protected.ts';
import type { Touch } from './notes.ts';
import { placeOf, type Place } from './place.ts';
import type { PermissionPolicy } from './request.ts';
import type { RuleId } from './rules.ts';
import type { ShellWord } from './words.ts';

/** What is found of one path. */
export interface PathFinding {
  readonly rule: RuleId;
  /** The path as it is shown. */
  readonly about: string;
  /** Relative to the workspace, where it is in it and known. */
  readonly path?: string;
}

/** The fence with its patterns taken apart. */
export interface CompiledFence {
  readonly allows: readonly Matcher[];
  readonly forbids: Matcher;
  readonly protects: Matcher;
  /** Whether every path of the workspace is allowed and none forbidden. */
  readonly open: boolean;
}

export const compileFence = ({ allowed, forbidden, protected: own }: PermissionPolicy['fence']): CompiledFence => ({
  allows: allowed.map(compilePatterns),
  forbids: compilePatterns(forbidden),
  protects: compilePatterns(own),
  open: forbidden.length === 0 && allowed.every((list) => list.includes('**')),
});

/** A name that no pattern of a fence is likely to be about: for asking whether what is in a folder would match. */
const ANY_NAME = '\u0001';

/**
 * Judges a write to a known path of the workspace.
 * @param folder whether the path may be that of a folder, so that what it says of its content counts too
 */
const judgeInside = (path: string, { allows, forbids, protects }: CompiledFence, folder: boolean): RuleId[] => {
  const found: RuleId[] = [];
  const spellings = [...new Set([path, path.normalize('NFC')])];
  const some = (matcher: Matcher): boolean => spellings.some((one) => matcher(one) || matcher(`${one}/${ANY_NAME}`));
  if (entersGit(path)) found.push('fs.dot_git');
  if (some(isAlwaysProtected)) found.push('fs.policy_files');
  if (some(forbids)) found.push('fs.forbidden');
  if (!allows.every((matcher) => spellings.every((one) => matcher(one) || (folder && matcher(`${one}/${ANY_NAME}`)))))
    found.push('fs.outside_allowed');
  if (some(protects) || some(isProtectedByDefault)) found.push('fs.protected');
  return found;
};

const WRITE_RULE: Readonly<Record<Exclude<Place['kind'], 'workspace'>, RuleId | undefined>> = {
  scratch: undefined,
  sink: undefined,
  device: 'fs.devices',
  secret: 'fs.secrets',
  system: 'fs.outside_workspace',
  outside: 'fs.outside_workspace',
};
const READ_RULE: typeof WRITE_RULE = {
  scratch: undefined,
  sink: undefined,
  system: undefined,
  secret: 'fs.secrets',
  device: 'fs.read_outside',
  outside: 'fs.read_outside',
};
const EXECUTE_RULE: typeof WRITE_RULE = {
  scratch: 'code.outside',
  sink: 'shell.piped_code',
  system: undefined,
  secret: 'fs.secrets',
  device: 'shell.piped_code',
  outside: 'code.outside',
};

/** The part of a word that is known to lead somewhere: all of a literal; the folder of what comes before a wildcard or expansion. */
const knownPart = ({ value, prefix, source }: ShellWord): string => {
  if (value !== null) return value;
  const home = /^"?\$\{?HOME\}?"?(?=\/|$)/.exec(source);
  if (home) return `~${/^[\w./-]*/.exec(source.slice(home[0].length))![0]}`;
  return prefix.startsWith('~') && !prefix.includes('/') ? prefix : prefix.slice(0, prefix.lastIndexOf('/') + 1);
};

const isRelative = (text: string): boolean => !/^[/~]/.test(text);

/** Judges a path that only its beginning is known of. */
const judgeUnknown = (how: Touch, word: ShellWord, place: Place | undefined, fence: CompiledFence): RuleId[] => {
  if (how === 'execute') return ['shell.dynamic_code'];
  if (place !== undefined && place.kind !== 'workspace') {
    const rule = (how === 'read' ? READ_RULE : WRITE_RULE)[place.kind];
    return rule === undefined ? [] : [rule];
  }
  if (how === 'read') return [];
  if (place !== undefined && place.path !== '.' && (entersGit(place.path) || isAlwaysProtected(`${place.path}/${ANY_NAME}`)))
    return [entersGit(place.path) ? 'fs.dot_git' : 'fs.policy_files'];
  if (how === 'stage') return word.glob ? [] : ['fs.dynamic_path'];
  const name = word.prefix.slice(word.prefix.lastIndexOf('/') + 1);
  // A wildcard matches names with a dot in front only where the pattern has it, and `..` behind a wildcard leads anywhere.
  const tame =
    word.glob && place !== undefined && !name.startsWith('.') && !/(^|\/)\.\.?[^/]*(\/|$)|[[(]/.test(word.source.slice(word.prefix.length));
  if (!tame) return ['fs.dynamic_path'];
  if (how === 'delete' && place.path === '.' && name === '') return ['fs.delete_all'];
  return fence.open ? [] : ['fs.dynamic_path'];
};

const judgeKnown = (how: Touch, place: Place, fence: CompiledFence, folder: boolean): RuleId[] => {
  if (place.kind !== 'workspace') {
    const rule = (how === 'read' ? READ_RULE : how === 'execute' ? EXECUTE_RULE : WRITE_RULE)[place.kind];
    return rule === undefined ? [] : [rule];
  }
  if (how === 'read') return [];
  if (how === 'execute') return ['code.workspace'];
  if (how === 'stage') return entersGit(place.path) ? ['fs.dot_git'] : [];
  if (place.path === '.') return how === 'delete' ? ['fs.delete_all'] : [];
  return judgeInside(place.path, fence, folder);
};

/**
 * Judges one path in each folder from which it may be meant.
 * @param cwds absolute folders; null where one cannot be known
 * @param folder whether it may be the path of a folder
 */
export const judgePath = (
  how: Touch,
  word: ShellWord,
  cwds: readonly (string | null)[],
  policy: PermissionPolicy,
  fence: CompiledFence,
  folder = true,
): PathFinding[] => {
  const known = knownPart(word);
  const whole = word.value !== null;
  return cwds.flatMap((cwd): PathFinding[] => {
    const lost = cwd === null && isRelative(known);
    const place = lost || (!whole && known === '' && !word.glob) ? undefined : placeOf(cwd ?? '/', known === '' ? '.' : known, policy);
    const about = whole ? (place?.path ?? word.value ?? '') : word.source;
    if (lost && whole) {
      if (how === 'read') return /(^|\/)\.\.(\/|$)/.test(known) ? [{ rule: 'fs.read_outside', about }] : [];
      return [{ rule: how === 'execute' ? 'code.outside' : 'fs.dynamic_path', about }];
    }
    const rules = whole ? judgeKnown(how, place!, fence, folder) : judgeUnknown(how, word, place, fence);
    return rules.map((rule) => ({ rule, about, ...(whole && place?.kind === 'workspace' && { path: place.path }) }));
  });
};

/** Judges a link by its text, as the fence over the result does. */
export const judgeLink = (at: ShellWord, target: ShellWord, cwds: readonly (string | null)[], policy: PermissionPolicy): PathFinding[] => {
  if (at.value === null || target.value === null) return [{ rule: 'fs.dynamic_path', about: target.source }];
  const to = target.value;
  const into = at.value.endsWith('/') || /(^|\/)\.\.?$/.test(at.value);
  const path = into ? `${at.value}/${to.split('/').at(-1) ?? ''}` : at.value;
  return cwds.flatMap((cwd): PathFinding[] => {
    if (cwd === null) return [{ rule: 'fs.dynamic_path', about: path }];
    const place = placeOf(cwd, path, policy);
    if (place.kind !== 'workspace') return [];
    return leavesTree(place.path, to) || entersGit(to) ? [{ rule: 'fs.link_outside', about: `${place.path} -> ${to}` }] : [];
  });
};

/** How a path is shown in each folder: relative to the workspace where it is in it. */
export const shownPaths = (word: ShellWord, cwds: readonly (string | null)[], policy: PermissionPolicy): string[] =>
  word.value === null
    ? [word.source]
    : cwds.map((cwd) => (cwd === null && isRelative(word.value!) ? word.value! : placeOf(cwd ?? '/', word.value!, policy).path));
