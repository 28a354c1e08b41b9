import type { ErrorCode } from '@fairlead/shared/contract/error-table';
import { FairleadError } from '@fairlead/shared/contract/errors';
import { LIMITS } from '@fairlead/shared/contract/limits';
import type { Clock } from '@fairlead/shared/kit/clock';
import type { Log } from '@fairlead/shared/kit/log';
import type { KeyPair } from '@fairlead/shared/kit/signature';
import type { ChannelEnd, RequestingChannel } from '@fairlead/shared/wire/exchange';
import type { Descriptor } from '@fairlead/shared/wire/frames';
import { greetConnector, type Greeted } from '@fairlead/shared/wire/greeting';
import { createRequestingChannel } from '@fairlead/shared/wire/requesting-channel';
import type { Transport } from '@fairlead/shared/wire/transport';
import type { Audit } from '../audit/audit.ts';
import type { CountStranger } from '../auth/strangers.ts';
import type { ConnectorRow, ConnectorState } from '../store/connector-rows.ts';
import type { Store } from '../store/store.ts';
import type { Registry } from './registry.ts';

interface Session {
  readonly id: string;
  readonly connectorId: string;
  readonly address: string;
  readonly channel: RequestingChannel;
}

/** The connectors that are here now, one session each. */
export interface Hub {
  readonly registry: Registry;
  /** Takes a socket: handshake, then a session until either side ends it. */
  accept(transport: Transport, address: string): Promise<void>;
  online(connectorId: string): boolean;
  /** The line to a connector, or undefined while it is away. */
  channel(connectorId: string): RequestingChannel | undefined;
  /** Closes the live socket at once unless the state is `enabled`; revoking withdraws what was shared. */
  setConnectorState(connectorId: string, state: ConnectorState): void;
  /** Revokes a connector that asked for it itself. */
  unenroll(connectorId: string): void;
  /** Puts a new key in the place of a connector's old one, and closes the session of the old one at once. */
  setConnectorKey(connector: ConnectorRow, key: string): void;
  /** How many connectors are here. */
  sessions(): number;
  /** Requests that wait for a connector's answer. */
  pending(): number;
  /** Ends every session; connectors are told that the relay drains. Resolves when the last handshake has come to its end too. */
  close(): Promise<void>;
}

export interface HubParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly audit: Audit;
  readonly log: Log;
  readonly key: KeyPair;
  readonly origin: () => string;
  readonly registry: Registry;
  readonly countStranger: CountStranger;
}

const asError = (error: unknown): FairleadError =>
  error instanceof FairleadError ? error : new FairleadError('handshake_failed', { cause: error });

/** What the audit notes of every connector of a crowd. */
const COMES_AND_GOES: ReadonlySet<string> = new Set(['advertise', 'session_started', 'session_ended']);

export const openHub = (parts: HubParts): Hub => {
  const { store, clock, audit, log, registry } = parts;
  const sessions = new Map<string, Session>();
  const handshakes = new Map<Transport, Promise<void>>();
  // Counts what is done to connectors. Where nothing was, nobody needs to look again whether a connector may still be here.
  let changes = 0;
  // Over how many milliseconds the connectors are to come back, once this relay has begun to close.
  let spread: number | undefined;

  /** Session events tell what the relay did by itself; they hold nothing up. */
  const note = (
    action: string,
    outcome: string,
    about: { connectorId?: string; address?: string; instance?: string; detail?: Record<string, unknown> },
  ) => {
    const facts = {
      actor: about.connectorId ?? 'anonymous',
      action,
      effect: 'session' as const,
      outcome,
      address: about.address ?? null,
      instance_id: about.instance ?? null,
      detail: about.detail ?? {},
    };
    const failed = (error: unknown) => log.error({ err: error, action }, 'the audit cannot be written');
    // Who came and went follows within a moment, as reads do: a crowd that comes back must not wait for a sync each. All else is written at
    // once.
    if (outcome !== 'ok' || !COMES_AND_GOES.has(action)) {
      audit.record(facts).catch(failed);
      return;
    }
    try {
      audit.read(facts);
    } catch (error) {
      failed(error);
    }
  };

  const end = (session: Session, why: ErrorCode) => {
    if (sessions.get(session.connectorId) === session) sessions.delete(session.connectorId);
    session.channel.refuse(why, why === 'draining' ? spread : undefined);
  };

  const advertise = (session: Session, key: string, instances: readonly Descriptor[]) => {
    if (sessions.get(session.connectorId) !== session) return;
    const about = { connectorId: session.connectorId, address: session.address };
    const { accepted, news, refused, moved } = registry.advertise({ id: session.connectorId, key }, instances);
    for (const { instance_id, error } of refused)
      note('advertise', error.code, { ...about, instance: instance_id, detail: { detail: error.message } });
    for (const { id } of news) note('advertise', 'ok', { ...about, instance: id });
    const tell = refused.map(({ instance_id, error }) => ({ instance_id, code: error.code, detail: error.message }));
    session.channel.advertised({ accepted: accepted.map(({ id }) => id), refused: tell });
    for (const { instance_id, from } of moved) {
      note('instance_moved', 'ok', { ...about, instance: instance_id, detail: { from } });
      const lost = { instance_id, code: 'instance_moved', detail: 'A newer delegation serves this instance through another connector.' };
      sessions.get(from)?.channel.advertised({ accepted: registry.sharedBy(from).map(({ id }) => id), refused: [lost] });
    }
  };

  const ended = (session: Session, why: ChannelEnd) => {
    if (sessions.get(session.connectorId) === session) {
      sessions.delete(session.connectorId);
      try {
        registry.left(session.connectorId);
      } catch (error) {
        log.error({ err: error }, 'the end of a session cannot be written');
      }
    }
    note('session_ended', why.code ?? 'ok', {
      connectorId: session.connectorId,
      address: session.address,
      detail: { session_id: session.id, detail: why.detail },
    });
  };

  const begin = (transport: Transport, greeted: Greeted, address: string, seen: number) => {
    // What the connector sent right behind its proof may be delivered before the session is there to hear of it.
    const line: { session?: Session; instances?: readonly Descriptor[]; end?: ChannelEnd } = {};
    const channel = createRequestingChannel(transport, clock, {
      onAdvertise(instances) {
        if (line.session) advertise(line.session, greeted.connectorKey, instances);
        else line.instances = instances;
      },
      onEnd(why) {
        if (line.session) ended(line.session, why);
        else line.end = why;
      },
    });
    const session: Session = { id: greeted.sessionId, connectorId: greeted.connectorId, address, channel };
    line.session = session;
    sessions.set(greeted.connectorId, session);
    note('session_started', 'ok', { connectorId: greeted.connectorId, address, detail: { session_id: greeted.sessionId } });
    // What was revoked, or got another key, while the welcome was on its way ends here.
    const asSeen = { state: 'enabled', key: greeted.connectorKey };
    const now = seen === changes ? asSeen : store.connectors.byId(greeted.connectorId);
    if (now?.state !== 'enabled') end(session, 'connector_disabled');
    else if (now.key !== greeted.connectorKey) end(session, 'key_rotated');
    else if (spread !== undefined) end(session, 'draining');
    else if (line.instances) advertise(session, greeted.connectorKey, line.instances);
    delete line.instances;
    if (line.end) ended(session, line.end);
  };

  const greet = async (transport: Transport, address: string): Promise<void> => {
    let seen = changes;
    try {
      const greeted = await greetConnector(transport, {
        clock,
        relayKey: parts.key,
        origin: parts.origin(),
        find(id) {
          seen = changes;
          return store.connectors.byId(id);
        },
        accept({ connectorId }) {
          const old = sessions.get(connectorId);
          if (old) end(old, 'session_replaced');
        },
      });
      begin(transport, greeted, address, seen);
    } catch (error) {
      const why = parts.countStranger(address, asError(error));
      // An address that fails without end must not fill the audit.
      if (why.code !== 'rate_limited') note('handshake', why.code, { address, detail: { detail: why.message } });
    }
  };

  const setConnectorState: Hub['setConnectorState'] = (connectorId, state) => {
    changes += 1;
    store.atomically(() => store.connectors.setState(connectorId, state));
    const session = sessions.get(connectorId);
    if (state !== 'enabled' && session) end(session, 'connector_disabled');
    if (state === 'revoked') registry.withdrawAll(connectorId);
  };

  return {
    registry,
    accept(transport, address) {
      const greeting = greet(transport, address).finally(() => handshakes.delete(transport));
      handshakes.set(transport, greeting);
      return greeting;
    },
    online: (connectorId) => sessions.has(connectorId),
    channel: (connectorId) => sessions.get(connectorId)?.channel,
    setConnectorState,
    unenroll(connectorId) {
      setConnectorState(connectorId, 'revoked');
      note('unenrolled', 'ok', { connectorId });
    },
    setConnectorKey(connector, key) {
      changes += 1;
      store.atomically(() => store.connectors.setKey(connector, key, clock.now()));
      const session = sessions.get(connector.id);
      if (session) end(session, 'key_rotated');
      note('key_rotated', 'ok', { connectorId: connector.id, detail: { old_key: connector.key, new_key: key } });
    },
    sessions: () => sessions.size,
    pending: () => [...sessions.values()].reduce((sum, { channel }) => sum + channel.pending, 0),
    async close() {
      spread = Math.min(sessions.size * LIMITS.restart_pace.value, LIMITS.reconnect_cap.value);
      const greetings = [...handshakes];
      for (const [transport] of greetings) transport.destroy();
      for (const session of sessions.values()) {
        registry.left(session.connectorId);
        end(session, 'draining');
      }
      await Promise.all(greetings.map(([, greeting]) => greeting));
      registry.close();
    },
  };
};
