import { FairleadError } from '@fairlead/shared/contract/errors';
import { openapi } from '@fairlead/shared/contract/openapi';
import { referencePage, type ReferencePage } from '@fairlead/shared/contract/reference-page';
import type { Clock } from '@fairlead/shared/kit/clock';
import { RawAnswer, checkHostAndOrigin, createApp } from '@fairlead/shared/kit/http-server';
import type { Log } from '@fairlead/shared/kit/log';
import type { ArtifactFiles } from '../ledger/artifact-files.ts';
import type { AnyHandler, Handlers } from './asked.ts';
import { listEvents } from './event-stream.ts';
import { evidenceReads } from './evidence.ts';
import { instanceReads, type InstanceParts } from './instance-reads.ts';
import { metricsRoute } from './metrics.ts';
import { machineReads, type MachineParts } from './machine-reads.ts';
import { createPipeline } from './pipeline.ts';
import { runReads } from './run-reads.ts';
import { stepLogs, type LiveLog } from './step-logs.ts';
import { waitStep } from './wait-step.ts';
import type { Wakes } from './wakes.ts';
import { writes, type Commands } from './writes.ts';

export const PREFIX = '/api/v1';

export interface ApiParts extends InstanceParts {
  readonly clock: Clock;
  readonly operatorHash: string;
  readonly log: Log;
  readonly artifacts: ArtifactFiles;
  readonly live: LiveLog;
  readonly commands: Commands;
  readonly wakes: Wakes;
  readonly about: MachineParts['about'];
  readonly workspaces: MachineParts['workspaces'];
  readonly health: MachineParts['health'];
  readonly provenance: MachineParts['provenance'];
  /** Host names, besides loopback, under which this daemon may be called. */
  readonly allowedHosts: readonly string[];
  readonly draining: () => boolean;
  /** Handlers of further rows, as a test adds them. */
  readonly more?: Readonly<Record<string, AnyHandler>>;
}

/** One handler for each operation of the daemon. */
export const createHandlers = (parts: ApiParts): Handlers => {
  const { ledger, clock, wakes } = parts;
  const { read } = ledger;
  const logs = { read, artifacts: parts.artifacts, live: parts.live, clock, wakes };
  return {
    ...runReads(ledger),
    ...instanceReads(parts),
    ...evidenceReads({ read, artifacts: parts.artifacts }),
    ...machineReads({ read, about: parts.about, workspaces: parts.workspaces, health: parts.health, provenance: parts.provenance }),
    ...writes(parts.commands),
    wait_step: waitStep(ledger, logs),
    get_step_logs: stepLogs(logs),
    list_events: listEvents(ledger, wakes),
  };
};

/** The daemon's HTTP API: routes, checks and errors all come from the tables. */
export const createApi = (parts: ApiParts) => {
  const { ledger, clock, operatorHash, rows, draining, log, about } = parts;
  const handlers: Readonly<Record<string, AnyHandler>> = { ...createHandlers(parts), ...parts.more };
  const self = { title: 'Fairlead daemon', version: about.version, prefix: PREFIX };
  let document: Record<string, unknown> | undefined;
  let page: Promise<ReferencePage> | undefined;
  return createApp({
    mounts: [{ prefix: PREFIX, rows, handle: createPipeline({ ledger, clock, operatorHash, handlers, draining }) }],
    routes: {
      'GET /healthz': () => ({ ok: true }),
      'GET /metrics': metricsRoute({ ...parts, read: ledger.read, credentials: { read: ledger.read, operatorHash } }),
      [`GET ${PREFIX}/openapi.json`]: () => (document ??= openapi(rows, self)),
      [`GET ${PREFIX}/docs`]: async () => {
        const { html, headers } = await (page ??= referencePage(rows, self));
        return new RawAnswer(html, { headers });
      },
    },
    check: ({ headers }) => checkHostAndOrigin(headers, { hosts: parts.allowedHosts }),
    failed: (error, { id, method, path }) => {
      const isKnown = error instanceof FairleadError && error.code !== 'internal';
      if (isKnown) log.debug({ request: id, method, path, code: error.code }, 'refused');
      else log.error({ request: id, method, path, err: error }, 'a request failed');
    },
  });
};
