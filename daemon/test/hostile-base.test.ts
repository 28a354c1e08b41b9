import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { ProjectPolicy } from '@fairlead/shared/contract/project-policy';
import type { TaskInput } from '@fairlead/shared/contract/task';
import { key, PATCH, ServedDaemon } from '../src/api/served.fixture.ts';
import { openShop, settled, submit, type Shop } from './workshop.ts';

/** Attack 6. Rule: the judge is the owner's: policy is read from the policy ref, never from a task's base; a task can only tighten it. */

let served: ServedDaemon | undefined;
let shop: Shop | undefined;
afterEach(async () => {
  await served?.remove();
  await shop?.close();
  served = shop = undefined;
});

const OWNERS = `version: 1
validations: { unit: { run: [grep, -q, one, src/sum.txt], judges: ['judges/**'] } }
fence: { forbidden: ['secret/**'] }
gates: { when: [always], self_approval: false }
`;
/** What whoever pushed the branch would like to be judged by. */
const THEIRS = `version: 1
validations: {}
gates: { when: [], self_approval: true, integrate_on_approval: true }
provision: { post_create: [touch, owned] }
`;

describe('a base on a hostile branch with a project file of its own', { timeout: 180_000 }, () => {
  it("is judged by the policy ref's checks, fence and gates", async () => {
    served = await new ServedDaemon().start();
    const path = served.repository('shop', OWNERS);
    const git = (...args: string[]): string =>
      execFileSync('git', ['-c', 'user.name=Eve', '-c', 'user.email=eve@example', ...args], { cwd: path, encoding: 'utf8' }).trim();
    const tip = git('rev-parse', 'HEAD');
    git('checkout', '-q', '-b', 'hostile');
    writeFileSync(join(path, '.fairlead', 'project.yaml'), THEIRS);
    git('commit', '-q', '-a', '-m', 'Judge me gently');
    const hostile = git('rev-parse', 'HEAD');
    git('checkout', '-q', 'main');
    const { id } = await served.operator.call(
      'add_instance',
      { path, target: 'refs/heads/main', listed_branches: ['refs/heads/hostile'], unconfined: true },
      { idempotencyKey: key() },
    );
    const { client } = await served.share(id);
    const submitted = await served.submitPatch(client, id, { base: hostile });
    expect(await served.settled(submitted.stepId)).toBe('needs_approval');
    const result = await client.call('get_step_result', { step_id: submitted.stepId });
    expect(result.attempt).toMatchObject({ base_commit: hostile, policy_commit: tip });
    expect(result.validations.map(({ name, argv, passed }) => [name, argv, passed])).toEqual([
      ['unit', ['grep', '-q', 'one', 'src/sum.txt'], true],
    ]);
    expect(result.gate!.reasons).toEqual(expect.arrayContaining(['always']));
    const broken = await served.submitPatch(client, id, {
      base: hostile,
      patch: PATCH.replace(' one\n+two', '-one\n+two').replace('+1,2', '+1'),
    });
    expect(await served.settled(broken.stepId)).toBe('failed_validation');
    const outside = 'diff --git a/secret/x b/secret/x\nnew file mode 100644\n--- /dev/null\n+++ b/secret/x\n@@ -0,0 +1 @@\n+x\n';
    const fenced = await served.submitPatch(client, id, { base: hostile, patch: outside });
    expect(await served.settled(fenced.stepId)).toBe('failed_fence');
  });
});

describe('whatever a task says', { timeout: 180_000 }, () => {
  const owner = ProjectPolicy.parse({
    version: 1,
    validations: { unit: { run: ['true'] }, slow: { run: ['true'], required: false } },
    fence: { allowed: ['src/**'], forbidden: ['src/generated/**'], protected: ['src/auth/**'], files: 3, lines: 10 },
    gates: { when: ['remote', 'size'] },
  });
  const patterns = fc.array(fc.constantFrom('**', 'src/**', 'docs/**', '.fairlead/**', 'src/generated/**', '?'), { maxLength: 4 });
  const anyTask = fc.record(
    {
      allowed_paths: patterns,
      forbidden_paths: patterns,
      validations: fc.subarray(['unit', 'slow']),
      timeout: fc.integer({ min: 1, max: 86_400 }),
      gate: fc.constant('always' as const),
    },
    { requiredKeys: [] },
  );

  it("the policy that its attempt is recorded under is a subset of the owner's", async ({ annotate }) => {
    shop = await openShop({ 'src/a.txt': 'a\n' }, { policy: () => owner });
    const of = shop;
    let tasks = 0;
    const check = async (fields: Partial<TaskInput>): Promise<void> => {
      tasks++;
      const task = { ...fields, goal: 'x', executor: 'simulation.no_change' } as TaskInput;
      const step = await settled(of, (await submit(of, of.run.id, task, { remote: true })).id);
      const policy = of.ledger.read.policy(of.ledger.read.attempt(step.attempt_id!)!.policy_digest!)!;
      const { fence, gates, validations } = policy;
      // Allowed is the owner's and the task's both; everything else only grows, or falls to the smaller.
      expect(fence.allowed).toEqual(expect.arrayContaining([owner.fence.allowed]));
      expect(fence.forbidden).toEqual(expect.arrayContaining(owner.fence.forbidden));
      expect(fence.protected).toEqual(expect.arrayContaining(owner.fence.protected));
      expect([fence.files, fence.lines]).toEqual([owner.fence.files, owner.fence.lines]);
      expect(gates.when).toEqual(expect.arrayContaining(owner.gates.when));
      expect([gates.self_approval, gates.integrate_on_approval]).toEqual([false, false]);
      expect(validations.filter(({ required }) => required).map(({ name, run }) => [name, run])).toEqual([['unit', ['true']]]);
      expect(validations.every(({ name, run }) => run === owner.validations[name]!.run || run.join() === 'true')).toBe(true);
    };
    await fc.assert(fc.asyncProperty(anyTask, check), { numRuns: 10 });
    await annotate(`${tasks} tasks`, 'count');
  });
});
