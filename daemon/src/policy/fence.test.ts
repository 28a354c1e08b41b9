import { describe, expect, it } from 'vitest';
import { ProjectPolicy } from '@fairlead/shared/contract/project-policy';
import { TaskSpec } from '@fairlead/shared/contract/task';
import { effectivePolicy } from './effective.ts';
import { judgeFence, type RawDiffEntry } from './fence.ts';
import { gateReasons } from './gates.ts';
import { judgesChanged } from './judges.ts';

const effective = (policy: Record<string, unknown> = {}) =>
  effectivePolicy(
    { source: 'policy_ref', ref: null, commit: null, policy: ProjectPolicy.parse({ version: 1, ...policy }) },
    TaskSpec.parse({}),
  );
const added = (path: string, more: Partial<RawDiffEntry> = {}): RawDiffEntry => ({
  path,
  status: 'added',
  old_mode: '000000',
  new_mode: '100644',
  old_object: '0',
  new_object: '1',
  ...more,
});
const rules = (entries: RawDiffEntry[], policy: Record<string, unknown> = {}, lines = 1) =>
  judgeFence({ entries, numstat: entries.map(({ path }) => ({ path, added: lines, removed: 0 })), effective: effective(policy) }).map(
    ({ rule, severity }) => `${rule}:${severity}`,
  );
const link = (path: string, link_target: string) => added(path, { new_mode: '120000', link_target });

describe('the fence', () => {
  it.each([
    '.git/config',
    'a/.git/hooks/x',
    '.GIT/x',
    'a/.Git',
    'git~1/x',
    '.git./x',
    '.git /x',
    '.git::$INDEX_ALLOCATION/x',
    '.g\u200cit/x',
    'a\\.git\\x',
    '.git\u200d',
  ])('%j means .git', (path) => expect(rules([added(path)])).toContain('dot_git:failed'));
  it.each(['.gitignored/x', 'git/x', '.github2/x', 'a.git/x', 'git~x'])('%s does not', (path) =>
    expect(rules([added(path)])).not.toContain('dot_git:failed'),
  );

  it.each([
    ['a', '/etc/shadow'],
    ['a', '../x'],
    ['a/b', '../../x'],
    ['a', ''],
    ['a', 'b/../../x'],
    ['a', '~/x'],
    ['a', 'C:\\x'],
    ['a', '\\\\host'],
    ['a/b', 'c/..'],
    ['a', '.git/config'],
    ['d/a', '../.git/hooks'],
    ['a', 'x\0y'],
  ])('the link %s -> %j is refused', (path, target) => expect(rules([link(path, target)])).toContain('link_escapes:failed'));
  it.each([
    ['a', 'b'],
    ['a/b', '../c'],
    ['a/b/c', '../../d/e'],
    ['a', './b'],
  ])('the link %s -> %j is not', (path, target) => expect(rules([link(path, target)])).toEqual([]));
  it('a link whose target nobody read is refused', () =>
    expect(rules([added('a', { new_mode: '120000' })])).toEqual(['link_escapes:failed']));

  it('submodules, odd kinds and odd paths are refused', () => {
    expect(rules([added('a', { new_mode: '160000' })])).toEqual(['submodule:failed']);
    expect(rules([added('a', { new_mode: '040000' })])).toEqual(['file_kind:failed']);
    expect(rules([added('a/../b')])).toContain('path_escapes:failed');
    expect(rules([added('/a')])).toContain('path_escapes:failed');
    expect(rules([added('a', { status: 'deleted', old_mode: '160000', new_mode: '000000' })])).toEqual(['protected:gate']);
  });

  it.each([
    '.fairlead/project.yaml',
    '.FAIRLEAD/project.yaml',
    '.gitattributes',
    'sub/.gitattributes',
    '.gitmodules',
    '.husky/pre-commit',
    '.github/workflows/a.yml',
    '.GitHub/x',
    '.vscode/tasks.json',
    '.envrc',
    '.npmrc',
    '.mcp.json',
    '.claude/settings.json',
    'CLAUDE.md',
    'docs/AGENTS.md',
    'GEMINI.md',
    'package.json',
    'packages/a/package.json',
    'Makefile',
    '.cursor/rules',
    '.github/copilot-instructions.md',
  ])('%s is protected by default', (path) => expect(rules([added(path)])).toContain('protected:gate'));
  it.each(['package-lock.json', 'pnpm-lock.yaml', 'go.sum', 'Cargo.lock', 'requirements-dev.txt', 'a/pyproject.toml', 'Gemfile.lock'])(
    '%s is a dependency file',
    (path) => expect(rules([added(path)])).toContain('dependencies:gate'),
  );
  it.each(['db/migrations/0001.sql', 'migrations/x.py', 'prisma/schema.prisma'])('%s is a migration', (path) =>
    expect(rules([added(path)])).toContain('migrations:gate'),
  );
  it.each(['src/a.ts', 'README.md', 'docs/migrations.md', 'src/package.ts'])('%s is nothing special', (path) =>
    expect(rules([added(path)])).toEqual([]),
  );

  it("allowed, forbidden and the owner's protected paths", () => {
    const policy = { fence: { allowed: ['src/**'], forbidden: ['src/gen/**'], protected: ['src/auth/**'] } };
    expect(rules([added('src/a')], policy)).toEqual([]);
    expect(rules([added('a')], policy)).toEqual(['outside_allowed:failed']);
    expect(rules([added('src/gen/a')], policy)).toEqual(['forbidden:failed']);
    expect(rules([added('src/auth/a')], policy)).toEqual(['protected:gate']);
    expect(rules([added('src/gen/a', { status: 'deleted', new_mode: '000000' })], policy)).toEqual(['forbidden:failed']);
  });

  it('size has a soft and a hard limit', () => {
    const many = (count: number) => Array.from({ length: count }, (_, index) => added(`f${index}`));
    expect(rules(many(3), { fence: { files: 2 } })).toEqual(['size_soft:gate']);
    expect(rules(many(2001))).toContain('size_hard:failed');
    expect(rules([added('a')], {}, 1501)).toEqual(['size_soft:gate']);
    expect(rules([added('a')], {}, 100_001)).toEqual(['size_hard:failed']);
  });

  it('what checks judge by', () => {
    const policy = { validations: { unit: { run: ['x'], judges: ['spec/**'] }, lint: { run: ['y'] } } };
    expect(rules([added('spec/a'), added('src/a')], policy)).toEqual(['judge_changed:gate']);
    expect(judgesChanged(['spec/a', 'test/b', 'src/c'], effective(policy))).toEqual({
      paths: ['spec/a', 'test/b'],
      validations: ['unit', 'lint'],
    });
    expect(rules([added('test/a')])).toEqual([]);
  });
});

describe('gate reasons', () => {
  const finding = (rule: string, path: string | null = 'a') => ({ rule, severity: 'gate' as const, path, message: '' });
  const reasons = (
    findings: ReturnType<typeof finding>[],
    { remote = false, changed = true, when }: { remote?: boolean; changed?: boolean; when?: string[] } = {},
  ) => gateReasons({ changed, findings, remote, effective: effective(when ? { gates: { when } } : {}) });
  it("follow the owner's list", () => {
    expect(reasons([], { remote: true })).toEqual(['remote']);
    expect(reasons([])).toEqual([]);
    expect(reasons([finding('protected'), finding('size_soft', null), finding('dependencies'), finding('migrations')])).toEqual([
      'protected',
      'dependencies',
      'migrations',
      'size',
    ]);
    expect(reasons([finding('protected')], { when: [] })).toEqual([]);
    expect(reasons([], { when: ['always'] })).toEqual(['always']);
  });
  it('but for what no list can switch off', () => {
    expect(reasons([finding('judge_changed')], { when: [] })).toEqual(['judge_changed']);
    expect(reasons([finding('protected', '.Fairlead/project.yaml')], { when: [] })).toEqual(['protected']);
    expect(gateReasons({ changed: true, findings: [], remote: false, effective: { ...effective(), source: 'none' } })).toEqual([
      'no_validations',
    ]);
  });
  it('nothing changed, nothing to hold', () => expect(reasons([finding('protected')], { changed: false, remote: true })).toEqual([]));
});
