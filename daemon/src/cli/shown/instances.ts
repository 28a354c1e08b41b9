import type { ExecutorInfo } from '@fairlead/shared/contract/executors';
import type { Instance, InstanceSummary, Run } from '@fairlead/shared/contract/resources';
import { columns, fields, short } from '../layout.ts';

export const instanceTable = (instances: readonly InstanceSummary[]): string =>
  columns(
    ['INSTANCE', 'LABEL', 'BRANCH', 'PATH'],
    instances.map((one) => [one.id, one.label, one.default_branch, one.path]),
    'No repository is registered yet: fairlead add PATH',
  );

const policyText = ({ policy }: Instance): string => {
  if (policy.problem !== null) return `INVALID, tasks are refused: ${policy.problem}`;
  if (policy.source === 'none') return 'none: every change needs approval (add .fairlead/project.yaml to the repository)';
  return policy.source === 'daemon_config' ? "from the daemon's config" : `${policy.ref} at ${short(policy.commit)}`;
};

export const instanceText = (instance: Instance): string =>
  [
    `Instance ${instance.id}`,
    fields([
      ['label', instance.label],
      ['machine', instance.machine],
      ['target', `${instance.target} at ${short(instance.target_commit)}`],
      ['executor', instance.default_executor],
      ['confinement', instance.confinement],
      ['policy', policyText(instance)],
      [
        'validations',
        instance.policy.validations.map((one) => (one.required ? one.name : `${one.name} (optional)`)).join(', ') || 'none declared',
      ],
      ['gates', instance.policy.gates.when.join(', ')],
      ['halted', instance.halted ? 'yes: fairlead resume' : null],
    ]),
  ].join('\n');

const APPROVAL = { ask: 'asks a person', auto: 'ordinary work needs no person', read_only: 'reads only' } as const;

/** What an executor is and, for an agent, what its profile holds it to. */
const describe = ({ description, simulated, limits }: ExecutorInfo): string => {
  if (simulated) return `${description} (simulated)`;
  if (!limits) return description;
  const network = limits.network.length === 0 ? 'no network but its model' : `network: ${limits.network.join(' ')}`;
  return `${description} (${APPROVAL[limits.approval]}; ${network})`;
};

export const executorTable = (executors: readonly ExecutorInfo[]): string =>
  columns(
    ['EXECUTOR', 'READY', 'VERSION', 'CONFINEMENT', 'WHAT IT IS'],
    executors.map((one) => [
      one.default ? `${one.id} (default)` : one.id,
      one.available ? 'yes' : `no: ${one.reason}`,
      one.version,
      one.confinement,
      describe(one),
    ]),
    'No executors.',
  );

export const runText = (run: Run): string =>
  [
    `Run ${run.id}`,
    fields([
      ['title', run.title],
      ['state', run.state],
      ['progress', run.progress],
      ['steps', run.steps],
      ['target', run.target],
      ['asked by', `${run.submitted_by.name} (${run.authority})`],
      ['started', run.created_at],
      ['ended', run.ended_at],
    ]),
  ].join('\n');

export const runTable = (runs: readonly Run[]): string =>
  columns(
    ['RUN', 'STATE', 'PROGRESS', 'STEPS', 'STARTED', 'TITLE'],
    runs.map((run) => [run.id, run.state, run.progress, run.steps, run.created_at, run.title]),
    'No runs.',
  );
