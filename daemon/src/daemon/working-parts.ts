import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '@fairlead/shared/kit/clock';
import type { Log } from '@fairlead/shared/kit/log';
import { durationMs } from '@fairlead/shared/contract/task';
import type { ExecutorInfo } from '@fairlead/shared/contract/executors';
import type { Confinement } from '@fairlead/shared/contract/states';
import { expireGates } from '../commands/decide-gate.ts';
import { pathFolders } from '../config/environment.ts';
import { operatorHome, placesOf, type DaemonHome } from '../config/home.ts';
import type { Settings } from '../config/settings.ts';
import type { GateRecord, InstanceRecord } from '../core/records.ts';
import { createDelivery, type Delivery } from '../delivery/delivery.ts';
import { bindGate, renewGate } from '../delivery/gates.ts';
import { agentExecutors } from '../executors/agents/agents.ts';
import { createExecutors, type ExecutorRegistry } from '../executors/registry.ts';
import { openArtifactFiles, type ArtifactFiles } from '../ledger/artifact-files.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { detectConfinement, type Confining } from '../process/detect.ts';
import { createRedactor } from '../process/redactor.ts';
import { recover } from '../recovery/recover.ts';
import { createAgentHomes } from '../runner/agent-homes.ts';
import { createGrounds, sandboxFor, type Grounds } from '../runner/grounds.ts';
import { createRunner, type Runner } from '../runner/runner.ts';
import { createScheduler, type Scheduler } from '../scheduler/scheduler.ts';
import { createWorkspaces, type Workspaces } from '../workspaces/workspaces.ts';
import { declaredAgents } from './declared-agents.ts';
import { createRepositories, type Repositories } from './repositories.ts';

/** All that does work, put together once at start. */
export interface WorkingParts {
  readonly artifacts: ArtifactFiles;
  readonly executors: ExecutorRegistry;
  readonly confining: Confining;
  readonly grounds: Grounds;
  readonly workspaces: Workspaces;
  readonly repositories: Repositories;
  readonly runner: Runner;
  readonly delivery: Delivery;
  readonly scheduler: Scheduler;
  /** The gate that holds now in the place of this one (`delivery/gates`). */
  readonly renewGate: (gate: GateRecord) => Promise<GateRecord>;
  /** What confines work of an instance; undefined where nothing does and the owner did not say unconfined. */
  readonly confinement: (instance: Pick<InstanceRecord, 'unconfined'>) => Confinement | undefined;
  readonly executorsOf: (instance: Pick<InstanceRecord, 'unconfined' | 'default_executor'>) => readonly ExecutorInfo[];
  /** Takes up what the last daemon left in mid-flight. */
  readonly recover: () => Promise<void>;
}

export interface WorkingOptions {
  readonly home: DaemonHome;
  readonly settings: Settings;
  /** Values that must never stand in an output. */
  readonly secrets: readonly string[];
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly log: Log;
  /** The environment of the daemon, for the credentials and variables that profiles name. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Folders of the owner's toolchains in which programs lie. */
const toolchainPrograms = ({ toolchain_folders }: Settings): string[] =>
  toolchain_folders.flatMap((folder) => [join(folder, 'bin'), folder]);

const commandsOf = (settings: Settings) =>
  Object.entries(settings.commands).map(([name, { run, timeout, description }]) => ({
    name,
    run,
    description,
    ...(timeout !== undefined && { timeout_ms: durationMs(timeout) }),
  }));

/** @throws FairleadError `disk_full`, `store_unwritable` */
export const createWorkingParts = async ({ home, settings, secrets, ledger, clock, log, env }: WorkingOptions): Promise<WorkingParts> => {
  const artifacts = await openArtifactFiles(home.artifacts);
  const workspaces: Workspaces = createWorkspaces(home.workspaces, {
    root: home.pool,
    folders: settings.pool.folders_per_instance,
    disk: settings.pool.disk,
    paused: () => ledger.read.halted(),
    failed: (error) => log.warn({ err: error }, 'a checkout could not be made ahead of need'),
  });
  // What a killed daemon left of its attempts' ways out.
  await rm(home.sockets, { recursive: true, force: true });
  await mkdir(home.sockets, { recursive: true, mode: 0o700 });
  const confining = await detectConfinement({ folder: home.sandbox, toolchain: settings.toolchain_folders });
  const agents = declaredAgents(settings, env);
  const executors = createExecutors({
    commands: commandsOf(settings),
    agents: agentExecutors({
      agents,
      folders: () => [...toolchainPrograms(settings), ...pathFolders()],
      operator_home: operatorHome(),
      scratch: home.sandbox,
      sockets: home.sockets,
      now: () => clock.now(),
    }),
    clock,
  });
  const grounds = createGrounds(home.stores);
  const policyOverride = (instanceId: string) => settings.instances[instanceId]?.policy;
  const known = [...secrets, ...agents.flatMap(({ profiles }) => profiles.flatMap(({ secret }) => secret ?? []))];
  const redactor = createRedactor(known);
  const printed = createRedactor([...known, ...placesOf(home)]);
  const homes = createAgentHomes(home.agents);
  const shared = { ledger, clock, log, artifacts, grounds, workspaces, homes, confining, redactor, printed, policyOverride };
  const runner = createRunner({
    ...shared,
    executors,
    bindGate: (change, validations, policyDigest) => bindGate(shared, change, validations, policyDigest),
  });
  const delivery = createDelivery(shared);
  const confinement: WorkingParts['confinement'] = (instance) => sandboxFor(confining, instance)?.kind;
  return {
    artifacts,
    executors,
    confining,
    grounds,
    // What an agent asks for is bound to its workspace, which is looked at when the permission is used: no target can move under it.
    renewGate: async (gate) => (gate.kind === 'change' ? renewGate(shared, gate) : gate),
    workspaces,
    runner,
    delivery,
    confinement,
    repositories: createRepositories(grounds, policyOverride),
    scheduler: createScheduler({
      ledger,
      runner,
      delivery,
      clock,
      log,
      parallelism: settings.parallelism,
      expireGates: () => expireGates({ ledger, clock }),
    }),
    executorsOf: (instance) => executors.list({ confinement: confinement(instance), default_executor: instance.default_executor }),
    recover: async () => void (await recover({ ledger, executors, workspaces, homes, artifacts, delivery, log })),
  };
};
