import { OPERATIONS, type OperationName } from '@fairlead/shared/contract/operations/table';
import type { Gate } from '@fairlead/shared/contract/gates';
import type { Step } from '@fairlead/shared/contract/resources';
import type { WireRequest } from '@fairlead/shared/wire/exchange';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { askFor } from '../../connector/test/relay-double.ts';
import { until } from '../rig/processes.ts';
import { git } from '../rig/repositories.ts';
import { codeOf, patchTo, raiseStage, type Served, type Stage } from './stage.ts';

/**
 * A relay that speaks the protocol well and asks for what it may not have. Promise 1: it can ask for nothing beyond what the machine's
 * owner granted, it cannot decide a gate, and it cannot move a ref. Real connector, real daemon, real repository.
 */
let stage: Stage;
let run: string;
let held: Step;
let gate: Gate;
let refs: string;
let keys = 0;
let refused = 0;

const newKey = (): string => `k-${++keys}`;

const submit = (served: Served, runId: string, task: Record<string, unknown>, more: Partial<WireRequest> = {}) =>
  stage.ask('submit_task', served, { run_id: runId, task }, { idempotency_key: newKey(), ...more });

const settled = (id: string): Promise<Step> =>
  until('the step has settled', async () => {
    const step = await stage.owner.call('get_step', { step_id: id });
    return (step.ended || step.state === 'needs_approval') && step;
  });

const steps = async (): Promise<number> => (await stage.owner.call('list_steps', { run_id: run })).items.length;

beforeAll(async () => {
  stage = await raiseStage();
  await stage.session();
  run = (await stage.ask('start_run', stage.shared, { instance_id: stage.shared.id }, { idempotency_key: newKey() })).id;
  held = await settled((await submit(stage.shared, run, { patch: patchTo('ok, and more') })).id);
  gate = await stage.owner.call('get_gate', { gate_id: held.gate_id! });
  refs = stage.refs(stage.shared);
}, 90_000);
afterAll(() => stage.close());

interface Attack {
  readonly name: string;
  readonly code: string;
  readonly play: () => Promise<unknown>;
}
const attack = (name: string, code: string, play: Attack['play']): Attack => ({ name, code, play });

/** What only a person at the machine may do, whatever authority and name the relay gives itself. */
const DECISIONS: readonly (readonly [OperationName, () => Record<string, unknown>])[] = [
  ['approve_gate', () => ({ gate_id: gate.id, digest: gate.digest })],
  ['reject_gate', () => ({ gate_id: gate.id })],
  ['integrate_change', () => ({ change_id: held.change_id! })],
  ['discard_change', () => ({ change_id: held.change_id! })],
];

const PRETENCES: readonly (readonly [string, Partial<WireRequest>])[] = [
  ['as a planner', {}],
  ['with local authority', { authority: 'local' }],
  ['in the name of the operator', { authority: 'local', principal: { id: 'operator', name: 'operator' } }],
];

const ATTACKS: readonly Attack[] = [
  ...PRETENCES.flatMap(([how, as]) =>
    DECISIONS.map(([name, input]) =>
      attack(`${name} ${how}`, 'authority_required', () => stage.ask(name, stage.shared, input(), { idempotency_key: newKey(), ...as })),
    ),
  ),
  ...Object.values(OPERATIONS)
    .filter(({ remote }) => !remote)
    .map(({ name }) =>
      attack(`${name}, which is local`, 'operation_unknown', () =>
        stage.ask(name, stage.shared, { instance_id: stage.shared.id }, { idempotency_key: newKey(), authority: 'local' }),
      ),
    ),
  ...(['list_files', 'read_file', 'search_files'] as const).map((name) =>
    attack(`${name}, which is never in the default grant`, 'grant_denied', () =>
      stage.ask(name, stage.shared, { instance_id: stage.shared.id, path: 'state.txt', text: 'ok' }),
    ),
  ),
  attack('an instance that is registered and not shared', 'not_found', () =>
    stage.ask('get_instance', stage.unshared, { instance_id: stage.unshared.id }),
  ),
  attack('an instance in the address, another in the input', 'instance_mismatch', () =>
    stage.ask('get_instance', stage.shared, { instance_id: stage.unshared.id }),
  ),
  attack('a run of the shared instance through the narrow one', 'instance_mismatch', () =>
    submit(stage.narrow, run, { patch: patchTo('ok') }),
  ),
  attack('a base that belongs to another instance', 'instance_mismatch', () =>
    submit(stage.shared, run, { patch: patchTo('ok'), base: held.id.replace(/_[a-z2-7]{10}_/, `_${stage.unshared.id.slice(4, 14)}_`) }),
  ),
  attack('a command line as a check', 'argv_not_allowed', () =>
    submit(stage.shared, run, { patch: patchTo('ok'), validations: [{ name: 'unit', run: ['sh', '-c', 'id'] }] }),
  ),
  attack('a command line as a field of the task', 'invalid_input', () => submit(stage.shared, run, { patch: patchTo('ok'), run: ['sh'] })),
  attack('an environment of its own', 'invalid_input', () => submit(stage.shared, run, { patch: patchTo('ok'), env: { PATH: '/tmp' } })),
  attack('policy of its own', 'invalid_input', () => submit(stage.shared, run, { patch: patchTo('ok'), policy: { validations: {} } })),
  attack('no gate', 'invalid_input', () => submit(stage.shared, run, { patch: patchTo('ok'), gate: 'never' })),
  attack('more time than a step may take', 'invalid_input', () => submit(stage.shared, run, { patch: patchTo('ok'), timeout: '9000h' })),
  attack('a branch by name as base', 'invalid_input', () => submit(stage.shared, run, { patch: patchTo('ok'), base: 'refs/heads/hidden' })),
  attack('a commit that no listed branch reaches', 'base_not_allowed', () => {
    const hidden = git(stage.shared.repo, 'commit-tree', '-m', 'Hidden', git(stage.shared.repo, 'rev-parse', 'HEAD^{tree}'));
    return submit(stage.shared, run, { patch: patchTo('ok'), base: hidden });
  }),
  attack('an executor that there is not', 'executor_unknown', () => submit(stage.shared, run, { goal: 'x', executor: 'command.sh' })),
  attack('an executor beyond the grant', 'grant_denied', () =>
    submit(stage.narrow, run.replace(/_[a-z2-7]{10}_/, `_${stage.narrow.id.slice(4, 14)}_`), {
      goal: 'x',
      executor: 'simulation.completed',
    }),
  ),
  attack('a write without a key', 'idempotency_key_required', () =>
    stage.ask('start_run', stage.shared, { instance_id: stage.shared.id }, { idempotency_key: undefined }),
  ),
  attack('a method and a path for a name', 'operation_unknown', () =>
    stage.ask('GET /status' as OperationName, stage.shared, { instance_id: stage.shared.id }),
  ),
];

describe('a relay that asks for what it may not have', () => {
  it.each(ATTACKS.map((one) => [one.name, one] as const))('%s', { timeout: 30_000 }, async (name, { code, play }) => {
    const count = await steps();
    // The typed caller looks effects up by name; a name that is none has to be made one of a read.
    const asked = name.startsWith('a method')
      ? stage.relay.sessions.at(-1)!.channel.request(askFor('GET /status', stage.shared.id, {}), { effect: 'read' })
      : play();
    expect(await codeOf(asked)).toBe(code);
    expect(await steps()).toBe(count);
    expect(stage.refs(stage.shared)).toBe(refs);
    expect(await stage.owner.call('get_gate', { gate_id: gate.id })).toMatchObject({ state: 'pending', decided_by: null });
    expect((await stage.ask('get_step', stage.shared, { step_id: held.id })).state).toBe('needs_approval');
    refused += 1;
  });

  it('has been played whole, in one session', async ({ annotate }) => {
    expect(refused).toBe(ATTACKS.length);
    expect(stage.relay.sessions).toHaveLength(1);
    await annotate(`${refused} requests of a hostile relay refused`, 'count');
  });
});

describe('what a hostile relay does to honest requests', () => {
  it('invents no authority: what it asks for as the owner is recorded as its own word', async () => {
    const as = { authority: 'local', principal: { id: 'operator', name: 'the owner' } } as const;
    const step = await submit(stage.shared, run, { patch: patchTo('ok, says the owner') }, as);
    await settled(step.id);
    const { items } = await stage.owner.call('list_events', { instance_id: stage.shared.id, run_id: run, limit: 500 });
    const queued = items.find((event) => event.type === 'step.queued' && event.step_id === step.id);
    expect(queued).toMatchObject({ authority: 'relay_asserted', principal: { name: 'the owner' } });
    expect((await stage.owner.call('get_step', { step_id: step.id })).state).toBe('needs_approval');
  });

  it('replays and doubles a write as often as it likes, and it happens once', async () => {
    const before = await steps();
    const key = newKey();
    const again = () => submit(stage.shared, run, { patch: patchTo('ok, once') }, { idempotency_key: key });
    const answers = await Promise.all(Array.from({ length: 8 }, again));
    await stage.restart('connector');
    await stage.session();
    answers.push(await again());
    await stage.restart('daemon', 'kill');
    answers.push(await again());
    expect(new Set(answers.map(({ id }) => id)).size).toBe(1);
    expect(await steps()).toBe(before + 1);
    expect(await codeOf(submit(stage.shared, run, { patch: patchTo('ok, otherwise') }, { idempotency_key: key }))).toBe(
      'idempotency_conflict',
    );
    expect(await steps()).toBe(before + 1);
    await settled(answers[0]!.id);
  }, 60_000);

  it('drops the line after a write was sent, and the same key finds what came of it', async () => {
    const before = await steps();
    const key = newKey();
    const lost = codeOf(submit(stage.shared, run, { patch: patchTo('ok, lost') }, { idempotency_key: key }));
    stage.relay.cut();
    expect(await lost).toBe('outcome_unknown');
    await stage.session();
    const step = await until('the connector is back', () =>
      submit(stage.shared, run, { patch: patchTo('ok, lost') }, { idempotency_key: key }).catch(() => false as const),
    );
    expect(await steps()).toBe(before + 1);
    await settled(step.id);
  }, 60_000);

  it('cancels and credits what is not there, lets requests come late and in any order, and is served on', async () => {
    const { transport } = await stage.session();
    for (const id of [1, 4_000_000_000]) {
      transport.sendText(`{"t":"cancel","id":${id}}`);
      transport.sendText(`{"t":"credit","id":${id},"bytes":1}`);
    }
    expect(await codeOf(stage.ask('get_step', stage.shared, { step_id: held.id }, { time_left_ms: 0 }))).toBe('deadline_exceeded');
    expect((await stage.ask('get_step', stage.shared, { step_id: held.id })).id).toBe(held.id);
  });

  it('lies about what it has taken of the advertised set, and it is shown and served on', async () => {
    const { channel } = await stage.session();
    channel.advertised({ accepted: [stage.unshared.id], refused: [{ instance_id: stage.shared.id, code: 'instance_moved' }] });
    await until('the status shows it', () => Promise.resolve(JSON.stringify(stage.status()).includes('instance_moved')));
    expect((await stage.ask('get_instance', stage.shared, { instance_id: stage.shared.id })).id).toBe(stage.shared.id);
    expect(await codeOf(stage.ask('get_instance', stage.unshared, { instance_id: stage.unshared.id }))).toBe('not_found');
  });

  it('fills one instance with waits, and another is served', async () => {
    const waits = Array.from({ length: 200 }, () =>
      codeOf(stage.ask('wait_step', stage.shared, { step_id: held.id, timeout_ms: 3000 }, { time_left_ms: 4000 })),
    );
    expect((await stage.ask('get_instance', stage.narrow, { instance_id: stage.narrow.id })).id).toBe(stage.narrow.id);
    const codes = await Promise.all(waits);
    expect(codes.filter((code) => code === 'rate_limited').length).toBeGreaterThan(0);
    expect((await stage.ask('get_step', stage.shared, { step_id: held.id })).id).toBe(held.id);
  }, 30_000);

  it('spends a budget, and no crash of connector and daemon gives it back', async () => {
    const narrowRun = (await stage.ask('start_run', stage.narrow, { instance_id: stage.narrow.id }, { idempotency_key: newKey() })).id;
    const step = await submit(stage.narrow, narrowRun, { patch: patchTo('ok, spent') });
    await settled(step.id);
    expect(await codeOf(submit(stage.narrow, narrowRun, { patch: patchTo('ok, again') }))).toBe('grant_spent');
    await stage.restart('connector', 'kill');
    await stage.restart('daemon', 'kill');
    await stage.session();
    expect(await codeOf(submit(stage.narrow, narrowRun, { patch: patchTo('ok, again') }))).toBe('grant_spent');
  }, 60_000);
});

it('fairlead halt stops everything while a hostile relay asks on, and it stays stopped until resume', async () => {
  const reads = () => codeOf(stage.ask('get_step', stage.shared, { step_id: held.id }));
  const writes = () => codeOf(submit(stage.shared, run, { patch: patchTo('ok, halted') }));
  expect((await stage.run('fairlead', 'halt')).code).toBe(0);
  const before = await steps();
  expect(await Promise.all(Array.from({ length: 20 }, writes))).toEqual(Array.from({ length: 20 }, () => 'halted'));
  await stage.restart('daemon', 'kill');
  await stage.restart('connector', 'kill');
  await stage.session();
  expect(await writes()).toBe('halted');
  expect(await steps()).toBe(before);
  expect(stage.refs(stage.shared)).toBe(refs);
  expect((await stage.run('fairlead', 'resume')).code).toBe(0);
  expect(await reads()).toBe('answered');
  expect(await writes()).toBe('answered');
}, 90_000);
