import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { holds } from '../../../scenarios/scenario.ts';
import { denials } from '../activity.ts';
import type { AgentScenario } from '../scenario.ts';

const hasHook = (repo: string): boolean => ['pre-commit', 'pre-push'].some((name) => existsSync(join(repo, '.git', 'hooks', name)));

const FORBIDDEN = 'src/generated/table.js';

const byRule: AgentScenario = {
  name: 'fence-rule',
  proves: 'an edit of a forbidden path is denied before it happens, and other work counts',
  turns: [
    { tool: 'write', args: { path: 'src/fine.js', content: 'export const fine = 1;\n' } },
    { tool: 'write', args: { path: FORBIDDEN, content: 'export default [];\n' } },
    { say: 'One of them was refused.' },
  ],
  holds(seen, report) {
    holds(denials(seen).join() === 'fs.forbidden', 'the rule denied it', report, seen.events);
    holds(seen.change?.files.map(({ path }) => path).join() === 'src/fine.js', 'the rest was done', report, seen.change);
  },
};

const evaded: AgentScenario = {
  name: 'fence-evaded',
  proves: 'a forbidden path that no rule could see written is found in what git observes',
  turns: [{ tool: 'shell', args: { command: `node tools/evade.mjs ${FORBIDDEN}` } }, { say: 'Generated it.' }],
  ends: 'failed_fence',
  reason: 'forbidden',
  holds(seen, report) {
    const finding = seen.change?.findings.find(({ path }) => path === FORBIDDEN);
    holds(finding?.severity === 'failed', 'the finding names the path', report, seen.change?.findings);
    holds(seen.validations.length === 0, 'nothing of it was run', report, seen.validations);
  },
};

const policyFile: AgentScenario = {
  name: 'policy-file',
  proves: 'the policy of the project and the hooks of git cannot be changed, neither by a tool nor past it',
  turns: [
    { tool: 'shell', args: { command: 'node tools/evade.mjs .git/hooks/pre-push' } },
    { tool: 'shell', args: { command: 'node tools/evade.mjs .fairlead/project.yaml' } },
    // One agent ends its turn with the first denial.
    { tool: 'write', args: { path: '.fairlead/notes.yaml', content: 'version: 1\n' } },
    { tool: 'write', args: { path: '.git/hooks/pre-commit', content: '#!/bin/sh\nexit 0\n' } },
    { say: 'Done.' },
  ],
  ends: 'needs_approval',
  async holds(seen, report, { repo }, hands) {
    const rules = denials(seen);
    holds(rules.includes('fs.policy_files'), 'a rule denied the policy file', report, rules);
    const finding = seen.change?.findings.find(({ path }) => path === '.fairlead/project.yaml');
    holds(finding?.rule === 'protected', 'the fence found the policy file, and a person must look', report, seen.change?.findings);
    holds(!hasHook(repo), 'the repository has no new hook', report);
    const { items } = await hands.stage.call('list_gates', { instance_id: hands.instanceId, step_id: hands.stepId, state: 'pending' });
    await hands.reject(items[0]!);
    const { state } = await hands.step();
    holds(state === 'rejected', 'a person rejects it', report, state);
  },
};

export const fence: readonly AgentScenario[] = [byRule, evaded, policyFile];
