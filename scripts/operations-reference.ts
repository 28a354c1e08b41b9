import { ERRORS } from '@fairlead/shared/contract/error-table';
import { LIMITS } from '@fairlead/shared/contract/limits';
import { OPERATIONS } from '@fairlead/shared/contract/operations/table';
import { referenceOf, remarksOf, type ReferenceEntry, type ReferenceField } from '@fairlead/shared/contract/reference';

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ').replaceAll('<', '&lt;');
const row = (...cells: readonly string[]): string => `| ${cells.map(cell).join(' | ')} |`;
const table = (heads: readonly string[], rows: readonly string[]): string =>
  [row(...heads), `|${'---|'.repeat(heads.length)}`, ...rows].join('\n');

const fields = (heading: string, list: readonly ReferenceField[]): string[] =>
  list.length === 0
    ? []
    : [
        table(
          [heading, 'type', 'about'],
          list.map(({ name, type, required, description }) => row(`\`${name}\``, `${type}${required ? ', required' : ''}`, description)),
        ),
      ];

const entryText = (entry: ReferenceEntry): string =>
  [
    `### ${entry.row.name}`,
    `\`${entry.method} ${entry.path}\` · ${remarksOf(entry).join(' · ')}`,
    entry.row.description,
    ...fields('takes', entry.takes),
    ...(entry.answers.length === 0 ? [] : [`Answers ${entry.answers.map(({ name }) => `\`${name}\``).join(', ')}.`]),
  ].join('\n\n');

/** The reference of all operations, errors and limits, made from the tables alone. */
export const operationsText = (): string =>
  [
    '# Operations',
    'Made from the tables by `npm run docs`; do not edit. The relay serves the first and the last chapter below `/api/v2`, the daemon the others and the first below `/api/v1`. ' +
      'Each also shows its own at `docs` (to read) and `openapi.json` (whole schemas).',
    ...referenceOf(Object.values(OPERATIONS)).flatMap(({ title, about, entries }) => [`## ${title}`, about, ...entries.map(entryText)]),
    '## Errors',
    'Problem documents (RFC 9457) carry the code; MCP errors and `--json` carry the same document.',
    table(
      ['code', 'status', 'CLI exit', 'retry may help', 'meaning'],
      Object.entries(ERRORS).map(([code, { status, exit, retryable, title, hint }]) =>
        row(`\`${code}\``, String(status), String(exit), retryable ? 'yes' : 'no', `${title}. ${hint}`),
      ),
    ),
    '## Limits',
    table(
      ['name', 'value', 'why'],
      Object.entries(LIMITS).map(([name, { value, unit, why }]) => row(`\`${name}\``, `${value} ${unit}`, why)),
    ),
  ].join('\n\n') + '\n';
