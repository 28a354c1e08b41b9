import { TaskSpec } from '@fairlead/shared/contract/task';
import { describe, expect, it } from 'vitest';
import { effectivePolicy } from './effective.ts';
import { parseProjectPolicy } from './project-policy.ts';
import { buildPrompt, type PromptFacts } from './prompt.ts';

const POLICY = `version: 1
validations:
  unit: { run: [npm, test] }
  lint: { run: [npm, run, lint], required: false }
fence: { allowed: ['src/**'], forbidden: ['src/generated/**'], files: 7, lines: 70 }
`;

const facts = (task: object, more: Partial<PromptFacts> = {}): PromptFacts => {
  const spec = TaskSpec.parse(task);
  const owner = { source: 'policy_ref', ref: 'refs/heads/main', commit: null, policy: parseProjectPolicy(POLICY) } as const;
  return {
    task: spec,
    effective: effectivePolicy(owner, spec),
    workspace: '/workspace',
    out: '/out',
    earlier: undefined,
    instructions: undefined,
    resumed: false,
    ...more,
  };
};

const TASK = {
  title: 'Free shipping',
  goal: 'Orders of exactly 50.00 ship free.',
  context: { summary: 'The rule is in shipping.js.' },
  constraints: ['Keep the signature.'],
  acceptance: ['The test passes.'],
  stop_conditions: ['The rule is unclear.'],
  allowed_paths: ['src/shipping*'],
  forbidden_paths: ['src/api/**'],
  validations: ['lint'],
};

describe('the prompt', () => {
  it('names the task, the fence, the checks and the acceptance, always in the same words', () => {
    const prompt = buildPrompt(facts(TASK));
    for (const words of [
      '# Free shipping',
      'Orders of exactly 50.00 ship free.',
      'The rule is in shipping.js.',
      '- Keep the signature.',
      '- The test passes.',
      '- The rule is unclear.',
      'Change only what matches: `src/**`.',
      'Change only what matches: `src/shipping*`.',
      'Never change: `src/generated/**`, `src/api/**`.',
      'more than 7 files or 70 lines',
      '- unit: `npm test`',
      '- lint (optional): `npm run lint`',
      '`/workspace`',
    ])
      expect(prompt).toContain(words);
    expect(buildPrompt(facts(TASK))).toBe(prompt);
    expect(prompt).toMatch(/\n$/);
  });

  it('asks for words where an answer is expected', () => {
    const prompt = buildPrompt(facts({ goal: 'Why?', expects: 'answer' }));
    expect(prompt).toContain('Nothing: answer the question in words.');
    expect(prompt).not.toContain('Change only what matches');
  });

  it('tells one that goes on what came of its work, and not the task again', () => {
    const earlier = {
      ended: 'Your work was judged.',
      failed: [{ name: 'unit', exit_code: 1, output: 'not ok 1\nat line 3' }],
      findings: ['x: forbidden'],
    };
    const prompt = buildPrompt(facts(TASK, { earlier, resumed: true, instructions: 'Look at rounding.' }));
    for (const words of [
      'Go on with your task.',
      'The check unit failed (exit 1)',
      '      at line 3',
      '- x: forbidden',
      'Look at rounding.',
    ])
      expect(prompt).toContain(words);
    expect(prompt).not.toContain('Orders of exactly');
  });
});
