import { FairleadError } from '@fairlead/shared/contract/errors';
import { readInput } from '@fairlead/shared/contract/http';
import type { Operation } from '@fairlead/shared/contract/operations/operation';
import type { OutputOf, RelayAdminName } from '@fairlead/shared/contract/operations/table';
import {
  RawAnswer,
  bearerOf,
  idempotencyKeyOf,
  problemResponse,
  rawJson,
  type Handle,
  type ReadRaw,
  type RequestContext,
} from '@fairlead/shared/kit/http-server';
import type { WireAnswer } from '@fairlead/shared/wire/exchange';
import type { Audit } from '../audit/audit.ts';
import type { AdminHandlers } from '../operations/admin.ts';
import { audited, type Asked } from '../operations/audited.ts';
import { newIdempotencyKey, type Planner } from '../operations/planner.ts';
import type { Gatekeeper } from './gatekeeper.ts';

export interface HandleParts {
  readonly gatekeeper: Gatekeeper;
  readonly planner: Planner;
  readonly admin: AdminHandlers;
  readonly audit: Audit;
}

const ID_FIELDS = ['connector_id', 'token_id', 'enrollment_token_id', 'id'] as const;

/** Ids of an admin operation's input or answer, for the audit. Secrets are never among them. */
const idOf = (from: object): string | undefined => {
  for (const name of ID_FIELDS) {
    const value = (from as Record<string, unknown>)[name];
    if (typeof value === 'string') return value;
  }
  return undefined;
};

/** Reads what is asked. A refusal is in the audit before it is answered, under whoever asks. */
const orRefuse = async <T>(
  gatekeeper: Gatekeeper,
  row: Operation,
  actor: string,
  context: RequestContext,
  read: () => T | Promise<T>,
): Promise<T> => {
  try {
    return await read();
  } catch (error) {
    throw error instanceof FairleadError ? await gatekeeper.refuse(row.name, row.effect, actor, context, error) : error;
  }
};

const serveAdmin = async (
  { gatekeeper, admin, audit }: HandleParts,
  row: Operation,
  readRaw: ReadRaw,
  context: RequestContext,
): Promise<unknown> => {
  const open = row.scope === 'none';
  if (!open) await gatekeeper.admin(row, context);
  const actor = open ? 'anonymous' : 'admin';
  const input = await orRefuse(gatekeeper, row, actor, context, async () => readInput(row, await readRaw()));
  const asked: Asked = {
    actor,
    action: row.name,
    effect: row.effect,
    request_id: context.id,
    address: context.address,
    resource_id: idOf(input) ?? null,
    detail: {},
  };
  // The record of handlers has exactly the names of these rows; the row was found by its path.
  const handler = admin[row.name as RelayAdminName] as (input: unknown) => OutputOf<RelayAdminName>;
  try {
    return await audited(
      audit,
      asked,
      () => handler(input),
      (result) => ({ id: idOf(result) ?? null }),
    );
  } catch (error) {
    throw open ? gatekeeper.failed(context.address, error) : error;
  }
};

const acceptOf = (row: Operation, context: RequestContext): 'json' | 'bytes' | 'events' => {
  if (row.stream === 'bytes') return 'bytes';
  return row.stream === 'events' && /\btext\/event-stream\b/.test(context.headers.accept ?? '') ? 'events' : 'json';
};

const MEDIA_TYPE = /^[\w.+-]{1,80}\/[\w.+-]{1,80}(; ?[\w-]{1,40}=[\w."-]{1,80})*$/;

/** What an answer is follows from what was asked. Of evidence alone the machine says the type, and that is no place for a header. */
const typeOf = (accept: ReturnType<typeof acceptOf>, type: string): string => {
  if (accept === 'json') return 'application/json';
  if (accept === 'events') return 'text/event-stream';
  return MEDIA_TYPE.test(type) ? type : 'application/octet-stream';
};

/** Bytes of evidence are never shown in place: whatever is in them, a browser stores them. */
const headersOf = (row: Operation, accept: ReturnType<typeof acceptOf>, { type, length }: WireAnswer): Record<string, string> => ({
  'content-type': typeOf(accept, type),
  ...(length !== undefined && { 'content-length': String(length) }),
  ...(row.stream === 'bytes' && { 'content-disposition': 'attachment' }),
});

const servePlanner = async (
  { gatekeeper, planner }: HandleParts,
  row: Operation,
  readRaw: ReadRaw,
  context: RequestContext,
): Promise<unknown> => {
  const token = await gatekeeper.planner(row.name, row.effect, bearerToken(context), context);
  const { input, idempotencyKey } =
    row.effect === 'read'
      ? { input: await orRefuse(gatekeeper, row, token.id, context, readRaw), idempotencyKey: undefined }
      : await orRefuse(gatekeeper, row, token.id, context, async () => ({
          input: await readRaw(),
          idempotencyKey: idempotencyKeyOf(context.headers) ?? newIdempotencyKey(),
        }));
  const call = {
    row,
    input,
    token,
    requestId: context.id,
    address: context.address,
    accept: acceptOf(row, context),
    callerSignal: () => context.signal,
  };
  if (idempotencyKey === undefined) {
    const answer = await planner.call(call);
    if (Buffer.isBuffer(answer.body) && row.stream === 'none') return rawJson(answer.body, answer.status);
    return new RawAnswer(answer.body, { status: answer.status, headers: headersOf(row, call.accept, answer) });
  }
  const key = { 'idempotency-key': idempotencyKey };
  try {
    const answer = await planner.call({ ...call, idempotencyKey });
    return new RawAnswer(answer.body, { status: answer.status, headers: { ...headersOf(row, call.accept, answer), ...key } });
  } catch (error) {
    const problem = problemResponse(error, context.id);
    return new RawAnswer(problem.body, { status: problem.status, headers: { ...problem.headers, ...key } });
  }
};

const bearerToken = (context: RequestContext): string | undefined => {
  try {
    return bearerOf(context.headers);
  } catch {
    return undefined;
  }
};

/** Serves every row of the relay's API: planners by the generic adapter, the operator and enrolment by their handlers. */
export const apiHandle =
  (parts: HandleParts): Handle =>
  (row, readRaw, context) => {
    if (parts.gatekeeper.draining()) throw new FairleadError('draining');
    return row.surface === 'relay_admin' ? serveAdmin(parts, row, readRaw, context) : servePlanner(parts, row, readRaw, context);
  };
