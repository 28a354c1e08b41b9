import { describe, expect, it } from 'vitest';
import { ESCAPES, FRICTION, HIDDEN_PUSHES, HOLES } from './hostile.fixture.ts';
import { judgePermission } from './judge.ts';
import type { PermissionPolicy } from './request.ts';
import { RULES } from './rules.ts';

const policy: PermissionPolicy = {
  mode: 'auto',
  rules: { allow: [], deny: [] },
  workspace: '/workspace',
  scratch: ['/tmp'],
  fence: { allowed: [['**']], forbidden: [], protected: [] },
  network: 'open',
};
const judged = (command: string) => {
  const { decision, rule } = judgePermission({ tool: 'Bash', kind: 'execute', command, input: { command } }, policy);
  return `${decision} ${rule}`;
};

describe('what a filter over words lets through', () => {
  it.each(HOLES)('%j is decided by %s', (command, rule) => expect(judged(command)).toBe(`${RULES[rule].decisions.auto} ${rule}`));
});

describe('what a filter over words refuses', () => {
  it.each(FRICTION)('%j is decided by %s', (command, rule) => expect(judged(command)).toBe(`allow ${rule}`));
});

describe('a hidden push', () => {
  it.each(HIDDEN_PUSHES)('%j is found', (command) => {
    const { decision, parsed } = judgePermission({ tool: 'Bash', kind: 'execute', command, input: { command } }, policy);
    expect(decision).toBe('deny');
    expect(parsed.findings.map(({ rule }) => rule)).toContain('git.push');
  });
});

describe('a way out', () => {
  it.each(ESCAPES)('%j is decided by %s', (command, rule) => {
    expect(RULES[rule].decisions.auto === 'allow' && rule !== 'code.workspace').toBe(false);
    expect(judged(command)).toBe(`${RULES[rule].decisions.auto} ${rule}`);
  });
});
