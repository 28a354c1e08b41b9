import { doTask } from '../rig/planner.ts';
import { MENDING_PATCH } from '../rig/repositories.ts';
import { holds, type Scenario } from './scenario.ts';

/** From an enrolled machine to evidence, and every read on the way. */
export const base: Scenario = {
  name: 'base',
  proves: 'a task travels from a planner to a repository and comes back as evidence, and every part says how it is',
  async play(stack, report) {
    const { planner, operator } = stack;
    const id = stack.instances[0]!.id;
    const { items } = await planner.call('list_instances', {});
    holds(
      items.some((item) => item.id === id && item.online),
      'the instance is listed and online',
      report,
      items,
    );
    const relay = await stack.json<{ online_connectors: number }>('relay', 'status');
    holds(relay.online_connectors === 1, 'fairlead-relay status shows one machine online', report, relay);
    const connector = await stack.run('connector', 'status', '--json');
    holds(connector.code === 0, 'fairlead-connector status answers', report, connector);
    const daemon = await stack.json<{ instances: number }>('fairlead', 'status');
    holds(daemon.instances === 1, 'fairlead status shows one instance', report, daemon);

    const result = await doTask(planner, id, { title: 'Mend shipping', patch: MENDING_PATCH, executor: 'patch' });
    holds(result.step.state === 'needs_approval', 'the change is held by a gate', report, result.step);
    const { items: validations } = await planner.call('list_validations', { step_id: result.step.id });
    holds(
      validations.length === 1 && validations.every(({ passed, exit_code }) => passed && exit_code === 0),
      'its validation passed with exit code 0',
      report,
      validations,
    );
    const { items: artifacts } = await planner.call('list_artifacts', { step_id: result.step.id });
    const patch = artifacts.find(({ kind }) => kind === 'patch');
    const content = patch && (await planner.content(patch.id)).toString();
    holds(
      content?.includes('+  if (totalCents >= freeFrom) {') === true,
      'the observed patch comes back as an artifact',
      report,
      artifacts,
    );
    const { items: attempts } = await planner.call('list_attempts', { step_id: result.step.id });
    holds(attempts.length === 1, 'there is one attempt', report, attempts);
    const logs = await planner.call('get_step_logs', { step_id: result.step.id });
    holds(logs.ended, 'its log has ended', report, logs);
    const { items: gates } = await planner.call('list_gates', { instance_id: id, state: 'pending' });
    holds(
      gates.length === 1 && gates[0]!.reasons.includes('remote'),
      'one gate is pending, because the task came from remote',
      report,
      gates,
    );
    const events = await planner.call('list_events', { instance_id: id, run_id: result.runId });
    holds(
      events.items.at(-1)?.type !== undefined && events.items[0]!.type === 'run.started',
      'the history begins with run.started',
      report,
      events.items,
    );
    const status = await operator.call('daemon_status', {});
    holds(status.steps.needs_approval === 1, 'the daemon counts one step that needs approval', report, status);
  },
};
