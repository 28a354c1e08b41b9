/**
 * The one matcher of path patterns. A pattern is literals, `?` (one character), `*` (any run within one name) and `**` (any run
 * of names, when it stands as a whole name; elsewhere it is `*`). Case-sensitive; the whole path must match; a trailing `/`
 * means everything below. No regular expression is made of a pattern, because such can be made to run for years.
 */
export type Matcher = (path: string) => boolean;

const DEEP = '**';

/**
 * Whether one name fits one name pattern. Only the last star is ever gone back to, so the time is at most the product of
 * both lengths.
 */
const matchName = (pattern: string, name: string): boolean => {
  let p = 0;
  let n = 0;
  let star = -1;
  let resume = 0;
  while (n < name.length) {
    const wanted = pattern[p];
    if (wanted === '*') {
      star = p++;
      resume = n;
    } else if (wanted !== undefined && (wanted === '?' || wanted === name[n])) {
      p++;
      n++;
    } else if (star >= 0) {
      p = star + 1;
      n = ++resume;
    } else return false;
  }
  while (pattern[p] === '*') p++;
  return p === pattern.length;
};

/** The same one level up: names instead of characters, `**` instead of `*`. */
const matchNames = (patterns: readonly string[], names: readonly string[]): boolean => {
  let p = 0;
  let n = 0;
  let deep = -1;
  let resume = 0;
  while (n < names.length) {
    const wanted = patterns[p];
    if (wanted === DEEP) {
      deep = p++;
      resume = n;
    } else if (wanted !== undefined && matchName(wanted, names[n]!)) {
      p++;
      n++;
    } else if (deep >= 0) {
      p = deep + 1;
      n = ++resume;
    } else return false;
  }
  // What is left over must match nothing at all; but a `**` at the end stands for at least one name.
  while (patterns[p] === DEEP && p < patterns.length - 1) p++;
  return p === patterns.length;
};

/** Takes a pattern apart, once. The contract's `Pattern` says what is a pattern; anything else matches literally or not at all. */
export const compilePattern = (pattern: string): Matcher => {
  const patterns = (pattern.endsWith('/') ? `${pattern}${DEEP}` : pattern).split('/');
  const plain = !/[*?]/.test(pattern) && !pattern.endsWith('/');
  if (plain) return (path) => path === pattern;
  return (path) => matchNames(patterns, path.split('/'));
};

/** Whether a path matches at least one of the patterns. */
export const compilePatterns = (patterns: readonly string[]): Matcher => {
  const matchers = patterns.map(compilePattern);
  return (path) => matchers.some((matches) => matches(path));
};
