/** Characters that some file systems leave out of names: zero-width ones, directional marks, the byte-order mark. */
const IGNORED = /[\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]/gu;
/** `.git`, what NTFS makes of it (`git~1`, trailing dots and spaces, a stream after a colon). */
const GIT_NAME = /^(\.git|git~[0-9]+)[. ]*(:.*)?$/;

/** Whether a path has a name in it that means `.git` on some system. Separators of other systems count too. */
export const entersGit = (path: string): boolean =>
  path
    .normalize('NFKC')
    .toLowerCase()
    .replace(IGNORED, '')
    .split(/[/\\]/)
    .some((name) => GIT_NAME.test(name));

/**
 * Whether a link leaves the tree, judged by its text alone. `..` is accepted only at the beginning, because after a name it
 * is resolved from wherever that name leads, which may be another link. @param path of the link itself
 */
export const leavesTree = (path: string, target: string): boolean => {
  if (target === '' || target.includes('\0') || /^([/\\~]|[A-Za-z]:)/.test(target)) return true;
  const names = target.split(/[/\\]/).filter((name) => name !== '' && name !== '.');
  const up = names.findIndex((name) => name !== '..');
  const climbs = up === -1 ? names.length : up;
  const depth = path.split('/').length - 1;
  return climbs > depth || names.slice(climbs).includes('..');
};
