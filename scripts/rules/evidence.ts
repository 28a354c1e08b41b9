import { importsOf, lineAt, resolveImport, walk, type SourceFile, type SyntaxNode } from './source-files.ts';

/** One page below `docs/`; the path is relative to the root, with forward slashes. */
export interface Page {
  readonly path: string;
  readonly text: string;
}

/** A file in backticks, and the quoted titles that follow it: `` `daemon/x.test.ts` "first title", "second title" ``. */
const CITATION = /`([\w./-]+\.ts)`((?:,?\s*"[^"]+")*)/g;
const LOOSE = /[\w./-]+\.(?:test|hard|contract)\.ts/g;
const TEST_FILE = /\.(test|hard|contract)\.ts$/;
const TELLS_A_CASE = new Set(['it', 'test', 'describe']);
const NEVER_RUNS = new Set(['skip', 'todo']);

/** `it.each(rows)` is `it` with `each`. */
const namesOf = (callee: SyntaxNode): string[] => {
  if (callee.type === 'Identifier') return [callee['name'] as string];
  if (callee.type === 'CallExpression') return namesOf(callee['callee'] as SyntaxNode);
  if (callee.type !== 'MemberExpression') return [];
  return [...namesOf(callee['object'] as SyntaxNode), ...namesOf(callee['property'] as SyntaxNode)];
};

/** The text of a literal as it stands in the source: a template keeps its `${…}`. */
const textOf = (node: SyntaxNode | undefined, file: SourceFile): string | undefined => {
  if (node?.type === 'Literal' && typeof node['value'] === 'string') return node['value'];
  return node?.type === 'TemplateLiteral' ? file.text.slice(node.start + 1, node.end - 1) : undefined;
};

interface Titles {
  readonly own: ReadonlySet<string>;
  /** Every text in it, for names that a title takes from a table. */
  readonly any: ReadonlySet<string>;
}

const titlesOf = (file: SourceFile): Titles => {
  const own = new Set<string>();
  const any = new Set<string>();
  walk(file.tree, (node) => {
    const text = textOf(node, file);
    if (text !== undefined) any.add(text);
    if (node.type !== 'CallExpression') return;
    const [root = '', ...more] = namesOf(node['callee'] as SyntaxNode);
    const title = textOf((node['arguments'] as SyntaxNode[])[0], file);
    if (TELLS_A_CASE.has(root) && title !== undefined && !more.some((name) => NEVER_RUNS.has(name))) own.add(title);
  });
  return { own, any };
};

/** A title that is made from a row has a place for it. */
const takesNames = (title: string): boolean => /%[sjdifo]|\$\w|\$\{/.test(title);

/** The files that tests run, with what they import. */
const reachedByTests = (files: ReadonlyMap<string, SourceFile>): Set<string> => {
  const reached = new Set([...files.keys()].filter((path) => TEST_FILE.test(path)));
  for (const path of reached) {
    const file = files.get(path)!;
    for (const specifier of importsOf(file)) {
      const target = resolveImport(file, specifier);
      if (target !== undefined && files.has(target)) reached.add(target);
    }
  }
  return reached;
};

interface Citation {
  readonly at: string;
  readonly path: string;
  readonly titles: readonly string[];
}

const citationsOf = ({ path: page, text }: Page): Citation[] =>
  [...text.matchAll(/^\|.*$/gm)].flatMap((row) => {
    const at = `${page}:${lineAt(text, row.index)}`;
    const cited = [...row[0].matchAll(CITATION)].map(([, path, quoted]) => ({
      at,
      path: path!,
      titles: [...quoted!.matchAll(/"([^"]+)"/g)].map((match) => match[1]!.replaceAll('\\|', '|')),
    }));
    // What names a test in any other form would be believed by a reader and checked by nobody.
    const loose = [...row[0].replaceAll(CITATION, '').matchAll(LOOSE)].map(([path]) => ({ at, path, titles: [] }));
    return [...cited, ...loose];
  });

/** How many tests the tables of the pages cite. */
export const countCited = (pages: readonly Page[]): number =>
  pages.flatMap(citationsOf).reduce((sum, { titles }) => sum + titles.length, 0);

/**
 * Every citation in a table of the pages that does not hold, one sentence each. A test file must have the title, as `it` or `describe` or as
 * a name in a table of cases; any other file must be one that a test runs, and have the words.
 */
export const evidenceFaults = (pages: readonly Page[], sources: readonly SourceFile[]): string[] => {
  const files = new Map(sources.map((file) => [file.path, file]));
  const reached = reachedByTests(files);
  const known = new Map<string, Titles>();
  const fault = ({ path, titles }: Citation): string | undefined => {
    const isTest = TEST_FILE.test(path);
    if (titles.length === 0) return isTest ? `${path} is cited without a title` : undefined;
    const file = files.get(path);
    if (file === undefined) return `there is no ${path}`;
    if (!reached.has(path)) return `no test runs ${path}`;
    const { own, any } = known.get(path) ?? known.set(path, titlesOf(file)).get(path)!;
    const allowed = isTest && ![...own].some(takesNames) ? own : any;
    const missing = titles.filter((title) => !allowed.has(title));
    return missing.length > 0 ? `${path} has no ${missing.map((title) => `"${title}"`).join(', ')}` : undefined;
  };
  return pages.flatMap(citationsOf).flatMap((citation) => {
    const found = fault(citation);
    return found === undefined ? [] : [`${citation.at}: ${found}`];
  });
};
