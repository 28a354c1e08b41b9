import { describe, expect, it } from 'vitest';
import * as fc from 'fast-check';
import { FairleadError } from '@fairlead/shared/contract/errors';
import { ProjectPolicy } from '@fairlead/shared/contract/project-policy';
import { TaskSpec } from '@fairlead/shared/contract/task';
import { effectivePolicy, policyView, type OwnerPolicy } from './effective.ts';
import { judgeFence, type RawDiffEntry } from './fence.ts';
import { gateReasons } from './gates.ts';
import { parseProjectPolicy } from './project-policy.ts';

const owned = (policy: ProjectPolicy): OwnerPolicy => ({ source: 'policy_ref', ref: 'refs/heads/main', commit: 'a'.repeat(40), policy });
const task = (fields: Record<string, unknown> = {}): TaskSpec => TaskSpec.parse(fields);
const codeOf = (work: () => unknown): FairleadError => {
  try {
    work();
  } catch (error) {
    if (error instanceof FairleadError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
};

const name = fc.constantFrom('unit', 'lint', 'types', 'slow');
const onePattern = fc.constantFrom('**', 'src/**', 'src/*', '**/*.ts', 'test/**', 'a/b', 'docs/', '**/secret*', '?', '.fairlead/**');
const patterns = fc.array(onePattern, { maxLength: 4 });
const anyPolicy = fc
  .record({
    validations: fc.dictionary(name, fc.record({ run: fc.constant(['true']), required: fc.boolean() })),
    fence: fc.record({
      allowed: fc.array(onePattern, { minLength: 0, maxLength: 4 }),
      forbidden: patterns,
      protected: patterns,
      files: fc.integer({ min: 1, max: 50 }),
      lines: fc.integer({ min: 1, max: 50 }),
    }),
    gates: fc.record({
      when: fc.subarray(['always', 'remote', 'protected', 'dependencies', 'migrations', 'size'] as const),
      self_approval: fc.boolean(),
      integrate_on_approval: fc.boolean(),
    }),
  })
  .map((policy) => ProjectPolicy.parse({ version: 1, ...policy }));
const anyTask = fc.record(
  {
    allowed_paths: patterns,
    forbidden_paths: patterns,
    validations: fc.uniqueArray(name),
    timeout: fc.integer({ min: 1, max: 86_400 }),
    gate: fc.constant('always' as const),
    goal: fc.string({ minLength: 1 }),
  },
  { requiredKeys: [] },
);
const anyPath = fc.constantFrom(
  'src/a.ts',
  'src/x/y.ts',
  'test/a',
  'a/b',
  'docs/x/y',
  'src/secret.ts',
  'z',
  '.fairlead/project.yaml',
  'package.json',
  '.github/w.yml',
);
const entry = (path: string): RawDiffEntry => ({
  path,
  status: 'modified',
  old_mode: '100644',
  new_mode: '100644',
  old_object: 'a',
  new_object: 'b',
});

describe('effective policy', () => {
  it("is a subset of the owner's, for all policies, tasks and changes", () => {
    fc.assert(
      fc.property(
        anyPolicy,
        anyTask,
        fc.uniqueArray(anyPath, { minLength: 1 }),
        fc.integer({ min: 0, max: 60 }),
        fc.boolean(),
        (policy, fields, paths, lines, remote) => {
          const known = { ...fields, validations: (fields.validations ?? []).filter((one) => Object.hasOwn(policy.validations, one)) };
          const owner = effectivePolicy(owned(policy), task());
          const both = effectivePolicy(owned(policy), task(known));
          const facts = { entries: paths.map(entry), numstat: paths.map((path) => ({ path, added: lines, removed: 0 })) };
          const findings = { owner: judgeFence({ ...facts, effective: owner }), both: judgeFence({ ...facts, effective: both }) };
          // Whatever the owner's policy finds is found with any task too; so are its gates and its checks.
          const key = (one: { rule: string; path: string | null; severity: string }) => `${one.rule} ${one.path} ${one.severity}`;
          expect(findings.both.map(key)).toEqual(expect.arrayContaining(findings.owner.map(key)));
          const gates = (which: 'owner' | 'both') =>
            gateReasons({ changed: true, findings: findings[which], remote, effective: which === 'owner' ? owner : both });
          expect(gates('both')).toEqual(expect.arrayContaining(gates('owner')));
          expect(both.validations).toEqual(expect.arrayContaining(owner.validations as unknown[]));
          expect(both.validations.every((one) => policy.validations[one.name]!.run === one.run)).toBe(true);
          expect(both.timeout_ms).toBeLessThanOrEqual(86_400_000);
          expect([both.gates.self_approval, both.gates.integrate_on_approval]).toEqual([
            policy.gates.self_approval,
            policy.gates.integrate_on_approval,
          ]);
          expect(both.provision).toEqual(policy.provision);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('an empty list of allowed paths in a policy allows nothing', () => {
    const effective = effectivePolicy(owned(ProjectPolicy.parse({ version: 1, fence: { allowed: [] } })), task());
    expect(judgeFence({ entries: [entry('a')], numstat: [], effective }).map(({ rule }) => rule)).toEqual(['outside_allowed']);
  });

  it('has a digest that every part of it moves', () => {
    const digest = (policy: Record<string, unknown>, fields: Record<string, unknown> = {}) =>
      effectivePolicy(owned(ProjectPolicy.parse({ version: 1, ...policy })), task(fields)).digest;
    const all = [
      digest({}),
      digest({ fence: { files: 3 } }),
      digest({ validations: { unit: { run: ['x'] } } }),
      digest({}, { gate: 'always' }),
      digest({}, { timeout: 5 }),
      digest({}, { forbidden_paths: ['a'] }),
    ];
    expect(new Set(all).size).toBe(all.length);
    expect(digest({})).toBe(digest({}));
  });

  it('names an unknown validation, its place, and those there are', () => {
    const policy = ProjectPolicy.parse({ version: 1, validations: { unit: { run: ['x'] }, lint: { run: ['y'], required: false } } });
    const error = codeOf(() => effectivePolicy(owned(policy), task({ validations: ['lint', 'constructor'] })));
    expect(error.code).toBe('validation_unknown');
    expect(error.context.field).toBe('task.validations[1]');
    expect(error.context.more).toEqual({ available: ['unit', 'lint'] });
    expect(codeOf(() => effectivePolicy(owned(policy), task({ timeout: '25h' }))).context.field).toBe('task.timeout');
  });

  it("shows the owner's policy with the problem it has", () => {
    expect(policyView(owned(ProjectPolicy.parse({ version: 1 })), 'bad').problem).toBe('bad');
  });
});

describe('.fairlead/project.yaml', () => {
  it.each([
    ['version: 2', 'version'],
    ['version: 1\nvalidation: {}', 'validation'],
    ['version: 1\nfence: { alowed: [] }', 'fence.alowed'],
    ['version: 1\nfence: { allowed: ["/abs"] }', 'fence.allowed[0]'],
    ['version: 1\nvalidations: { unit: { run: "npm test" } }', 'validations.unit.run'],
    ['version: 1\nvalidations: { Unit: { run: [x] } }', 'validations.Unit'],
    ['version: 1\nprovision: { network: ["https://registry.example"] }', 'provision.network[0]'],
  ])('%j is refused at %s', (text, field) => {
    const error = codeOf(() => parseProjectPolicy(text));
    expect(error.code).toBe('project_policy_invalid');
    expect(error.context.field).toBe(field);
    expect(error.context.rule).toBeTruthy();
  });

  it.each([
    'version: 1\nversion: 1',
    'a: [',
    '',
    '- 1',
    'version: !!js/function "x"',
    `a: &a [x]\nb: [${'*a,'.repeat(200)}]`,
    'version: 1\n---\nversion: 1',
  ])('%j is refused', (text) => expect(codeOf(() => parseProjectPolicy(text)).code).toBe('project_policy_invalid'));

  it('reads a whole one', () => {
    const policy = parseProjectPolicy(
      "version: 1\nvalidations:\n  unit: { run: [npm, test], timeout: 10m }\nfence: { allowed: ['src/**'] }\n",
    );
    expect(effectivePolicy(owned(policy), task()).validations[0]).toMatchObject({ name: 'unit', timeout_ms: 600_000, required: true });
  });
});
