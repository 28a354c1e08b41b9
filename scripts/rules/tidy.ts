import { lineAt, listFiles, walk, type SourceFile, type SyntaxNode } from './source-files.ts';

const FILE_LINES = 400;
/** A test file tells one story in many cases. */
const TEST_FILE_LINES = 600;
const FUNCTION_LINES = 70;
/** A factory holds the functions of what it makes; as a whole it is as long as a class may be. */
const FACTORY_LINES = 200;
const KIT_FILES = 12;
const DRAWERS = /^(utils?|helpers?|common|types|lib|index|misc|shared)$/;
// Written so that this file does not break its own rule.
const NOTES_TO_SELF = [/\bTO[D]O\b/, /\bFIX[M]E\b/, /\bXX[X]\b/];
const FUNCTIONS = new Set(['FunctionDeclaration', 'FunctionExpression', 'ArrowFunctionExpression']);

const isTest = (path: string): boolean => /\.(test|hard|contract|fixture|bench)\.ts$|\/test\/|^e2e\//.test(path);
/** Where a tool asks for a default export. */
const mayDefault = (path: string): boolean => path.endsWith('.config.ts') || path === 'scripts/test-report.mjs';

/** What is wrong with the name of a file. */
const nameFault = (path: string): string | undefined => {
  const segments = path.split('/');
  const stem = segments.at(-1)!.replace(/\.(test|hard|contract|fixture|bench|config|d)?\.?(ts|mjs)$/, '');
  if (!/^[a-z0-9]+(-[a-z0-9]+)*$/.test(stem)) return 'the name is not kebab-case';
  if (DRAWERS.test(stem)) return `${stem} is a drawer for anything; name the file after its idea`;
  const folder = segments.slice(1, -1).find((name) => DRAWERS.test(name));
  return folder === undefined ? undefined : `the folder ${folder} is a drawer for anything`;
};

const linesOf = (text: string): number => text.split('\n').length - (text.endsWith('\n') ? 1 : 0);

const isBarrel = (tree: SyntaxNode): boolean => {
  const body = tree['body'] as SyntaxNode[];
  return (
    body.length > 0 &&
    body.every((node) => /^Export(All|Named)Declaration$/.test(node.type) && node['source'] !== null && node['source'] !== undefined)
  );
};

/** The lines that a node takes, with the first and the last. */
const span = (node: SyntaxNode, { text }: SourceFile): number => lineAt(text, node.end) - lineAt(text, node.start) + 1;

/** The lines of the outermost functions inside a function; their own length is judged by itself. */
const innerLines = (outer: SyntaxNode, file: SourceFile): number => {
  let lines = 0;
  let end = 0;
  walk(outer, (node) => {
    if (node === outer || !FUNCTIONS.has(node.type) || node.start < end) return;
    lines += span(node, file) - 1;
    end = node.end;
  });
  return lines;
};

const functionFault = (node: SyntaxNode, file: SourceFile): string | undefined => {
  const whole = span(node, file);
  if (whole <= FUNCTION_LINES) return undefined;
  const own = whole - innerLines(node, file);
  if (own > FUNCTION_LINES) return `has a function of ${own} lines (${FUNCTION_LINES} at most)`;
  return whole > FACTORY_LINES ? `has a factory of ${whole} lines (${FACTORY_LINES} at most)` : undefined;
};

const nodeFault = (node: SyntaxNode, file: SourceFile): string | undefined => {
  if (node.type === 'ExportDefaultDeclaration' && !mayDefault(file.path)) return 'has a default export';
  if (node.type === 'ExportAllDeclaration') return 'exports * (no barrels)';
  if (node.type === 'TSAnyKeyword') return 'uses any';
  if (node.type === 'TSEnumDeclaration') return 'has an enum';
  if (node.type === 'TSParameterProperty') return 'has a parameter property';
  return FUNCTIONS.has(node.type) && !isTest(file.path) ? functionFault(node, file) : undefined;
};

const textFaults = ({ path, text }: SourceFile): string[] => {
  const faults: string[] = [];
  const lines = linesOf(text);
  const most = isTest(path) ? TEST_FILE_LINES : FILE_LINES;
  if (lines > most) faults.push(`${path}: has ${lines} lines (${most} at most)`);
  for (const word of NOTES_TO_SELF) {
    const at = text.search(word);
    if (at >= 0) faults.push(`${path}:${lineAt(text, at)}: has a note to self`);
  }
  return faults;
};

/** Every breach of the code rules in the given files, one sentence each. */
export const tidyFaults = (files: readonly SourceFile[]): string[] =>
  files.flatMap((file) => {
    const name = nameFault(file.path);
    const faults = [...(name === undefined ? [] : [`${file.path}: ${name}`]), ...textFaults(file)];
    if (isBarrel(file.tree)) faults.push(`${file.path}: only re-exports (no barrels)`);
    walk(file.tree, (node) => {
      const fault = nodeFault(node, file);
      if (fault !== undefined) faults.push(`${file.path}:${lineAt(file.text, node.start)}: ${fault}`);
    });
    return faults;
  });

/** Breaches that only the list of all files shows. */
export const treeFaults = (paths: readonly string[]): string[] => {
  const kit = paths.filter((path) => /^shared\/src\/kit\/.*\.ts$/.test(path) && !isTest(path));
  return kit.length > KIT_FILES ? [`shared/src/kit has ${kit.length} files (${KIT_FILES} at most): ${kit.join(', ')}`] : [];
};

/** All paths of the checkout, for `treeFaults`. */
export const allPaths = (root: string): string[] => listFiles(root);
