import type { CallToolResult, ServerContext } from '@modelcontextprotocol/server';
import { FairleadError } from '@fairlead/shared/contract/errors';
import { LIMITS } from '@fairlead/shared/contract/limits';
import { nearestKey } from '@fairlead/shared/contract/nearest-key';
import type { Operation } from '@fairlead/shared/contract/operations/operation';
import type { OperationTable } from '@fairlead/shared/contract/operations/table';
import type { Clock } from '@fairlead/shared/kit/clock';
import { readAll } from '@fairlead/shared/kit/http-client';
import type { WireAnswer } from '@fairlead/shared/wire/exchange';
import type { Gatekeeper } from '../api/gatekeeper.ts';
import type { LiveToken } from '../auth/planner-tokens.ts';
import { newIdempotencyKey, type Planner, type PlannerCall } from '../operations/planner.ts';
import { PAGE_BYTES, artifactPage } from './artifact-page.ts';
import type { OperationTool } from './tools.ts';
import { wordsFor, wordsForProblem } from './words.ts';

export interface ToolCallParts {
  readonly planner: Planner;
  readonly gatekeeper: Pick<Gatekeeper, 'refuse'>;
  readonly clock: Clock;
  readonly tools: ReadonlyMap<string, OperationTool>;
  readonly table: OperationTable;
}

/** Who calls, and under which request. */
export interface ToolCaller {
  readonly token: LiveToken;
  readonly requestId: string;
  readonly address: string;
}

const bytesOf = async ({ body }: WireAnswer): Promise<Buffer> => (Buffer.isBuffer(body) ? body : readAll(body, LIMITS.wire_frame.value));

/** Tells the client that a wait goes on, at least every `wait_progress`, while it asked to be told. */
const keepTelling = (row: Operation, context: ServerContext, clock: Clock): (() => void) => {
  const progressToken = context.mcpReq._meta?.progressToken;
  if (row.deadline !== 'wait' || progressToken === undefined) return () => {};
  let count = 0;
  let cancel = () => {};
  const tell = () => {
    count += 1;
    const params = { progressToken, progress: count, message: 'Waiting for a change.' };
    // A client that has gone hears nothing; its request ends by its own signal.
    context.mcpReq.notify({ method: 'notifications/progress', params }).catch(() => {});
    cancel = clock.after(LIMITS.wait_progress.value * 0.8, tell);
  };
  tell();
  return () => cancel();
};

/** A page of an artifact as the row's output: the size comes from the artifact's own record. */
const callForPage = async (parts: ToolCallParts, call: PlannerCall): Promise<unknown> => {
  const parsed = call.row.input.safeParse(call.input);
  // What does not fit is refused, and audited, by the call itself.
  if (!parsed.success) return parts.planner.call(call);
  const input = parsed.data as { artifact_id: string; offset: number; length?: number };
  const record = await parts.planner.call({
    ...call,
    row: parts.table['get_artifact']!,
    input: { artifact_id: input.artifact_id },
    accept: 'json',
  });
  const { size } = JSON.parse((await bytesOf(record)).toString('utf8')) as { size: number };
  const length = Math.min(input.length ?? PAGE_BYTES, PAGE_BYTES, Math.max(0, size - input.offset));
  const answered =
    length === 0 ? Buffer.alloc(0) : await bytesOf(await parts.planner.call({ ...call, input: { ...input, length }, accept: 'bytes' }));
  const bytes = answered.subarray(0, length);
  const { encoding, content, used } = artifactPage(bytes, input.offset + bytes.length >= size);
  const next = input.offset + used;
  return {
    artifact_id: input.artifact_id,
    size,
    offset: input.offset,
    encoding,
    content,
    next_offset: next < size && used > 0 ? next : null,
  };
};

/** What is refused here never reaches the planner's call, so it is put into the audit here. */
const refusal = (
  { gatekeeper }: ToolCallParts,
  { name, effect }: Pick<Operation, 'name' | 'effect'>,
  { token, requestId, address }: ToolCaller,
  error: FairleadError,
): Promise<FairleadError> => gatekeeper.refuse(name.slice(0, 64), effect, token.id, { id: requestId, address }, error);

const perform = async (
  parts: ToolCallParts,
  row: Operation,
  args: Record<string, unknown>,
  caller: ToolCaller,
  context: ServerContext,
): Promise<CallToolResult> => {
  const { idempotency_key: given, ...input } = args;
  const writes = row.effect !== 'read';
  if (given !== undefined && (!writes || typeof given !== 'string' || !/^[\x21-\x7e]{1,200}$/.test(given))) {
    const rule = writes ? 'must be 1 to 200 printable ASCII characters' : 'is for writes only';
    throw await refusal(
      parts,
      row,
      caller,
      new FairleadError('invalid_input', { field: 'idempotency_key', rule, detail: `idempotency_key: ${rule}` }),
    );
  }
  const idempotencyKey = writes ? (given ?? newIdempotencyKey()) : undefined;
  const call: PlannerCall = { row, input, ...caller, accept: 'json', idempotencyKey, callerSignal: () => context.mcpReq.signal };
  const quiet = keepTelling(row, context, parts.clock);
  try {
    const value =
      row.stream === 'bytes'
        ? await callForPage(parts, call)
        : JSON.parse((await bytesOf(await parts.planner.call(call))).toString('utf8'));
    const structuredContent = value as Record<string, unknown>;
    return {
      content: [
        { type: 'text', text: wordsFor(row, value) },
        { type: 'text', text: JSON.stringify(value) },
      ],
      structuredContent,
      ...(idempotencyKey !== undefined && { _meta: { 'fairlead/idempotency_key': idempotencyKey } }),
    };
  } finally {
    quiet();
  }
};

/** An error as a tool result: the same problem document and code as over HTTP. */
export const toolError = (error: unknown, requestId: string): CallToolResult => {
  const known = error instanceof FairleadError ? error : new FairleadError('internal', { cause: error });
  const problem = known.toProblem(requestId);
  return {
    isError: true,
    content: [
      { type: 'text', text: wordsForProblem(problem) },
      { type: 'text', text: JSON.stringify(problem) },
    ],
    structuredContent: problem,
  };
};

const unknownTool = (name: string, tools: ToolCallParts['tools']): FairleadError => {
  const near = nearestKey(name, [...tools.keys()]);
  return new FairleadError('operation_unknown', {
    detail: 'There is no such tool',
    hint: near === undefined ? 'Call one that tools/list names.' : `Did you mean ${near}? tools/list names them all.`,
  });
};

/** Calls an operation as a tool. It never throws: whatever goes wrong is a result that the planner's model can read. */
export const callTool = async (
  parts: ToolCallParts,
  name: string,
  args: Record<string, unknown>,
  caller: ToolCaller,
  context: ServerContext,
): Promise<CallToolResult> => {
  const found = parts.tools.get(name);
  try {
    if (!found) throw await refusal(parts, { name, effect: 'read' }, caller, unknownTool(name, parts.tools));
    return await perform(parts, found.row, args, caller, context);
  } catch (error) {
    return toolError(error, caller.requestId);
  }
};
