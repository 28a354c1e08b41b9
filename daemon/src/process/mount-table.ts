import { readFile, realpath } from 'node:fs/promises';

/** A mount of this machine. */
interface Mounted {
  readonly at: string;
  readonly noexec: boolean;
}

/** What a bind mount of a path has to take over, because a user namespace may add to it but not take it away. */
interface Beneath {
  readonly noexec: boolean;
  /** Mounts that lie deeper: their paths relative to the given one. */
  readonly deeper: readonly { readonly path: string; readonly noexec: boolean }[];
}

const unescaped = (text: string): string =>
  text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));

/** The lines of `/proc/self/mountinfo`, later ones over earlier ones. */
const parseTable = (text: string): Mounted[] =>
  text
    .split('\n')
    .map((line) => line.split(' '))
    .filter((fields) => fields.length > 5)
    .map((fields) => ({ at: unescaped(fields[4]!), noexec: fields[5]!.split(',').includes('noexec') }));

const folderOf = (path: string): string => (path === '/' ? '/' : `${path}/`);

/** What a table says of a path without links. */
export const beneathIn = (text: string, real: string): Beneath => {
  const table = parseTable(text);
  const around = table.filter(({ at }) => real === at || real.startsWith(folderOf(at)));
  const nearest = around.reduce<Mounted | undefined>((best, one) => (best && best.at.length > one.at.length ? best : one), undefined);
  return {
    noexec: nearest?.noexec ?? false,
    deeper: table
      .filter(({ at }) => at.startsWith(folderOf(real)) && at !== real)
      .map(({ at, noexec }) => ({ path: at.slice(folderOf(real).length), noexec })),
  };
};

/** Tells of a path, links resolved. */
export type BeneathOf = (path: string) => Promise<Beneath>;

/** Reads the mounts of this machine as they are now. */
export const readMountTable = async (): Promise<BeneathOf> => {
  const text = await readFile('/proc/self/mountinfo', 'utf8');
  return async (path) => beneathIn(text, await realpath(path));
};
