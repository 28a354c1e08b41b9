import { readText } from './reader.ts';

/** One effective setting of a user's repository; keys are lower case but for the middle part, as git prints them. */
export interface Setting {
  readonly key: string;
  readonly value: string;
}

/** Every setting in effect in a repository, includes and those of its work tree too. Reading them runs nothing. */
export const readSettings = async ({ git_dir }: { readonly git_dir: string }): Promise<readonly Setting[]> => {
  // Not simple-git's own list: that drops keys without a value, and such a key may declare a filter or a partial clone.
  const text = await readText({ git_dir }, 'config', '--list', '-z', '--includes');
  return text
    .split('\0')
    .filter(Boolean)
    .map((entry) => {
      const cut = entry.indexOf('\n');
      return cut === -1 ? { key: entry, value: 'true' } : { key: entry.slice(0, cut), value: entry.slice(cut + 1) };
    });
};

/**
 * Settings that take the program out of every filter that a repository declares, for the few calls that must read or write its
 * work tree. An empty `process` makes git skip `clean` and `smudge` as well.
 */
export const withoutFilters = (settings: readonly Setting[]): (readonly [string, string])[] => {
  const drivers = new Set(settings.map(({ key }) => /^filter\.(.*)\.[^.]*$/s.exec(key)?.[1]).filter((name) => name !== undefined));
  return [...drivers].flatMap((name) =>
    [
      ['clean', ''],
      ['smudge', ''],
      ['process', ''],
      ['required', 'false'],
    ].map(([what, value]) => [`filter.${name}.${what}`, value!] as const),
  );
};
