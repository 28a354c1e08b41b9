import { Agent } from 'undici';
import { FairleadError, Problem } from '@fairlead/shared/contract/errors';
import { toHttp } from '@fairlead/shared/contract/http';
import type { Operation } from '@fairlead/shared/contract/operations/operation';
import type { Ending } from '@fairlead/shared/wire/ending';
import { readEndpoint } from '../share/daemon-access.ts';
import type { ShareRecord } from '../share/share-file.ts';
import { exchange, type DaemonAnswer } from './exchange.ts';
import { withoutMachine } from './without-machine.ts';

/** In which form the asker wants the answer. */
export type Form = 'json' | 'bytes' | 'events';

export interface Forwarded {
  readonly id: string;
  readonly row: Operation;
  readonly input: Readonly<Record<string, unknown>>;
  readonly share: ShareRecord;
  readonly principal: { readonly id: string; readonly name: string };
  readonly idempotencyKey: string | undefined;
  readonly form: Form;
  /** Up to how many bytes the body is answered whole; 0 is a stream in any case. */
  readonly limit: number;
  /** Gives the request up. */
  readonly until: Ending;
}

export interface DaemonProxy {
  /**
   * Sends an admitted request to the daemon that serves the share.
   * @throws FairleadError the daemon's own refusal, `daemon_not_running`, or `outcome_unknown` for a write whose answer was lost; or why
   *   it was given up. ShareNotKnown where the daemon does not know the share
   */
  forward(request: Forwarded): Promise<DaemonAnswer>;
  close(): void;
}

/** The credential is the share: where the daemon does not know it any more, the owner has withdrawn it or shared anew. Nothing has happened. */
export class ShareNotKnown extends FairleadError {
  constructor() {
    super('grant_expired', { detail: 'The daemon no longer accepts this share' });
  }
}

const ACCEPT: Readonly<Record<Form, string>> = { json: 'application/json', bytes: '*/*', events: 'text/event-stream' };

const refusalOf = ({ status, body }: DaemonAnswer): FairleadError => {
  if (!Buffer.isBuffer(body)) body.destroy();
  if (status === 401) return new ShareNotKnown();
  try {
    const problem = Problem.parse(Buffer.isBuffer(body) ? JSON.parse(body.toString('utf8')) : undefined);
    return FairleadError.fromProblem(withoutMachine(problem));
  } catch {
    // Whatever it was, it may tell of the machine; the daemon's own log has it under the request's id.
    return new FairleadError('internal', { detail: 'The daemon failed without saying why' });
  }
};

/** Errors after which certainly nothing was sent. */
const NOT_SENT = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_DESTROYED',
  'UND_ERR_CLOSED',
]);

/** What to say of a failed exchange. The address and the system's words stay here. */
const failureOf = (row: Operation, sent: boolean): FairleadError =>
  row.effect === 'read' || !sent
    ? new FairleadError('daemon_not_running', { detail: 'The daemon of this machine does not answer' })
    : new FairleadError('outcome_unknown', { detail: 'The line to the daemon broke before its answer came' });

/**
 * Kept connections to the daemon. This is the one place that speaks HTTP through undici: it takes less than half the processor time of
 * node:http at both ends, and every operation passes here; command lines use node:http, which starts faster.
 */
const daemonConnections = (): Agent => new Agent({ connections: 256, pipelining: 1, headersTimeout: 0, bodyTimeout: 0 });

/** More principals than these are forgotten all at once; those that ask again come back with their next request. */
const MOST_PRINCIPALS = 1000;

/** Writes principals as the daemon reads them: the same few ask again and again. */
const principalHeaders = () => {
  const known = new Map<string, { readonly name: string; readonly header: string }>();
  return ({ id, name }: Forwarded['principal']): string => {
    const found = known.get(id);
    if (found?.name === name) return found.header;
    const header = Buffer.from(JSON.stringify({ id, name })).toString('base64url');
    if (known.size >= MOST_PRINCIPALS) known.clear();
    known.set(id, { name, header });
    return header;
  };
};

export const createDaemonProxy = (agent: Agent = daemonConnections()): DaemonProxy => {
  // A daemon that restarts on another port tells it in its home; what was found there counts from then on.
  const moved = new Map<string, string>();
  const headerOf = principalHeaders();

  const send = async (url: string, { id, row, input, share, principal, idempotencyKey, form, limit, until }: Forwarded) => {
    const { method, path, body } = toHttp(row, input);
    const headers: Record<string, string> = {
      accept: ACCEPT[form],
      authorization: `Bearer ${share.connector_token}`,
      'fairlead-principal': headerOf(principal),
      'fairlead-instance': share.instance_id,
      'fairlead-request': id,
    };
    if (body !== undefined) headers['content-type'] = 'application/json';
    if (idempotencyKey !== undefined) headers['idempotency-key'] = idempotencyKey;
    const options = { origin: url, path: `/api/v1${path}`, method, headers, body: body ?? null };
    let sent = false;
    for (let attempt = 1; ; attempt++) {
      try {
        return await exchange(agent, options, { limit, until });
      } catch (error) {
        if (until.why) throw until.why;
        sent ||= !NOT_SENT.has((error as NodeJS.ErrnoException).code ?? '');
        // A kept connection that the daemon closed just then: every request here is a read or carries a key, so it may be sent again.
        if (!sent || attempt > 1) throw failureOf(row, sent);
      }
    }
  };

  const sendWhereItIs = async (request: Forwarded) => {
    const { url, home } = request.share.daemon;
    const known = (home !== null && moved.get(home)) || url;
    try {
      return await send(known, request);
    } catch (error) {
      // Only when certainly nothing was sent may the same request go elsewhere.
      if (home === null || !(error instanceof FairleadError) || error.code !== 'daemon_not_running') throw error;
      const now = await readEndpoint(home);
      if (now === undefined || now === known) throw error;
      moved.set(home, now);
      return send(now, request);
    }
  };

  return {
    async forward(request) {
      const answer = await sendWhereItIs(request);
      if (answer.status < 200 || answer.status >= 300) throw refusalOf(answer);
      return answer;
    },
    close: () => void agent.destroy(),
  };
};
