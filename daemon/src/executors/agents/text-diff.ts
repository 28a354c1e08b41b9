/** Lines around a change that are shown with it. */
const AROUND = 3;

const linesOf = (text: string): string[] => (text === '' ? [] : text.replace(/\n$/, '').split('\n'));

const sameAtStart = (old: readonly string[], fresh: readonly string[]): number => {
  const most = Math.min(old.length, fresh.length);
  let count = 0;
  while (count < most && old[count] === fresh[count]) count += 1;
  return count;
};

/** What changes from one text of a file to another: one hunk from the first to the last line that is different. */
export const textDiff = (path: string, old: string | undefined, fresh: string | undefined): string => {
  const [was, is] = [linesOf(old ?? ''), linesOf(fresh ?? '')];
  const start = sameAtStart(was, is);
  const end = sameAtStart(was.slice(start).reverse(), is.slice(start).reverse());
  const from = Math.max(0, start - AROUND);
  const marked = (mark: string, lines: readonly string[]): string[] => lines.map((line) => `${mark}${line}`);
  return [
    ...(old === undefined ? [] : [`--- ${path}`]),
    ...(fresh === undefined ? [] : [`+++ ${path}`]),
    ...(from === 0 ? [] : [`@@ from line ${from + 1} @@`]),
    ...marked(' ', was.slice(from, start)),
    ...marked('-', was.slice(start, was.length - end)),
    ...marked('+', is.slice(start, is.length - end)),
    ...marked(' ', was.slice(was.length - end, was.length - end + AROUND)),
  ].join('\n');
};
