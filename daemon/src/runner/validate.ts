import { newResourceId } from '@fairlead/shared/contract/ids';
import { BY_DAEMON } from '../core/records.ts';
import type { AttemptRecord, ValidationPhase, ValidationRecord } from '../core/records.ts';
import type { EffectivePolicy } from '../policy/effective.ts';
import { runValidations, type Check, type ValidationFacts } from '../validation/validate.ts';
import { noteProcess } from './end-step.ts';
import { withCopiedSecrets } from './copied-secrets.ts';
import { artifactRow, collectOut } from './evidence.ts';
import { sandboxOf, type Ground } from './grounds.ts';
import { openSink, type OutputSink } from './output-sink.ts';
import type { RunnerDeps, Scope } from './scope.ts';

/** What checks run on, and which. Delivery uses it too, for the tree that would land. */
export interface CheckOrder {
  readonly deps: Pick<RunnerDeps, 'ledger' | 'artifacts' | 'redactor' | 'printed' | 'workspaces' | 'confining'>;
  readonly attempt: Pick<AttemptRecord, 'id' | 'step_id' | 'run_id' | 'instance_id'>;
  readonly instance: Scope['instance'];
  readonly ground: Ground;
  readonly effective: EffectivePolicy;
  readonly phase: ValidationPhase;
  readonly commit: string;
  readonly tree: string;
  /** Names of the checks; default: all of the effective policy. */
  readonly names?: ReadonlySet<string>;
  readonly signal?: AbortSignal;
}

/** How a round of checks went, besides the rows that it recorded. */
export interface Round {
  /** It was ended from outside, so that the rows are not all. */
  readonly interrupted: boolean;
  readonly unconfirmed: boolean;
}

const recordCheck = async (order: CheckOrder, facts: ValidationFacts, sink: OutputSink | undefined): Promise<void> => {
  const output = await sink?.finish();
  const { attempt, deps, phase, tree } = order;
  const artifact =
    output &&
    artifactRow(attempt, output, {
      kind: 'validation_output',
      name: `${phase}-${facts.name}.log`,
      media_type: 'text/plain',
      redactions: output.redactions,
    });
  const record: ValidationRecord = {
    id: newResourceId('val', attempt.instance_id),
    step_id: attempt.step_id,
    attempt_id: attempt.id,
    run_id: attempt.run_id,
    instance_id: attempt.instance_id,
    name: facts.name,
    phase,
    required: facts.required,
    passed: facts.passed,
    argv: facts.argv,
    exit_code: facts.exit_code,
    signal: facts.signal,
    timed_out: facts.timed_out,
    duration_ms: Math.round(facts.duration_ms),
    confinement: facts.confinement,
    tree,
    output_artifact_id: artifact?.id ?? null,
    output_tail: output?.tail ?? '',
    started_at: facts.started_at,
  };
  await deps.ledger.record((tx) => {
    if (artifact) tx.add.artifact(artifact, BY_DAEMON);
    tx.add.validation(record, { ...BY_DAEMON, data: { name: record.name, phase, passed: record.passed, exit_code: record.exit_code } });
  });
};

const collectFiles = async ({ attempt, deps }: CheckOrder, out: string): Promise<void> => {
  const rows = await collectOut(attempt, out, deps);
  if (rows.length > 0) await deps.ledger.record((tx) => rows.forEach((row) => tx.add.artifact(row, BY_DAEMON)));
};

/** Whether a row says how this very check went: one of the same name that ran something else does not. */
export const isOfCheck = (row: Pick<ValidationRecord, 'name' | 'argv'>, check: Pick<Check, 'name' | 'argv'>): boolean =>
  row.name === check.name && row.argv.length === check.argv.length && row.argv.every((word, index) => word === check.argv[index]);

/** The checks of the order that this attempt has no row of yet: an interrupted round goes on where it was. */
const remaining = ({ deps, attempt, phase, tree, effective, names }: CheckOrder): Check[] => {
  const done = deps.ledger.read
    .validations({ step_id: attempt.step_id, attempt_id: attempt.id })
    .filter((row) => row.phase === phase && row.tree === tree);
  return effective.validations
    .map(({ name, run, timeout_ms, required }) => ({ name, argv: run, timeout_ms, required }))
    .filter((check) => !done.some((row) => isOfCheck(row, check)) && (names?.has(check.name) ?? true));
};

/**
 * Runs the checks in a clean, confined checkout of a commit and records each as it ends.
 * @throws FairleadError when the checkout could not be made or provisioned
 */
export const runChecks = async (given: CheckOrder): Promise<Round> => {
  const { attempt, ground, effective } = given;
  const order = { ...given, deps: await withCopiedSecrets(given.deps, ground.repository, effective) };
  const { deps } = order;
  const checks = remaining(order);
  const sandbox = sandboxOf(deps.confining, order.instance, attempt.id);
  if (checks.length === 0) return { interrupted: false, unconfirmed: false };
  if (!sandbox) throw new Error('Checks were to run without a sandbox');
  const sinks = new Map<string, OutputSink>();
  const provisioning = openSink(deps.artifacts, deps.printed);
  let facts: readonly ValidationFacts[];
  try {
    facts = await runValidations({
      store: ground.store,
      commit: order.commit,
      checks,
      workspaces: deps.workspaces,
      name: `${attempt.id}.${order.phase}`,
      sandbox,
      provision: {
        policy: effective.provision,
        repository: ground.repository,
        timeout_ms: effective.timeout_ms,
        output: (chunk, from) => provisioning.write(chunk, from),
      },
      env: { FAIRLEAD_STEP: attempt.step_id, FAIRLEAD_ATTEMPT: attempt.id },
      output: (check) => {
        const sink = openSink(deps.artifacts, deps.printed);
        sinks.set(check.name, sink);
        return (chunk, from) => sink.write(chunk, from);
      },
      done: (check) => (check.interrupted ? undefined : recordCheck(order, check, sinks.get(check.name))),
      started: (name) => noteProcess(deps, attempt.id, name),
      collect: (out) => collectFiles(order, out),
      ...(order.signal && { signal: order.signal }),
    });
  } finally {
    await keepProvisioning(order, provisioning);
  }
  return { interrupted: facts.some((check) => check.interrupted), unconfirmed: facts.some((check) => check.stopped === 'unconfirmed') };
};

const keepProvisioning = async ({ deps, attempt, phase }: CheckOrder, sink: OutputSink): Promise<void> => {
  const output = await sink.finish();
  if (!output) return;
  const row = artifactRow(attempt, output, {
    kind: 'validation_output',
    name: `${phase}-provisioning.log`,
    media_type: 'text/plain',
    redactions: output.redactions,
  });
  await deps.ledger.record((tx) => void tx.add.artifact(row, BY_DAEMON));
};
