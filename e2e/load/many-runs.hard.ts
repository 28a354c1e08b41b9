import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BY_DAEMON } from '@fairlead/daemon/core/records';
import { openLedger } from '@fairlead/daemon/ledger/open-ledger';
import type { Client } from '@fairlead/shared/contract/client';
import { TaskSpec } from '@fairlead/shared/contract/task';
import { newResourceId } from '@fairlead/shared/contract/ids';
import { systemClock } from '@fairlead/shared/kit/clock';
import { clientFor } from '../rig/planner.ts';
import { startServer, type Running } from '../rig/processes.ts';
import { PROGRAMS } from '../rig/programs.ts';
import { makeRepository } from '../rig/repositories.ts';

const FEW = 100;
const MANY = 10_000;
const ROUNDS = 60;
const STARTS = 5;
/** How much longer a question may take of a history a hundred times as long. */
const FLAT = 3;

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;

const timed = async (work: () => Promise<unknown>): Promise<number> => {
  const began = performance.now();
  await work();
  return performance.now() - began;
};

/** A daemon over a ledger with so many runs, each of them written by the ledger's own `record`. */
class Archive {
  readonly home = mkdtempSync(join(tmpdir(), 'fairlead-runs-'));
  readonly runs: string[] = [];
  instance = '';
  #daemon: Running | undefined;
  client!: Client;

  async start(): Promise<number> {
    const took = await timed(async () => {
      this.#daemon = await startServer({
        name: 'daemon',
        argv: [...PROGRAMS.fairlead, 'serve', '--json', '--port', '0'],
        env: { FAIRLEAD_HOME: this.home, HOME: this.home, FAIRLEAD_LOG: 'warn' },
        timeoutMs: 60_000,
      });
    });
    const token = readFileSync(join(this.home, 'daemon', 'operator.token'), 'utf8').trim();
    this.client = clientFor(this.#daemon!.ready['url'] as string, '/api/v1', token);
    return took;
  }

  async stop(): Promise<void> {
    await this.#daemon?.stop();
    this.#daemon = undefined;
  }

  async fill(count: number): Promise<void> {
    mkdirSync(join(this.home, 'projects'));
    const path = makeRepository(join(this.home, 'projects', 'one'), { 'a.txt': 'a\n' });
    await this.start();
    this.instance = (await this.client.call('add_instance', { path }, { idempotencyKey: randomUUID() })).id;
    await this.stop();
    const ledger = openLedger({ file: join(this.home, 'daemon', 'ledger.db'), clock: systemClock });
    for (let done = 0; done < count; done += 100) await ledger.record((tx) => this.#hundred(tx, Math.min(100, count - done)));
    await ledger.close();
    await this.start();
  }

  #hundred(tx: Parameters<Parameters<ReturnType<typeof openLedger>['record']>[0]>[0], count: number): undefined {
    const by = { submitted_by: BY_DAEMON.principal, authority: 'local' as const };
    for (let at = 0; at < count; at++) {
      const about = { instance_id: this.instance, title: `Run ${this.runs.length}` };
      const run = tx.add.run({ ...about, ...by, id: newResourceId('run', this.instance), target: 'refs/heads/main' }, BY_DAEMON);
      const step = tx.add.step(
        {
          ...about,
          ...by,
          id: newResourceId('step', this.instance),
          run_id: run.id,
          executor_requested: 'patch',
          simulated: false,
          base: 'target',
          timeout_ms: 1000,
          remote: false,
          grant_id: null,
        },
        TaskSpec.parse({}),
        BY_DAEMON,
      );
      tx.move.step(step.id, 'cancelled', {}, BY_DAEMON);
      if (at % 10 !== 0) tx.move.run(run.id, 'closed', {}, BY_DAEMON);
      this.runs.push(run.id);
    }
    return undefined;
  }

  async close(): Promise<void> {
    await this.stop();
    rmSync(this.home, { recursive: true, force: true });
  }
}

/** DESIGN 7: evidence is kept for years, and a history that grows must not slow down what is asked of it. */
describe('10,000 runs in one ledger', () => {
  const few = new Archive();
  const many = new Archive();
  beforeAll(async () => {
    await few.fill(FEW);
    await many.fill(MANY);
  }, 600_000);
  afterAll(async () => {
    await few.close();
    await many.close();
  });

  const middleOf = ({ runs }: Archive): string => runs[Math.floor(runs.length / 2)]!;
  const QUESTIONS: Readonly<Record<string, (of: Archive) => Promise<unknown>>> = {
    'list_runs, newest': ({ client, instance }) => client.call('list_runs', { instance_id: instance }),
    'list_runs, open ones': ({ client, instance }) => client.call('list_runs', { instance_id: instance, state: 'open' }),
    get_run: (of) => of.client.call('get_run', { run_id: middleOf(of) }),
    list_steps: (of) => of.client.call('list_steps', { run_id: middleOf(of) }),
    'list_events, newest': ({ client, instance }) => client.call('list_events', { instance_id: instance }),
    get_instance: ({ client, instance }) => client.call('get_instance', { instance_id: instance }),
    daemon_status: ({ client }) => client.call('daemon_status', {}),
  };

  it.each(Object.keys(QUESTIONS))('answers %s as fast as of a hundred', async (name) => {
    const ask = QUESTIONS[name]!;
    const times = { few: [] as number[], many: [] as number[] };
    for (let round = 0; round < ROUNDS + 5; round++) {
      const [a, b] = [await timed(() => ask(few)), await timed(() => ask(many))];
      // The first few open caches on both sides.
      if (round < 5) continue;
      times.few.push(a);
      times.many.push(b);
    }
    expect(median(times.many) / median(times.few), `${median(times.many)} ms against ${median(times.few)} ms`).toBeLessThan(FLAT);
  });

  it('starts as fast as over a hundred', async () => {
    const times = { few: [] as number[], many: [] as number[] };
    for (let round = 0; round < STARTS; round++) {
      for (const [name, archive] of Object.entries({ few, many }) as [keyof typeof times, Archive][]) {
        await archive.stop();
        times[name].push(await archive.start());
      }
    }
    expect(median(times.many) / median(times.few), `${median(times.many)} ms against ${median(times.few)} ms`).toBeLessThan(2);
  });

  it('has told each of them once, in pages', async ({ annotate }) => {
    const seen: string[] = [];
    for (let page: string | undefined; ;) {
      const answer = await many.client.call('list_runs', { instance_id: many.instance, limit: 500, ...(page !== undefined && { page }) });
      seen.push(...answer.items.map(({ id }) => id));
      if (answer.next_page === null) break;
      page = answer.next_page;
    }
    expect(seen.toSorted()).toEqual(many.runs.toSorted());
    await annotate(`${MANY} runs in one ledger`, 'count');
  });
});
