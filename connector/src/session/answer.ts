import { LIMITS } from '@fairlead/shared/contract/limits';
import { FairleadError } from '@fairlead/shared/contract/errors';
import type { Operation } from '@fairlead/shared/contract/operations/operation';
import { randomBytes, type Clock } from '@fairlead/shared/kit/clock';
import type { Log } from '@fairlead/shared/kit/log';
import { EndingSource, type Ending } from '@fairlead/shared/wire/ending';
import type { AnswerHandler, AnsweringContext, WireAnswer, WireRequest } from '@fairlead/shared/wire/exchange';
import { admit } from '../core/admission.ts';
import type { Allowlist } from '../core/allowlist.ts';
import { ShareNotKnown, type DaemonProxy } from '../proxy/daemon-proxy.ts';
import type { DaemonAnswer } from '../proxy/exchange.ts';
import type { JudgedShare } from '../share/judge.ts';
import { createSuccession } from './succession.ts';

export interface AnswerParts {
  readonly allowlist: Allowlist;
  readonly shares: () => ReadonlyMap<string, JudgedShare>;
  readonly proxy: DaemonProxy;
  readonly clock: Clock;
  readonly log: Log;
}

/** A daemon that died in the middle: a read may be asked again, a write may have happened. */
const broken = (row: Operation): FairleadError =>
  new FairleadError(row.effect === 'read' ? 'daemon_not_running' : 'outcome_unknown', {
    detail: 'The line to the daemon broke in its answer',
  });

/** A stream that lets go of something once it has been read or given up. */
const finishing = async function* (body: AsyncIterable<Uint8Array>, done: () => void): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } finally {
    done();
  }
};

/** Bytes as they come. What goes wrong in the middle is told without the system's words, which name addresses. */
const streamed = async function* (body: AsyncIterable<Uint8Array>, row: Operation): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } catch {
    throw broken(row);
  }
};

/** Small JSON travels whole; what is asked for as a stream, or is too large for one frame, in chunks. */
const carried = ({ status, mediaType, length, body }: DaemonAnswer, row: Operation): WireAnswer => {
  const type = mediaType.startsWith('application/json') ? 'application/json' : mediaType;
  if (Buffer.isBuffer(body)) return { status, type, body };
  return { status, type, body: streamed(body, row), ...(length !== undefined && { length }) };
};

/** Holds on to requests that may take long by their nature, so that a stop can end them. */
const longOnes = () => {
  const open = new Set<EndingSource>();
  return {
    open: (until: Ending) => {
      const source = new EndingSource();
      until.onEnd((why) => source.end(why));
      open.add(source);
      return { until: source, done: () => void open.delete(source) };
    },
    end: (why: Error) => {
      for (const source of open) source.end(why);
    },
  };
};

export interface Answering {
  readonly handle: AnswerHandler;
  /** Takes nothing new and ends waits and streams, which their askers take up again elsewhere or later. What else has begun is finished. */
  drain(): void;
}

/** Serves requests of the relay: decides in core, then hands on to the daemon. Everything that it throws may travel. */
export const createAnswering = ({ allowlist, shares, proxy, clock, log }: AnswerParts): Answering => {
  const long = longOnes();
  const isReplaced = createSuccession(shares, clock);
  const mark = randomBytes(6).toString('base64url');
  let served = 0;
  let draining = false;

  /**
   * What a request runs under. A read ends with its asker. A write that has begun is not taken back by one who hung up; it ends when no
   * operation of its class takes that long.
   */
  const under = (row: Operation, { until }: AnsweringContext): { until: Ending; done: () => void } => {
    if (row.effect === 'read')
      return row.deadline === 'plain' && row.stream === 'none' ? { until, done: () => undefined } : long.open(until);
    const source = new EndingSource();
    return { until: source, done: clock.after(LIMITS.slow_deadline.value, () => source.end(new FairleadError('outcome_unknown'))) };
  };

  const serveUnder = async (share: JudgedShare | undefined, request: WireRequest, context: AnsweringContext): Promise<WireAnswer> => {
    const asked = {
      operation: request.operation,
      instanceId: request.instance_id,
      input: request.input,
      idempotencyKey: request.idempotency_key,
    };
    const { row, input } = admit(allowlist, share?.served, asked, clock.now());
    const form = row.stream === 'none' ? 'json' : (request.accept ?? 'json');
    const { until, done } = under(row, context);
    let answer: WireAnswer | undefined;
    try {
      const { principal, idempotency_key: idempotencyKey } = request;
      const got = await proxy.forward({
        id: `${mark}.${++served}`,
        row,
        input,
        share: share!.record,
        principal,
        idempotencyKey,
        form,
        limit: form === 'json' ? LIMITS.inline_json.value : 0,
        until,
      });
      answer = carried(got, row);
    } finally {
      if (answer === undefined || Buffer.isBuffer(answer.body)) done();
    }
    return Buffer.isBuffer(answer.body) ? answer : { ...answer, body: finishing(answer.body, done) };
  };

  const serve = async (request: WireRequest, context: AnsweringContext): Promise<WireAnswer> => {
    if (draining) throw new FairleadError('draining');
    const share = shares().get(request.instance_id);
    try {
      return await serveUnder(share, request, context);
    } catch (error) {
      if (!(error instanceof ShareNotKnown) || !(await isReplaced(share!.record, context.until))) throw error;
      // The new share may say less, so that everything is asked of it again.
      return serveUnder(shares().get(request.instance_id), request, context);
    }
  };

  const handle: AnswerHandler = async (request, context) => {
    try {
      return await serve(request, context);
    } catch (error) {
      if (error instanceof FairleadError) {
        log.debug({ operation: request.operation, instance: request.instance_id, code: error.code }, 'refused');
        throw error;
      }
      if (context.until.why) throw new FairleadError('deadline_exceeded');
      // Words of an unexpected error may hold anything of this machine. They stay in its log.
      log.error({ operation: request.operation, instance: request.instance_id, err: error }, 'request failed');
      throw new FairleadError('internal', { detail: 'The connector failed; its log says why' });
    }
  };

  return {
    handle,
    drain() {
      draining = true;
      long.end(new FairleadError('draining'));
    },
  };
};
