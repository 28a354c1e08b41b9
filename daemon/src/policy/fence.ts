import { LIMITS } from '@fairlead/shared/contract/limits';
import type { FenceFinding } from '@fairlead/shared/contract/resources';
import type { EffectivePolicy } from './effective.ts';
import { compilePatterns } from './glob.ts';
import { judgesChanged } from './judges.ts';
import { entersGit, leavesTree } from './link.ts';
import { isDependencyFile, isMigration, isProtectedByDefault } from './protected.ts';

/** One entry of a raw tree difference (`diff-tree -r -z --raw --no-renames`). Modes are six octal digits; `000000` is absent. */
export interface RawDiffEntry {
  /** Relative, forward slashes. Bytes that are not UTF-8 are written `\xNN`. */
  readonly path: string;
  readonly status: 'added' | 'modified' | 'deleted' | 'type_changed';
  readonly old_mode: string;
  readonly new_mode: string;
  readonly old_object: string;
  readonly new_object: string;
  /** Where a new or changed symbolic link points; the content of its blob. */
  readonly link_target?: string;
}

/** Lines per path as numstat counts them; null for binary files. */
export interface LineCount {
  readonly path: string;
  readonly added: number | null;
  readonly removed: number | null;
}

/** What the fence is judged on. */
export interface FenceFacts {
  readonly entries: readonly RawDiffEntry[];
  readonly numstat: readonly LineCount[];
  /** Findings of the git module: colliding names, a FIFO, a device, a file over the limit, a nested repository. */
  readonly earlier?: readonly FenceFinding[];
  readonly effective: EffectivePolicy;
}

const SUBMODULE = '160000';
const LINK = '120000';
const FILES: ReadonlySet<string> = new Set(['100644', '100755', '000000']);

const finding = (rule: string, severity: FenceFinding['severity'], path: string | null, message: string): FenceFinding => ({
  rule,
  severity,
  path,
  message,
});

/** What is refused whatever a policy says: kinds and names with which a tree reaches beyond itself. */
const kindFindings = ({ path, new_mode, old_mode, link_target, status }: RawDiffEntry): FenceFinding[] => {
  const found: FenceFinding[] = [];
  if (entersGit(path)) found.push(finding('dot_git', 'failed', path, 'a name that means .git on some system'));
  if (path === '' || path.startsWith('/') || path.split('/').some((name) => name === '' || name === '.' || name === '..')) {
    found.push(finding('path_escapes', 'failed', path, 'a path that is not plainly inside the repository'));
  }
  if (new_mode === SUBMODULE)
    found.push(finding('submodule', 'failed', path, 'a new or changed submodule, whose contents nobody here has seen'));
  else if (new_mode === LINK) {
    if (link_target === undefined) found.push(finding('link_escapes', 'failed', path, 'a link whose target could not be read'));
    else if (leavesTree(path, link_target)) found.push(finding('link_escapes', 'failed', path, 'a link that leaves the repository'));
    else if (entersGit(link_target)) found.push(finding('link_escapes', 'failed', path, 'a link into .git'));
  } else if (!FILES.has(new_mode))
    found.push(finding('file_kind', 'failed', path, `an entry of mode ${new_mode}, which is no file and no link`));
  if (old_mode === SUBMODULE && status === 'deleted') found.push(finding('protected', 'gate', path, 'a submodule is removed'));
  return found;
};

/** The owner's fence and the task's: all lists must allow a path, none may forbid it. */
const pathFindings = ({ allowed, forbidden, protected: own }: EffectivePolicy['fence']) => {
  const allows = allowed.map(compilePatterns);
  const forbids = compilePatterns(forbidden);
  const protects = compilePatterns(own);
  return (path: string): FenceFinding[] => {
    const found: FenceFinding[] = [];
    if (!allows.every((matches) => matches(path))) found.push(finding('outside_allowed', 'failed', path, 'outside of the allowed paths'));
    if (forbids(path)) found.push(finding('forbidden', 'failed', path, 'a forbidden path'));
    if (protects(path)) found.push(finding('protected', 'gate', path, 'a path that the project policy protects'));
    else if (isProtectedByDefault(path))
      found.push(finding('protected', 'gate', path, 'a path that makes tools run things or tells agents what to do'));
    if (isDependencyFile(path)) found.push(finding('dependencies', 'gate', path, 'a file that says which foreign code is run'));
    if (isMigration(path)) found.push(finding('migrations', 'gate', path, 'a file that may change data for good'));
    return found;
  };
};

const sizeFindings = (files: number, lines: number, fence: EffectivePolicy['fence']): FenceFinding[] => {
  const found: FenceFinding[] = [];
  const judge = (what: string, count: number, soft: number, hard: number): void => {
    if (count > hard) found.push(finding('size_hard', 'failed', null, `${count} changed ${what}; ${hard} is the most there may be`));
    else if (count > soft) found.push(finding('size_soft', 'gate', null, `${count} changed ${what}; above ${soft} a person decides`));
  };
  judge('files', files, fence.files, LIMITS.change_files_hard.value);
  judge('lines', lines, fence.lines, LIMITS.change_lines_hard.value);
  return found;
};

/**
 * Judges a change by its raw difference, never by patch text. Findings of severity `failed` end the step as `failed_fence`; those
 * of severity `gate` open one where the policy's gates say so (`gates.ts`). The order is that of the entries.
 */
export const judgeFence = ({ entries, numstat, earlier = [], effective }: FenceFacts): FenceFinding[] => {
  const ofPath = pathFindings(effective.fence);
  const lines = numstat.reduce((sum, { added, removed }) => sum + (added ?? 0) + (removed ?? 0), 0);
  const judges = judgesChanged(
    entries.map(({ path }) => path),
    effective,
  );
  return [
    ...earlier,
    ...entries.flatMap((entry) => [...kindFindings(entry), ...ofPath(entry.path)]),
    ...judges.paths.map((path) => finding('judge_changed', 'gate', path, 'a file that checks judge by')),
    ...sizeFindings(entries.length, lines, effective.fence),
  ];
};
