import { join } from 'node:path';
import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newResourceId } from '@fairlead/shared/contract/ids';
import { enrolCrowd, type Member } from '../rig/crowd.ts';
import { raiseRelay, type LoneRelay } from '../rig/lone-relay.ts';
import { startServer, until, type Running } from '../rig/processes.ts';
import { script } from '../rig/programs.ts';

const CONNECTORS = 5000;
const SAMPLED = 200;
const PATIENCE_MS = 300_000;
/** What a relay with 5,000 idle connectors may take; a tenth of a megabyte for each would be 500 MiB. */
const MEMORY = 400 * 1024 * 1024;

/** DESIGN 5 and 7: one relay on one machine carries a fleet, and holds no session state that a restart cannot rebuild. */
describe('5,000 connectors on one relay', () => {
  let relay: LoneRelay;
  let members: Member[];
  let crowd: Running;
  let token: string;

  const up = async (): Promise<number> => ((await (await fetch(crowd.ready['url'] as string)).json()) as { up: number }).up;
  const untilUp = (count: number) => until(`${count} connectors are served`, async () => (await up()) === count, PATIENCE_MS);
  const ask = (path: string) => fetch(`${relay.url}/api/v2${path}`, { headers: { authorization: `Bearer ${token}` } });

  /** A request to one connector, through its live socket. */
  const answers = async ({ descriptors }: Member): Promise<boolean> => {
    const response = await ask(`/steps/${newResourceId('step', descriptors[0]!.instance_id)}`);
    return response.status === 200 && (await response.text()) === '{"said":"so"}';
  };
  const sampled = () => members.filter((_, at) => at % (CONNECTORS / SAMPLED) === 0);

  beforeAll(async () => {
    relay = await raiseRelay();
    members = await enrolCrowd(relay, CONNECTORS);
    const file = join(relay.home, 'members.json');
    writeFileSync(file, JSON.stringify(members));
    crowd = await startServer({ name: 'crowd', argv: [...script('bench-crowd'), 'ours', file, '1'], timeoutMs: PATIENCE_MS });
    token = await relay.plannerToken();
  }, 2 * PATIENCE_MS);
  afterAll(async () => {
    await crowd?.stop();
    await relay?.close();
  });

  it('has them all online, and tells each of them in its lists', async ({ annotate }) => {
    await untilUp(CONNECTORS);
    const status = await relay.admin.call('relay_status', {});
    expect(status).toMatchObject({ connectors: CONNECTORS, online_connectors: CONNECTORS, instances: CONNECTORS });
    const { items } = await relay.admin.call('list_connectors', {});
    expect(new Set(items.map(({ id }) => id))).toEqual(new Set(members.map(({ identity }) => identity.connector_id)));
    expect(items.every(({ online, instances }) => online && instances.length === 1)).toBe(true);
    const listed = ((await (await ask('/instances')).json()) as { items: { id: string; online: boolean }[] }).items;
    expect(listed.filter(({ online }) => online)).toHaveLength(CONNECTORS);
    expect(status.process.memory_bytes).toBeLessThan(MEMORY);
    await annotate(`${CONNECTORS} connectors online`, 'count');
  });

  it('answers a request to any of them', async ({ annotate }) => {
    for (const member of sampled()) expect(await answers(member), member.identity.connector_id).toBe(true);
    await annotate(`${SAMPLED} connectors asked`, 'count');
  });

  it('has them all back after it is started again, by their own patience, and answers them', async ({ annotate }) => {
    await relay.restart(() => untilUp(0).then(() => {}));
    await untilUp(CONNECTORS);
    expect(await relay.admin.call('relay_status', {})).toMatchObject({ online_connectors: CONNECTORS, instances: CONNECTORS });
    for (const member of sampled()) expect(await answers(member), member.identity.connector_id).toBe(true);
    await annotate(`${CONNECTORS} connectors back`, 'count');
  });
});
