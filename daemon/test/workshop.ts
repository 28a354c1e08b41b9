import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { newResourceId } from '@fairlead/shared/contract/ids';
import type { ProjectPolicy } from '@fairlead/shared/contract/project-policy';
import { STEP_STATES } from '@fairlead/shared/contract/states';
import { durationMs, TaskSpec, type TaskInput } from '@fairlead/shared/contract/task';
import { systemClock } from '@fairlead/shared/kit/clock';
import { createLog, type LogLevel } from '@fairlead/shared/kit/log';
import { createAgentHomes } from '../src/runner/agent-homes.ts';
import type { ChangeGate, RunRecord, StepRecord } from '../src/core/records.ts';
import { createDelivery } from '../src/delivery/delivery.ts';
import { bindGate } from '../src/delivery/gates.ts';
import type { DeclaredProfile } from '../src/executors/agents/agent-executor.ts';
import { agentExecutors } from '../src/executors/agents/agents.ts';
import { KNOWN_AGENTS } from '../src/executors/agents/known-agents.ts';
import type { Executor } from '../src/executors/executor.ts';
import type { DeclaredCommand } from '../src/executors/command.ts';
import { createExecutors } from '../src/executors/registry.ts';
import { openArtifactFiles } from '../src/ledger/artifact-files.ts';
import { openLedger } from '../src/ledger/open-ledger.ts';
import { detectConfinement } from '../src/process/detect.ts';
import { createRedactor } from '../src/process/redactor.ts';
import { recover } from '../src/recovery/recover.ts';
import { createGrounds } from '../src/runner/grounds.ts';
import { createRunner } from '../src/runner/runner.ts';
import { createScheduler } from '../src/scheduler/scheduler.ts';
import { createWorkspaces } from '../src/workspaces/workspaces.ts';
import { testRepository } from './repository.ts';

export interface WorkshopOptions {
  readonly home?: string;
  readonly commands?: readonly DeclaredCommand[];
  /** Profiles of an agent, by name, with what they say beside the defaults; `program` speaks as Claude Code does. */
  readonly agents?: { readonly program: string; readonly profiles: Readonly<Record<string, Partial<DeclaredProfile>>> };
  readonly policy?: () => ProjectPolicy | undefined;
  readonly secrets?: readonly string[];
  readonly parallelism?: number;
  readonly log?: LogLevel;
  /** Happens while the content of a gate is being looked at, just before it opens. */
  readonly beforeGate?: (stepId: string) => Promise<void>;
  /** Default: the target. */
  readonly policyRef?: string;
}

const agentsOf = (home: string, { program, profiles }: NonNullable<WorkshopOptions['agents']>): Executor[] =>
  agentExecutors({
    agents: [
      {
        name: 'claude',
        of: { ...KNOWN_AGENTS['claude']!, program },
        profiles: Object.entries(profiles).map(([name, profile]) => ({
          name,
          model: undefined,
          approval: 'auto',
          network: 'none',
          budget: {},
          time_ms: undefined,
          permission_ms: 20_000,
          limits: {},
          rules: { allow: [], deny: [] },
          resumes: true,
          base_url: 'http://127.0.0.1:9',
          secret: 'a-secret-of-no-worth',
          env: {},
          ...profile,
        })),
      },
    ],
    folders: () => [dirname(process.execPath)],
    operator_home: home,
    scratch: home,
    sockets: join(home, 'sockets'),
    now: () => systemClock.now(),
  });

/** The one instance of a workshop. */
export const INSTANCE = `ins_${'abcdefghij'.padEnd(26, 'q')}`;
export const LOCAL = { principal: { id: 'operator', name: 'operator' }, authority: 'local' as const };

/** Everything of a daemon but its API and its commands, put together over real git, SQLite and processes. */
export const openWorkshop = async (options: WorkshopOptions = {}) => {
  const home = options.home ?? mkdtempSync(join(tmpdir(), 'fairlead-home-'));
  for (const folder of ['stores', 'artifacts', 'workspaces', 'sandbox', 'sockets'])
    mkdirSync(join(home, folder), { recursive: true, mode: 0o700 });
  const clock = systemClock;
  const log = createLog({ part: 'workshop', level: options.log ?? 'silent' });
  const ledger = openLedger({ file: join(home, 'ledger.db'), clock });
  const artifacts = await openArtifactFiles(join(home, 'artifacts'));
  const workspaces = createWorkspaces(join(home, 'workspaces'));
  const confining = await detectConfinement({ folder: join(home, 'sandbox'), toolchain: [] });
  const redactor = createRedactor(options.secrets ?? []);
  const executors = createExecutors({
    commands: options.commands ?? [],
    agents: options.agents ? agentsOf(home, options.agents) : [],
    clock,
  });
  const grounds = createGrounds(join(home, 'stores'));
  const printed = createRedactor([...(options.secrets ?? []), home]);
  const shared = {
    ledger,
    clock,
    log,
    artifacts,
    workspaces,
    homes: createAgentHomes(join(home, 'agents')),
    confining,
    redactor,
    printed,
    grounds,
    policyOverride: () => options.policy?.(),
  };
  const runner = createRunner({
    ...shared,
    executors,
    async bindGate(change, validations, digest) {
      await options.beforeGate?.(change.step_id);
      return bindGate(shared, change, validations, digest);
    },
  });
  const delivery = createDelivery(shared);
  const recovered = await recover({ ...shared, executors, delivery });
  const scheduler = createScheduler({ ledger, runner, delivery, clock, log, parallelism: options.parallelism ?? 2 });
  return { ...shared, home, executors, runner, delivery, scheduler, recovered };
};
export type Workshop = Awaited<ReturnType<typeof openWorkshop>>;

export const addInstance = async (
  { ledger, grounds }: Workshop,
  repository: string,
  unconfined = true,
  policyRef = 'refs/heads/main',
): Promise<void> => {
  await grounds.create({ id: INSTANCE, repository }, ['refs/heads/main']);
  await ledger.record((tx) =>
    tx.add.instance(
      {
        id: INSTANCE,
        label: 'test',
        repository,
        target: 'refs/heads/main',
        policy_ref: policyRef,
        listed_branches: [],
        default_executor: 'patch',
        unconfined,
        nonce: 'AAAAAAAAAAAAAAAAAAAAAA',
        origin_digest: null,
        added_at: tx.at,
        removed_at: null,
      },
      LOCAL,
    ),
  );
};

export const startRun = ({ ledger }: Workshop): Promise<RunRecord> =>
  ledger.record((tx) =>
    tx.add.run(
      {
        id: newResourceId('run', INSTANCE),
        instance_id: INSTANCE,
        title: 'Run',
        target: 'refs/heads/main',
        submitted_by: LOCAL.principal,
        authority: 'local',
      },
      LOCAL,
    ),
  );

/** Queues a task as `submit_task` does, with what it checks left out. */
export const submit = (
  { ledger, executors }: Pick<Workshop, 'ledger' | 'executors'>,
  runId: string,
  input: TaskInput,
  options: { remote?: boolean; key?: string } = {},
): Promise<StepRecord> => {
  const task = TaskSpec.parse(input);
  const executor = task.executor ?? 'patch';
  return ledger.record((tx) =>
    tx.idempotent(
      options.key === undefined
        ? undefined
        : { instance_id: INSTANCE, subject: 'operator', key: options.key, operation: 'submit_task', digest: 'same', run_id: runId },
      () =>
        tx.add.step(
          {
            id: newResourceId('step', INSTANCE),
            run_id: runId,
            instance_id: INSTANCE,
            title: task.title ?? 'Task',
            executor_requested: executor,
            simulated: executors.find(executor)?.simulated ?? false,
            base: task.base,
            timeout_ms: task.timeout === undefined ? 60_000 : durationMs(task.timeout),
            remote: options.remote ?? false,
            grant_id: null,
            submitted_by: LOCAL.principal,
            authority: options.remote ? 'relay_asserted' : 'local',
          },
          task,
          LOCAL,
        ),
    ),
  );
};

/** Settles when a step has ended or waits for a decision. Woken by commits. @throws after `ms` */
export const settled = ({ ledger }: Pick<Workshop, 'ledger'>, stepId: string, ms = 20_000): Promise<StepRecord> =>
  new Promise((resolve, reject) => {
    const look = (): void => {
      const step = ledger.read.step(stepId);
      if (!step || !(STEP_STATES[step.state].end || step.state === 'needs_approval' || step.state === 'waiting_quota')) return;
      deaf();
      cancel();
      resolve(step);
    };
    const deaf = ledger.onCommit(look);
    const cancel = systemClock.after(ms, () => {
      deaf();
      reject(new Error(`Step ${stepId} is still ${ledger.read.step(stepId)?.state}`));
    });
    look();
  });

/** A workshop with one repository and one open run. */
export const openShop = async (files: Readonly<Record<string, string>>, options: WorkshopOptions = {}) => {
  const repository = testRepository(files);
  const shop = await openWorkshop(options);
  await addInstance(shop, repository.path, true, options.policyRef);
  const run = await startRun(shop);
  shop.scheduler.start();
  const close = async (): Promise<void> => {
    await shop.scheduler.stop();
    await shop.ledger.close();
    rmSync(shop.home, { recursive: true, force: true });
    repository.remove();
  };
  return { ...shop, repository, run, close };
};
export type Shop = Awaited<ReturnType<typeof openShop>>;

/** Approves the gate that holds a step, as `approve_gate` does, with what it checks left out. */
export const approve = ({ ledger }: Pick<Workshop, 'ledger'>, step: StepRecord): Promise<void> =>
  ledger.record((tx) => {
    const about = { decided_at: tx.at, decided_by: LOCAL.principal, authority: 'local' as const };
    tx.move.gate(step.gate_id!, 'approved', about, LOCAL);
    if (tx.read.step(step.id)?.state === 'needs_approval')
      tx.move.step(step.id, step.warnings.length > 0 ? 'approved_with_warnings' : 'approved', {}, LOCAL);
  });

/** The gate of a held change. */
export const changeGate = ({ ledger }: Pick<Shop, 'ledger'>, id: string): ChangeGate => {
  const gate = ledger.read.gate(id);
  if (gate?.kind !== 'change') throw new Error(`${id} is no gate of a change`);
  return gate;
};
