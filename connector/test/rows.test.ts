import { newResourceId, parseResourceId } from '@fairlead/shared/contract/ids';
import type { FairleadError } from '@fairlead/shared/contract/errors';
import { operation, type Operation } from '@fairlead/shared/contract/operations/operation';
import { OPERATIONS, type OperationTable } from '@fairlead/shared/contract/operations/table';
import { generateKey, instanceIdOf, newInstanceNonce } from '@fairlead/shared/kit/signature';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { askFor, textOf } from './relay-double.ts';
import { stand, type Stand } from './stand.ts';

/** A row that no released table has: everything about it must come from the row itself. */
const added = operation({
  name: 'paint_fence',
  title: 'Paint',
  description: 'Paints.',
  route: 'POST /instances/:instance_id/paint',
  input: z.strictObject({ instance_id: z.string(), colour: z.string() }),
  output: z.object({}),
  scope: 'runs:write',
  effect: 'write',
  remote: true,
});
const TABLE: OperationTable = { ...OPERATIONS, paint_fence: added };
const remote = Object.values(TABLE).filter((row) => row.remote && row.surface === 'daemon');

let here: Stand;
beforeAll(async () => {
  here = await stand();
  await here.share(here.instance, { operations: remote.map(({ name }) => name), accept_relay_decisions: true });
  await here.run(TABLE);
  await here.session();
});
afterAll(() => here.close());

const foreign = instanceIdOf(generateKey().publicKey, newInstanceNonce());

/** A value that fits a field, made from its name; ids belong to the given instance. */
const KINDS: Readonly<Record<string, Parameters<typeof newResourceId>[0]>> = {
  run_id: 'run',
  step_id: 'step',
  attempt_id: 'att',
  change_id: 'chg',
  artifact_id: 'art',
  validation_id: 'val',
  gate_id: 'gate',
};
const idFor = (field: string, instance: string): string | undefined => {
  if (field === 'instance_id') return instance;
  const kind = KINDS[field];
  return kind && newResourceId(kind, instance);
};
const OTHERS: Readonly<Record<string, unknown>> = {
  task: { goal: 'Do it' },
  path: 'README.md',
  text: 'x',
  digest: `sha256:${'0'.repeat(64)}`,
  colour: 'red',
  revision: 'target',
};

const inputFor = (row: Operation): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(row.input.shape).flatMap(([field, schema]) => {
      const optional = (schema as z.ZodType).safeParse(undefined).success;
      const value = idFor(field, here.instance) ?? OTHERS[field];
      return value === undefined || (optional && idFor(field, here.instance) === undefined) ? [] : [[field, value]];
    }),
  );

const ask = (row: Operation, input: Record<string, unknown>, more = {}) =>
  here.relay.sessions
    .at(-1)!
    .channel.request(askFor(row.name, here.instance, input, { idempotency_key: 'k', ...more }), { effect: row.effect });
const refusal = (promise: Promise<unknown>): Promise<FairleadError> =>
  promise.then(
    () => expect.fail('it was answered'),
    (error: unknown) => error as FairleadError,
  );

describe('every operation that may be asked remotely, from its row', () => {
  it.each(remote.map((row) => [row.name, row] as const))(
    '%s reaches the daemon, and with any foreign id it does not (threats row 4)',
    async (_, row) => {
      const input = inputFor(row);
      await textOf(await ask(row, input));
      expect(here.daemon.seen.at(-1)!.method).toBe(row.route.split(' ')[0]);
      const before = here.daemon.seen.length;
      for (const field of Object.keys(row.input.shape).filter((name) => idFor(name, foreign) !== undefined)) {
        const error = await refusal(ask(row, { ...input, [field]: idFor(field, foreign) }));
        expect(error).toMatchObject({ code: 'instance_mismatch', context: { field } });
      }
      expect(here.daemon.seen).toHaveLength(before);
    },
  );

  it('finds foreign ids wherever they hide', async () => {
    const run_id = newResourceId('run', here.instance);
    const step = newResourceId('step', foreign);
    for (const task of [
      { goal: 'x', base: step },
      { goal: 'x', run_id: newResourceId('run', foreign) },
      { goal: 'x', constraints: ['fine', foreign] },
    ]) {
      expect(await refusal(ask(OPERATIONS.submit_task, { run_id, task }))).toMatchObject({ code: 'instance_mismatch' });
    }
    const notVersion7 = `step_${parseResourceId(step)!.prefix}_00000000-0000-4000-8000-000000000000`;
    expect(await refusal(ask(OPERATIONS.submit_task, { run_id, task: { goal: 'x', base: notVersion7 } }))).toMatchObject({
      code: 'instance_mismatch',
    });
  });

  it.each(remote.filter(({ effect }) => effect !== 'read').map((row) => [row.name, row] as const))(
    '%s needs an idempotency key',
    async (_, row) => {
      for (const key of [undefined, 'a b', 'é']) {
        expect(await refusal(ask(row, inputFor(row), { idempotency_key: key }))).toMatchObject({ code: 'idempotency_key_required' });
      }
    },
  );

  it.each(remote.map((row) => [row.name, row] as const))('%s takes no field that its row does not have', async (_, row) => {
    expect(await refusal(ask(row, { ...inputFor(row), command: 'rm' }))).toMatchObject({
      code: 'invalid_input',
      context: { field: 'command' },
    });
  });

  it.each(
    Object.values(OPERATIONS)
      .filter((row) => !(row.remote && row.surface === 'daemon'))
      .map((row) => [row.name, row] as const),
  )('%s cannot be asked at all', async (_, row) => {
    const before = here.daemon.seen.length;
    expect(await refusal(ask(row, { instance_id: here.instance }))).toMatchObject({ code: 'operation_unknown' });
    expect(here.daemon.seen).toHaveLength(before);
  });

  it.each(['toString', '__proto__', 'constructor', 'GET /status', '../status', 'get_step ', ''])(
    'the name %j is no operation',
    async (name) => {
      expect(await refusal(ask({ ...OPERATIONS.get_step, name }, {}))).toMatchObject({ code: 'operation_unknown' });
    },
  );

  it('keeps command lines out of tasks', async () => {
    const task = { goal: 'x', validations: [{ name: 'unit', run: ['sh', '-c', 'id'] }] };
    expect(await refusal(ask(OPERATIONS.submit_task, { run_id: newResourceId('run', here.instance), task }))).toMatchObject({
      code: 'argv_not_allowed',
    });
  });

  it('does not let an id leave its place in the address', async () => {
    const input = { step_id: `${newResourceId('step', here.instance)}/../../status` };
    expect(await refusal(ask(OPERATIONS.get_step, input))).toMatchObject({ code: 'invalid_input' });
  });
});
