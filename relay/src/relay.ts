import type { IncomingMessage } from 'node:http';
import { openapi } from '@fairlead/shared/contract/openapi';
import { referencePage, type ReferencePage } from '@fairlead/shared/contract/reference-page';
import { FairleadError } from '@fairlead/shared/contract/errors';
import { OPERATIONS, operationsOf, type OperationTable } from '@fairlead/shared/contract/operations/table';
import { ensurePrivateFolder, writeFileAtomic } from '@fairlead/shared/kit/atomic-file';
import { isoTime, systemClock, watchProcess, type Clock } from '@fairlead/shared/kit/clock';
import { checkHostAndOrigin, RawAnswer, listen, rawJson, createApp, type Listening } from '@fairlead/shared/kit/http-server';
import { createLog, type Log } from '@fairlead/shared/kit/log';
import { loadOrCreateKey, type KeyPair } from '@fairlead/shared/kit/signature';
import { lockHome } from '@fairlead/shared/kit/sqlite';
import { CONNECT_PATH } from '@fairlead/shared/wire/frames';
import { createSocketServer } from '@fairlead/shared/wire/ws-transport';
import { apiHandle } from './api/handle.ts';
import { createGatekeeper } from './api/gatekeeper.ts';
import { healthRoutes } from './api/health.ts';
import { metricsRoute } from './api/metrics.ts';
import { openAudit } from './audit/audit.ts';
import { keepFor } from './audit/retention.ts';
import { loadAdminToken } from './auth/admin-token.ts';
import { openPlannerTokens } from './auth/planner-tokens.ts';
import { countStrangers } from './auth/strangers.ts';
import type { Home, Settings } from './config/settings.ts';
import { VERSION } from './config/version.ts';
import { openEnrollment } from './enrollment/enrollment.ts';
import { mcpEndpoint } from './mcp/endpoint.ts';
import { adminHandlers } from './operations/admin.ts';
import { openPlanner } from './operations/planner.ts';
import { openHub } from './sessions/hub.ts';
import { openRegistry } from './sessions/registry.ts';
import { openStore, type Store } from './store/store.ts';

export interface Relay {
  readonly url: string;
  readonly origin: string;
  readonly key: string;
  /** Takes nothing new, lets what is under way end for at most `grace` milliseconds, then closes everything in order. */
  close(grace?: number): Promise<void>;
}

export interface RelayOptions {
  readonly home: Home;
  readonly settings: Settings;
  readonly clock?: Clock;
  /** The operations to serve: the real ones, or a test's. */
  readonly table?: OperationTable;
}

/** What exists before the first request: state on the disk, and what is known about ourselves. */
interface Base {
  readonly home: Home;
  readonly settings: Settings;
  readonly clock: Clock;
  readonly log: Log;
  readonly store: Store;
  readonly key: KeyPair;
  readonly table: OperationTable;
  readonly startedAt: number;
  /** Known once it listens. */
  origin: string;
  draining: boolean;
}

/** Puts the modules together, in the order of their imports. */
const assemble = async (base: Base) => {
  const { store, clock, log, key, settings, table } = base;
  const origin = () => base.origin;
  const draining = () => base.draining;
  const audit = openAudit({ store, clock });
  const stopDropping = keepFor({ store, audit, clock, log, days: settings.audit_days });
  const tokens = openPlannerTokens({ store, clock, perMinute: settings.planner_rate });
  const countStranger = countStrangers(clock);
  const isAdmin = await loadAdminToken(base.home.adminToken);
  const enrollment = openEnrollment({ store, clock, relayKey: key.publicKey, origin });
  const registry = openRegistry({ store, clock, relayKey: key.publicKey });
  const hub = openHub({ store, clock, audit, log, key, origin, registry, countStranger });
  const planner = openPlanner({ hub, audit, clock });
  const gatekeeper = createGatekeeper({ tokens, isAdmin, countStranger, audit, clock, draining });
  const admin = adminHandlers({
    store,
    clock,
    tokens,
    hub,
    enrollment,
    about: { origin, relayKey: key.publicKey, startedAt: base.startedAt, draining, health: watchProcess() },
  });
  const mcp = mcpEndpoint({ gatekeeper, planner, hub, clock, log, table });
  return { audit, stopDropping, tokens, hub, planner, mcp, gatekeeper, handle: apiHandle({ gatekeeper, planner, admin, audit }) };
};
type Parts = Awaited<ReturnType<typeof assemble>>;

/** The names under which this relay may be asked. */
const oursOf = ({ origin, settings }: Base) => ({
  hosts: [new URL(origin).host, ...settings.allowed_hosts],
  origins: [origin, ...settings.allowed_origins],
});

const httpApp = (base: Base, parts: Parts) => {
  const rows = operationsOf('relay', base.table);
  // Made at the first request: the origin may only be known once the port is.
  let ours: ReturnType<typeof oursOf> | undefined;
  const about = { title: 'Fairlead relay', version: VERSION, prefix: '/api/v2' };
  const document = JSON.stringify(openapi(rows, about));
  let page: Promise<ReferencePage> | undefined;
  return createApp({
    mounts: [{ prefix: '/api/v2', rows, handle: parts.handle }],
    routes: {
      ...healthRoutes({ clock: base.clock, writable: () => base.store.writable(), draining: () => base.draining }),
      'GET /metrics': metricsRoute({ ...parts, store: base.store }),
      'GET /api/v2/openapi.json': () => rawJson(document),
      'GET /api/v2/docs': async () => {
        const { html, headers } = await (page ??= referencePage(rows, about));
        return new RawAnswer(html, { headers });
      },
    },
    endpoints: { '/mcp': parts.mcp.serve },
    check: ({ headers }) => checkHostAndOrigin(headers, (ours ??= oursOf(base))),
    failed(error, { id, path }) {
      if (!(error instanceof FairleadError) || error.code === 'internal')
        base.log.error({ err: error, request_id: id, path }, 'a request failed');
    },
    refused: (error, context) => parts.gatekeeper.unread(error, context),
  });
};

/** Connectors come through the same port; nobody is let in while the relay drains. */
const socketServer = (base: Base, { hub }: Parts) =>
  createSocketServer({
    clock: base.clock,
    onTransport: (transport, request: IncomingMessage) => void hub.accept(transport, request.socket.remoteAddress ?? ''),
    allow() {
      if (base.draining) throw new FairleadError('draining');
    },
  });

const closing =
  (base: Base, parts: Parts, server: Listening, sockets: ReturnType<typeof socketServer>, unlock: () => void) => async (grace: number) => {
    base.draining = true;
    parts.stopDropping();
    const served = server.close(grace);
    const cancelled = new AbortController();
    await Promise.race([parts.planner.drain(), base.clock.sleep(grace, cancelled.signal).catch(() => {})]);
    cancelled.abort();
    // The HTTP server counts the connectors' sockets, so they go first; what they still owed fails at once.
    const ended = parts.hub.close();
    sockets.close();
    await ended;
    await parts.mcp.close();
    await served;
    // The audit's last turn may still hold what the sessions said as they ended.
    await new Promise((resolve) => setImmediate(resolve));
    parts.tokens.close();
    parts.audit.close();
    base.store.close();
    unlock();
  };

/**
 * Starts a relay.
 * @throws FairleadError `already_running`, `port_in_use`, `schema_newer`, `secret_exposed`, `disk_full`, `store_unwritable`
 */
export const startRelay = async ({ home, settings, clock = systemClock, table = OPERATIONS }: RelayOptions): Promise<Relay> => {
  await ensurePrivateFolder(home.folder);
  const unlock = lockHome(home.lock);
  try {
    const base: Base = {
      home,
      settings,
      clock,
      table,
      log: createLog({ part: 'relay', level: settings.log }),
      store: openStore(home.database),
      key: await loadOrCreateKey(home.key),
      startedAt: clock.now(),
      origin: settings.origin ?? 'http://127.0.0.1',
      draining: false,
    };
    const parts = await assemble(base);
    const server = await listen(httpApp(base, parts), { host: settings.host, port: settings.port });
    base.origin = settings.origin ?? server.url;
    const sockets = socketServer(base, parts);
    server.server.on('upgrade', (request, raw, head) => sockets.upgrade(request, raw, head));
    await writeFileAtomic(home.endpoint, `${JSON.stringify({ url: server.url, pid: process.pid, started_at: isoTime(base.startedAt) })}\n`);
    base.log.info({ url: server.url, origin: base.origin }, 'the relay listens');
    const close = closing(base, parts, server, sockets, unlock);
    let closed: Promise<void> | undefined;
    return { url: server.url, origin: base.origin, key: base.key.publicKey, close: (grace = 5000) => (closed ??= close(grace)) };
  } catch (error) {
    unlock();
    throw error;
  }
};

/** Where connectors and MCP clients find a relay. */
export const addressesOf = (url: string) => ({ mcp_url: `${url}/mcp`, ws_url: `${url.replace(/^http/, 'ws')}${CONNECT_PATH}` });
