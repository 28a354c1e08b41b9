import { randomUUID } from 'node:crypto';
import { ERRORS } from '@fairlead/shared/contract/error-table';
import { FairleadError } from '@fairlead/shared/contract/errors';
import type { CallOf, OutputOf, RemoteName } from '@fairlead/shared/contract/operations/table';
import type { Step } from '@fairlead/shared/contract/resources';
import { httpPlanner, type Planner } from '../rig/planner.ts';
import { isAlive } from '../rig/processes.ts';
import { raiseStack, type PartName, type Stack, type StackOptions } from '../rig/stack.ts';
import { tapWire, type TappedWire } from '../rig/tapped-wire.ts';

const POLICY = `version: 1
validations:
  unit: { run: [grep, -q, ok, state.txt], timeout: 30s, judges: ['judges/**'] }
gates: { when: [always] }
`;
/** Two numbers that nothing else on this machine sleeps for, so that what a crash left behind can be found. */
export const NAPS = ['5', '7'].map((end) => `9${process.pid}${end}`);
const CONFIG = `commands:
  nap: { run: [sh, -c, "setsid sleep ${NAPS[0]} & sleep ${NAPS[1]}"] }
`;
const PATIENCE_MS = 120_000;
const PARTS = ['daemon', 'connector', 'relay'] as const satisfies readonly PartName[];
const DECIDES = new Set<RemoteName>(['approve_gate', 'reject_gate', 'integrate_change', 'discard_change']);

/** A write that was acknowledged: what was asked with which key, and the answer. */
export interface Acknowledged {
  readonly operation: RemoteName;
  readonly input: unknown;
  readonly key: string;
  readonly answer: { readonly id: string };
}

/** A whole stack whose parts may die at any moment and are started again, and planners that repeat by its key what was not answered. */
export interface Ground {
  readonly stack: Stack;
  readonly wire: TappedWire;
  readonly instance: string;
  readonly repo: string;
  /** Everything that was acknowledged since `forget`. */
  readonly acknowledged: readonly Acknowledged[];
  /** How many requests were answered, reads too. */
  readonly answers: number;
  readonly kills: Readonly<Record<PartName, number>>;
  /** Attempts of writes that were not answered or refused for now, and sent again. */
  readonly repeated: number;
  /** Asks until it is answered. Writes go out with the same key each time. @throws FairleadError that asking again cannot change */
  ask<N extends RemoteName>(name: N, input: CallOf<N>, key?: string): Promise<OutputOf<N>>;
  /** Waits, with the cursor of the last wait, until something holds of a step. */
  follow(stepId: string, holds: (step: Step) => boolean): Promise<Step>;
  /** Ends a part with SIGKILL at once. Answers whether it was alive. */
  kill(part: PartName): boolean;
  /** Ends a part with SIGKILL and leaves it away until the answer is called. */
  keepAway(part: PartName): Promise<() => Promise<void>>;
  /** Stops a part in order and starts it, perhaps with further arguments. */
  restart(part: PartName, ...args: readonly string[]): Promise<void>;
  /** Resolves once every part is up again. */
  standing(): Promise<void>;
  forget(): void;
  close(): Promise<void>;
}

export const isSettled = (step: Step): boolean => step.ended || step.state === 'needs_approval';
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Starts again whatever was killed. A part that ends in any other way than it was told to is an error, said at the next question. */
const supervise = (stack: Stack, pids: ReadonlyMap<PartName, number>) => {
  const kills: Record<PartName, number> = { daemon: 0, connector: 0, relay: 0 };
  const reviving = new Map<PartName, Promise<void>>();
  const away = new Set<PartName>();
  // A process that was killed looks alive until the kernel has come to it and it has been reaped.
  const dying = new Set<PartName>();
  let failure: Error | undefined;
  let over = false;
  const watch = (part: PartName): void => {
    const { ended, log } = stack.parts[part];
    void ended.then(({ code, signal }) => {
      dying.delete(part);
      if (over || (signal === null && code === 0)) return;
      if (signal !== 'SIGKILL') {
        failure ??= new Error(`${part} ended by itself with ${code ?? signal}\n${log()}`);
        return;
      }
      kills[part] += 1;
      if (away.has(part)) return;
      const revival = start(part)
        .catch((error: unknown) => void (failure ??= error as Error))
        .finally(() => reviving.delete(part));
      reviving.set(part, revival);
    });
  };
  /** Starts a part and watches it from then on. What was killed before it was ready is started once more. */
  const start = async (part: PartName, ...args: readonly string[]): Promise<void> => {
    try {
      await stack.start(part, ...args);
    } catch (error) {
      if (!dying.delete(part)) throw error;
      kills[part] += 1;
      return start(part);
    }
    watch(part);
  };
  for (const part of PARTS) watch(part);
  return {
    kills,
    start,
    away,
    kill(part: PartName): boolean {
      const pid = pids.get(part)!;
      if (dying.has(part) || !isAlive(pid)) return false;
      dying.add(part);
      process.kill(pid, 'SIGKILL');
      return true;
    },
    check() {
      if (failure) throw failure;
    },
    async standing() {
      for (;;) {
        await Promise.all(reviving.values());
        if (failure) throw failure;
        if (reviving.size + dying.size === 0 && PARTS.every((part) => isAlive(stack.parts[part].pid))) return;
        await sleep(10);
      }
    },
    /** Nothing is started again from here on; what was being started stands when this resolves. */
    async end() {
      over = true;
      await Promise.all(reviving.values());
    },
  };
};

const isForNow = (error: unknown): boolean => error instanceof FairleadError && ERRORS[error.code].retryable;

const DECISIONS = ['approve_gate', 'reject_gate', 'integrate_change'];
const SHARE = ['--accept-relay-decisions', ...['default', ...DECISIONS].flatMap((name) => ['--allow', name])];

/** How planners ask: until they are answered, each write with its one key. */
const askingOf = (stack: Stack, decider: Planner, guard: ReturnType<typeof supervise>) => {
  const acknowledged: Acknowledged[] = [];
  let [answers, repeated] = [0, 0];
  const ask: Ground['ask'] = async (name, input, key) => {
    const planner: Planner = DECIDES.has(name) ? decider : stack.planner;
    const end = Date.now() + PATIENCE_MS;
    for (;;) {
      guard.check();
      try {
        const answer = await planner.call(name, input, key);
        answers += 1;
        if (key !== undefined) acknowledged.push({ operation: name, input, key, answer: answer as { id: string } });
        return answer;
      } catch (error) {
        if (!isForNow(error) || Date.now() > end) throw error;
        if (key !== undefined) repeated += 1;
        await sleep(30);
      }
    }
  };
  const follow: Ground['follow'] = async (stepId, holds) => {
    const end = Date.now() + PATIENCE_MS;
    let cursor: string | undefined;
    for (;;) {
      const answer = await ask('wait_step', { step_id: stepId, timeout_ms: 10_000, ...(cursor !== undefined && { cursor }) });
      if (holds(answer.step)) return answer.step;
      if (Date.now() > end) throw new Error(`Step ${stepId} is still ${answer.step.state}`);
      cursor = answer.next_cursor;
    }
  };
  return { ask, follow, acknowledged, repeated: () => repeated, answers: () => answers };
};

const deciderOf = async ({ admin, relayUrl }: Stack): Promise<Planner> => {
  const order = { name: 'decider', scopes: ['gates:decide', 'changes:decide'] } as const;
  const { secret } = await admin.call('create_planner_token', { ...order, scopes: [...order.scopes] }, { idempotencyKey: randomUUID() });
  return httpPlanner(relayUrl, secret);
};

/** Raises a stack that may be killed, with a small repository and a planner that may decide beside the one that may not. */
export const layGround = async (options: StackOptions = {}): Promise<Ground> => {
  const wire = await tapWire();
  const project = { '.fairlead/project.yaml': POLICY, 'state.txt': 'ok\n' };
  const pids = new Map<PartName, number>();
  const spawned = (part: PartName, pid: number) => void pids.set(part, pid);
  const stack = await raiseStack({ wire, project, config: CONFIG, share: SHARE, spawned, ...options });
  const guard = supervise(stack, pids);
  const close = async (): Promise<void> => {
    await guard.end();
    await stack.close();
    await wire.close();
  };
  const decider = await deciderOf(stack).catch(async (error: unknown) => {
    await close();
    throw error;
  });
  const { ask, follow, acknowledged, repeated, answers } = askingOf(stack, decider, guard);
  const { id: instance, repo } = stack.instances[0]!;
  return {
    stack,
    wire,
    instance,
    repo,
    acknowledged,
    kills: guard.kills,
    get answers() {
      return answers();
    },
    get repeated() {
      return repeated();
    },
    ask,
    follow,
    kill: guard.kill,
    async keepAway(part) {
      guard.away.add(part);
      await stack.parts[part].kill();
      return async () => {
        guard.away.delete(part);
        await guard.start(part);
      };
    },
    async restart(part, ...args) {
      await stack.parts[part].stop();
      await guard.start(part, ...args);
    },
    standing: guard.standing,
    forget: () => void acknowledged.splice(0),
    close,
  };
};
