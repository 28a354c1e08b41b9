import type { Readable } from 'node:stream';
import { Agent, request as httpRequest } from 'undici';
import { FairleadError, Problem } from '@fairlead/shared/contract/errors';
import { toHttp } from '@fairlead/shared/contract/http';
import type { Operation } from '@fairlead/shared/contract/operations/operation';
import { readAll } from '@fairlead/shared/kit/http-client';
import { readEndpoint } from '../share/daemon-access.ts';
import type { ShareRecord } from '../share/share-file.ts';
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
  readonly signal: AbortSignal;
}

/** The daemon's answer, its bytes untouched. The body must be read to its end or destroyed. */
export interface DaemonAnswer {
  readonly status: number;
  readonly mediaType: string;
  /** Bytes of the body, where the daemon said so. */
  readonly length: number | undefined;
  readonly body: Readable;
}

export interface DaemonProxy {
  /**
   * Sends an admitted request to the daemon that serves the share.
   * @throws FairleadError the daemon's own refusal, `daemon_not_running`, or `outcome_unknown` for a write whose answer was lost; an
   *   aborted signal throws its reason
   */
  forward(request: Forwarded): Promise<DaemonAnswer>;
  close(): void;
}

const ACCEPT: Readonly<Record<Form, string>> = { json: 'application/json', bytes: '*/*', events: 'text/event-stream' };

/** A problem document is small; anything larger is not one. */
const PROBLEM_BYTES = 64 * 1024;

const refusalOf = async (status: number, body: Readable): Promise<FairleadError> => {
  // The credential is the share: where the daemon no longer knows it, the owner has withdrawn it.
  if (status === 401) return body.resume() && new FairleadError('grant_expired', { detail: 'The daemon no longer accepts this share' });
  try {
    const problem = Problem.parse(JSON.parse((await readAll(body, PROBLEM_BYTES)).toString('utf8')));
    return FairleadError.fromProblem(withoutMachine(problem));
  } catch {
    // Whatever it was, it may tell of the machine; the daemon's own log has it under the request's id.
    body.destroy();
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
 * node:http at both ends, and every operation passes here; command lines use node:http, which starts faster. Requests end by their signals.
 */
const daemonConnections = (): Agent => new Agent({ connections: 256, pipelining: 1, headersTimeout: 0, bodyTimeout: 0 });

export const createDaemonProxy = (agent: Agent = daemonConnections()): DaemonProxy => {
  // A daemon that restarts on another port tells it in its home; what was found there counts from then on.
  const moved = new Map<string, string>();

  const send = async (url: string, { id, row, input, share, principal, idempotencyKey, form, signal }: Forwarded) => {
    const { method, path, body } = toHttp(row, input);
    const headers: Record<string, string> = {
      accept: ACCEPT[form],
      authorization: `Bearer ${share.connector_token}`,
      'fairlead-principal': Buffer.from(JSON.stringify({ id: principal.id, name: principal.name })).toString('base64url'),
      'fairlead-instance': share.instance_id,
      'fairlead-request': id,
    };
    if (body !== undefined) headers['content-type'] = 'application/json';
    if (idempotencyKey !== undefined) headers['idempotency-key'] = idempotencyKey;
    const options = { method, headers, body: body ?? null, signal, dispatcher: agent } as const;
    let sent = false;
    for (let attempt = 1; ; attempt++) {
      try {
        return await httpRequest(`${url}/api/v1${path}`, options);
      } catch (error) {
        if (signal.aborted) throw signal.reason;
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
      const { statusCode: status, headers, body } = await sendWhereItIs(request);
      if (status < 200 || status >= 300) throw await refusalOf(status, body);
      const length = headers['content-length'];
      return {
        status,
        mediaType: String(headers['content-type'] ?? 'application/octet-stream'),
        length: length === undefined ? undefined : Number(length),
        body,
      };
    },
    close: () => void agent.destroy(),
  };
};
