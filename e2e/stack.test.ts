import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { script } from './rig/programs.ts';
import { httpPlanner } from './rig/planner.ts';
import { isAlive, runCommand, startServer } from './rig/processes.ts';

interface Printed {
  readonly relay_url: string;
  readonly planner_token: string;
  readonly daemon_url: string;
  readonly daemon_token: string;
  readonly instances: readonly { readonly id: string; readonly repo: string }[];
  readonly home: string;
}

const endpointPid = (home: string, part: string): number =>
  (JSON.parse(readFileSync(join(home, part, 'endpoint.json'), 'utf8')) as { pid: number }).pid;

describe('npm run stack', () => {
  it('prints one line when all is ready, and leaves nothing behind on SIGTERM', async () => {
    const stack = await startServer({ name: 'stack', argv: [...script('stack'), '--json', '--instances', '2'], timeoutMs: 60_000 });
    const printed = stack.ready as unknown as Printed;
    const pids = [endpointPid(printed.home, 'relay'), endpointPid(printed.home, 'daemon')];
    try {
      const planner = httpPlanner(printed.relay_url, printed.planner_token);
      const { items } = await planner.call('list_instances', {});
      expect(items.map(({ id }) => id).toSorted()).toEqual(printed.instances.map(({ id }) => id).toSorted());
      expect((await planner.call('start_run', { instance_id: printed.instances[1]!.id })).state).toBe('open');
    } finally {
      expect((await stack.stop()).code).toBe(0);
    }
    expect(pids.filter(isAlive)).toEqual([]);
    expect(existsSync(printed.home)).toBe(false);
  }, 90_000);

  it('says how it is used when a flag is wrong', async () => {
    const { code, stderr } = await runCommand({ name: 'stack', argv: [...script('stack'), '--instance', '2'] });
    expect(code).toBe(1);
    expect(stderr).toMatch(/Unknown option '--instance'/);
    expect(stderr).toMatch(/npm run -s stack/);
  });

  it('refuses a repository that is none, with the code of the daemon, and leaves nothing behind', async () => {
    const { code, stdout, stderr } = await runCommand({
      name: 'demo',
      argv: [...script('demo'), '--json', '--repo', '/nowhere/at/all', '--task', '/nowhere'],
    });
    expect(code).not.toBe(0);
    expect(stdout.trim().split('\n')).toHaveLength(1);
    expect(stderr).toMatch(/fairlead: /);
  }, 60_000);
});
