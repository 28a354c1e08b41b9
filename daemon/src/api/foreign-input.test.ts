import { toHttp } from '@fairlead/shared/contract/http';
import type { Operation } from '@fairlead/shared/contract/operations/operation';
import { operationsOf } from '@fairlead/shared/contract/operations/table';
import { newResourceId } from '@fairlead/shared/contract/ids';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { foreignId, FOREIGN_INSTANCE, key, PATCH, ServedDaemon, type Shared } from './served.fixture.ts';

/**
 * A relay that chooses every part of an input, against the daemon alone: the connector's own check is taken to have failed. Generated
 * from the table, so that a new row is attacked as soon as it is there (threats row 4).
 */
const REMOTE = operationsOf('daemon').filter((row) => row.remote && Object.keys(row.input.shape).length > 0);
const daemon = new ServedDaemon();
let instance: string;
let shared: Shared;

beforeAll(async () => {
  await daemon.start();
  instance = await daemon.instance('shop');
  shared = await daemon.share(instance, {
    operations: operationsOf('daemon')
      .filter(({ remote }) => remote)
      .map(({ name }) => name),
    accept_relay_decisions: true,
  });
});
afterAll(() => daemon.remove());

const KINDS = {
  run_id: 'run',
  step_id: 'step',
  attempt_id: 'att',
  change_id: 'chg',
  artifact_id: 'art',
  validation_id: 'val',
  gate_id: 'gate',
} as const;
const OTHERS: Readonly<Record<string, unknown>> = {
  task: { executor: 'patch', patch: PATCH },
  digest: `sha256:${'0'.repeat(64)}`,
  path: 'src/sum.txt',
  text: 'one',
};

/** An input of the row that fits, with ids of our own instance. */
const inputOf = (row: Operation): Record<string, unknown> =>
  Object.fromEntries(
    Object.keys(row.input.shape).flatMap((field) => {
      if (field === 'instance_id') return [[field, instance]];
      if (field in KINDS) return [[field, newResourceId(KINDS[field as keyof typeof KINDS], instance)]];
      return field in OTHERS ? [[field, OTHERS[field]]] : [];
    }),
  );

const ask = async (row: Operation, input: Record<string, unknown>): Promise<Record<string, unknown>> => {
  const { method, path, body } = toHttp(row, input);
  const { status, json } = await daemon.ask(method, `/api/v1${path}`, {
    token: shared.token,
    headers: { ...shared.headers, 'idempotency-key': key() },
    ...(body !== undefined && { body }),
  });
  return { status, ...json };
};

const each = REMOTE.map((row) => [row.name, row] as const);
const idFields = (row: Operation): string[] => Object.keys(row.input.shape).filter((field) => field === 'instance_id' || field in KINDS);

describe('every operation that may be asked remotely, from its row', () => {
  it.each(each.filter(([, row]) => idFields(row).length > 0))('%s: a foreign id in any one of its fields', async (_, row) => {
    for (const field of idFields(row)) {
      const foreign = field === 'instance_id' ? FOREIGN_INSTANCE : foreignId(KINDS[field as keyof typeof KINDS]);
      expect(await ask(row, { ...inputOf(row), [field]: foreign }), field).toMatchObject({ status: 403, code: 'instance_mismatch' });
    }
  });

  it.each(each)('%s: a command line, a route or a word about itself beside its fields', async (_, row) => {
    for (const field of ['argv', 'command', 'run', 'env', 'cwd', 'method', 'route', 'remote', 'authority', 'principal'])
      // A query has only texts; what is refused is the name.
      expect(await ask(row, { ...inputOf(row), [field]: row.effect === 'read' ? 'sh' : ['sh', '-c', 'id'] }), field).toMatchObject({
        status: 400,
        code: 'invalid_input',
      });
  });

  it('plays every row that has an id, and leaves no step behind', async ({ annotate }) => {
    const fields = REMOTE.flatMap(idFields);
    expect(REMOTE.length).toBeGreaterThan(25);
    expect((await daemon.operator.call('list_runs', { instance_id: instance })).items).toEqual([]);
    await annotate(`${fields.length + REMOTE.length * 10} hostile inputs refused by the daemon`, 'count');
  });
});

/** Every place in a task that holds text, with an id of another instance in it. */
describe('a foreign id within a task', () => {
  const step = foreignId('step');
  it.each([
    ['base', { base: step }],
    ['a constraint', { constraints: [step] }],
    ['the context', { context: { summary: step } }],
    ['a name of a check', { validations: [step] }],
    ['the acceptance', { acceptance: [FOREIGN_INSTANCE] }],
  ])('%s', async (_, more) => {
    const row = REMOTE.find(({ name }) => name === 'submit_task')!;
    expect(await ask(row, { run_id: newResourceId('run', instance), task: { ...(OTHERS['task'] as object), ...more } })).toMatchObject({
      status: 403,
      code: 'instance_mismatch',
    });
  });
});
