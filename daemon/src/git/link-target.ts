/** Why a symbolic link may not be in a tree, or undefined when it may: it must stay inside and away from `.git`. */
export const linkEscape = (path: string, target: string): 'link_escapes' | 'link_into_dot_git' | undefined => {
  if (target === '' || target.startsWith('/') || target.includes('\0')) return 'link_escapes';
  const place = path.split('/').slice(0, -1);
  for (const part of target.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') place.push(part);
    else if (place.pop() === undefined) return 'link_escapes';
    if (meansDotGit(place.at(-1) ?? '')) return 'link_into_dot_git';
  }
  return undefined;
};

const IGNORED_BY_HFS = /[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/g;

/** Whether one name means `.git` on any common file system: in another case, with trailing dots or spaces, as a short name, with invisible characters. */
export const meansDotGit = (name: string): boolean => /^(\.git|git~1)[. ]*(:.*)?$/i.test(name.replaceAll(IGNORED_BY_HFS, ''));
