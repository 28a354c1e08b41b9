import type { Usage } from '@fairlead/shared/contract/activity';
import { LIMITS } from '@fairlead/shared/contract/limits';
import { lstatSync } from 'node:fs';
import { chmod, copyFile, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { systemClock } from '@fairlead/shared/kit/clock';
import { createEgress, type Egress, type NetworkRule } from '../../egress/egress.ts';
import type { Route, RouteAnswer } from '../../egress/gateway.ts';
import type { Confinement } from '@fairlead/shared/contract/states';
import { INSIDE, type ConfinedEnd, type ConfinedProcess, type Mount, type Places } from '../../process/confined.ts';
import { stoppedOutcome, type AgentProfile, type ExecutorOrder, type ExecutorReport, type ExecutorResult } from '../executor.ts';
import { agentResult, type AgentFacts } from './agent-outcome.ts';
import { createLineReader } from './agent-lines.ts';
import type { AgentDialect, AgentLaunch, Conversation } from './dialect.ts';
import type { AgentProgram } from './program.ts';

/** All that one attempt of an agent is made with. */
export interface AgentSetup {
  readonly id: string;
  readonly dialect: AgentDialect;
  readonly program: AgentProgram;
  readonly profile: AgentProfile;
  /** Where its model is reached with the credential that the agent does not get; undefined where it signs in by itself. */
  readonly route: Omit<Route, 'port'> | undefined;
  /** Hosts of its vendor, which it needs where it signs in by itself. */
  readonly vendor_hosts: readonly string[];
  /** Variables that the operator lets through, by name and value. */
  readonly env: Readonly<Record<string, string>>;
  /** Folder for the sockets of its way out; emptied when the daemon starts. */
  readonly sockets: string;
  /** Files of the operator's home that it signs in with: path on the host, path below its own home. */
  readonly login: readonly { readonly from: string; readonly to: string }[];
}

const GATEWAY_PORT = 3129;
const NONE: Usage = { model: null, input_tokens: null, output_tokens: null, cached_tokens: null, cost_usd: null, turns: null };

const networkOf = ({ profile, route, vendor_hosts }: AgentSetup): NetworkRule => {
  if (profile.network === 'open') return { mode: 'open' };
  const hosts = [...(profile.network === 'none' ? [] : profile.network), ...(route ? [] : vendor_hosts)];
  return hosts.length === 0 ? { mode: 'none' } : { mode: 'listed', hosts };
};

/** What the model itself answered, where it is reached through us. */
interface ModelWatch {
  answered(answer: RouteAnswer): void;
  /** Called at each answer that the model began to give. */
  onAnswer: () => void;
  /** Aborted when the model asks for more patience than an attempt has. */
  readonly limited: AbortSignal;
  facts(): Pick<AgentFacts, 'limited_ms' | 'unauthorised'>;
}

const UNAUTHORISED = new Set([401, 403]);
const TOO_MANY = 429;

/** Watches for refusals of the model: some agents wait for a limit without a word, forget when it ends, or do not say what was refused. */
const watchModel = (): ModelWatch => {
  const limited = new AbortController();
  let limited_ms: number | undefined;
  let last = 0;
  const watch: ModelWatch = {
    onAnswer: () => undefined,
    answered({ status, wait_ms, streamed }) {
      last = status;
      if (status === 200 && streamed) watch.onAnswer();
      if (status !== TOO_MANY || wait_ms === undefined || wait_ms < LIMITS.agent_model_wait.value) return;
      limited_ms ??= wait_ms;
      limited.abort();
    },
    limited: limited.signal,
    facts: () => ({ limited_ms, unauthorised: UNAUTHORISED.has(last) }),
  };
  return watch;
};

/** Opens the way out, and tells what is refused on it. */
const openEgress = (setup: AgentSetup, report: ExecutorReport, loopback: boolean, model: ModelWatch): Promise<Egress> =>
  createEgress({
    network: networkOf(setup),
    routes: setup.route ? [{ ...setup.route, port: GATEWAY_PORT, answered: model.answered }] : [],
    loopback,
    folder: setup.sockets,
    refused: ({ host, port, reason_code }) =>
      report.activity({
        kind: 'notice',
        level: 'warning',
        code: 'network_refused',
        text: `${host || 'no host'}:${port} was refused (${reason_code})`,
      }),
  });

/** Who commits in the private repository of the workspace. Without a name git would refuse, and the agent would look for one. */
const identityOf = (id: string): Readonly<Record<string, string>> => ({
  GIT_AUTHOR_NAME: id,
  GIT_AUTHOR_EMAIL: 'agent@fairlead.invalid',
  GIT_COMMITTER_NAME: id,
  GIT_COMMITTER_EMAIL: 'agent@fairlead.invalid',
});

const layFiles = async (home: string, files: Readonly<Record<string, string>>): Promise<void> => {
  for (const [path, content] of Object.entries(files)) {
    const file = join(home, path);
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    await writeFile(file, content, { mode: 0o600 });
  }
};

/** Copies what the agent signs in with. What it changes there stays with the attempt: no agent writes into the operator's home. */
const layLogin = async (home: string, files: AgentSetup['login']): Promise<void> => {
  for (const { from, to } of files) {
    const file = join(home, to);
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    await copyFile(from, file);
    await chmod(file, 0o600);
  }
};

/**
 * Sums of what was used, held against the budget. Of an agent that does not count its turns, they are what its model was seen to answer,
 * which includes what it asks for itself, such as a title.
 */
const createMeter = ({ budget }: AgentProfile, report: ExecutorReport) => {
  let told: Usage = NONE;
  let usage: Usage = NONE;
  let answers: number | null = null;
  const update = (): void => {
    usage = { ...told, turns: told.turns ?? answers };
    report.usage(usage);
  };
  const over = (): { code: string; message: string } | undefined => {
    const tokens = (usage.input_tokens ?? 0) + (usage.output_tokens ?? 0);
    if (budget.tokens !== undefined && tokens > budget.tokens)
      return { code: 'budget_tokens', message: `It used ${tokens} tokens; its profile allows ${budget.tokens}` };
    if (budget.cost_usd !== undefined && (usage.cost_usd ?? 0) > budget.cost_usd)
      return { code: 'budget_cost', message: `It cost $${usage.cost_usd}; its profile allows $${budget.cost_usd}` };
    if (budget.turns !== undefined && (usage.turns ?? 0) > budget.turns)
      return { code: 'budget_turns', message: `It took ${usage.turns} turns; its profile allows ${budget.turns}` };
    return undefined;
  };
  return {
    add(more: Partial<Usage>) {
      told = { ...told, ...more };
      update();
    },
    answered() {
      answers = (answers ?? 0) + 1;
      update();
    },
    over,
    get used(): boolean {
      return usage !== NONE;
    },
    get usage() {
      return usage;
    },
  };
};

/** Ends a process whose agent has said how its work ended: by itself where it does so, else on request. */
const endProcess = async (child: ConfinedProcess, ends: boolean): Promise<{ readonly end: ConfinedEnd; readonly by_us: boolean }> => {
  child.endInput();
  const late = new AbortController();
  const waited = systemClock.sleep(ends ? LIMITS.agent_end.value : 0, late.signal).then(
    () => 'late' as const,
    () => 'late' as const,
  );
  const first = await Promise.race([child.ended.then(() => 'ended' as const), waited]);
  late.abort();
  if (first === 'ended') return { end: await child.ended, by_us: false };
  return { end: await child.stop(), by_us: true };
};

/** An empty folder over each that the agent is not to execute from. A link in its place fails the start: it would lead to other files. */
const hiddenMounts = async ({ dialect, sockets }: AgentSetup, folder: string, kind: Confinement): Promise<Mount[]> => {
  const paths = kind === 'unconfined' ? [] : (dialect.hidden ?? []);
  const there = paths.filter((path) => lstatSync(join(folder, path), { throwIfNoEntry: false }) !== undefined);
  if (there.length === 0) return [];
  const empty = join(sockets, 'empty');
  await mkdir(empty, { recursive: true, mode: 0o700 });
  return there.map((path) => ({ from: empty, to: `${INSIDE.workspace}/${path}` }));
};

interface Started {
  readonly child: ConfinedProcess;
  readonly launch: AgentLaunch;
  readonly reader: ReturnType<typeof createLineReader>;
}

const start = async (setup: AgentSetup, order: ExecutorOrder, report: ExecutorReport, egress: Egress): Promise<Started> => {
  const { dialect, program, profile, route } = setup;
  const { place, sandbox, home } = order;
  if (!place || !sandbox || home === undefined) throw new Error(`${setup.id} was started without a workspace, a sandbox or a home`);
  const way = egress.reachedBy(sandbox.kind);
  const gateway = route ? way.gateway_url(route.name) : undefined;
  const launchAt = (places: Places): AgentLaunch => ({
    model: profile.model,
    resume: order.resume,
    places,
    gateway,
    turns: profile.budget.turns,
  });
  if (order.resume !== undefined) await dialect.resuming?.(home);
  await layFiles(home, dialect.files({ model: profile.model, gateway }));
  await layLogin(home, setup.login);
  const reader = createLineReader();
  const child = await sandbox.start({
    argv: (places) => [...program.argv, ...dialect.argv(launchAt(places))],
    workspace: place.folder,
    out: place.out,
    readable: [...place.readable, ...program.mounts, ...(await hiddenMounts(setup, place.folder, sandbox.kind))],
    home,
    network: { forwards: way.forwards },
    env: (places) => ({
      ...identityOf(setup.id),
      ...setup.env,
      ...way.proxy_env,
      ...dialect.env(launchAt(places)),
      FAIRLEAD_STEP: order.step_id,
      FAIRLEAD_ATTEMPT: order.attempt_id,
    }),
    timeout_ms: Math.min(order.time_left_ms, profile.time_ms ?? Infinity),
    limits: profile.limits,
    stdin: 'open',
    output: (chunk, from) => (from === 'stdout' ? reader.push(chunk) : report.output(chunk, 'stderr')),
  });
  return { child, launch: launchAt(child.places), reader };
};

const OVER_TIME = { code: 'budget_time', message: 'It took longer than its profile allows' } as const;

/** Whether the profile's limit was the nearer one. */
const overTime = ({ time_ms }: AgentProfile, order: ExecutorOrder): boolean => time_ms !== undefined && time_ms <= order.time_left_ms;

const converse = async (
  setup: AgentSetup,
  order: ExecutorOrder,
  report: ExecutorReport,
  egress: Egress,
  model: ModelWatch,
): Promise<ExecutorResult> => {
  const { child, launch, reader } = await start(setup, order, report, egress);
  await report.started({ pid: child.pid, started: child.started });
  void child.ended.then(() => reader.end());
  const meter = createMeter(setup.profile, report);
  const halt = new AbortController();
  let over: ReturnType<typeof meter.over>;
  const weigh = (): void => {
    over ??= meter.over();
    if (over && !halt.signal.aborted) halt.abort();
  };
  model.onAnswer = () => {
    meter.answered();
    weigh();
  };
  const signal = AbortSignal.any([order.signal, halt.signal, model.limited]);
  const onStop = (): void => void child.stop();
  signal.addEventListener('abort', onStop, { once: true });
  if (signal.aborted) onStop();
  const conversation: Conversation = await setup.dialect.converse({
    ...launch,
    prompt: order.prompt ?? '',
    send: (message) => child.write(`${JSON.stringify(message)}\n`),
    endInput: () => child.endInput(),
    lines: reader.lines,
    activity: (item) => report.activity(item),
    permission: (request) => report.permission(request),
    session: (id) => report.session(id),
    usage: (told) => {
      meter.add(told);
      weigh();
    },
    signal,
  });
  const { end, by_us } = await endProcess(child, setup.dialect.ends && !signal.aborted);
  if (meter.used) report.activity({ kind: 'usage', usage: meter.usage });
  return agentResult({
    name: setup.id,
    conversation,
    end,
    stopped: order.signal.aborted ? stoppedOutcome(order.signal) : undefined,
    over: over ?? (end.timed_out && overTime(setup.profile, order) ? OVER_TIME : undefined),
    ...model.facts(),
    ended_by_us: by_us,
  });
};

/** Lets an agent work on an order, confined, with one way out, and answers what came of it. */
export const runAgent = async (setup: AgentSetup, order: ExecutorOrder, report: ExecutorReport): Promise<ExecutorResult> => {
  if (order.signal.aborted) return { outcome: stoppedOutcome(order.signal) };
  const model = watchModel();
  const egress = await openEgress(setup, report, order.sandbox?.kind === 'unconfined', model);
  try {
    return await converse(setup, order, report, egress, model);
  } finally {
    const { hosts, refused } = egress.summary();
    for (const { host, port, bytes_sent: sent, bytes_received: received } of hosts)
      report.activity({ kind: 'notice', level: 'info', code: 'network_used', text: `${host}:${port}: ${sent} bytes out, ${received} in` });
    if (refused > 0)
      report.activity({ kind: 'notice', level: 'warning', code: 'network_refusals', text: `${refused} connections were refused` });
    // Nothing uses it any more; what came of the work is not held up by taking its sockets down.
    void egress.close().catch(() => undefined);
  }
};
