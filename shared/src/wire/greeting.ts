import { uuidv7 } from 'uuidv7';
import { ERRORS, type ErrorCode } from '../contract/error-table.ts';
import { FairleadError } from '../contract/errors.ts';
import { LIMITS } from '../contract/limits.ts';
import type { Clock } from '../kit/clock.ts';
import type { KeyPair } from '../kit/signature.ts';
import { decodeFromConnector, decodeFromRelay, encodeFrame } from './codec.ts';
import type { RelayFrame, Welcome } from './frames.ts';
import { answerChallenge, checkProof, checkWelcome, makeChallenge, makeWelcome } from './handshake.ts';
import { CLOSE, type Transport } from './transport.ts';

const late = () =>
  new FairleadError('handshake_failed', { detail: `The handshake took longer than ${LIMITS.handshake.value / 1000} seconds.` });

/**
 * The next message, or the end of the line, or the deadline: whatever comes first. One message is taken, the rest waits. The line remembers
 * this for as long as it lives, so that an error, which holds on to all that was under way where it was made, is made only when it happens.
 */
const createInbox = (transport: Transport, clock: Clock) => {
  let settle: { resolve: (message: { data: Buffer; binary: boolean }) => void; reject: (error: Error) => void } | undefined;
  let failure: FairleadError | undefined;
  const fail = (error: FairleadError) => {
    failure ??= error;
    transport.receive(undefined);
    settle?.reject(error);
    settle = undefined;
  };
  let over = false;
  transport.onEnd(({ reason }) => {
    if (over) return;
    fail(new FairleadError('handshake_failed', { detail: `The line ended during the handshake${reason ? ` (${reason})` : ''}.` }));
  });
  let cancel: (() => void) | undefined = clock.after(LIMITS.handshake.value, () => fail(late()));
  return {
    done() {
      over = true;
      cancel?.();
      // The timer is remembered as long as this is.
      cancel = undefined;
    },
    /** Why the handshake cannot go on, if that has become known while the caller waited for something else. */
    failure: () => failure,
    next: () =>
      new Promise<{ data: Buffer; binary: boolean }>((resolve, reject) => {
        if (failure) return reject(failure);
        settle = { resolve, reject };
        transport.receive((data, binary) => {
          transport.receive(undefined);
          settle = undefined;
          resolve({ data, binary });
        });
      }),
  };
};

export interface KnownConnector {
  readonly key: string;
  readonly state: 'enabled' | 'disabled' | 'revoked';
}

export interface Greeted {
  readonly connectorId: string;
  readonly connectorKey: string;
  readonly sessionId: string;
  readonly protocol: number;
}

/** Codes that a refused peer may hear; everything else about it stays in the audit. */
const TOLD: ReadonlySet<ErrorCode> = new Set([
  'connector_disabled',
  'protocol_unsupported',
  'handshake_failed',
  'draining',
  'rate_limited',
]);

/**
 * The relay's side of the handshake: challenge, proof, welcome. On failure the peer is refused and the transport closed.
 * @param options.find looks a connector up; unknown ones and wrong keys are answered alike
 * @param options.accept called when the proof holds and before the welcome goes out: the place to replace an older session
 * @throws FairleadError `handshake_failed`, `connector_disabled`, `protocol_unsupported`, or what `find` and `accept` throw
 */
export const greetConnector = async (
  transport: Transport,
  options: {
    readonly clock: Clock;
    readonly relayKey: KeyPair;
    readonly origin: string;
    readonly find: (connectorId: string) => KnownConnector | undefined | Promise<KnownConnector | undefined>;
    readonly accept?: (greeted: Greeted) => void | Promise<void>;
  },
): Promise<Greeted> => {
  const inbox = createInbox(transport, options.clock);
  try {
    const challenge = makeChallenge({ origin: options.origin, publicKey: options.relayKey.publicKey });
    transport.sendText(encodeFrame(challenge));
    const { data, binary } = await inbox.next();
    const { frame } = decodeFromConnector(data, binary);
    if (frame.t !== 'prove') throw new FairleadError('handshake_failed', { detail: 'The connector did not begin with its proof.' });
    const known = await options.find(frame.connector_id);
    if (!known) throw new FairleadError('handshake_failed', { detail: 'The connector is not known here.' });
    checkProof(challenge, frame, known.key);
    if (known.state !== 'enabled') throw new FairleadError('connector_disabled');
    const greeted = { connectorId: frame.connector_id, connectorKey: known.key, sessionId: `ses_${uuidv7()}`, protocol: frame.protocol };
    const failure = inbox.failure();
    if (failure) throw failure;
    await options.accept?.(greeted);
    transport.trust();
    transport.sendText(encodeFrame(makeWelcome(challenge, frame, options.relayKey, greeted.sessionId)));
    return greeted;
  } catch (error) {
    const code = error instanceof FairleadError && TOLD.has(error.code) ? error.code : 'handshake_failed';
    transport.sendText(encodeFrame({ t: 'refuse', code, detail: ERRORS[code].title }));
    transport.close(CLOSE.refused, code);
    throw error;
  } finally {
    inbox.done();
  }
};

const expectFrame = <T extends RelayFrame['t']>(message: { data: Buffer; binary: boolean }, type: T): Extract<RelayFrame, { t: T }> => {
  const frame = decodeFromRelay(message.data, message.binary);
  if (frame.t === 'refuse') {
    const code = Object.hasOwn(ERRORS, frame.code) ? (frame.code as ErrorCode) : 'handshake_failed';
    throw new FairleadError(code, { detail: frame.detail ?? ERRORS[code].title });
  }
  if (frame.t !== type) throw new FairleadError('handshake_failed', { detail: `The relay sent ${frame.t} where ${type} was expected.` });
  return frame as Extract<RelayFrame, { t: T }>;
};

/**
 * The connector's side of the handshake. On failure the transport is closed.
 * @throws FairleadError `relay_untrusted`, `protocol_unsupported`, `handshake_failed`, or the code that the relay refused with
 */
export const greetRelay = async (
  transport: Transport,
  options: {
    readonly clock: Clock;
    readonly connectorId: string;
    readonly key: KeyPair;
    readonly dialledOrigin: string;
    readonly pinnedRelayKey: string;
  },
): Promise<Welcome> => {
  const inbox = createInbox(transport, options.clock);
  try {
    const challenge = expectFrame(await inbox.next(), 'challenge');
    const prove = answerChallenge(challenge, options);
    transport.sendText(encodeFrame(prove));
    const welcome = expectFrame(await inbox.next(), 'welcome');
    checkWelcome(challenge, prove, welcome, options.pinnedRelayKey);
    transport.trust();
    return welcome;
  } catch (error) {
    transport.close(CLOSE.normal, 'handshake failed');
    throw error;
  } finally {
    inbox.done();
  }
};
