import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync, copyFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { atLeast, cureFor, headersOf, missingNeeds, systemOf } from './prepare.mjs';

const root = process.cwd();
let folder = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fairlead-checks-'));
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const plant = (path: string, text: string) => {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
};

const check = (...[name, ...args]: string[]) => {
  const answer = spawnSync(join(root, 'node_modules', '.bin', name!), args, { cwd: folder, encoding: 'utf8', timeout: 60_000 });
  return { failed: answer.status !== 0, output: answer.stdout + answer.stderr };
};

const useConfigs = (...names: string[]) => {
  for (const name of names) copyFileSync(join(root, name), join(folder, name));
};

const plantTypes = () =>
  plant('tsconfig.json', JSON.stringify({ extends: join(root, 'tsconfig.json'), compilerOptions: { types: [] }, include: ['src'] }));

describe('the static checks can fail on planted files', () => {
  it.each([
    [
      'a floating promise',
      'const f = async (): Promise<number> => 1;\nexport const g = (): void => {\n  f();\n};\n',
      /no-floating-promises/,
    ],
    ['any', 'export const f = (x: any): string => String(x);\n', /no-explicit-any/],
    ['a default export', 'export default 1;\n', /no-default-export/],
    ['console', "export const f = (): void => {\n  console.log('x');\n};\n", /no-console/],
    [
      'a switch that forgets a case',
      "export const f = (x: 'a' | 'b'): number => {\n  switch (x) {\n    case 'a':\n      return 1;\n  }\n  return 0;\n};\n",
      /switch-exhaustiveness/,
    ],
    ['a thrown string', "export const f = (): never => {\n  throw 'x';\n};\n", /only-throw-error|no-throw-literal/],
  ])('lint: %s', (_, text, rule) => {
    useConfigs('.oxlintrc.json');
    plantTypes();
    plant('src/planted.ts', text);
    const { failed, output } = check('oxlint', '--type-aware', '--deny-warnings');
    expect(output).toMatch(rule);
    expect(failed).toBe(true);
  });

  it('types', () => {
    plantTypes();
    plant('src/planted.ts', "export const x: number = 'y';\n");
    const { failed, output } = check('tsc', '--noEmit');
    expect(output).toMatch(/TS2322/);
    expect(failed).toBe(true);
  });

  it('format', () => {
    useConfigs('.oxfmtrc.json');
    plant('src/planted.ts', 'export const x = "y"\n');
    const { failed, output } = check('oxfmt', '--check');
    expect(output).toMatch(/planted\.ts/);
    expect(failed).toBe(true);
  });

  it('unused exports, files and dependencies', () => {
    rmSync(join(folder, 'node_modules'));
    plant('package.json', JSON.stringify({ name: 'planted', type: 'module', dependencies: { zod: '*' } }));
    plant('knip.json', JSON.stringify({ entry: ['src/main.ts'], project: ['src/**/*.ts'] }));
    plant('src/main.ts', "import { used } from './part.ts';\nused();\n");
    plant('src/part.ts', 'export const used = (): number => 1;\nexport const unused = (): number => 2;\n');
    plant('src/orphan.ts', 'export const x = 1;\n');
    const { failed, output } = check('knip');
    expect(output).toMatch(/unused/);
    expect(output).toMatch(/src\/orphan\.ts/);
    expect(output).toMatch(/zod/);
    expect(failed).toBe(true);
  });

  it('and pass on a good file', () => {
    useConfigs('.oxlintrc.json', '.oxfmtrc.json');
    plantTypes();
    plant('src/planted.ts', "export const x = 'y';\n");
    for (const command of [
      ['oxlint', '--type-aware', '--deny-warnings'],
      ['oxfmt', '--check', 'src'],
      ['tsc', '--noEmit'],
    ]) {
      const { failed, output } = check(...command);
      expect(output).not.toMatch(/planted\.ts:\d/);
      expect(failed).toBe(false);
    }
  });
});

describe('what a machine must have', () => {
  it('compares versions', () => {
    expect(atLeast('20.19.0', '20.19')).toBe(true);
    expect(atLeast('22.1.0', '20.19')).toBe(true);
    expect(atLeast('20.9.0', '20.19')).toBe(false);
    expect(atLeast('2.39.5 (Apple Git-154)', '2.38')).toBe(true);
  });

  it('names all that is missing, and one line that cures it', () => {
    const missing = missingNeeds({ withBuildTools: true, nodeVersion: '18.0.0', git: '2.30.2', has: () => false, cxx: undefined });
    expect(missing.map(({ need }) => need)).toEqual(['node', 'git', 'python3', 'make', 'compiler']);
    expect(cureFor(['git', 'compiler'], 'debian')).toBe('sudo apt-get update && sudo apt-get install -y git g++');
    expect(cureFor(['compiler'], 'macos')).toBe('xcode-select --install');
    expect(cureFor(['python3'], 'arch')).toBe('sudo pacman -S --needed python');
    expect(cureFor(['make'], 'other')).toMatch(/package manager/);
  });

  it('asks for build tools only where something is to be built', () => {
    expect(missingNeeds({ withBuildTools: false, nodeVersion: '22.0.0', git: '2.43.0', has: () => false })).toEqual([]);
  });

  it('knows the system by its package manager', () => {
    expect(systemOf('linux', (name: string) => name === 'dnf')).toBe('fedora');
    expect(systemOf('darwin')).toBe('macos');
    expect(systemOf('linux', () => false)).toBe('other');
  });
});

describe('the headers of Node', () => {
  it('are used where they lie beside it and are of its version', () => {
    plant('include/node/node_version.h', '#define NODE_MAJOR_VERSION 20\n#define NODE_MINOR_VERSION 20\n#define NODE_PATCH_VERSION 2\n');
    expect(headersOf(join(folder, 'bin', 'node'), '20.20.2')).toBe(folder);
    expect(headersOf(join(folder, 'bin', 'node'), '22.1.0')).toBeUndefined();
    expect(headersOf(join(folder, 'elsewhere', 'bin', 'node'), '20.20.2')).toBeUndefined();
  });
});
