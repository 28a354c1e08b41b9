import { randomUUID } from 'node:crypto';
import { createClient, type Client } from '@fairlead/shared/contract/client';
import { OPERATIONS, type CallOf, type OutputOf, type RemoteName } from '@fairlead/shared/contract/operations/table';
import type { Step, StepResult } from '@fairlead/shared/contract/resources';
import type { TaskInput } from '@fairlead/shared/contract/task';
import { nodeTransport } from '@fairlead/shared/kit/http-client';

/** Whoever decides what to do. The same calls over HTTP and over MCP. */
export interface Planner {
  readonly way: 'http' | 'mcp';
  /** @throws FairleadError with the code that was answered */
  call<N extends RemoteName>(name: N, input: CallOf<N>, key?: string): Promise<OutputOf<N>>;
  /** The bytes of an artifact. */
  content(artifactId: string): Promise<Buffer>;
  close(): Promise<void>;
}

/** A client for one part, with a token of its own. */
export const clientFor = (url: string, prefix: '/api/v1' | '/api/v2', token: string): Client =>
  createClient({ url, prefix, token, transport: nodeTransport() });

/** The bytes of an artifact, as a client may read them. */
export const contentOf = async (client: Client, artifactId: string): Promise<Buffer> => {
  const chunks: Uint8Array[] = [];
  for await (const chunk of await client.stream('get_artifact_content', { artifact_id: artifactId })) chunks.push(chunk);
  return Buffer.concat(chunks);
};

/** A planner that uses the relay's HTTP API. Each write gets a key of its own, as a careful planner would do. */
export const httpPlanner = (relayUrl: string, token: string): Planner => {
  const client = clientFor(relayUrl, '/api/v2', token);
  return {
    way: 'http',
    call: (name, input, key = randomUUID()) => client.call(name, input, OPERATIONS[name].effect === 'read' ? {} : { idempotencyKey: key }),
    content: (artifactId) => contentOf(client, artifactId),
    close: async () => {},
  };
};

export interface Followed {
  readonly step: Step;
  /** The sentences of the waits, in order: what a planner reads. */
  readonly sentences: readonly string[];
}

/** Waits, as a planner does, until a step has ended or a person must decide. */
export const followStep = async (planner: Planner, stepId: string, timeoutMs = 120_000): Promise<Followed> => {
  const end = Date.now() + timeoutMs;
  const sentences: string[] = [];
  let cursor: string | undefined;
  for (;;) {
    const answer = await planner.call('wait_step', { step_id: stepId, ...(cursor !== undefined && { cursor }), timeout_ms: 20_000 });
    sentences.push(answer.sentence);
    if (answer.step.ended || answer.step.state === 'needs_approval') return { step: answer.step, sentences };
    if (Date.now() > end) throw new Error(`The step is still ${answer.step.state} after ${timeoutMs} ms`);
    cursor = answer.next_cursor;
  }
};

/** Starts a run, submits one task and waits for what becomes of it. */
export const doTask = async (
  planner: Planner,
  instanceId: string,
  task: TaskInput,
  timeoutMs?: number,
): Promise<StepResult & { runId: string }> => {
  const run = await planner.call('start_run', { instance_id: instanceId, title: task.title ?? 'Run' });
  const step = await planner.call('submit_task', { run_id: run.id, task });
  await followStep(planner, step.id, timeoutMs);
  return { ...(await planner.call('get_step_result', { step_id: step.id })), runId: run.id };
};
