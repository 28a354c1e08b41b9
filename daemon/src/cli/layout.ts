import { printable } from '@fairlead/shared/kit/printable';

/** Rows of a name and a value each, aligned; rows without a value are left out. Values are made inert. */
export const fields = (rows: readonly (readonly [string, string | number | null | undefined])[]): string => {
  const shown = rows.filter((row): row is readonly [string, string | number] => row[1] !== null && row[1] !== undefined && row[1] !== '');
  const width = Math.max(0, ...shown.map(([name]) => name.length));
  return shown.map(([name, value]) => `  ${name.padEnd(width)}  ${printable(String(value))}`).join('\n');
};

/** Columns with a heading, aligned; every cell is made inert. `empty` is what stands there for no rows. */
export const columns = (
  heading: readonly string[],
  rows: readonly (readonly (string | number | null | undefined)[])[],
  empty: string,
): string => {
  if (rows.length === 0) return empty;
  const cells = [heading, ...rows.map((row) => row.map((cell) => printable(String(cell ?? '-'))))];
  const widths = heading.map((_, at) => Math.max(...cells.map((row) => row[at]?.length ?? 0)));
  return cells
    .map((row) =>
      row
        .map((cell, at) => cell.padEnd(widths[at]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
};

/** Twelve characters of a commit id are enough for a person. */
export const short = (commit: string | null): string => (commit === null ? '-' : commit.slice(0, 12));

/** A duration in words that a person reads at a glance. */
export const duration = (ms: number): string => {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;
  return `${Math.floor(ms / 3_600_000)} h ${Math.round((ms % 3_600_000) / 60_000)} min`;
};

/** A size in bytes with a unit. */
export const bytes = (count: number): string => {
  if (count < 1024) return `${count} B`;
  if (count < 1024 ** 2) return `${(count / 1024).toFixed(1)} KiB`;
  if (count < 1024 ** 3) return `${(count / 1024 ** 2).toFixed(1)} MiB`;
  return `${(count / 1024 ** 3).toFixed(1)} GiB`;
};

/** `1 file`, `2 files`. */
export const count = (number: number, word: string): string => `${number} ${word}${number === 1 ? '' : 's'}`;
