import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { ERRORS, ERROR_CODES } from './error-table.ts';
import { FairleadError, Problem, invalidInput } from './errors.ts';
import { LIMITS } from './limits.ts';
import { EXIT, STEP_STATES } from './states.ts';
import { TaskSpec } from './task.ts';

describe('the error table', () => {
  it.each(ERROR_CODES)('%s says what it is, what to do, and exits sanely', (code) => {
    const { status, title, hint, exit, retryable } = ERRORS[code];
    expect(code).toMatch(/^[a-z]+(_[a-z]+)*$/);
    expect(title).toMatch(/^[A-Z].*[^.]$/);
    expect(hint).toMatch(/[.]$/);
    expect(status).toBeGreaterThanOrEqual(400);
    expect(status).toBeLessThan(600);
    expect(Object.values(EXIT)).toContain(exit);
    expect(exit).not.toBe(EXIT.ok);
    // Only what another moment may change can be asked again unchanged.
    if (retryable) expect([409, 429, 503, 504, 507]).toContain(status);
    if (status === 401 || status === 403 || status === 404) expect(retryable).toBe(false);
  });

  it.each(ERROR_CODES)('%s survives the way as a problem document', (code) => {
    const error = new FairleadError(code, { detail: 'd', field: 'task.goal', rule: 'r', hint: 'h', more: { available: ['x'] } });
    const problem = Problem.parse(JSON.parse(JSON.stringify(error.toProblem('req_1'))));
    expect(problem).toMatchObject({
      type: `urn:fairlead:error:${code}`,
      status: ERRORS[code].status,
      code,
      request_id: 'req_1',
      available: ['x'],
    });
    const back = FairleadError.fromProblem(problem);
    expect([back.code, back.context]).toEqual([code, error.context]);
    expect(back.toProblem('req_1')).toEqual(problem);
  });

  it('a code of a newer part is kept in the words', () => {
    const error = FairleadError.fromProblem({ type: 'urn:x', title: 'New', status: 418, code: 'teapot', detail: 'short and stout' });
    expect([error.code, error.message]).toEqual(['internal', 'teapot: short and stout']);
    expect(FairleadError.fromProblem({ type: 'urn:x', title: 'New', status: 418, code: 'toString' }).code).toBe('internal');
  });

  it('never shows a cause', () => {
    const error = new FairleadError('internal', { cause: new Error('/home/secret') });
    expect(JSON.stringify(error.toProblem())).not.toContain('secret');
  });
});

describe('invalidInput', () => {
  const fieldOf = (value: unknown, at?: string) => {
    const { error } = TaskSpec.safeParse(value);
    return invalidInput(error as z.ZodError, at).context;
  };

  it('leads from an unknown key to the nearest known one', () => {
    const unknown = (value: unknown, schema: z.ZodType = TaskSpec) =>
      invalidInput(schema.safeParse(value).error as z.ZodError, '', schema).context;
    expect(unknown({ titel: 'x' })).toMatchObject({ field: 'titel', detail: expect.stringMatching(/; did you mean title\?$/) as string });
    expect(unknown({ Alowed_paths: [] }).hint).toBe('Write allowed_paths.');
    expect(unknown({ context: { sumary: '' } })).toMatchObject({ field: 'context.sumary', hint: 'Write summary.' });
    const deep = z.strictObject({
      task: TaskSpec.partial().optional(),
      all: z.record(z.string(), z.array(z.strictObject({ run: z.string() }))),
    });
    expect(unknown({ all: {}, task: { exekutor: 'x' } }, deep).hint).toBe('Write executor.');
    expect(unknown({ all: { a: [{ run: '', runn: '' }] } }, deep)).toMatchObject({ field: 'all.a[0].runn', hint: 'Write run.' });
    expect(unknown({ zebra: 1 }).detail).not.toContain('did you mean');
    expect(unknown({ zebra: 1 }).hint).toMatch(/^Known here: version, run_id, title, /);
    expect(unknown({ ['a'.repeat(5000)]: 1 }).hint).toMatch(/^Known here/);
  });

  it('names the field and the rule', () => {
    expect(fieldOf({ allowed_paths: ['src/**', '/etc'] })).toMatchObject({ field: 'allowed_paths[1]' });
    expect(fieldOf({ alowed_paths: [] }, 'task')).toMatchObject({ field: 'task.alowed_paths' });
    expect(fieldOf({ goal: 7 })).toMatchObject({ field: 'goal', rule: expect.stringContaining('string') as string });
    expect(fieldOf(7)).toMatchObject({ field: '' });
  });
});

describe('limits and states', () => {
  it('every limit is a positive number with a unit and a reason', () => {
    for (const [name, { value, unit, why }] of Object.entries(LIMITS)) {
      expect(value, name).toBeGreaterThan(0);
      expect(Number.isSafeInteger(value), name).toBe(true);
      expect(unit, name).toBeTruthy();
      expect(why.length, name).toBeGreaterThan(10);
    }
  });

  it('the limits of the wire fit into each other', () => {
    expect(LIMITS.wire_chunk.value).toBeLessThan(LIMITS.wire_credit.value);
    expect(LIMITS.request_body.value).toBeLessThan(LIMITS.wire_frame.value);
    expect(LIMITS.inline_json.value).toBeLessThan(LIMITS.wire_frame.value);
    expect(LIMITS.wire_pending_per_instance.value).toBeLessThan(LIMITS.wire_pending.value);
    expect(LIMITS.wait_max.value).toBeLessThan(60_000);
  });

  it('a state that may be retried is an end, and an end that went well exits 0', () => {
    for (const [name, { end, retry, exit }] of Object.entries(STEP_STATES)) {
      if (retry !== 'no') expect(end, name).toBe(true);
      expect(exit === EXIT.ok, name).toBe(name.startsWith('completed'));
    }
  });
});
