import { FairleadError } from '@fairlead/shared/contract/errors';
import { linkEscape, meansDotGit } from './link-target.ts';

/** A patch as lines of one character per byte, read from the top. */
interface Reader {
  readonly lines: readonly string[];
  at: number;
}

/** What the head of one file's section says. */
interface Section {
  path: string;
  renamed: boolean;
  mode: string | undefined;
  readonly added: string[];
}

const refuse = (at: number, rule: string): never => {
  throw new FairleadError('patch_invalid', { field: 'task.patch', rule, detail: `Line ${at + 1} of the patch: ${rule}` });
};

const EXTENDED =
  /^(old mode|new mode|deleted file mode|new file mode|copy from|copy to|rename from|rename to|similarity index|dissimilarity index|index) (.*)$/;
const HUNK = /^@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@/;
const PREFIX = /^[abciwo]\//;
const BASE85 = /^[A-Za-z][0-9A-Za-z!#$%&()*+\-;<=>?@^_`{|}~]+\r?$/;

const ESCAPES: Readonly<Record<string, string>> = { a: '\x07', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v', '"': '"', '\\': '\\' };
const unquote = (name: string): string =>
  name.startsWith('"')
    ? name.slice(1, -1).replaceAll(/\\([0-7]{3}|.)/g, (_, code: string) => ESCAPES[code] ?? String.fromCharCode(Number.parseInt(code, 8)))
    : name;

const checkPath = (path: string, at: number): string => {
  const parts = path.split('/');
  if (parts.some((part) => part === '' || part === '.' || part === '..'))
    refuse(at, 'a path must be relative and stay inside the repository');
  if (parts.some((part) => meansDotGit(Buffer.from(part, 'latin1').toString('utf8')))) refuse(at, 'a path must not mean .git');
  return path;
};

/** The name in a `---` or `+++` line without its prefix, or null for `/dev/null`. A tab ends the name. */
const sideName = (line: string, at: number): string | null => {
  const rest = line.slice(4).replace(/\r$/, '');
  const end = rest.startsWith('"') ? rest.lastIndexOf('"') + 1 : rest.indexOf('\t');
  const name = unquote(end > 0 ? rest.slice(0, end) : rest);
  if (name === '/dev/null') return null;
  if (!PREFIX.test(name)) refuse(at, 'names must begin with a/ and b/, as git diff prints them');
  return checkPath(name.slice(2), at);
};

/** The one name in a `diff --git` line, or undefined when its two names differ, as in a rename. */
const headerName = (line: string, at: number): string | undefined => {
  const rest = line.slice('diff --git '.length).replace(/\r$/, '');
  const middle = (rest.length - 1) / 2;
  if (rest[middle] !== ' ') return undefined;
  const [left, right] = [unquote(rest.slice(0, middle)), unquote(rest.slice(middle + 1))];
  if (!PREFIX.test(left) || !PREFIX.test(right) || left.slice(2) !== right.slice(2)) return undefined;
  return checkPath(left.slice(2), at);
};

/** Reads the hunk at the reader, which must hold exactly the lines that it announces. */
const readHunk = (reader: Reader, section: Section): void => {
  const start = reader.at;
  const match = HUNK.exec(reader.lines[start]!);
  if (!match) return void refuse(start, 'a hunk header must be @@ -line,count +line,count @@');
  let before = Number(match[2] ?? 1);
  let after = Number(match[4] ?? 1);
  reader.at++;
  while (before > 0 || after > 0) {
    const line = reader.lines[reader.at];
    if (line === undefined) return void refuse(start, 'the hunk ends before it holds as many lines as it announces');
    const sign = line[0] ?? ' ';
    if (sign === '+') section.added.push(line.slice(1));
    if (sign === '-' || sign === ' ' || sign === '\r') before--;
    if (sign === '+' || sign === ' ' || sign === '\r') after--;
    if (!'+- \\\r'.includes(sign)) refuse(reader.at, 'a line of a hunk must begin with a space, + or -');
    if (before < 0 || after < 0) refuse(reader.at, 'the hunk holds other lines than its header announces');
    reader.at++;
  }
  while (reader.lines[reader.at]?.startsWith('\\ ')) reader.at++;
};

const readHunks = (reader: Reader, section: Section): void => {
  if (!reader.lines[reader.at]?.startsWith('@@')) refuse(reader.at, 'a hunk must follow the names');
  while (reader.lines[reader.at]?.startsWith('@@')) readHunk(reader, section);
};

const readBinary = (reader: Reader): void => {
  reader.at++;
  for (let blocks = 0; /^(literal|delta) \d{1,12}\r?$/.test(reader.lines[reader.at] ?? ''); blocks++) {
    if (blocks === 2) refuse(reader.at, 'a binary patch has at most two parts');
    reader.at++;
    while (BASE85.test(reader.lines[reader.at] ?? '')) reader.at++;
    if (reader.lines[reader.at]?.replace(/\r$/, '') !== '') refuse(reader.at, 'an empty line must end a part of a binary patch');
    reader.at++;
  }
};

const readSides = (reader: Reader, section: Section, expected: string | undefined): void => {
  const at = reader.at;
  const old = sideName(reader.lines[at]!, at);
  if (!reader.lines[at + 1]?.startsWith('+++ ')) refuse(at, 'a +++ line must follow a --- line');
  const now = sideName(reader.lines[at + 1]!, at + 1);
  const name = now ?? old;
  if (name === null) return void refuse(at, 'a file cannot be /dev/null on both sides');
  if (!section.renamed && old !== null && now !== null && old !== now)
    refuse(at, 'the --- and +++ names must be the same; a rename needs rename from and rename to');
  if (expected !== undefined && name !== expected) refuse(at, 'the names must be those of the diff --git line');
  section.path = name;
  reader.at += 2;
  readHunks(reader, section);
};

const readExtended = (reader: Reader, section: Section): void => {
  for (let match = EXTENDED.exec(reader.lines[reader.at] ?? ''); match; match = EXTENDED.exec(reader.lines[reader.at] ?? '')) {
    const [, what, rest] = match as unknown as [string, string, string];
    const value = rest.replace(/\r$/, '');
    if (/^(rename|copy)/.test(what)) {
      section.renamed = true;
      section.path = checkPath(unquote(value), reader.at);
    }
    if (what.endsWith('mode')) section.mode = value;
    if (what === 'index') section.mode ??= / (\d{6})$/.exec(value)?.[1];
    if (section.mode === '160000') refuse(reader.at, 'a patch must not add or change submodules');
    reader.at++;
  }
};

const readGitSection = (reader: Reader): void => {
  const start = reader.at;
  const name = headerName(reader.lines[start]!, start);
  const section: Section = { path: name ?? '', renamed: false, mode: undefined, added: [] };
  reader.at++;
  readExtended(reader, section);
  if (name === undefined && !section.renamed) refuse(start, 'the two names must be the same; a rename needs rename from and rename to');
  const line = reader.lines[reader.at] ?? '';
  if (line.startsWith('--- ')) readSides(reader, section, section.renamed ? undefined : name);
  else if (line.startsWith('GIT binary patch')) readBinary(reader);
  else if (line.startsWith('Binary files ')) refuse(reader.at, 'binary content is missing; make the patch with git diff --binary');
  else if (reader.at === start + 1) refuse(start, 'the section says nothing about its file');
  if (section.mode === '120000' && section.added.length > 0) {
    const escape = linkEscape(section.path, section.added.join('\n'));
    if (escape) refuse(start, escape === 'link_escapes' ? 'a link must not leave the repository' : 'a link must not enter .git');
  }
};

/**
 * Checks, without git and without a base, that the bytes are one well-formed diff and nothing else: no prose around it, no second
 * diff hidden after prose, hunks that hold what they announce, the same name on both sides unless it is a declared rename.
 * Pure and linear; fit for the moment of submission.
 * @throws FairleadError `patch_invalid` with field `task.patch` and the line
 */
export const checkPatchForm = (patch: Uint8Array): void => {
  const lines = Buffer.from(patch.buffer, patch.byteOffset, patch.byteLength).toString('latin1').split('\n');
  while (lines.length > 0 && /^\r?$/.test(lines.at(-1)!)) lines.pop();
  if (lines.length === 0) refuse(0, 'the patch is empty');
  const reader: Reader = { lines, at: 0 };
  while (reader.at < lines.length) {
    const line = lines[reader.at]!;
    if (line.startsWith('diff --git ')) readGitSection(reader);
    else if (line.startsWith('--- ')) readSides(reader, { path: '', renamed: false, mode: undefined, added: [] }, undefined);
    else refuse(reader.at, 'text outside of a diff; send the output of git diff with nothing around it');
  }
};
