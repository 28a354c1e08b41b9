import { importsOf, lineAt, resolveImport, walk, type SourceFile, type SyntaxNode } from './source-files.ts';

const CONTRACT = 'shared/contract';
const KIT = 'shared/kit';
const GROUND = [CONTRACT, KIT] as const;

/**
 * The import table: what each module may import besides itself, in import order. It is the one place where the layering is
 * written; a module that is missing here, or that imports something later, fails `scripts/layers.test.ts`.
 */
export const LAYERS: Readonly<Record<string, readonly string[]>> = {
  'shared/contract': [],
  'shared/kit': [CONTRACT],
  'shared/wire': GROUND,

  'daemon/config': GROUND,
  'daemon/core': [CONTRACT],
  'daemon/policy': [...GROUND, 'daemon/core'],
  'daemon/ledger': [...GROUND, 'daemon/core', 'daemon/policy'],
  'daemon/process': [...GROUND, 'daemon/config'],
  'daemon/egress': [...GROUND, 'daemon/process'],
  'daemon/git': [...GROUND, 'daemon/policy', 'daemon/process'],
  'daemon/workspaces': [...GROUND, 'daemon/process', 'daemon/egress', 'daemon/git'],
  'daemon/validation': [...GROUND, 'daemon/core', 'daemon/policy', 'daemon/process', 'daemon/git', 'daemon/workspaces'],
  'daemon/executors': [...GROUND, 'daemon/policy', 'daemon/process', 'daemon/egress', 'daemon/git', 'daemon/workspaces'],
  'daemon/runner': [
    ...GROUND,
    'daemon/core',
    'daemon/policy',
    'daemon/ledger',
    'daemon/process',
    'daemon/git',
    'daemon/workspaces',
    'daemon/validation',
    'daemon/executors',
  ],
  'daemon/delivery': [
    ...GROUND,
    'daemon/core',
    'daemon/policy',
    'daemon/ledger',
    'daemon/process',
    'daemon/git',
    'daemon/workspaces',
    'daemon/validation',
    'daemon/runner',
  ],
  'daemon/commands': [...GROUND, 'daemon/core', 'daemon/policy', 'daemon/ledger', 'daemon/git', 'daemon/executors', 'daemon/delivery'],
  'daemon/recovery': [
    ...GROUND,
    'daemon/core',
    'daemon/ledger',
    'daemon/process',
    'daemon/git',
    'daemon/workspaces',
    'daemon/executors',
    'daemon/runner',
    'daemon/delivery',
  ],
  'daemon/scheduler': [...GROUND, 'daemon/core', 'daemon/ledger', 'daemon/executors', 'daemon/runner', 'daemon/delivery'],
  'daemon/api': [
    ...GROUND,
    'daemon/config',
    'daemon/core',
    'daemon/policy',
    'daemon/ledger',
    'daemon/git',
    'daemon/executors',
    'daemon/delivery',
    'daemon/commands',
  ],
  'daemon/daemon': [
    ...GROUND,
    'daemon/config',
    'daemon/core',
    'daemon/policy',
    'daemon/ledger',
    'daemon/process',
    'daemon/git',
    'daemon/workspaces',
    'daemon/validation',
    'daemon/executors',
    'daemon/runner',
    'daemon/delivery',
    'daemon/commands',
    'daemon/recovery',
    'daemon/scheduler',
    'daemon/api',
  ],
  'daemon/cli': [...GROUND, 'daemon/config', 'daemon/process', 'daemon/git'],
  'daemon/main': [...GROUND, 'daemon/config', 'daemon/process', 'daemon/daemon', 'daemon/cli'],

  'connector/config': GROUND,
  'connector/core': [CONTRACT],
  'connector/identity': [...GROUND, 'connector/config', 'connector/core'],
  'connector/enrollment': [...GROUND, 'shared/wire', 'connector/config', 'connector/core', 'connector/identity'],
  'connector/share': [...GROUND, 'connector/config', 'connector/core', 'connector/identity'],
  'connector/proxy': [...GROUND, 'shared/wire', 'connector/config', 'connector/core', 'connector/share'],
  'connector/session': [
    ...GROUND,
    'shared/wire',
    'connector/config',
    'connector/core',
    'connector/identity',
    'connector/share',
    'connector/proxy',
  ],
  'connector/status': [...GROUND, 'connector/config', 'connector/core'],
  'connector/cli': [
    ...GROUND,
    'connector/config',
    'connector/core',
    'connector/identity',
    'connector/enrollment',
    'connector/share',
    'connector/session',
    'connector/status',
  ],
  'connector/connector': [
    ...GROUND,
    'connector/cli',
    'shared/wire',
    'connector/config',
    'connector/core',
    'connector/identity',
    'connector/enrollment',
    'connector/share',
    'connector/proxy',
    'connector/session',
    'connector/status',
  ],
  'connector/main': [...GROUND, 'connector/config', 'connector/connector', 'connector/cli'],

  'relay/config': GROUND,
  'relay/core': [CONTRACT],
  'relay/store': [...GROUND, 'relay/core'],
  'relay/audit': [...GROUND, 'relay/core', 'relay/store'],
  'relay/auth': [...GROUND, 'relay/core', 'relay/store', 'relay/audit'],
  'relay/enrollment': [...GROUND, 'shared/wire', 'relay/core', 'relay/store', 'relay/audit'],
  'relay/sessions': [...GROUND, 'shared/wire', 'relay/core', 'relay/store', 'relay/audit', 'relay/auth', 'relay/enrollment'],
  'relay/routing': [...GROUND, 'shared/wire', 'relay/core', 'relay/store', 'relay/audit', 'relay/auth', 'relay/sessions'],
  'relay/operations': [
    ...GROUND,
    'relay/config',
    'shared/wire',
    'relay/core',
    'relay/store',
    'relay/audit',
    'relay/auth',
    'relay/enrollment',
    'relay/sessions',
    'relay/routing',
  ],
  'relay/api': [
    ...GROUND,
    'shared/wire',
    'relay/config',
    'relay/core',
    'relay/store',
    'relay/audit',
    'relay/auth',
    'relay/enrollment',
    'relay/sessions',
    'relay/routing',
    'relay/operations',
  ],
  'relay/mcp': [
    ...GROUND,
    'shared/wire',
    'relay/config',
    'relay/api',
    'relay/core',
    'relay/audit',
    'relay/auth',
    'relay/sessions',
    'relay/routing',
    'relay/operations',
  ],
  'relay/relay': [
    ...GROUND,
    'shared/wire',
    'relay/config',
    'relay/core',
    'relay/store',
    'relay/audit',
    'relay/auth',
    'relay/enrollment',
    'relay/sessions',
    'relay/routing',
    'relay/operations',
    'relay/api',
    'relay/mcp',
  ],
  'relay/cli': [...GROUND, 'relay/relay', 'relay/config'],
  'relay/main': [...GROUND, 'relay/config', 'relay/relay', 'relay/cli'],
};

/** The module of a file: its folder below `src`; a file right in `src` puts a package together and is a module of its own. */
export const moduleOf = (path: string): string | undefined => {
  const match = /^(shared|daemon|connector|relay)\/src\/([^/]+?)(?:\.ts)?(?:\/|$)/.exec(path);
  return match ? `${match[1]}/${match[2]}` : undefined;
};

const isTest = (path: string): boolean => /\.(test|hard|contract|fixture|bench)\.ts$|\/test\//.test(path);

/** Faults of the table itself: a module that allows what comes after it, or what is not there. */
export const tableFaults = (table: Readonly<Record<string, readonly string[]>>): string[] => {
  const seen = new Set<string>();
  return Object.entries(table).flatMap(([module, allowed]) => {
    const faults = allowed.filter((other) => !seen.has(other)).map((other) => `${module} allows ${other}, which does not come before it`);
    seen.add(module);
    return faults;
  });
};

/** Packages and builtins that only some modules may use. Matched against what a file imports from outside the checkout. */
const RESERVED: readonly { readonly imports: RegExp; readonly only: (module: string) => boolean; readonly rule: string }[] = [
  { imports: /^node:/, only: (module) => module !== CONTRACT, rule: 'the contract runs anywhere and imports nothing of Node' },
  {
    imports: /^(execa|node:child_process|child_process)$/,
    only: (module) => module === 'daemon/process',
    rule: 'processes are started only in daemon/process',
  },
  {
    imports: /^better-sqlite3$/,
    only: (module) => module === KIT || module === 'daemon/ledger' || module === 'relay/store',
    rule: 'databases are opened only by kit, ledger and store',
  },
  { imports: /^simple-git$/, only: (module) => module === 'daemon/git', rule: 'git is used only in daemon/git' },
  {
    imports: /^node:(?!crypto$|buffer$|path$)/,
    only: (module) => !['daemon/core', 'daemon/policy', 'connector/core', 'relay/core'].includes(module),
    rule: 'core and policy do no I/O',
  },
];

/** What pure modules may import of kit: pure functions. The rest of kit has clocks, files and sockets. */
const PURE_KIT: ReadonlySet<string> = new Set(['shared/src/kit/printable.ts']);

const importFaults = (file: SourceFile, module: string, table: Readonly<Record<string, readonly string[]>>): string[] =>
  importsOf(file).flatMap((specifier) => {
    const path = resolveImport(file, specifier);
    if (path === undefined)
      return RESERVED.filter(({ imports, only }) => imports.test(specifier) && !only(module)).map(
        ({ rule }) => `${file.path}: imports ${specifier}; ${rule}`,
      );
    const other = moduleOf(path);
    if (other === module) return [];
    if (path.endsWith('package.json')) return [];
    if (other === undefined) return [`${file.path}: imports ${specifier}, which is in no module`];
    if (other === KIT && PURE.has(module) && !PURE_KIT.has(path))
      return [`${file.path}: ${module} may not import ${specifier}; of kit a pure module takes pure functions only`];
    return table[module]!.includes(other) ? [] : [`${file.path}: ${module} may not import ${other} (${specifier})`];
  });

const SQL =
  /^\s*(select\s[\s\S]*\sfrom|insert\s+(or\s+\w+\s+)?into|update\s+\w+\s+set|delete\s+from|create\s+(unique\s+)?(table|index)|alter\s+table|drop\s+table)\b/i;
const PURE = new Set(['daemon/core', 'daemon/policy', 'connector/core', 'relay/core']);

const textOf = (node: SyntaxNode): string | undefined => {
  if (node.type === 'Literal' && typeof node['value'] === 'string') return node['value'];
  if (node.type === 'TemplateElement') return (node['value'] as { raw: string }).raw;
  return undefined;
};

const nameOf = (node: unknown): string | undefined => (node as { name?: string } | undefined)?.name;

const isMember = (node: SyntaxNode, object: string, property: string): boolean =>
  node.type === 'MemberExpression' && nameOf(node['object']) === object && nameOf(node['property']) === property;

/** What is wrong with one node where it stands, if anything. */
const nodeFault = (node: SyntaxNode, file: SourceFile, module: string): string | undefined => {
  if (isMember(node, 'process', 'env') && !module.endsWith('/config') && !file.path.endsWith('/main.ts'))
    return 'reads process.env outside config';
  const text = textOf(node);
  if (text !== undefined && SQL.test(text) && !['daemon/ledger', 'relay/store'].includes(module)) return 'has SQL outside ledger and store';
  if (isMember(node, 'Date', 'now') || isMember(node, 'performance', 'now') || isMember(node, 'Math', 'random')) {
    return module === KIT ? undefined : 'reads a clock or draws at random outside kit/clock';
  }
  if (node.type === 'NewExpression' && nameOf(node['callee']) === 'Date' && (node['arguments'] as unknown[]).length === 0 && module !== KIT)
    return 'reads a clock outside kit/clock';
  if (PURE.has(module) && (node['async'] === true || node.type === 'AwaitExpression')) return 'is async, and this module is pure';
  return undefined;
};

/** Every breach of the layers in the given files, one sentence each. Tests and contract suites may import what they test. */
export const layerFaults = (files: readonly SourceFile[], table = LAYERS): string[] =>
  files.flatMap((file) => {
    const module = moduleOf(file.path);
    if (module === undefined || isTest(file.path)) return [];
    if (!Object.hasOwn(table, module)) return [`${file.path}: ${module} is not in the import table`];
    const faults = importFaults(file, module, table);
    walk(file.tree, (node) => {
      const fault = nodeFault(node, file, module);
      if (fault !== undefined) faults.push(`${file.path}:${lineAt(file.text, node.start)}: ${fault}`);
    });
    return faults;
  });
