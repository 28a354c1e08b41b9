import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ConnectorId,
  InstanceId,
  RELAY_KINDS,
  RESOURCE_KINDS,
  RunId,
  StepId,
  newRelayId,
  newResourceId,
  ownerPrefix,
  parseResourceId,
  prefixOf,
} from './ids.ts';
import { Pattern, TaskSpec, durationMs } from './task.ts';

const instances = fc.stringMatching(/^ins_[a-z2-7]{26}$/);

describe('ids', () => {
  it('carry their owner, and nothing else routes them', () => {
    fc.assert(
      fc.property(instances, fc.constantFrom(...RESOURCE_KINDS), (instance, kind) => {
        const id = newResourceId(kind, instance);
        expect(parseResourceId(id)).toEqual({ kind, prefix: prefixOf(instance), uuid: id.slice(-36) });
        expect(ownerPrefix(id)).toBe(ownerPrefix(instance));
        expect(encodeURIComponent(id)).toBe(id);
        expect(id).toBe(id.toLowerCase());
      }),
    );
  });

  it('made later sort later', () => {
    const instance = `ins_${'a'.repeat(26)}`;
    const made = Array.from({ length: 1000 }, () => newResourceId('run', instance));
    expect([...made].sort()).toEqual(made);
    expect(new Set(made).size).toBe(1000);
  });

  it('are of one kind each', () => {
    const instance = `ins_${'a'.repeat(26)}`;
    expect(RunId.safeParse(newResourceId('run', instance)).success).toBe(true);
    expect(StepId.safeParse(newResourceId('run', instance)).success).toBe(false);
    for (const kind of RELAY_KINDS) expect(parseResourceId(newRelayId(kind))).toBeUndefined();
    expect(ConnectorId.safeParse(newRelayId('con')).success).toBe(true);
    expect(ConnectorId.safeParse(newRelayId('tok')).success).toBe(false);
  });

  it('anything else is no id: other cases, other alphabets, paths, line ends, other UUID versions', () => {
    const id = newResourceId('step', `ins_${'a'.repeat(26)}`);
    for (const bad of [
      '',
      id.toUpperCase(),
      `${id}\n`,
      ` ${id}`,
      `${id}/..`,
      id.replace('_', '/'),
      id.replace(/-7/, '-4'),
      `../${id}`,
      id.replace('step', 'steps'),
      id.slice(0, -1),
    ]) {
      expect(parseResourceId(bad), bad).toBeUndefined();
      expect(StepId.safeParse(bad).success, bad).toBe(false);
      expect(ownerPrefix(bad), bad).toBeUndefined();
    }
    for (const bad of ['ins_', `ins_${'a'.repeat(25)}`, `ins_${'1'.repeat(26)}`, `ins_${'A'.repeat(26)}`, `ins_${'a'.repeat(26)}\n`])
      expect(InstanceId.safeParse(bad).success, bad).toBe(false);
  });
});

describe('task fields', () => {
  it('patterns are relative and plain', () => {
    for (const good of ['src/**', '*.ts', 'a?c/*', '.fairlead/**', 'größe/x y', '**', 'a..b', '...'])
      expect(Pattern.safeParse(good).success, good).toBe(true);
    for (const bad of ['', '/etc', '!x', 'a\\b', 'a//b', '../x', 'a/../b', './a', 'a/.', '[a]', '{a,b}', 'a\nb', 'x'.repeat(513)])
      expect(Pattern.safeParse(bad).success, bad).toBe(false);
  });

  it('durations are seconds or carry a unit', () => {
    expect([90, '90', '90s', '10m', '2h', '250ms'].map(durationMs)).toEqual([90_000, 90_000, 90_000, 600_000, 7_200_000, 250]);
    for (const bad of [0, -1, 1.5, '0s', '1d', '1 m', '']) expect(TaskSpec.safeParse({ timeout: bad }).success, String(bad)).toBe(false);
  });

  it('a task has its defaults, and a field that nobody declared is refused', () => {
    expect(TaskSpec.parse({})).toEqual({
      version: 'v1',
      constraints: [],
      allowed_paths: [],
      forbidden_paths: [],
      validations: [],
      acceptance: [],
      stop_conditions: [],
      fallback: [],
      base: 'target',
    });
    expect(TaskSpec.safeParse({ forbiden_paths: ['x'] }).success).toBe(false);
    expect(TaskSpec.safeParse({ title: 'two\nlines' }).success).toBe(false);
    expect(TaskSpec.safeParse({ base: 'main' }).success).toBe(false);
  });
});
