import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { parseAst } from 'rolldown/parseAst';

/** A node of the syntax tree, as ESTree with TypeScript has it; read by field name. */
export interface SyntaxNode {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [field: string]: unknown;
}

/** One source file with what the rules look at. Paths are relative to the root, with forward slashes. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
  readonly tree: SyntaxNode;
}

const SKIPPED = new Set(['node_modules', 'dist', 'coverage', '.git', '.cache']);

/** All files of the checkout that rules may look at, whatever their kind. */
export const listFiles = (root: string, folder = root): string[] =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (SKIPPED.has(entry.name)) return [];
    const path = join(folder, entry.name);
    return entry.isDirectory() ? listFiles(root, path) : [relative(root, path).replaceAll('\\', '/')];
  });

/** Parses one file. The tree is only as typed as a rule needs it. */
export const parseSource = (path: string, text: string): SourceFile => ({
  path,
  text,
  tree: parseAst(text, { lang: 'ts', sourceType: 'module' }) as unknown as SyntaxNode,
});

/** Every TypeScript file of the packages. */
export const readSources = (root: string): SourceFile[] =>
  listFiles(root)
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.d.ts'))
    .map((path) => parseSource(path, readFileSync(join(root, path), 'utf8')));

const isNode = (value: unknown): value is SyntaxNode =>
  typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';

/** Visits a tree, parents first. */
export const walk = (node: SyntaxNode, visit: (node: SyntaxNode) => void): void => {
  visit(node);
  for (const value of Object.values(node)) {
    if (isNode(value)) walk(value, visit);
    else if (Array.isArray(value)) for (const item of value) if (isNode(item)) walk(item, visit);
  }
};

const IMPORTING = new Set(['ImportDeclaration', 'ExportNamedDeclaration', 'ExportAllDeclaration', 'ImportExpression', 'TSImportType']);

/** What a file imports, as it wrote it: static, dynamic, re-exported and type imports alike. */
export const importsOf = (file: SourceFile): string[] => {
  const found: string[] = [];
  walk(file.tree, (node) => {
    const source = IMPORTING.has(node.type) ? (node['source'] ?? node['argument']) : undefined;
    const literal = isNode(source) && source.type === 'TSLiteralType' ? source['literal'] : source;
    if (isNode(literal) && typeof literal['value'] === 'string') found.push(literal['value']);
  });
  return found;
};

/** Where an import inside the checkout points: a path relative to the root, or undefined for a package or a builtin. */
export const resolveImport = (file: SourceFile, specifier: string): string | undefined => {
  if (specifier.startsWith('.')) return relative(process.cwd(), resolve(dirname(file.path), specifier)).replaceAll('\\', '/');
  const match = /^@fairlead\/([a-z0-9]+)\/(.+)$/.exec(specifier);
  if (!match) return undefined;
  return ['e2e', 'scripts'].includes(match[1]!) ? `${match[1]}/${match[2]}.ts` : `${match[1]}/src/${match[2]}.ts`;
};

/** The line, from 1, at an offset. */
export const lineAt = (text: string, offset: number): number => text.slice(0, offset).split('\n').length;
