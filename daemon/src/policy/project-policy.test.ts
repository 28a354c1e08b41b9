import { describe, expect, it } from 'vitest';
import { FairleadError } from '@fairlead/shared/contract/errors';
import { parseProjectPolicy } from './project-policy.ts';

const refusal = (text: string): FairleadError => {
  try {
    parseProjectPolicy(text);
  } catch (error) {
    if (error instanceof FairleadError && error.code === 'project_policy_invalid') return error;
    throw error;
  }
  throw new Error('was accepted');
};

describe('parseProjectPolicy', () => {
  it.each(['../x', '/etc/passwd', 'a/../b', '.git/config', 'sub/.GIT/x', './a', 'a//b'])('refuses to copy %s when it is read', (path) => {
    expect(refusal(`version: 1\nprovision: {copy: [ok.env, "${path}"]}\n`).context.field).toBe('provision.copy[1]');
  });

  it('takes plain paths, folders too', () => {
    const text = 'version: 1\nprovision: {copy: [.env, node_modules/, a/b.txt]}\n';
    expect(parseProjectPolicy(text).provision.copy).toEqual(['.env', 'node_modules/', 'a/b.txt']);
  });

  it.each([
    ['versoin: 1\n', 'versoin', 'version'],
    ['version: 1\nfence: {alowed: []}\n', 'fence.alowed', 'allowed'],
    ['version: 1\ngates: {wen: []}\n', 'gates.wen', 'when'],
    ['version: 1\nvalidations: {unit: {argv: [x], run: [x]}}\n', 'validations.unit.argv', 'run'],
  ])('names what is not known in %j, and what there is', (text, field, known) => {
    const { context, message } = refusal(text);
    expect(context.field).toBe(field);
    expect(message).toContain(known);
  });
});
