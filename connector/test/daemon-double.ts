import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { newResourceId } from '@fairlead/shared/contract/ids';
import type { Delegation } from '@fairlead/shared/contract/operations/daemon-admin';
import { defaultGrantOperations } from '@fairlead/shared/contract/operations/table';
import type { Grant } from '@fairlead/shared/contract/resources';
import { isoTime, systemClock } from '@fairlead/shared/kit/clock';
import { grantDigest, makeCertificate, makeDelegation } from '@fairlead/shared/kit/delegation';
import { readAll } from '@fairlead/shared/kit/http-client';
import { mintSecret } from '@fairlead/shared/kit/secret';
import { generateKey, instanceIdOf, newInstanceNonce } from '@fairlead/shared/kit/signature';

const DAY = 86_400_000;

export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

type Answer = (request: Seen, response: ServerResponse) => void;

/** The part of a daemon that a connector meets, over real HTTP, with real keys and signatures. It is told what to answer. */
export const daemonDouble = async () => {
  const root = generateKey();
  const operational = generateKey();
  const certificate = makeCertificate(root, {
    number: 1,
    operational_key: operational.publicKey,
    not_after: isoTime(systemClock.now() + 365 * DAY),
  });
  const operatorToken = mintSecret('flo');
  const seen: Seen[] = [];
  const grants = new Map<string, { grant: Grant; token: string }>();
  const nonces = new Map<string, string>();
  let sequence = 0;
  let answer: Answer = (_, response) => json(response, { ok: true });

  const json = (response: ServerResponse, value: unknown, status = 200) => {
    const text = JSON.stringify(value);
    response.writeHead(status, {
      'content-type': status < 300 ? 'application/json' : 'application/problem+json',
      'content-length': Buffer.byteLength(text),
    });
    response.end(text);
  };

  const delegate = (grant: Grant, notAfter = systemClock.now() + 30 * DAY): Delegation =>
    makeDelegation(
      { certificate, operational },
      {
        instance_id: grant.instance_id,
        root_key: root.publicKey,
        nonce: nonces.get(grant.instance_id)!,
        connector_key: grant.connector_key,
        relay_key: grant.relay_key,
        sequence: ++sequence,
        not_after: isoTime(notAfter),
        grant_digest: grant.digest,
      },
    );

  const makeGrant = (about: { instance_id: string; connector_key: string; relay_key: string } & Partial<Grant>): Grant => {
    const grant = {
      id: newResourceId('grant', about.instance_id),
      operations: defaultGrantOperations(),
      executors: null,
      validations: null,
      budget: { steps: null, wall_ms: null },
      spent: { steps: 0, wall_ms: 0 },
      accept_relay_decisions: false,
      created_at: isoTime(systemClock.now()),
      expires_at: isoTime(systemClock.now() + 30 * DAY),
      revoked_at: null,
      ...about,
    };
    return { ...grant, digest: grantDigest(grant) };
  };

  const descriptor = { label: 'shop', machine: 'desk', default_branch: 'main', executors: ['patch'], origin_digest: null };
  const delegationOf = (instance: string, token: string) => {
    const held = grants.get(instance);
    return held && held.token === token ? { grant: held.grant, delegation: delegate(held.grant), ...descriptor } : undefined;
  };

  const createGrant = (instance: string, body: Record<string, unknown>) => {
    const { connector_key, relay_key, operations, executors, validations, steps, wall_ms, days, accept_relay_decisions } = body;
    const grant = makeGrant({
      instance_id: instance,
      connector_key: String(connector_key),
      relay_key: String(relay_key),
      operations: operations as string[],
      executors: executors as string[] | null,
      validations: validations as string[] | null,
      budget: { steps: steps as number | null, wall_ms: wall_ms as number | null },
      accept_relay_decisions: accept_relay_decisions === true,
      expires_at: isoTime(systemClock.now() + Number(days ?? 30) * DAY),
    });
    const token = mintSecret('flc');
    grants.set(instance, { grant, token });
    return { grant, delegation: delegate(grant), connector_token: token };
  };

  const tokenOf = (request: Seen): string => request.headers.authorization?.slice(7) ?? '';
  const refuse = (response: ServerResponse) =>
    json(response, { type: 'urn:fairlead:error:unauthenticated', title: 'No', status: 401, code: 'unauthenticated' }, 401);

  const admin = (request: Seen, response: ServerResponse): boolean => {
    const grantOf = /^\/api\/v1\/instances\/([^/]+)\/grants$/.exec(request.path)?.[1];
    const renewOf = /^\/api\/v1\/delegations\/([^/]+)$/.exec(request.path)?.[1];
    const token = tokenOf(request);
    if (renewOf !== undefined) {
      const found = delegationOf(renewOf, token);
      if (found) json(response, found);
      else refuse(response);
      return true;
    }
    if (token !== operatorToken) return false;
    if (grantOf !== undefined) json(response, createGrant(grantOf, JSON.parse(request.body) as Record<string, unknown>));
    else if (/\/grants\/[^/]+\/revoke$/.test(request.path)) json(response, {});
    else if (request.path === '/api/v1/instances')
      json(response, {
        items: [...nonces.keys()].map((id) => ({ id, ...descriptor, online: true, last_seen_at: null, path: process.cwd() })),
      });
    else return false;
    return true;
  };

  const server = createServer((incoming, response) => {
    void (async () => {
      const body = (await readAll(incoming)).toString('utf8');
      const request = { method: incoming.method ?? '', path: incoming.url ?? '', headers: incoming.headers, body };
      seen.push(request);
      if (admin(request, response)) return;
      if ([operatorToken, ...[...grants.values()].map(({ token }) => token)].includes(tokenOf(request))) answer(request, response);
      else refuse(response);
    })();
  });
  const listen = (port: number) => new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  await listen(0);
  const { port } = server.address() as AddressInfo;

  return {
    url: `http://127.0.0.1:${port}`,
    port,
    operatorToken,
    seen,
    grants,
    descriptor,
    json,
    delegate,
    makeGrant,
    /** A new instance that this daemon can sign for. */
    newInstance: () => {
      const nonce = newInstanceNonce();
      const id = instanceIdOf(root.publicKey, nonce);
      nonces.set(id, nonce);
      return id;
    },
    answerWith: (next: Answer) => {
      answer = next;
    },
    stop: () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
    listen: () => listen(port),
  };
};
export type DaemonDouble = Awaited<ReturnType<typeof daemonDouble>>;
