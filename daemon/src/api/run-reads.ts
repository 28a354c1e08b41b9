import { STEP_STATES } from '@fairlead/shared/contract/states';
import { rawJson } from '@fairlead/shared/kit/http-server';
import { sentence } from '../core/sentence.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { artifactView, attemptView, changeView, gateView, runNow, stepNow, validationView } from '../ledger/views.ts';
import type { HandlersOf } from './asked.ts';
import { rememberBetweenCommits } from './between-commits.ts';
import { found } from './found.ts';
import { afterOf, cutPage } from './paging.ts';

type Names =
  | 'list_runs'
  | 'get_run'
  | 'list_steps'
  | 'get_step'
  | 'get_step_result'
  | 'list_attempts'
  | 'list_validations'
  | 'get_change'
  | 'list_artifacts'
  | 'get_artifact'
  | 'list_gates'
  | 'get_gate';

/** Reads of runs and of all that hangs on them: rows of the ledger as resources. */
export const runReads = (ledger: Pick<Ledger, 'read' | 'onCommit'>): HandlersOf<Names> => {
  const { read } = ledger;
  const steps = rememberBetweenCommits<string>(ledger);
  return {
    list_runs: ({ instance_id, state, limit, page }) => {
      found(read.instance(instance_id));
      return cutPage(read.runs({ instance_id, state, limit: limit + 1, after: afterOf(page, 'run') }), limit, (run) => runNow(read, run));
    },
    get_run: ({ run_id }) => runNow(read, found(read.run(run_id))),
    list_steps: ({ run_id, limit, page }) => {
      found(read.run(run_id));
      return cutPage(read.steps({ run_id, limit: limit + 1, after: afterOf(page, 'step') }), limit, (step) => stepNow(read, step));
    },
    // Planners that poll ask this most of all: the very bytes of the answer are remembered.
    get_step: ({ step_id }) =>
      rawJson(
        found(
          steps.get(step_id, () => {
            const step = read.step(step_id);
            return step && JSON.stringify(stepNow(read, step));
          }),
        ),
      ),
    get_step_result: ({ step_id }) => {
      const step = found(read.step(step_id));
      const gate = step.gate_id === null ? undefined : read.gate(step.gate_id);
      const change = step.change_id === null ? undefined : read.change(step.change_id);
      const attempt = step.attempt_id === null ? undefined : read.attempt(step.attempt_id);
      const shown = stepNow(read, step);
      return {
        step: shown,
        attempt: attempt ? attemptView(attempt) : null,
        // While a new attempt is under way the change of the one before is not its result.
        change: change && (STEP_STATES[step.state].end || change.attempt_id === step.attempt_id) ? changeView(change) : null,
        validations: attempt ? read.validations({ step_id, attempt_id: attempt.id }).map(validationView) : [],
        gate: gate ? gateView(gate) : null,
        artifacts: read.artifacts({ step_id, attempt_id: attempt?.id }).map(artifactView),
        sentence: sentence({ step, position: shown.position, change_state: change?.state ?? null }),
      };
    },
    list_attempts: ({ step_id }) => {
      found(read.step(step_id));
      return { items: read.attempts(step_id).map(attemptView) };
    },
    list_validations: ({ step_id }) => {
      found(read.step(step_id));
      return { items: read.validations({ step_id }).map(validationView) };
    },
    get_change: ({ change_id }) => changeView(found(read.change(change_id))),
    list_artifacts: ({ step_id }) => {
      found(read.step(step_id));
      return { items: read.artifacts({ step_id }).map(artifactView) };
    },
    get_artifact: ({ artifact_id }) => artifactView(found(read.artifact(artifact_id))),
    list_gates: ({ instance_id, state, run_id, step_id, limit, page }) => {
      found(read.instance(instance_id));
      return cutPage(read.gates({ instance_id, state, run_id, step_id, limit: limit + 1, after: afterOf(page, 'gate') }), limit, gateView);
    },
    get_gate: ({ gate_id }) => gateView(found(read.gate(gate_id))),
  };
};
