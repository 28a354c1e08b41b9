import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ERRORS } from '@fairlead/shared/contract/error-table';
import { FairleadError } from '@fairlead/shared/contract/errors';
import { newResourceId } from '@fairlead/shared/contract/ids';
import { LIMITS } from '@fairlead/shared/contract/limits';
import { ProjectPolicy } from '@fairlead/shared/contract/project-policy';
import { OPERATIONS, type CallOf } from '@fairlead/shared/contract/operations/table';
import type { ExecutorInfo } from '@fairlead/shared/contract/executors';
import type { Confinement } from '@fairlead/shared/contract/states';
import { manualClock } from '@fairlead/shared/kit/clock';
import { generateKey } from '@fairlead/shared/kit/signature';
import { hashSecret } from '@fairlead/shared/kit/secret';
import { gateDigest } from '../core/digest.ts';
import { BY_DAEMON, type ChangeGate, type StepRecord } from '../core/records.ts';
import { openArtifactFiles } from '../ledger/artifact-files.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { openLedger } from '../ledger/open-ledger.ts';
import { effectivePolicy } from '../policy/effective.ts';
import { parseProjectPolicy } from '../policy/project-policy.ts';
import type { Asker, CommandDeps } from './command.ts';
import { createCommands } from './commands.ts';
import { expireGates } from './decide-gate.ts';

const COMMIT = 'a'.repeat(40);
const KEY = 'k'.repeat(43);
const operator: Asker = { principal: { id: 'operator', name: 'operator' }, authority: 'local', remote: false };

let folder: string;
let ledger: Ledger;
let commands: ReturnType<typeof createCommands>;
let instance: string;
let policy: string;
let confinement: Confinement | undefined;
let allow_local_argv: boolean;
let renewed: ChangeGate | undefined;
let clock: ReturnType<typeof manualClock>;

const executor = (id: string, kind: ExecutorInfo['kind'], available = true): ExecutorInfo => ({
  id,
  kind,
  description: '',
  available,
  reason: available ? null : 'not here',
  checked: 'always',
  version: null,
  signed_in: 'not_needed',
  limits: null,
  confinement: kind === 'patch' ? 'not_needed' : (confinement ?? null),
  simulated: kind === 'simulation',
  default: kind === 'patch',
});

/** What git would answer, as the port describes it; the rest is real. */
const makeDeps = async (): Promise<CommandDeps> => ({
  ledger,
  clock,
  artifacts: await openArtifactFiles(join(folder, 'artifacts')),
  repositories: {
    inspect: async (path) => ({
      path,
      head: path === '/detached' ? null : 'refs/heads/main',
      branches: ['refs/heads/main', 'refs/heads/next', 'refs/heads/secret'],
      origin_digest: null,
      name: 'repo',
    }),
    createStore: async () => undefined,
    ownerPolicy: async () => ({ source: 'policy_ref', ref: 'refs/heads/main', commit: COMMIT, policy: parseProjectPolicy(policy) }),
    tip: async () => COMMIT,
    reaches: async (_instance, commit) => (commit === COMMIT ? 'reached' : commit.startsWith('b') ? 'not_reached' : 'unknown'),
    checkPatch: async (bytes) => {
      if (!bytes.toString().startsWith('diff')) throw new FairleadError('patch_invalid', { field: 'task.patch', rule: 'r' });
    },
  },
  executors: () => [
    executor('patch', 'patch'),
    executor('command.fmt', 'command', confinement !== undefined),
    executor('command.gone', 'command', false),
  ],
  confinement: () => confinement,
  settings: {
    machine: 'm',
    get allow_local_argv() {
      return allow_local_argv;
    },
  },
  newInstanceId: (() => {
    let count = 0;
    return () => ({ id: `ins_${'abcdefg'[Math.floor(count++ / 2)]!.repeat(26)}`, nonce: 'n' });
  })(),
  showInstance: async (id) => ({ id }) as never,
  renewGate: async (gate) => renewed ?? gate,
  delegate: () => ({}) as never,
});

/** Fills defaults in as the api does. */
const input = <N extends 'submit_task' | 'start_run' | 'create_grant' | 'add_instance'>(name: N, call: CallOf<N>) =>
  OPERATIONS[name].input.parse(call) as never;
const failure = async (work: Promise<unknown>): Promise<FairleadError> => {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof FairleadError) return error;
  throw new Error(`expected a refusal, got ${String(error)}`);
};
const run = (asker = operator) => commands.start_run(input('start_run', { instance_id: instance }), asker);
const submit = async (task: object, asker: Asker = operator, run_id?: string) =>
  commands.submit_task(input('submit_task', { run_id: run_id ?? (await run()).id, task }), asker);
const PATCH = { patch: 'diff --git a/a b/a\n' };
/** Shares the instance and answers who then asks remotely. */
const planner = async (more: object = {}, id = 'planner:p'): Promise<Asker> => {
  const { grant } = await commands.create_grant(
    input('create_grant', { instance_id: instance, connector_key: KEY, relay_key: KEY, ...more }),
    operator,
  );
  return {
    principal: { id, name: id },
    authority: 'relay_asserted',
    remote: true,
    instance_id: instance,
    grant: ledger.read.grant(grant.id)!,
    idempotency_key: newResourceId('art', instance),
  };
};
const row = (id: string): StepRecord => ledger.read.step(id)!;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'fairlead-commands-'));
  clock = manualClock();
  ledger = openLedger({ file: join(folder, 'ledger.db'), clock });
  [policy, confinement, allow_local_argv, renewed] = ['version: 1', 'bubblewrap', false, undefined];
  commands = createCommands(await makeDeps());
  instance = (await commands.add_instance(input('add_instance', { path: '/repo', listed_branches: ['next'] }), operator)).id;
});
afterEach(async () => {
  await ledger.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('bad input gets a code, the field, the rule and the way out', () => {
  const foreign = `step_${'z'.repeat(10)}_0190a000-0000-7000-8000-000000000000`;
  it.each<[string, object, string, string]>([
    ['an unknown executor', { executor: 'nobody' }, 'executor_unknown', 'task.executor'],
    ['an executor that is not available', { executor: 'command.gone', goal: 'g' }, 'executor_unavailable', 'task.executor'],
    ['a goal without a patch', { goal: 'g' }, 'patch_required', 'task.patch'],
    ['two patches', { ...PATCH, patch_base64: 'ZGlmZg==' }, 'invalid_input', 'task.patch_base64'],
    ['a patch for another executor', { ...PATCH, executor: 'command.fmt' }, 'patch_unexpected', 'task.patch'],
    ['a task that says nothing', { executor: 'command.fmt' }, 'invalid_input', 'task.goal'],
    ['a patch that is none', { patch: 'prose' }, 'patch_invalid', 'task.patch'],
    ['an unknown validation', { ...PATCH, validations: ['unit'] }, 'validation_unknown', 'task.validations[0]'],
    ['a command line', { ...PATCH, validations: [{ name: 'x', run: ['true'] }] }, 'argv_not_allowed', 'task.validations[0]'],
    ['a base that is no commit', { ...PATCH, base: 'c'.repeat(40) }, 'base_unknown', 'task.base'],
    ['a base that no listed branch reaches', { ...PATCH, base: 'b'.repeat(40) }, 'base_not_allowed', 'task.base'],
    ['a step of nowhere as base', { ...PATCH, base: foreign }, 'base_unknown', 'task.base'],
    ['another run', { ...PATCH, run_id: `run_${'a'.repeat(10)}_0190a000-0000-7000-8000-000000000000` }, 'invalid_input', 'task.run_id'],
    ['too long', { ...PATCH, timeout: '25h' }, 'invalid_input', 'task.timeout'],
  ])('%s', async (_what, task, code, field) => {
    const error = await failure(submit(task));
    const problem = error.toProblem();
    expect([problem.code, problem.field]).toEqual([code, field]);
    expect(problem.rule, 'rule').toBeTruthy();
    expect(problem.hint, 'way out').toBeTruthy();
    expect(ledger.read.queueLength()).toBe(0);
  });

  it('names the executors there are instead of patch', async () => {
    expect((await failure(submit({ goal: 'g' }))).toProblem().hint).toContain('command.fmt');
    expect((await failure(submit({ executor: 'x' }))).context.more).toEqual({ available: ['patch', 'command.fmt', 'command.gone'] });
  });

  it('a bad policy refuses the task', async () => {
    policy = 'version: 1\nfence: { alowed: [] }';
    const error = await failure(submit(PATCH));
    expect([error.code, error.context.field]).toEqual(['project_policy_invalid', 'fence.alowed']);
  });

  it('without a sandbox nothing that runs code is taken', async () => {
    confinement = undefined;
    expect((await failure(submit({ executor: 'command.fmt', goal: 'g' }))).code).toBe('sandbox_unavailable');
    expect((await submit(PATCH)).state).toBe('queued');
    policy = 'version: 1\nvalidations: { unit: { run: [x] } }';
    expect((await failure(submit(PATCH))).code).toBe('sandbox_unavailable');
  });

  it('a command line is taken from a local caller only, and only where the config allows it', async () => {
    allow_local_argv = true;
    const task = { ...PATCH, validations: [{ name: 'x', run: ['true'] }] };
    expect((await submit(task)).state).toBe('queued');
    expect((await failure(submit(task, await planner()))).code).toBe('argv_not_allowed');
  });

  it('repositories', async () => {
    const add = (fields: object) => failure(commands.add_instance(input('add_instance', { path: '/other', ...fields }), operator));
    expect((await add({ path: '/repo' })).code).toBe('repository_known');
    expect((await add({ path: '/detached' })).context.field).toBe('target');
    expect((await add({ target: 'nope' })).context.more).toMatchObject({
      available: ['refs/heads/main', 'refs/heads/next', 'refs/heads/secret'],
    });
    expect((await add({ default_executor: 'nobody' })).code).toBe('executor_unknown');
    expect(
      (await failure(commands.start_run(input('start_run', { instance_id: instance, target: 'refs/heads/secret' }), operator))).context
        .field,
    ).toBe('target');
  });

  it('every code it uses is in the table with a hint', () => {
    for (const facts of Object.values(ERRORS)) expect(facts.hint.length).toBeGreaterThan(5);
  });
});

describe('submitting', () => {
  it('keeps the input byte for byte and as it was understood', async () => {
    const { id } = await run();
    const original = 'goal: x\r\n# comment\n';
    const step = await commands.submit_task(
      input('submit_task', {
        run_id: id,
        task: PATCH,
        source: { kind: 'task_file', name: 't.yaml', original_base64: Buffer.from(original).toString('base64') },
      }),
      operator,
    );
    const kept = ledger.read.artifacts({ step_id: step.id });
    expect(kept.map(({ kind, name }) => [kind, name])).toEqual([
      ['task_original', 't.yaml'],
      ['task', 'task.json'],
    ]);
    expect(kept[0]!.size).toBe(Buffer.byteLength(original));
    expect(ledger.read.task(step.id)!.spec.patch).toBe(PATCH.patch);
  });

  it('the same key is one step and one budget, and a key with another task is a conflict', async () => {
    const asker = await planner({ steps: 5 });
    const { id } = await run();
    const [a, b] = await Promise.all([submit(PATCH, asker, id), submit(PATCH, asker, id)]);
    expect(a).toEqual(b);
    expect(await submit(PATCH, asker, id)).toEqual(a);
    expect(ledger.read.grant(asker.grant!.id)!.spent.steps).toBe(1);
    expect((await failure(submit({ ...PATCH, title: 'other' }, asker, id))).code).toBe('idempotency_conflict');
    // The answer stands even when the rules have changed since.
    policy = 'broken: [';
    expect(await submit(PATCH, asker, id)).toEqual(a);
  });

  it('a grant limits steps, time, executors and validations, and a closed run takes nothing', async () => {
    const { id } = await run();
    const once = await planner({ steps: 1, executors: ['patch'] });
    expect((await failure(submit({ executor: 'command.fmt', goal: 'g' }, once, id))).code).toBe('grant_denied');
    await submit(PATCH, once, id);
    expect((await failure(submit(PATCH, { ...once, idempotency_key: 'k2' }, id))).code).toBe('grant_spent');
    const timed = await planner({ wall_ms: 5000 });
    expect((await failure(submit({ ...PATCH, timeout: 6 }, timed, id))).code).toBe('grant_spent');
    expect((await submit({ ...PATCH, timeout: 5 }, timed, id)).authority).toBe('relay_asserted');
    await commands.close_run({ run_id: id }, operator);
    expect((await failure(submit(PATCH, operator, id))).code).toBe('run_not_open');
  });

  it('ids of another instance are refused', async () => {
    const asker = await planner();
    const other = (await commands.add_instance(input('add_instance', { path: '/second' }), operator)).id;
    const { id } = await run();
    for (const work of [
      () => submit(PATCH, { ...asker, instance_id: other }, id),
      () => commands.cancel_run({ run_id: id }, { ...asker, instance_id: other }),
    ]) {
      expect((await failure(work())).code).toBe('instance_mismatch');
    }
  });

  it('halt latches, asks what works to stop, and resume takes work again', async () => {
    const step = await submit(PATCH);
    await ledger.record((tx) => tx.move.step(step.id, 'prepared', {}, BY_DAEMON));
    expect(await commands.halt({}, operator)).toEqual({ halted: true, stopped_steps: 1 });
    expect(row(step.id).stop_why).toBe('halt');
    expect((await failure(run())).code).toBe('halted');
    expect(await commands.halt({}, operator)).toEqual({ halted: true, stopped_steps: 0 });
    await commands.resume({}, operator);
    expect((await submit(PATCH)).state).toBe('queued');
  });
});

describe('stopping and trying again', () => {
  it('cancels what does nothing at once, and asks what works', async () => {
    const { id } = await run();
    const [waiting, working] = [await submit(PATCH, operator, id), await submit(PATCH, operator, id)];
    await ledger.record((tx) => tx.move.step(working.id, 'prepared', {}, BY_DAEMON));
    expect((await commands.cancel_step({ step_id: waiting.id }, operator)).state).toBe('cancelled');
    expect((await commands.cancel_step({ step_id: waiting.id }, operator)).state).toBe('cancelled');
    expect((await commands.cancel_run({ run_id: id }, operator)).state).toBe('cancelled');
    expect(row(working.id)).toMatchObject({ state: 'preparing', stop_why: 'cancel' });
    expect((await failure(commands.cancel_run({ run_id: id }, operator))).code).toBe('transition_refused');
  });

  it('one planner cannot fill the queue for another, nor all of them for the owner', async () => {
    const { queue, queue_remote, queue_per_planner } = LIMITS;
    const id = (await run()).id;
    const fill = async (asker: Asker, count: number) => {
      const keyed = () => ({ ...asker, idempotency_key: newResourceId('art', instance) });
      const asks = Array.from({ length: count }, () =>
        submit(PATCH, keyed(), id).then(
          () => undefined,
          ({ code }: FairleadError) => code,
        ),
      );
      return Promise.all(asks);
    };
    const full = async (asker: Asker, count: number) => {
      expect(new Set(await fill(asker, count))).toEqual(new Set([undefined]));
      expect(await fill(asker, 1)).toEqual(['queue_full']);
    };
    for (let at = 0; at < queue_remote.value / queue_per_planner.value; at++)
      await full(await planner({}, `planner:${at}`), queue_per_planner.value);
    expect(await fill(await planner({}, 'planner:late'), 1)).toEqual(['queue_full']);
    await full(operator, queue.value - queue_remote.value);
  }, 60_000);

  it("retries what failed; the machine's own doubts are retried at the machine", async () => {
    const asker = await planner({ steps: 2 });
    const step = await submit(PATCH);
    expect((await failure(commands.retry_step({ step_id: step.id, resume: false }, asker))).code).toBe('transition_refused');
    await ledger.record((tx) => tx.move.step(step.id, 'preparation_failed', { reason: { code: 'x', message: 'y' } }, BY_DAEMON));
    const again = await commands.retry_step({ step_id: step.id, resume: false }, asker);
    expect(again).toMatchObject({ state: 'queued', reason: null });
    expect(row(step.id)).toMatchObject({ remote: true, asked_by: ['local:operator', `relay:${asker.grant!.relay_key}:planner:p`] });
    expect(ledger.read.grant(asker.grant!.id)!.spent.steps).toBe(1);
    await ledger.record((tx) => {
      tx.move.step(step.id, 'prepared', {}, BY_DAEMON);
      tx.move.step(step.id, 'stuck', {}, BY_DAEMON);
    });
    expect((await failure(commands.retry_step({ step_id: step.id, resume: false }, { ...asker, idempotency_key: 'n' }))).code).toBe(
      'local_only',
    );
    expect((await commands.retry_step({ step_id: step.id, resume: false }, operator)).state).toBe('queued');
  });

  it('removing an instance ends its runs and grants', async () => {
    const asker = await planner();
    const step = await submit(PATCH);
    expect(await commands.remove_instance({ instance_id: instance }, operator)).toEqual({ removed: true, instance_id: instance });
    expect(row(step.id).state).toBe('cancelled');
    expect(ledger.read.grant(asker.grant!.id)!.revoked_at).not.toBeNull();
    expect((await failure(run())).code).toBe('not_found');
    expect(ledger.verify(instance).problems).toEqual([]);
  });
});

describe('gates', () => {
  /** A step that is held, with its gate. */
  const held = async (asker: Asker, self_approval = false): Promise<ChangeGate> => {
    const step = await submit(PATCH, asker);
    const effective = effectivePolicy(
      { source: 'policy_ref', ref: null, commit: null, policy: ProjectPolicy.parse({ version: 1, gates: { self_approval } }) },
      ledger.read.task(step.id)!.spec,
    );
    const place = { step_id: step.id, run_id: step.run_id, instance_id: instance };
    return ledger.record((tx) => {
      tx.add.policy(effective);
      tx.move.step(step.id, 'prepared', {}, BY_DAEMON);
      const attempt = tx.add.attempt(
        {
          ...place,
          id: newResourceId('att', instance),
          executor: 'patch',
          simulated: false,
          confinement: null,
          base_commit: COMMIT,
          policy_digest: effective.digest,
          policy_commit: null,
          reason: null,
          exit_code: null,
          signal: null,
          pid: null,
          pid_started: null,
          tree: null,
        },
        BY_DAEMON,
      );
      for (const event of ['started', 'executed', 'collected'] as const) tx.move.step(step.id, event, {}, BY_DAEMON);
      const change = tx.add.change(
        {
          ...place,
          id: newResourceId('chg', instance),
          attempt_id: attempt.id,
          base_commit: COMMIT,
          snapshot_commit: COMMIT,
          tree: COMMIT,
          digest: 'sha256:0',
          files: [],
          added: 0,
          removed: 0,
          findings: [],
          patch_artifact_id: 'x',
          reason: null,
        },
        BY_DAEMON,
      );
      const binding = {
        instance_id: instance,
        step_id: step.id,
        base_commit: COMMIT,
        target_ref: 'refs/heads/main',
        target_commit: COMMIT,
        resulting_tree: COMMIT,
        diff_digest: 'sha256:0',
        validation_digests: [],
        policy_digest: effective.digest,
      };
      const gate = tx.add.gate<ChangeGate>(
        {
          ...place,
          id: newResourceId('gate', instance),
          kind: 'change',
          attempt_id: null,
          permission: null,
          change_id: change.id,
          reasons: ['remote'],
          digest: gateDigest(binding),
          binding,
          expires_at: tx.at + 1000,
        },
        BY_DAEMON,
      );
      tx.move.step(step.id, 'held', { warnings: ['no_validations'] }, BY_DAEMON);
      return gate;
    });
  };
  const approve = (gate: ChangeGate, asker = operator, digest = gate.digest) =>
    commands.approve_gate({ gate_id: gate.id, digest, comment: 'ok' }, asker);

  it('approves exactly what was seen', async () => {
    const gate = await held(operator);
    expect((await failure(approve(gate, operator, 'sha256:1'))).code).toBe('digest_mismatch');
    expect(await approve(gate)).toMatchObject({ state: 'approved', comment: 'ok', authority: 'local', decided_by: operator.principal });
    expect(row(gate.step_id).state).toBe('completed_with_warnings');
    expect(ledger.read.change(gate.change_id)!.state).toBe('held');
    expect((await failure(approve(gate))).code).toBe('transition_refused');
  });

  it('names the gate that took its place when the target moved', async () => {
    const gate = await held(operator);
    renewed = { ...gate, id: newResourceId('gate', instance), digest: 'sha256:2' };
    const error = await failure(approve(gate));
    expect([error.code, error.context.more]).toEqual(['gate_outdated', { gate_id: renewed.id, digest: 'sha256:2' }]);
    expect(row(gate.step_id).state).toBe('needs_approval');
  });

  it('nobody remote decides unless the owner accepts it, and nobody approves their own', async () => {
    const accepting = { accept_relay_decisions: true, operations: ['submit_task', 'approve_gate', 'reject_gate'] };
    const plain = await planner();
    expect((await failure(approve(await held(plain), plain))).code).toBe('authority_required');
    const decider = await planner(accepting);
    const mine = await held(decider);
    expect((await failure(approve(mine, { ...decider, idempotency_key: 'a' }))).code).toBe('self_approval');
    expect((await approve(mine, { ...decider, principal: { id: 'planner:q', name: 'q' }, idempotency_key: 'b' })).authority).toBe(
      'relay_asserted',
    );
    const allowed = await held({ ...decider, idempotency_key: 'c' }, true);
    expect((await approve(allowed, { ...decider, idempotency_key: 'd' })).state).toBe('approved');
  });

  it('rejecting ends the step and discards the change; so does time', async () => {
    const rejected = await held(operator);
    expect((await commands.reject_gate({ gate_id: rejected.id, comment: 'no' }, operator)).state).toBe('rejected');
    expect([row(rejected.step_id).state, ledger.read.change(rejected.change_id)!.state]).toEqual(['rejected', 'discarded']);
    const late = await held(operator);
    await clock.advance(1001);
    expect((await failure(approve(late))).code).toBe('transition_refused');
    expect(await expireGates({ ledger, clock })).toBe(1);
    expect([row(late.step_id).state, row(late.step_id).reason?.code, ledger.read.gate(late.id)!.state]).toEqual([
      'rejected',
      'gate_expired',
      'expired',
    ]);
    expect(await expireGates({ ledger, clock })).toBe(0);
  });

  it('cancelling a held step puts its gate and its change away', async () => {
    const gate = await held(operator);
    await commands.cancel_step({ step_id: gate.step_id }, operator);
    expect([row(gate.step_id).state, ledger.read.gate(gate.id)!.state, ledger.read.change(gate.change_id)!.state]).toEqual([
      'cancelled',
      'outdated',
      'discarded',
    ]);
  });
});

describe('sharing', () => {
  const share = (more: object = {}) =>
    commands.create_grant(input('create_grant', { instance_id: instance, connector_key: KEY, relay_key: KEY, ...more }), operator);
  it('shares nothing that decides and no files unless they are named, and decisions only when accepted', async () => {
    const { grant } = await share();
    expect(grant.operations).toContain('submit_task');
    for (const name of ['approve_gate', 'integrate_change', 'read_file', 'add_instance']) expect(grant.operations).not.toContain(name);
    expect((await failure(share({ operations: ['approve_gate'] }))).context.field).toBe('operations[0]');
    expect((await failure(share({ operations: ['get_step', 'halt'] }))).context.field).toBe('operations[1]');
    expect((await failure(share({ executors: ['nobody'] }))).code).toBe('executor_unknown');
    expect((await share({ operations: ['read_file'] })).grant.operations).toEqual(['read_file']);
  });

  it('a new grant ends the earlier one and its credential; the secret is nowhere in the ledger', async () => {
    const first = await share();
    const second = await share();
    expect(ledger.read.credential(hashSecret(first.connector_token))).toBeUndefined();
    expect(ledger.read.credential(hashSecret(second.connector_token))?.grant_id).toBe(second.grant.id);
    expect(JSON.stringify(ledger.read.events({ instance_id: instance, after: 0, limit: 500 }))).not.toContain(second.connector_token);
    expect((await commands.revoke_grant({ grant_id: second.grant.id }, operator)).revoked_at).not.toBeNull();
    expect(ledger.read.credential(hashSecret(second.connector_token))).toBeUndefined();
  });

  it('a moved grant is the same one for another key: same operations, end and spending; the old one opens nothing, and asking again moves once', async () => {
    const first = await share({ operations: ['submit_task'], steps: 3, days: 2 });
    await ledger.record((tx) => tx.spend(first.grant.id, { steps: 2, wall_ms: 0 }));
    const other = generateKey().publicKey;
    const once = { ...operator, idempotency_key: 'move-1' };
    const moved = await commands.move_grant({ grant_id: first.grant.id, connector_key: other }, once);
    const { operations, budget, expires_at } = first.grant;
    expect(moved.grant).toMatchObject({ connector_key: other, operations, budget, expires_at, spent: { steps: 2 }, revoked_at: null });
    expect(ledger.read.credential(hashSecret(first.connector_token))).toBeUndefined();
    expect(ledger.read.grant(moved.grant.id)!.sequence).toBeGreaterThan(ledger.read.grant(first.grant.id)!.sequence);
    const again = await commands.move_grant({ grant_id: first.grant.id, connector_key: other }, once);
    expect(again.grant.id).toBe(moved.grant.id);
    expect(ledger.read.credential(hashSecret(again.connector_token))?.grant_id).toBe(moved.grant.id);
    expect((await failure(commands.move_grant({ grant_id: first.grant.id, connector_key: KEY }, operator))).code).toBe('grant_expired');
  });
});
