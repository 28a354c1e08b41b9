import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { createClient, type Client } from '@fairlead/shared/contract/client';
import { FairleadError } from '@fairlead/shared/contract/errors';
import { newResourceId } from '@fairlead/shared/contract/ids';
import { defaultGrantOperations, OPERATIONS, type CallOf, type OperationTable } from '@fairlead/shared/contract/operations/table';
import { isoTime, systemClock } from '@fairlead/shared/kit/clock';
import { makeCertificate, makeDelegation, type DelegationDocument } from '@fairlead/shared/kit/delegation';
import { nodeTransport } from '@fairlead/shared/kit/http-client';
import { generateKey, instanceIdOf, newInstanceNonce, type KeyPair } from '@fairlead/shared/kit/signature';
import { createAnsweringChannel } from '@fairlead/shared/wire/answering-channel';
import type {
  AnswerHandler,
  AnsweringChannel,
  AnsweringContext,
  ChannelEnd,
  WireAnswer,
  WireRequest,
} from '@fairlead/shared/wire/exchange';
import type { Advertised, Descriptor } from '@fairlead/shared/wire/frames';
import { greetRelay } from '@fairlead/shared/wire/greeting';
import { makeEnrollmentProof } from '@fairlead/shared/wire/handshake';
import { dialRelay } from '@fairlead/shared/wire/ws-transport';
import { loadSettings, relayHome, type Flags, type Home } from '../src/config/settings.ts';
import { startRelay, type Relay } from '../src/relay.ts';

const DAY = 86_400_000;

/** A relay of its own in a temporary folder, on a free port. */
export interface TestRelay extends Relay {
  readonly home: Home;
  readonly admin: Client;
  readonly adminToken: string;
  client(token: string): Client;
  plannerToken(about?: Partial<CallOf<'create_planner_token'>>): Promise<{ id: string; secret: string; client: Client }>;
  audit(filter?: CallOf<'list_audit'>): Promise<
    {
      action: string;
      outcome: string;
      effect: string;
      actor: string;
      detail: Record<string, unknown>;
      resource_id: string | null;
      instance_id: string | null;
    }[]
  >;
  end(): Promise<void>;
}

export const clientOf = (url: string, token: string): Client =>
  createClient({ url, prefix: '/api/v2', token, transport: nodeTransport({ unreachable: 'relay_not_running' }) });

export const temporaryHome = async (): Promise<{ base: string; home: Home; remove: () => Promise<void> }> => {
  const base = await mkdtemp(path.join(os.tmpdir(), 'fairlead-relay-'));
  return { base, home: relayHome(base), remove: () => rm(base, { recursive: true, force: true }) };
};

export const testRelay = async (flags: Flags = {}, table?: OperationTable): Promise<TestRelay> => {
  const { home, remove } = await temporaryHome();
  const settings = await loadSettings(home, { port: 0, log: 'error', ...flags });
  const relay = await startRelay({ home, settings, ...(table && { table }) });
  const adminToken = (await readFile(home.adminToken, 'utf8')).trim();
  const client = (token: string) => clientOf(relay.url, token);
  const admin = client(adminToken);
  return {
    ...relay,
    home,
    admin,
    adminToken,
    client,
    async plannerToken(about = {}) {
      const { id, secret } = await admin.call('create_planner_token', { name: 'planner', ...about });
      return { id, secret, client: client(secret) };
    },
    audit: async (filter = {}) => (await admin.call('list_audit', { limit: 500, ...filter })).items,
    async end() {
      await relay.close(500);
      await remove();
    },
  };
};

/** A daemon's keys and one instance of it, without the daemon. */
export const testInstance = (root: KeyPair = generateKey()) => {
  const operational = generateKey();
  const nonce = newInstanceNonce();
  const id = instanceIdOf(root.publicKey, nonce);
  const certificate = makeCertificate(root, {
    number: 1,
    operational_key: operational.publicKey,
    not_after: isoTime(Date.now() + 300 * DAY),
  });
  return {
    id,
    root,
    resource: (kind: Parameters<typeof newResourceId>[0]) => newResourceId(kind, id),
    delegate: (about: Pick<DelegationDocument, 'connector_key' | 'relay_key'> & Partial<DelegationDocument>) =>
      makeDelegation(
        { certificate, operational },
        {
          instance_id: id,
          root_key: root.publicKey,
          nonce,
          sequence: 1,
          not_after: isoTime(Date.now() + 30 * DAY),
          grant_digest: `sha256:${'0'.repeat(64)}`,
          ...about,
        },
      ),
  };
};
export type TestInstance = ReturnType<typeof testInstance>;

export interface TestConnector {
  readonly id: string;
  readonly key: KeyPair;
  readonly requests: WireRequest[];
  readonly ended: Promise<ChannelEnd>;
  descriptor(instance: TestInstance, about?: Partial<DelegationDocument>): Descriptor;
  /** Advertises, and answers what the relay said to it. */
  advertise(...descriptors: Descriptor[]): Promise<Omit<Advertised, 't'>>;
  /** The next `advertised` that comes by itself. */
  told(): Promise<Omit<Advertised, 't'>>;
  /** Cuts the line without a word. */
  cut(): void;
}

export const enroll = async (relay: TestRelay, key = generateKey(), label = 'machine') => {
  const { secret } = await relay.admin.call('create_enrollment_token', { label });
  const proof = makeEnrollmentProof({ secret, key: key.publicKey, label, origin: relay.origin }, key.privateKey);
  const { connector_id } = await relay.client('none').call('enroll', { secret, key: key.publicKey, label, proof });
  return { id: connector_id, key };
};

const json = (value: unknown) => ({ status: 200, type: 'application/json', body: Buffer.from(JSON.stringify(value)) });

/** Answers everything with what was asked. */
export const echo: AnswerHandler = async (request) => json({ operation: request.operation, input: request.input });

/** Answers as a connector does, with a signal for what sleeps. */
type TestHandler = (request: WireRequest, context: AnsweringContext & { readonly signal: AbortSignal }) => Promise<WireAnswer>;

/** A connector over the real wire, whose daemon is a function. */
export const testConnector = async (
  relay: TestRelay,
  handle: TestHandler = echo,
  identity?: { id: string; key: KeyPair },
): Promise<TestConnector> => {
  const { id, key } = identity ?? (await enroll(relay));
  const transport = await dialRelay(relay.url, systemClock);
  await greetRelay(transport, { clock: systemClock, connectorId: id, key, dialledOrigin: relay.origin, pinnedRelayKey: relay.key });
  const requests: WireRequest[] = [];
  const answers: Omit<Advertised, 't'>[] = [];
  let wake: (() => void) | undefined;
  let end: (why: ChannelEnd) => void;
  const ended = new Promise<ChannelEnd>((resolve) => {
    end = resolve;
  });
  const channel: AnsweringChannel = createAnsweringChannel(transport, systemClock, {
    handle(request, context) {
      requests.push(request);
      const controller = new AbortController();
      context.until.onEnd((why) => controller.abort(why));
      return handle(request, { ...context, signal: controller.signal });
    },
    onAdvertised(result) {
      answers.push(result);
      wake?.();
    },
    onEnd: (why) => end(why),
  });
  const told = async () => {
    while (answers.length === 0) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    return answers.shift()!;
  };
  return {
    id,
    key,
    requests,
    ended,
    told,
    descriptor: (instance, about = {}) => ({
      instance_id: instance.id,
      label: 'repo',
      machine: 'box',
      default_branch: 'main',
      executors: ['patch'],
      operations: [...defaultGrantOperations(OPERATIONS), 'approve_gate'],
      origin_digest: null,
      delegation: instance.delegate({ connector_key: key.publicKey, relay_key: relay.key, ...about }),
    }),
    advertise(...descriptors) {
      channel.advertise(descriptors);
      return told();
    },
    cut: () => transport.destroy(),
  };
};

/** The code that a promise fails with. */
export const codeOf = async (promise: Promise<unknown>): Promise<string> => {
  try {
    await promise;
    return 'ok';
  } catch (error) {
    if (error instanceof FairleadError) return error.code;
    throw error;
  }
};

/** Waits until something is so, for at most two seconds. */
export const until = async (so: () => boolean | Promise<boolean>): Promise<void> => {
  for (let tries = 0; tries < 200; tries++) {
    if (await so()) return;
    await systemClock.sleep(10);
  }
  throw new Error('it never became so');
};
