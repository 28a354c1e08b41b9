import type { Activity } from '@fairlead/shared/contract/activity';
import type { OutputOf, RemoteName, CallOf } from '@fairlead/shared/contract/operations/table';
import type { Gate } from '@fairlead/shared/contract/gates';
import type { Step } from '@fairlead/shared/contract/resources';
import { until } from '../../rig/processes.ts';
import { withArgument, withVariable, type SeenProcess } from './processes-with.ts';
import type { Stage } from './stage.ts';

/** What a person, and whoever submitted, can do and see while a step is under way. */
export interface Hands {
  readonly stage: Stage;
  readonly instanceId: string;
  readonly stepId: string;
  /** Asks as whoever submitted the step. */
  ask<N extends RemoteName>(name: N, input: CallOf<N>): Promise<OutputOf<N>>;
  step(): Promise<Step>;
  /** Waits until the agent asks a person, and answers what the gate shows. */
  gate(): Promise<Gate>;
  gateNow(id: string): Promise<Gate>;
  /** Approves whatever is asked for until the step has ended. */
  approveAll(): Promise<void>;
  approve(gate: Gate): Promise<Gate>;
  reject(gate: Gate, comment?: string): Promise<Gate>;
  /** Waits until something that sleeps so long is there. */
  napping(nap: string): Promise<readonly SeenProcess[]>;
  /** The processes of the agent's own program. */
  agentProcesses(): readonly SeenProcess[];
  /** All that the latest attempt has said so far. */
  activity(): Promise<Activity[]>;
  untilStep(what: string, is: (step: Step) => boolean, timeoutMs?: number): Promise<Step>;
}

/** Reads all activity of the latest attempt, page by page. */
export const readActivity = async (stage: Stage, stepId: string): Promise<Activity[]> => {
  const items: Activity[] = [];
  for (let cursor: string | null | undefined; ;) {
    const page = await stage.call('get_step_logs', { step_id: stepId, limit: 500, ...(typeof cursor === 'string' && { cursor }) });
    items.push(...page.items);
    if (page.items.length === 0) return items;
    cursor = page.next_cursor;
  }
};

/** Some agents take ten seconds to start on a busy machine. */
const PATIENCE_MS = 45_000;

/** @param ask how whoever submitted asks */
export const handsOn = (stage: Stage, instanceId: string, stepId: string, ask: Hands['ask']): Hands => {
  const step: Hands['step'] = () => stage.call('get_step', { step_id: stepId });
  return {
    stage,
    instanceId,
    stepId,
    ask,
    step,
    gate: () =>
      until(
        `the agent asks a person`,
        async () => {
          const { items } = await stage.call('list_gates', { instance_id: instanceId, step_id: stepId, state: 'pending' });
          const found = items.find(({ kind }) => kind === 'permission');
          const now = found ? undefined : await step();
          if (now?.ended) throw new Error(`The step is ${now.state} (${now.reason?.message}) and nobody was asked`);
          return found;
        },
        PATIENCE_MS,
      ),
    approveAll: () =>
      until(
        'the step has ended',
        async () => {
          const { items } = await stage.call('list_gates', { instance_id: instanceId, step_id: stepId, state: 'pending' });
          for (const { id, digest } of items) await stage.call('approve_gate', { gate_id: id, digest });
          return (await step()).ended;
        },
        PATIENCE_MS,
      ).then(() => undefined),
    gateNow: (id) => stage.call('get_gate', { gate_id: id }),
    approve: ({ id, digest }) => stage.call('approve_gate', { gate_id: id, digest }),
    reject: ({ id }, comment) => stage.call('reject_gate', { gate_id: id, ...(comment !== undefined && { comment }) }),
    napping: (nap) =>
      until(
        `something sleeps ${nap} s`,
        async () => {
          const found = withArgument(nap);
          const now = found.length > 0 ? undefined : await step();
          if (now?.ended) throw new Error(`The step is ${now.state} (${now.reason?.message}) and nothing sleeps`);
          return found.length > 0 && found;
        },
        PATIENCE_MS,
      ),
    agentProcesses: () =>
      withVariable('FAIRLEAD_STEP', stepId).filter(({ argv }) => argv.slice(0, 2).some((one) => one.startsWith(stage.agent.folder))),
    activity: () => readActivity(stage, stepId),
    untilStep: (what, is, timeoutMs = PATIENCE_MS) =>
      until(
        what,
        async () => {
          const now = await step();
          return is(now) && now;
        },
        timeoutMs,
      ),
  };
};
