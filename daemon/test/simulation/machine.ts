import type { Clock } from '@fairlead/shared/kit/clock';
import { createLog } from '@fairlead/shared/kit/log';
import type { Asker } from '../../src/commands/command.ts';
import { createCommands } from '../../src/commands/commands.ts';
import { expireGates } from '../../src/commands/decide-gate.ts';
import { gateDigest } from '../../src/core/digest.ts';
import { BY_DAEMON, type ChangeRecord, type GateRecord } from '../../src/core/records.ts';
import { admitIntegration } from '../../src/delivery/admission.ts';
import { causeOf, checkStillAllowed } from '../../src/delivery/decider.ts';
import type { Delivery } from '../../src/delivery/delivery.ts';
import { discardChange } from '../../src/delivery/discard.ts';
import { oneAtATime } from '../../src/delivery/one-at-a-time.ts';
import { putBack, recordLanded } from '../../src/delivery/settle.ts';
import { executorInfo } from '../../src/executors/executor.ts';
import type { ExecutorRegistry } from '../../src/executors/registry.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { openLedger } from '../../src/ledger/open-ledger.ts';
import { createRedactor } from '../../src/process/redactor.ts';
import { recover } from '../../src/recovery/recover.ts';
import { addGate } from '../../src/runner/add-gate.ts';
import { createRunner } from '../../src/runner/runner.ts';
import { createScheduler } from '../../src/scheduler/scheduler.ts';
import { FairleadError } from '@fairlead/shared/contract/errors';
import { COMMIT, executorIn, filesIn, POLICY, stagesIn, type World } from './world.ts';

export const OPERATOR: Asker = { principal: { id: 'operator', name: 'operator' }, authority: 'local', remote: false };
export const PARALLELISM = 2;

/** A ledger and a clock that a machine without power stops at once: what was not committed is lost, and nobody hears of anything. */
const powered = (ledger: Ledger, clock: Clock, alive: () => boolean): { readonly ledger: Ledger; readonly clock: Clock } => ({
  ledger: {
    ...ledger,
    record: (work) =>
      new Promise((resolve, reject) => {
        const settled =
          <T>(settle: (value: T) => void) =>
          (value: T) =>
            alive() ? settle(value) : undefined;
        ledger
          .record((tx) => {
            if (!alive()) throw new Error('The power is off');
            return work(tx);
          })
          .then(settled(resolve), settled(reject));
      }),
    onCommit: (listener) => ledger.onCommit((events) => (alive() ? listener(events) : undefined)),
  },
  clock: {
    ...clock,
    after: (ms, fn) => clock.after(ms, () => (alive() ? fn() : undefined)),
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        clock.sleep(ms, signal).then(
          () => (alive() ? resolve() : undefined),
          (error: unknown) => (alive() ? reject(error as Error) : undefined),
        );
      }),
  },
});

const bindingOf = (change: ChangeRecord, policyDigest: string, target: string) => ({
  instance_id: change.instance_id,
  step_id: change.step_id,
  base_commit: change.base_commit,
  target_ref: 'refs/heads/main',
  target_commit: target,
  resulting_tree: change.tree,
  diff_digest: change.digest,
  validation_digests: [],
  policy_digest: policyDigest,
});

/** Brings changes to a target that is a list. The order of records and effects is that of `delivery/integrate`. */
const deliveryIn = (world: World, ledger: Ledger, clock: Clock): Delivery => {
  const exclusively = oneAtATime();
  const settle: Delivery['settle'] = async (change) => {
    const effect = ledger.read.gitEffects({ change_id: change.id }).find(({ state }) => state === 'planned');
    if (effect && world.landed.includes(change.id)) {
      await ledger.record((tx) => void recordLanded(tx, effect, BY_DAEMON));
      return 'applied';
    }
    if (effect) await ledger.record((tx) => tx.effects.mark(effect.id, 'abandoned'));
    await putBack({ ledger }, change.id, new FairleadError('target_moved'), BY_DAEMON);
    return 'not_applied';
  };
  return {
    settle,
    discard: discardChange({ ledger, exclusively }),
    integrate: (input, decider) => {
      const found = ledger.read.change(input.change_id);
      if (!found) throw new FairleadError('not_found', { field: 'change_id' });
      return exclusively(found.instance_id, async () => {
        const { change } = admitIntegration(ledger.read, input.change_id, decider);
        const cause = causeOf(decider);
        const { instance_id, run_id, step_id, id: change_id } = change;
        await ledger.record((tx) => void tx.move.change(change_id, 'integrating', { reason: null }, cause));
        try {
          await clock.sleep(5);
          const effect = await ledger.record((tx) => {
            checkStillAllowed(tx.read, change, decider, tx.at);
            return tx.effects.plan({
              kind: 'move_ref',
              instance_id,
              run_id,
              step_id,
              change_id,
              ref: 'refs/heads/main',
              from: COMMIT,
              to: change.snapshot_commit,
            });
          });
          world.landed.push(change_id);
          return await ledger.record((tx) => recordLanded(tx, effect, cause));
        } catch (error) {
          if (error instanceof FairleadError) await putBack({ ledger }, change_id, error, cause);
          throw error;
        }
      });
    },
  };
};

export const EXECUTORS = { 'command.again': 'again', 'command.once': 'once', 'command.agent': 'agent', 'command.other': 'agent' } as const;

const registryIn = (world: World, alive: () => boolean): ExecutorRegistry => {
  const all = Object.entries(EXECUTORS).map(([id, kind]) => executorIn(world, id, kind, alive));
  const find = (id: string) => all.find((one) => one.id === id);
  return {
    all,
    find,
    get: (id) => find(id)!,
    list: (about) => all.map((executor) => executorInfo(executor, about)),
  };
};

/** A daemon without git, folders and HTTP: everything that decides, records and waits is the real one. */
export const startMachine = async (world: World, file: string) => {
  let on = true;
  const alive = (): boolean => on;
  const real = openLedger({ file, clock: world.clock });
  const { ledger, clock } = powered(real, world.clock, alive);
  world.working = 0;
  const log = createLog({ part: 'simulation', level: 'silent' });
  const executors = registryIn(world, alive);
  const redactor = createRedactor([]);
  const nothing = async (): Promise<undefined> => undefined;
  const workspaces = { release: nothing, find: nothing, sweep: async () => [] } as never;
  const homes = { release: nothing, sweep: nothing } as never;
  const artifacts = filesIn(world);
  const powerless: World = { ...world, clock: { ...world.clock, ...clock } };
  const runner = createRunner(
    {
      ledger,
      clock,
      log,
      artifacts,
      executors,
      grounds: { of: async () => ({ repository: {}, store: {} }) } as never,
      workspaces,
      homes,
      confining: { sandbox: undefined, unconfined: undefined } as never,
      redactor,
      printed: redactor,
      policyOverride: () => POLICY,
      bindGate: async (change, _, digest) => {
        await clock.sleep(3);
        return bindingOf(change, digest, COMMIT);
      },
    },
    stagesIn(powerless),
  );
  const delivery = deliveryIn(world, ledger, clock);
  await recover({ ledger, executors, workspaces, homes, artifacts, delivery, log });
  /** The target of a gate moves when somebody has landed something since; then it opens anew. */
  const renewGate = async (gate: GateRecord): Promise<GateRecord> => {
    const change = gate.kind === 'change' ? ledger.read.change(gate.change_id) : undefined;
    if (gate.kind !== 'change' || !change) return gate;
    const binding = bindingOf(change, gate.binding.policy_digest, world.landed.length.toString(16).padStart(40, '0'));
    if (world.landed.length === 0 || gateDigest(binding) === gate.digest) return gate;
    return ledger.record((tx) => {
      const now = tx.read.gate(gate.id);
      if (now?.state !== 'pending') return now ?? gate;
      tx.move.gate(gate.id, 'outdated', {}, BY_DAEMON);
      return addGate(tx, change, binding, gate.reasons, gate.id);
    });
  };
  const commands = createCommands({
    ledger,
    artifacts,
    clock,
    repositories: {
      ownerPolicy: async () => ({ source: 'daemon_config', ref: null, commit: null, policy: POLICY }),
      tip: async () => COMMIT,
      reaches: async () => 'reached',
    } as never,
    executors: (instance) => executors.list({ confinement: 'unconfined', default_executor: instance.default_executor }),
    confinement: () => 'unconfined',
    settings: { allow_local_argv: false, machine: 'm' },
    newInstanceId: () => ({ id: '', nonce: '' }),
    showInstance: async () => ({}) as never,
    renewGate,
    delegate: () => ({}) as never,
  });
  const scheduler = createScheduler({
    ledger,
    runner,
    delivery,
    clock,
    log,
    parallelism: PARALLELISM,
    expireGates: () => expireGates({ ledger, clock }),
  });
  scheduler.start();
  return {
    ledger,
    commands,
    delivery,
    scheduler,
    /** From now on nothing of it happens any more. */
    pull: () => void (on = false),
    powered: alive,
    close: () => real.close(),
  };
};
export type Machine = Awaited<ReturnType<typeof startMachine>>;

export const INSTANCE = `ins_${'abcdefghij'.padEnd(26, 'q')}`;
