import { takeApart } from './options.ts';
import { joined } from './place.ts';
import { literalWord, type ShellWord } from './words.ts';

const MOST_FOLDERS = 8;

/** Folders in which a shell may be at some moment. */
export type Folders = Set<string | null>;

export const replaceAll = (at: Folders, folders: Iterable<string | null>): void => {
  const next = [...folders];
  at.clear();
  for (const folder of next.length > MOST_FOLDERS ? [null] : next) at.add(folder);
};

/** Goes to a folder, from every one in which the shell may be. */
export const goTo = (target: ShellWord, at: Folders): void => {
  const { value } = target;
  replaceAll(
    at,
    [...at].map((folder) =>
      value === null || value === '-' || (folder === null && !/^[/~]/.test(value)) ? null : joined(folder ?? '/', value),
    ),
  );
};

/** What a builtin does to the folder of the shell. */
export const moveShell = (name: string, args: readonly ShellWord[], at: Folders): void => {
  if (name === 'cd' || name === 'pushd') {
    const { operands, uncertain } = takeApart(args.filter(({ value }) => value !== '-'));
    if (uncertain || operands.length > 1 || args.some(({ value }) => value === '-') || (name === 'pushd' && operands.length === 0))
      replaceAll(at, [null]);
    else goTo(operands[0] ?? literalWord('~'), at);
  } else if (name === 'popd') replaceAll(at, [null]);
  else if (name === 'source' || name === '.') replaceAll(at, [...at, null]);
};
