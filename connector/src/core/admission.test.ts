import { FairleadError } from '@fairlead/shared/contract/errors';
import { OPERATIONS } from '@fairlead/shared/contract/operations/table';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { admit, type AskedFor } from './admission.ts';
import { allowlistOf } from './allowlist.ts';
import { refuseForeignIds } from './owners.ts';
import type { ServedShare } from './served-share.ts';

const INSTANCE = 'ins_abcdefghijklmnopqrstuvwxyz';
const UUID = '01890a5d-ac96-774b-bcce-b302099a8057';
const own = (kind: string) => `${kind}_abcdefghij_${UUID}`;
const foreign = (kind: string) => `${kind}_bbbbbbbbbb_${UUID}`;
const allowlist = allowlistOf(OPERATIONS);
const NOW = Date.UTC(2026, 0, 1);

const share = (about: Partial<ServedShare> = {}): ServedShare => ({
  instanceId: INSTANCE,
  operations: new Set(allowlist.keys()),
  executors: null,
  validations: null,
  acceptsDecisions: false,
  expiresAt: NOW + 1000,
  revoked: false,
  provenUntil: NOW + 1000,
  distrust: null,
  ...about,
});

const step: AskedFor = { operation: 'get_step', instanceId: INSTANCE, input: { step_id: own('step') }, idempotencyKey: undefined };
const task = (spec: object): AskedFor => ({
  operation: 'submit_task',
  instanceId: INSTANCE,
  input: { run_id: own('run'), task: { goal: 'x', ...spec } },
  idempotencyKey: 'k',
});
const codeOf = (asked: AskedFor, served: ServedShare | undefined, now = NOW): string => {
  try {
    admit(allowlist, served, asked, now);
    return 'admitted';
  } catch (error) {
    return (error as FairleadError).code;
  }
};

describe('admission', () => {
  it.each([
    ['what is granted', step, share(), 'admitted'],
    ['an instance that is not shared', step, undefined, 'not_found'],
    ['an operation that is not granted', step, share({ operations: new Set(['get_run']) }), 'grant_denied'],
    ['a grant at its end', step, share({ expiresAt: NOW }), 'grant_expired'],
    ['a withdrawn grant', step, share({ revoked: true }), 'grant_expired'],
    ['an altered copy', step, share({ distrust: 'grant_untrusted' }), 'grant_untrusted'],
    ['a delegation at its end', step, share({ provenUntil: NOW }), 'delegation_invalid'],
    [
      'a decision that is only named',
      { ...step, operation: 'reject_gate', input: { gate_id: own('gate') }, idempotencyKey: 'k' },
      share(),
      'authority_required',
    ],
    [
      'a decision that is accepted',
      { ...step, operation: 'reject_gate', input: { gate_id: own('gate') }, idempotencyKey: 'k' },
      share({ acceptsDecisions: true }),
      'admitted',
    ],
    ['a shared executor', task({ executor: 'patch' }), share({ executors: new Set(['patch']) }), 'admitted'],
    ['another executor', task({ executor: 'command.fmt' }), share({ executors: new Set(['patch']) }), 'grant_denied'],
    ['another validation', task({ validations: ['slow'] }), share({ validations: new Set(['unit']) }), 'grant_denied'],
    ['a command line', task({ validations: [{ name: 'x', run: ['sh'] }] }), share(), 'argv_not_allowed'],
    ['a foreign base', task({ base: foreign('step') }), share(), 'instance_mismatch'],
    ['a write without a key', { ...task({}), idempotencyKey: undefined }, share(), 'idempotency_key_required'],
  ])('%s', (_, asked, served, code) => {
    expect(codeOf(asked, served)).toBe(code);
  });

  it('checks the grant before it looks at the input, so that a refusal tells nothing about it', () => {
    expect(codeOf({ ...step, input: { step_id: foreign('step'), x: 1 } }, share({ operations: new Set() }))).toBe('grant_denied');
  });

  it('never admits what the grant does not name', () => {
    const names = fc.subarray([...allowlist.keys()]);
    const asked = fc.constantFrom(...Object.keys(OPERATIONS));
    fc.assert(
      fc.property(names, asked, fc.boolean(), (granted, operation, acceptsDecisions) => {
        const served = share({ operations: new Set(granted), acceptsDecisions });
        const code = codeOf({ ...step, operation, idempotencyKey: 'k' }, served);
        if (!granted.includes(operation)) expect(['grant_denied', 'authority_required', 'operation_unknown']).toContain(code);
      }),
    );
  });
});

describe('ids in an input', () => {
  const ids = fc
    .constantFrom('ins', 'run', 'step', 'att', 'chg', 'art', 'val', 'gate', 'grant', 'item')
    .map((kind) => (kind === 'ins' ? 'ins_bbbbbbbbbbbbbbbbbbbbbbbbbb' : foreign(kind)));
  const plain = fc.jsonValue({ maxDepth: 4 });

  it('of others are found in any place of any document', () => {
    fc.assert(
      fc.property(plain, plain, ids, fc.array(fc.oneof(fc.string(), fc.nat(3)), { maxLength: 5 }), (left, right, id, path) => {
        const nested = path.reduce<unknown>(
          (inner, key) => (typeof key === 'number' ? [left, inner] : { a: right, [key === '__proto__' ? 'b' : key]: inner }),
          id,
        );
        expect(() => refuseForeignIds(nested, INSTANCE)).toThrowError(FairleadError);
      }),
    );
  });

  it('of the instance itself, and texts that only mention others, pass', () => {
    const input = {
      step_id: own('step'),
      instance_id: INSTANCE,
      task: { goal: `as in ${foreign('step')}`, patch: `+${foreign('run')}\n` },
    };
    expect(() => refuseForeignIds(input, INSTANCE)).not.toThrow();
  });

  it('are looked for without regard to the length of the text', () => {
    const began = performance.now();
    refuseForeignIds({ patch: 'step_'.repeat(1_200_000) }, INSTANCE);
    expect(performance.now() - began).toBeLessThan(50);
  });
});
