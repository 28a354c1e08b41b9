import { prefixOf } from '@fairlead/shared/contract/ids';
import { STEP_STATES, type StepState } from '@fairlead/shared/contract/states';
import type { ChangeRecord, InstanceRecord, StepRecord } from '../core/records.ts';
import type { EffectivePolicy } from '../policy/effective.ts';
import { GENESIS, chainName, digestOf } from './chain.ts';
import type { History } from './history.ts';
import type { LateWrites } from './late-writes.ts';
import type { Reads } from './ledger.ts';
import type { StoredInstance, Tables } from './tables.ts';

const shown = ({ number: _number, prefix: _prefix, ...instance }: StoredInstance): InstanceRecord => instance;
/** SQL that lets a condition fall away when its parameter is null. */
const maybe = (column: string, parameter = column) => `(@${parameter} is null or ${column} = @${parameter})`;
const nullable = <T>(value: T | undefined): T | null => value ?? null;

const instanceReads = (late: LateWrites, tables: Tables) => {
  const registered = tables.instances.select('where removed_at is null order by added_at, id');
  const everyInstance = tables.instances.select('order by added_at, id');
  const byRepository = tables.instances.select('where repository = @path and removed_at is null');
  const prefix = late.reader('select 1 from instances where prefix = ?', 'one');
  const grants = tables.grants.select(`where ${maybe('instance_id')} order by sequence desc`);
  const grantFor = tables.grants.select(
    'where connector_key = @connector_key and instance_id = @instance_id order by sequence desc limit 1',
  );
  return {
    instance: (id) => {
      const found = tables.instances.get(id);
      return found && shown(found);
    },
    instances: (options) => (options?.removed ? everyInstance() : registered()).map(shown),
    instanceByRepository: (path) => byRepository({ path }).map(shown)[0],
    prefixTaken: (id) => prefix.get(id.startsWith('ins_') ? prefixOf(id) : id) === 1,
    grant: (id) => tables.grants.get(id),
    grants: (instanceId) => grants({ instance_id: nullable(instanceId) }),
    grantFor: (of) => grantFor(of)[0],
    credential: (hash) => {
      const found = tables.credentials.get(hash);
      return found?.revoked_at === null ? found : undefined;
    },
  } satisfies Partial<Reads>;
};

const stepReads = (late: LateWrites, tables: Tables) => {
  const runs = tables.runs.select(
    `where instance_id = @instance_id and ${maybe('state')} and (@after is null or id < @after) order by id desc limit @limit`,
  );
  const counts = late.reader('select state, count(*) as count from steps where run_id = ? group by state');
  const steps = tables.steps.select(
    `where run_id = @run_id and number > coalesce((select number from steps where id = @after and run_id = @run_id), 0) order by number limit @limit`,
  );
  const notEnded = tables.steps.select('where ended_at is null order by queue_order');
  const inEndState = tables.steps.select('where state = @state order by queue_order');
  const queued = late.reader("select id from steps where state = 'queued' order by queue_order limit ?", 'one');
  const queueLength = late.reader("select count(*) from steps where state = 'queued'", 'one');
  const queuedRemotely = late.reader("select count(*) from steps where state = 'queued' and remote = 1", 'one');
  const queuedBy = late.reader("select count(*) from steps where state = 'queued' and json_extract(asked_by, '$[0]') = ?", 'one');
  const position = late.reader("select count(*) from steps where state = 'queued' and queue_order <= ?", 'one');
  const attempts = tables.attempts.select('where step_id = @step_id order by number');
  const activeAttempts = tables.attempts.select("where state = 'active' order by id");
  const policy = late.reader('select body from policies where digest = ?', 'one');
  return {
    run: (id) => tables.runs.get(id),
    runs: ({ instance_id, state, after, limit }) => runs({ instance_id, state: nullable(state), after: nullable(after), limit }),
    stepCounts: (runId) =>
      Object.fromEntries((counts.all(runId) as { state: StepState; count: number }[]).map(({ state, count }) => [state, count])),
    step: (id) => tables.steps.get(id),
    steps: ({ run_id, after, limit }) => steps({ run_id, after: nullable(after), limit }),
    stepsIn: (states) => {
      const wanted = new Set(states);
      const ends = states.filter((state) => STEP_STATES[state].end);
      const open = ends.length === states.length ? [] : notEnded().filter(({ state }) => wanted.has(state));
      return ends.length === 0
        ? open
        : [...open, ...ends.flatMap((state): StepRecord[] => inEndState({ state }))].sort((a, b) => a.queue_order - b.queue_order);
    },
    queued: (limit = -1) => queued.all(limit) as string[],
    queueLength: () => queueLength.get() as number,
    queuedRemotely: () => queuedRemotely.get() as number,
    queuedBy: (subject) => queuedBy.get(subject) as number,
    position: (step) => (step.state === 'queued' ? (position.get(step.queue_order) as number) : null),
    task: (stepId) => tables.tasks.get(stepId),
    attempt: (id) => tables.attempts.get(id),
    attempts: (stepId) => attempts({ step_id: stepId }),
    activeAttempts: () => activeAttempts(),
    policy: (digest) => {
      const body = policy.get(digest) as string | undefined;
      return body === undefined ? undefined : (JSON.parse(body) as EffectivePolicy);
    },
  } satisfies Partial<Reads>;
};

const evidenceReads = (late: LateWrites, tables: Tables) => {
  const changes = tables.changes.select('where step_id = @step_id order by id');
  const changesIn = tables.changes.select('where state = @state order by id');
  const validations = tables.validations.select(`where step_id = @step_id and ${maybe('attempt_id')} order by id`);
  const gates = tables.gates.select(
    `where instance_id = @instance_id and ${maybe('state')} and ${maybe('run_id')} and ${maybe('step_id')} and (@after is null or id < @after) order by id desc limit @limit`,
  );
  const expired = tables.gates.select("where state = 'pending' and expires_at <= @now order by expires_at");
  const artifacts = tables.artifacts.select(`where step_id = @step_id and ${maybe('attempt_id')} order by id`);
  const artifactBytes = late.reader('select coalesce(sum(size), 0) from (select distinct sha256, size from artifacts)', 'one');
  const effects = tables.effects.select(`where ${maybe('state')} and ${maybe('change_id')} order by id`);
  return {
    change: (id) => tables.changes.get(id),
    changes: (stepId) => changes({ step_id: stepId }),
    changesIn: (states) => states.flatMap((state): ChangeRecord[] => changesIn({ state })),
    validation: (id) => tables.validations.get(id),
    validations: ({ step_id, attempt_id }) => validations({ step_id, attempt_id: nullable(attempt_id) }),
    gate: (id) => tables.gates.get(id),
    gates: ({ instance_id, state, run_id, step_id, after, limit }) =>
      gates({ instance_id, state: nullable(state), run_id: nullable(run_id), step_id: nullable(step_id), after: nullable(after), limit }),
    expiredGates: (now) => expired({ now }),
    artifact: (id) => tables.artifacts.get(id),
    artifacts: ({ step_id, attempt_id }) => artifacts({ step_id, attempt_id: nullable(attempt_id) }),
    artifactBytes: () => artifactBytes.get() as number,
    gitEffects: ({ state, change_id }) => effects({ state: nullable(state), change_id: nullable(change_id) }),
  } satisfies Partial<Reads>;
};

const historyReads = (late: LateWrites, history: History) => {
  const head = late.reader('select seq, lower(hex(hash)) as hash from heads where chain = ?');
  const setting = late.reader('select value from settings where name = ?', 'one');
  return {
    events: (of) => history.events(of),
    head: (instanceId) => {
      const { seq, hash } = (head.get(chainName.instance(instanceId)) as { seq: number; hash: string } | undefined) ?? {
        seq: 0,
        hash: GENESIS,
      };
      return { seq, hash: digestOf(hash) };
    },
    halted: () => setting.get('halted') === '1',
    size: () => (late.db.pragma('page_count', { simple: true }) as number) * (late.db.pragma('page_size', { simple: true }) as number),
  } satisfies Partial<Reads>;
};

/** Every read of the ledger, as prepared statements over one connection. */
export const createReads = (late: LateWrites, tables: Tables, history: History): Reads => ({
  ...instanceReads(late, tables),
  ...stepReads(late, tables),
  ...evidenceReads(late, tables),
  ...historyReads(late, history),
});
