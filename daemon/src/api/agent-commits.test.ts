import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ServedDaemon, codeOf, key } from './served.fixture.ts';

const COMMAND = `commands:
  commit: {run: [sh, -c, "echo canary > taken.txt; git add -A; git -c user.name=A -c user.email=a@b commit -qm x"], description: Commits}
`;
let daemon: ServedDaemon;
beforeAll(async () => void (daemon = await new ServedDaemon().start(COMMAND)));
afterAll(() => daemon.remove());

describe("the bundle of an agent's commits", () => {
  it('is served at the machine only: nothing could be masked in it', async () => {
    const instance = await daemon.instance('bundled');
    const { operator } = daemon;
    const run = await operator.call('start_run', { instance_id: instance }, { idempotencyKey: key() });
    const task = { executor: 'command.commit', goal: 'x' };
    const step = await operator.call('submit_task', { run_id: run.id, task }, { idempotencyKey: key() });
    await daemon.settled(step.id);
    const { items: artifacts } = await operator.call('list_artifacts', { step_id: step.id });
    const bundle = artifacts.find(({ kind }) => kind === 'agent_commits');
    // Only a sandbox makes one.
    if (!bundle) return;
    const { client, token, headers } = await daemon.share(instance, { operations: ['list_artifacts', 'get_artifact_content'] });
    const path = `/api/v1/artifacts/${bundle.id}/content`;
    expect(await daemon.ask('GET', path, { token, headers: { ...headers, accept: 'application/json' } })).toMatchObject({
      status: 403,
      json: { code: 'local_only' },
    });
    expect(await daemon.ask('GET', path, { token, headers })).toMatchObject({ status: 403 });
    const patch = artifacts.find(({ kind }) => kind === 'patch')!;
    expect(await codeOf(client.call('get_artifact_content', { artifact_id: patch.id }))).toBeUndefined();
    expect((await daemon.ask('GET', path, { headers: { accept: 'application/json' } })).status).toBe(200);
  });
});
