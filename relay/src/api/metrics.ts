import type { Metric, Registry } from 'prom-client';
import { RawAnswer, type RequestContext } from '@fairlead/shared/kit/http-server';
import type { Audit } from '../audit/audit.ts';
import { VERSION } from '../config/version.ts';
import type { Hub } from '../sessions/hub.ts';
import type { Store } from '../store/store.ts';
import type { Gatekeeper } from './gatekeeper.ts';

export interface MetricsParts {
  readonly gatekeeper: Gatekeeper;
  readonly store: Store;
  readonly hub: Hub;
  readonly audit: Audit;
}

const STATES = ['enabled', 'disabled', 'revoked'] as const;

/**
 * What the relay tells a Prometheus. Labels take their values from tables of ours (operations, error codes, states), never from what
 * somebody sent, so that their number is bounded and no name or id leaves this way.
 */
const registryOf = async ({ store, hub, audit }: Omit<MetricsParts, 'gatekeeper'>): Promise<Registry> => {
  // Loaded by the first who asks: most relays and daemons are never scraped, and all of them start.
  const prometheus = await import('prom-client');
  const { Counter, Gauge } = prometheus;
  const gauge = (name: string, help: string, value: () => number) =>
    new Gauge({
      name: `fairlead_relay_${name}`,
      help,
      registers: [],
      collect() {
        this.set(value());
      },
    });
  const metrics: readonly Metric[] = [
    new Gauge({
      name: 'fairlead_relay_info',
      help: 'Version of the relay',
      labelNames: ['version'],
      registers: [],
      collect() {
        this.set({ version: VERSION }, 1);
      },
    }),
    new Gauge({
      name: 'fairlead_relay_connectors',
      help: 'Enrolled connectors by state',
      labelNames: ['state'],
      registers: [],
      collect() {
        const rows = store.connectors.all();
        for (const state of STATES) this.set({ state }, rows.filter((row) => row.state === state).length);
      },
    }),
    gauge('connectors_online', 'Connectors with a live session', () => hub.sessions()),
    gauge('instances', 'Instances that are shared', () => hub.registry.shared().length),
    gauge('requests_in_flight', 'Requests that wait for the answer of a connector', () => hub.pending()),
    new Counter({
      name: 'fairlead_relay_requests_total',
      help: 'What was asked, by operation and by what came of it: ok, or a code of the error table',
      labelNames: ['operation', 'outcome'],
      registers: [],
      collect() {
        this.reset();
        for (const { action, outcome, count } of audit.counts()) this.inc({ operation: action, outcome }, count);
      },
    }),
  ];
  const registry = new prometheus.Registry();
  prometheus.collectDefaultMetrics({ register: registry });
  for (const metric of metrics) registry.registerMetric(metric);
  return registry;
};

/** Who asks for metrics is looked at as for any read of the operator. */
const ASKED = { name: 'metrics', effect: 'read', scope: 'admin:read' } as const;

/** Answers `GET /metrics` to the admin token. Nothing is measured before the first time that somebody asks. */
export const metricsRoute = ({ gatekeeper, ...parts }: MetricsParts) => {
  let made: Promise<Registry> | undefined;
  return async (context: RequestContext): Promise<RawAnswer> => {
    await gatekeeper.admin(ASKED, context);
    const registry = await (made ??= registryOf(parts));
    return new RawAnswer(await registry.metrics(), { headers: { 'content-type': registry.contentType } });
  };
};
