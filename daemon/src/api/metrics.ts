import type { Metric, Registry } from 'prom-client';
import { FairleadError } from '@fairlead/shared/contract/errors';
import type { OutputOf } from '@fairlead/shared/contract/operations/table';
import { STEP_STATES, type StepState } from '@fairlead/shared/contract/states';
import { RawAnswer, type RequestContext } from '@fairlead/shared/kit/http-server';
import type { Reads } from '../ledger/ledger.ts';
import { authenticate, type Credentials } from './authentication.ts';

type Status = OutputOf<'daemon_status'>;

export interface MetricsParts {
  readonly credentials: Credentials;
  readonly read: Reads;
  readonly about: Pick<Status, 'version' | 'confinement' | 'parallelism'>;
  readonly workspaces: () => Status['workspaces'];
}

/** States that a step may stay in; what has ended is in the ledger. */
const OPEN = (Object.keys(STEP_STATES) as StepState[]).filter((state) => !STEP_STATES[state].end);

/** What the daemon tells a Prometheus of its owner. No label takes its value from a repository or a planner. */
const registryOf = async ({ read, about, workspaces }: Omit<MetricsParts, 'credentials'>): Promise<Registry> => {
  // Loaded by the first who asks: most daemons are never scraped, and all of them start.
  const prometheus = await import('prom-client');
  const { Gauge } = prometheus;
  const gauge = (name: string, help: string, value: () => number) =>
    new Gauge({
      name: `fairlead_daemon_${name}`,
      help,
      registers: [],
      collect() {
        this.set(value());
      },
    });
  const metrics: readonly Metric[] = [
    new Gauge({
      name: 'fairlead_daemon_info',
      help: 'Version of the daemon and what confines its work',
      labelNames: ['version', 'confinement'],
      registers: [],
      collect() {
        this.set({ version: about.version, confinement: about.confinement }, 1);
      },
    }),
    new Gauge({
      name: 'fairlead_daemon_steps',
      help: 'Steps that have not ended, by state',
      labelNames: ['state'],
      registers: [],
      collect() {
        for (const state of OPEN) this.set({ state }, read.stepsIn([state]).length);
      },
    }),
    gauge('parallelism', 'How many steps may be under way at once', () => about.parallelism),
    gauge('halted', '1 while the owner has halted everything', () => (read.halted() ? 1 : 0)),
    gauge('instances', 'Registered repositories', () => read.instances().length),
    gauge('ledger_bytes', 'Size of the ledger', () => read.size()),
    gauge('artifact_bytes', 'Size of all artifacts', () => read.artifactBytes()),
    gauge('pool_bytes', 'Size of the checkouts that are made ahead of need', () => workspaces().pool_bytes),
  ];
  const registry = new prometheus.Registry();
  prometheus.collectDefaultMetrics({ register: registry });
  for (const metric of metrics) registry.registerMetric(metric);
  return registry;
};

/** Answers `GET /metrics` to the operator's token. Nothing is measured before the first time that somebody asks. */
export const metricsRoute = ({ credentials, ...parts }: MetricsParts) => {
  let made: Promise<Registry> | undefined;
  return async ({ headers }: RequestContext): Promise<RawAnswer> => {
    if (authenticate(headers, credentials).kind !== 'operator') throw new FairleadError('local_only');
    const registry = await (made ??= registryOf(parts));
    return new RawAnswer(await registry.metrics(), { headers: { 'content-type': registry.contentType } });
  };
};
