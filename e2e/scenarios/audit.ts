import { doTask, httpPlanner } from '../rig/planner.ts';
import { until } from '../rig/processes.ts';
import { MENDING_PATCH } from '../rig/repositories.ts';
import { holds, refused, type Scenario } from './scenario.ts';

export const audit: Scenario = {
  name: 'audit',
  proves: 'the relay keeps who asked what and what came of it, refusals too, and no secret and no path of the machine',
  async play(stack, report) {
    const { planner, admin } = stack;
    const id = stack.instances[0]!.id;
    await doTask(planner, id, { title: 'Mend shipping', patch: MENDING_PATCH, executor: 'patch' });
    await refused('unauthenticated', 'a wrong token is refused', report, () =>
      httpPlanner(stack.relayUrl, `flp_${'A'.repeat(43)}`).call('list_instances', {}),
    );
    await refused('executor_unknown', 'an unknown executor is refused', report, () =>
      doTask(planner, id, { title: 'No', goal: 'x', executor: 'nobody' }),
    );
    const entries = async () => (await admin.call('list_audit', { limit: 200 })).items;
    const all = await until('reads are in the audit too', async () => {
      const items = await entries();
      return items.some(({ action }) => action === 'get_step_result') && items;
    });
    const has = (action: string, outcome: string) => all.some((entry) => entry.action === action && entry.outcome === outcome);
    holds(
      has('start_run', 'ok') && has('submit_task', 'ok'),
      'writes are recorded',
      report,
      all.map(({ action, outcome }) => `${action} ${outcome}`),
    );
    holds(has('submit_task', 'executor_unknown'), 'a refusal is recorded with its code', report);
    holds(
      all.some(({ outcome, actor }) => outcome === 'unauthenticated' && /anonymous/.test(actor)),
      'a failed sign-in is recorded as anonymous',
      report,
    );
    const submitted = all.find(({ action, outcome }) => action === 'submit_task' && outcome === 'ok')!;
    holds(
      submitted.instance_id === id && submitted.request_id !== null && submitted.actor.length > 0,
      'an entry names actor, instance and request',
      report,
      submitted,
    );
    const text = JSON.stringify(all);
    const secrets = [stack.plannerToken, stack.adminToken, stack.daemonToken, stack.home, stack.daemonUrl, stack.instances[0]!.repo];
    holds(!secrets.some((secret) => text.includes(secret)), 'no token, path or port of the machine is in it', report);
    const shown = await stack.run('relay', 'audit', '--limit', '5');
    holds(shown.code === 0 && shown.stdout.includes('submit_task'), 'fairlead-relay audit shows it', report, shown);
  },
};
