import { randomUUID } from 'node:crypto';
import { doTask, httpPlanner } from '../rig/planner.ts';
import { git, MENDING_PATCH } from '../rig/repositories.ts';
import { holds, refused, type Scenario } from './scenario.ts';

export const multiInstance: Scenario = {
  name: 'multi-instance',
  proves: 'one machine serves many repositories, and work, ids and tokens of one never reach another',
  stack: { instances: 2 },
  async play(stack, report) {
    const { planner, admin, operator } = stack;
    const [one, two] = [stack.instances[0]!, stack.instances[1]!];
    const start = git(one.repo, 'rev-parse', 'main');
    const result = await doTask(planner, two.id, { title: 'Mend the second shop', patch: MENDING_PATCH, executor: 'patch' });
    holds(
      result.step.instance_id === two.id && result.step.state === 'needs_approval',
      'a step runs on the second repository',
      report,
      result.step,
    );
    const { items: runs } = await planner.call('list_runs', { instance_id: one.id });
    holds(runs.length === 0, 'the first knows nothing of its run', report, runs);
    await operator.call('approve_gate', { gate_id: result.gate!.id, digest: result.gate!.digest }, { idempotencyKey: randomUUID() });
    await operator.call('integrate_change', { change_id: result.change!.id }, { idempotencyKey: randomUUID() });
    holds(
      git(one.repo, 'rev-parse', 'main') === start && git(two.repo, 'rev-parse', 'main') !== start,
      'only the second branch moved',
      report,
    );

    const { secret } = await admin.call('create_planner_token', { name: 'narrow', instances: [one.id] }, { idempotencyKey: randomUUID() });
    const narrow = httpPlanner(stack.relayUrl, secret);
    const { items } = await narrow.call('list_instances', {});
    holds(items.length === 1 && items[0]!.id === one.id, 'a token for one instance lists one instance', report, items);
    const foreign = await refused('not_found', 'it cannot see a step of the other', report, () =>
      narrow.call('get_step', { step_id: result.step.id }),
    );
    const missing = await refused('not_found', 'nor one that never was', report, () =>
      narrow.call('get_step', { step_id: `${result.step.id.slice(0, -12)}000000000000` }),
    );
    holds(foreign.context.detail === missing.context.detail, 'and the two answers are alike', report, [foreign.context, missing.context]);
    await refused('not_found', 'nor start a run there', report, () => narrow.call('start_run', { instance_id: two.id }));
    await refused(['instance_mismatch', 'base_unknown', 'not_found'], 'a base of another instance is refused', report, () =>
      planner
        .call('start_run', { instance_id: one.id })
        .then((run) =>
          planner.call('submit_task', { run_id: run.id, task: { patch: MENDING_PATCH, executor: 'patch', base: result.step.id } }),
        ),
    );
  },
};
