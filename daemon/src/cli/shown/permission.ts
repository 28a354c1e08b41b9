import type { PermissionBinding } from '@fairlead/shared/contract/gates';
import { printable } from '@fairlead/shared/kit/printable';
import { fields } from '../layout.ts';

/** Longer inputs are shown by `--json`. In characters. */
const SHOWN = 2000;

const cut = (text: string): string => (text.length <= SHOWN ? text : `${text.slice(0, SHOWN)}… (whole with --json)`);

/** A word as a shell would need it, so that it can be seen where one ends. */
const word = (text: string): string => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);

const commandLines = (commands: PermissionBinding['commands']): string[] =>
  commands.map(({ argv, assignments, redirects, cwd }) => {
    const line = [...assignments, ...argv.map(word), ...redirects].join(' ');
    return cwd === null ? line : `${line}   (in ${cwd})`;
  });

/** A row for each line, with the name before the first alone. */
const rows = (name: string, lines: readonly string[]): [string, string][] => lines.map((line, index) => [index === 0 ? name : '', line]);

const fileLine = ({ path, digest }: PermissionBinding['files'][number]): string =>
  `${path}  ${digest === null ? 'is not there' : digest.slice(0, 19)}`;

/** What an agent asks for, for the person who decides: parsed where it could be, whole otherwise, and nothing in it hidden. */
export const permissionText = (asked: PermissionBinding): string =>
  [
    fields([
      ['agent', asked.executor],
      ['tool', `${asked.tool} (${asked.tool_kind})`],
      ['rule', `${asked.rule}: ${asked.reason}`],
      ...rows('would run', commandLines(asked.commands)),
      ...rows('runs files', asked.files.map(fileLine)),
      ...rows('reads', asked.reads),
      ...rows('writes', asked.writes),
      ...rows('reaches', asked.urls),
      ['input', asked.diff === null ? cut(asked.input) : null],
    ]),
    ...(asked.diff === null ? [] : [printable(cut(asked.diff), { multiline: true })]),
  ].join('\n');
