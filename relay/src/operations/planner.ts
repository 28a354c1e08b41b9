import { hash } from 'node:crypto';
import { FairleadError } from '@fairlead/shared/contract/errors';
import { readInput } from '@fairlead/shared/contract/http';
import { canonicalJson } from '@fairlead/shared/contract/json';
import { LIMITS } from '@fairlead/shared/contract/limits';
import type { Operation } from '@fairlead/shared/contract/operations/operation';
import { randomBytes, type Clock } from '@fairlead/shared/kit/clock';
import type { WireAnswer, WireRequest } from '@fairlead/shared/wire/exchange';
import type { Audit } from '../audit/audit.ts';
import type { LiveToken } from '../auth/planner-tokens.ts';
import { mayCall } from '../core/access.ts';
import { route } from '../routing/route.ts';
import type { Hub } from '../sessions/hub.ts';
import type { InstanceRow } from '../store/instance-rows.ts';
import { audited, refusal, type Asked } from './audited.ts';
import { tie, tied, type Lifeline, type OnDrain } from './lifeline.ts';
import { instanceView } from './views.ts';

/** One call of a planner, over HTTP or MCP. */
export interface PlannerCall {
  readonly row: Operation;
  /** As it came; the call validates it. */
  readonly input: Readonly<Record<string, unknown>>;
  readonly token: LiveToken;
  readonly requestId: string;
  readonly address: string;
  readonly accept: 'json' | 'bytes' | 'events';
  /** For writes; without it the relay makes one. */
  readonly idempotencyKey?: string | undefined;
  /** Aborted when the caller hangs up. Asked for only by calls that can last. */
  readonly callerSignal?: (() => AbortSignal) | undefined;
}

export interface Planner {
  /**
   * Serves any remote operation: checks, routes by id prefix, forwards, audits. Daemon bytes are handed on as they come.
   * @throws FairleadError of the relay, the connector or the daemon; a read on a broken line is `connector_offline`, a write that was sent
   *   is `outcome_unknown`
   */
  call(call: PlannerCall): Promise<WireAnswer>;
  /** Takes no more calls and ends waits and streams with `draining`; resolves when nothing is under way. */
  drain(): Promise<void>;
}

export interface PlannerParts {
  readonly hub: Hub;
  readonly audit: Audit;
  readonly clock: Clock;
}

/** A key for a write that came without one. It is told to the planner, so that an unknown outcome can be asked again. */
export const newIdempotencyKey = (): string => `relay-${randomBytes(18).toString('base64url')}`;

/** How much longer than its own time a wait may take on the way, in milliseconds. */
const WAIT_MARGIN = 5000;

const timeFor = ({ row, input, accept }: PlannerCall): number => {
  if (accept !== 'json' || row.deadline === 'stream') return LIMITS.stream_deadline.value;
  if (row.deadline === 'wait') return (typeof input['timeout_ms'] === 'number' ? input['timeout_ms'] : LIMITS.wait_max.value) + WAIT_MARGIN;
  return row.deadline === 'slow' ? LIMITS.slow_deadline.value : LIMITS.request_deadline.value;
};

const wireRequest = (call: PlannerCall, instance: InstanceRow): WireRequest => ({
  operation: call.row.name,
  instance_id: instance.id,
  input: call.input,
  time_left_ms: timeFor(call),
  principal: call.token.principal,
  authority: 'relay_asserted',
  ...(call.idempotencyKey !== undefined && { idempotency_key: call.idempotencyKey }),
  ...(call.accept !== 'json' && { accept: call.accept }),
});

/** A daemon's `not_found` becomes the relay's own, so that missing and foreign cannot be told apart by their words. */
const canonical = (error: unknown): unknown =>
  error instanceof FairleadError && error.code === 'not_found' ? new FairleadError('not_found') : error;

/** What a write asked for can be told from another without keeping its content. */
const inputDigest = ({ row, input }: PlannerCall) =>
  row.effect === 'read' ? {} : { input_digest: `sha256:${hash('sha256', canonicalJson(input), 'hex')}` };

const asked = (call: PlannerCall, instance?: InstanceRow, resource?: string): Asked => ({
  actor: call.token.id,
  action: call.row.name,
  effect: call.row.effect,
  request_id: call.requestId,
  address: call.address,
  instance_id: instance?.id ?? null,
  resource_id: resource ?? null,
  detail: {
    planner: call.token.principal.name,
    ...(call.idempotencyKey !== undefined && { idempotency_key: call.idempotencyKey }),
    ...inputDigest(call),
  },
});

const send = async (
  { hub, clock }: PlannerParts,
  call: PlannerCall,
  instance: InstanceRow,
  line: Lifeline | undefined,
): Promise<WireAnswer> => {
  const channel = instance.not_after > clock.now() ? hub.channel(instance.connector_id) : undefined;
  if (!channel) throw new FairleadError('connector_offline', { detail: 'The machine of this instance is not connected.' });
  const answer = await channel.request(wireRequest(call, instance), { effect: call.row.effect, ...(line && { signal: line.signal }) });
  if (call.token.ended && call.row.effect === 'read') throw new FairleadError('unauthenticated', { detail: 'The token has ended.' });
  return answer;
};

const listInstances = ({ hub, clock }: PlannerParts, { token }: PlannerCall): WireAnswer => {
  const allowed = hub.registry.shared().filter((row) => token.instances === null || token.instances.has(row.id));
  const items = allowed.map((row) => instanceView(row, hub.online(row.connector_id), clock.now()));
  return { status: 200, type: 'application/json', body: Buffer.from(JSON.stringify({ items })) };
};

const forward = async (parts: PlannerParts, call: PlannerCall, instance: InstanceRow, onDrain: OnDrain): Promise<WireAnswer> => {
  // A write that was allowed when it was asked is carried to its end and answered, whoever hangs up or is revoked meanwhile.
  const lasts = call.row.effect === 'read' && (call.row.deadline !== 'plain' || call.accept !== 'json');
  const caller = lasts ? call.callerSignal?.() : undefined;
  const line = lasts ? tie(call.token, caller, onDrain) : undefined;
  let streams = false;
  try {
    const answer = await send(parts, call, instance, line);
    if (Buffer.isBuffer(answer.body)) return answer;
    streams = true;
    return { ...answer, body: tied(answer.body, line ?? tie(call.token, caller, onDrain)) };
  } catch (error) {
    throw canonical(error);
  } finally {
    if (!streams) line?.release();
  }
};

export const openPlanner = (parts: PlannerParts): Planner => {
  const { hub, audit } = parts;
  const drains = new Set<(why: FairleadError) => void>();
  let draining = false;
  let underWay = 0;
  let idle = () => {};
  const onDrain: OnDrain = (fn) => {
    drains.add(fn);
    return () => drains.delete(fn);
  };

  /** Validates what a planner sent; what does not fit is a refusal, and the audit has it first. */
  const checked = async (call: PlannerCall): Promise<PlannerCall> => {
    try {
      return { ...call, input: readInput(call.row, call.input) };
    } catch (error) {
      throw error instanceof FairleadError ? await refusal(audit, asked(call), error, error.context.field) : error;
    }
  };

  const serve = async (given: PlannerCall): Promise<WireAnswer> => {
    const call = await checked(given);
    if (call.row.surface === 'each') {
      const denied = mayCall(call.token, call.row, undefined) !== 'yes';
      if (denied) throw await refusal(audit, asked(call), new FairleadError('scope_denied', { more: { scope: call.row.scope } }));
      return audited(audit, asked(call), () => listInstances(parts, call));
    }
    const to = route(hub, call.token, call.row, call.input);
    if ('refused' in to) throw await refusal(audit, asked(call, to.instance, to.resource), to.refused, to.reason);
    return audited(audit, asked(call, to.instance, to.resource), () => forward(parts, call, to.instance, onDrain));
  };

  return {
    async call(call) {
      if (draining) throw new FairleadError('draining');
      underWay += 1;
      try {
        return await serve(call);
      } catch (error) {
        // The key lets the planner ask again for the same effect, also where it came from the relay.
        const lost = error instanceof FairleadError && error.code === 'outcome_unknown' && call.idempotencyKey !== undefined;
        throw lost
          ? new FairleadError('outcome_unknown', {
              ...error.context,
              more: { ...error.context.more, idempotency_key: call.idempotencyKey },
            })
          : error;
      } finally {
        underWay -= 1;
        if (underWay === 0) idle();
      }
    },
    async drain() {
      draining = true;
      const why = new FairleadError('draining');
      for (const end of drains) end(why);
      if (underWay > 0) {
        await new Promise<void>((resolve) => {
          idle = resolve;
        });
      }
    },
  };
};
