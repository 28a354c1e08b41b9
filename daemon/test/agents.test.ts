import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Activity } from '@fairlead/shared/contract/activity';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import type { PermissionGate, StepRecord } from '../src/core/records.ts';
import { LOCAL, openShop, settled, submit, type Shop, type WorkshopOptions } from './workshop.ts';

const folder = mkdtempSync(join(tmpdir(), 'fairlead-agents-'));
const program = join(folder, 'agent.mjs');
const source = readFileSync(fileURLToPath(new URL('agent-program.mjs', import.meta.url)), 'utf8');
writeFileSync(program, `#!${process.execPath}\n${source}`);
chmodSync(program, 0o755);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let shop: Shop;
afterEach(() => shop.close());

type Profiles = NonNullable<WorkshopOptions['agents']>['profiles'];
const FILES = { 'a.txt': 'a\n', '.fairlead/project.yaml': 'version: 1\ngates: {when: []}\n' };
const CHECKED = { ...FILES, '.fairlead/project.yaml': 'version: 1\nvalidations: {good: {run: [test, -f, good.txt]}}\ngates: {when: []}\n' };

const open = async (profiles: Profiles = { default: {} }, files: Readonly<Record<string, string>> = FILES): Promise<void> => {
  shop = await openShop(files, { agents: { program, profiles } });
};

const task = (steps: readonly object[], more: object = {}) => ({ goal: `PLAY ${JSON.stringify(steps)}`, executor: 'claude', ...more });
const started = (steps: readonly object[], more: object = {}): Promise<StepRecord> => submit(shop, shop.run.id, task(steps, more));
const done = async (steps: readonly object[], more: object = {}): Promise<StepRecord> =>
  settled(shop, (await started(steps, more)).id, 30_000);

const artifact = async (stepId: string, kind: string, attempt = -1): Promise<string> => {
  const rows = shop.ledger.read.artifacts({ step_id: stepId }).filter((one) => one.kind === kind);
  return (await shop.artifacts.read(rows.at(attempt)!.sha256)).toString('utf8');
};
const activity = async (stepId: string): Promise<Activity[]> =>
  (await artifact(stepId, 'activity'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Activity);
const attempts = (stepId: string) => shop.ledger.read.attempts(stepId);

/** The gate on which the step's agent waits, once there is one that was not seen before. */
const asked = async (stepId: string, seen: readonly string[] = []): Promise<PermissionGate> => {
  for (let tries = 0; tries < 500; tries++) {
    const gates = shop.ledger.read.gates({ instance_id: shop.run.instance_id, step_id: stepId, state: 'pending', limit: 10 });
    const gate = gates.find(({ id, kind }) => kind === 'permission' && !seen.includes(id));
    if (gate?.kind === 'permission') return gate;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`Nothing is asked; the step is ${shop.ledger.read.step(stepId)?.state}`);
};
const decide = ({ id }: PermissionGate, event: 'approved' | 'rejected') => shop.ledger.record((tx) => tx.move.gate(id, event, {}, LOCAL));
const gateStates = (stepId: string): string[] =>
  shop.ledger.read
    .gates({ instance_id: shop.run.instance_id, step_id: stepId, limit: 20 })
    .map(({ state }) => state)
    .toReversed();

const WRITE = { write: ['b.txt', 'b\n'] };
const END = { end: {} };
const ASKING: Profiles = { default: { approval: 'ask' } };

describe('an agent at work', () => {
  it('works on a prompt that is kept, says what it does, and leaves a change that the daemon observed', async () => {
    await open();
    const step = await done([{ say: 'I begin' }, { newer: { thing: 1 } }, WRITE, { run: 'echo said; exit 0' }, END]);
    expect(step).toMatchObject({ state: 'completed_with_warnings', warnings: ['no_validations'] });
    expect(shop.ledger.read.change(step.change_id!)!.files.map(({ path }) => path)).toEqual(['b.txt']);
    expect(await artifact(step.id, 'prompt')).toContain('Your files are in');
    const items = await activity(step.id);
    expect(items.map(({ seq }) => seq)).toEqual(items.map((_, index) => index + 1));
    expect(items.map(({ kind }) => kind)).toEqual(['text', 'raw', 'tool_call', 'tool_result', 'tool_call', 'tool_result', 'usage']);
    expect(attempts(step.id)[0]).toMatchObject({
      session: 'session-of-the-agent',
      usage: { model: 'played', input_tokens: 7, output_tokens: 3, cost_usd: 0.25 },
    });
  });

  it('has failed when it says that it finished and changed nothing, unless words were asked for', async () => {
    await open();
    expect(await done([END])).toMatchObject({ state: 'failed_executor', reason: { code: 'no_change' } });
    expect(await done([{ say: 'Because.' }, END], { expects: 'answer' })).toMatchObject({ state: 'completed_with_warnings' });
  });

  it('has failed when its exit status or its last word says so, whatever else it says', async () => {
    await open();
    expect(await done([WRITE, { exit: 3 }])).toMatchObject({ state: 'failed_executor', reason: { code: 'agent_ended_early' } });
    expect(await done([WRITE, { end: { is_error: true, result: 'no' } }])).toMatchObject({ reason: { code: 'agent_failed' } });
    expect(await done([WRITE, { end: { is_error: true, api_error_status: 401 } }])).toMatchObject({
      reason: { code: 'agent_not_signed_in' },
    });
  });

  it('is stopped when it uses more than its profile allows', async () => {
    await open({ default: { budget: { tokens: 9 } } });
    expect(await done([WRITE, END])).toMatchObject({ state: 'failed_executor', reason: { code: 'budget_tokens' } });
  });

  it('is stopped when it takes longer than its profile allows, and that is told from the limit of the step', async () => {
    await open({ default: { time_ms: 2000 } });
    expect(await done([WRITE, { wait: 60_000 }])).toMatchObject({ state: 'timeout', reason: { code: 'budget_time' } });
    expect(await done([WRITE, { wait: 60_000 }], { timeout: 1 })).toMatchObject({ state: 'timeout', reason: { code: 'timeout' } });
  });
});

describe('what an agent asks for', () => {
  it('is held by a gate, allowed once, and asked for again the next time', async () => {
    await open(ASKING);
    const { id } = await started([WRITE, WRITE, END]);
    const first = await asked(id);
    expect(first).toMatchObject({
      kind: 'permission',
      change_id: null,
      reasons: ['permission'],
      permission: { tool: 'Write', writes: ['b.txt'] },
    });
    expect(first.permission.diff).toContain('+b');
    await decide(first, 'approved');
    const second = await asked(id, [first.id]);
    expect(second.digest).toBe(first.digest);
    await decide(second, 'rejected');
    expect(await settled(shop, id, 30_000)).toMatchObject({ state: 'completed_with_warnings' });
    expect(gateStates(id)).toEqual(['used', 'rejected']);
    expect((await activity(id)).filter(({ kind, ['status']: status }) => kind === 'tool_result' && status === 'denied')).toHaveLength(1);
  });

  it('is not raised again once it was rejected, and every denial stands in the history', async () => {
    await open(ASKING);
    const { id } = await started([{ run: 'sh x.sh' }, { run: 'sh x.sh' }, { run: 'cat /etc/shadow' }, END], { expects: 'answer' });
    await decide(await asked(id), 'rejected');
    await settled(shop, id, 30_000);
    expect(gateStates(id)).toEqual(['rejected']);
    const denied = shop.ledger.read
      .events({ instance_id: shop.run.instance_id, after: 0, limit: 500 })
      .filter(({ type }) => type === 'permission.denied')
      .map(({ data }) => data['rule']);
    expect(denied.slice(0, 2)).toEqual(['gate.rejected', 'gate.rejected']);
    expect(denied).toHaveLength(3);
  });

  it('is bound to the files that it would execute: when they change, the approval is worth nothing', async () => {
    await open(ASKING, { ...FILES, 'x.sh': 'echo one\n' });
    const { id } = await started([{ run: 'sh x.sh' }, END], { expects: 'answer' });
    const gate = await asked(id);
    expect(gate.permission.files).toEqual([{ path: 'x.sh', digest: expect.stringMatching(/^sha256:/) }]);
    const workspace = await shop.workspaces.find(attempts(id)[0]!.id);
    writeFileSync(join(workspace!.folder, 'x.sh'), 'echo two\n');
    await decide(gate, 'approved');
    await settled(shop, id, 30_000);
    expect(gateStates(id)).toEqual(['outdated']);
    expect((await activity(id)).some(({ ['text']: text }) => String(text).includes('gate.files_changed'))).toBe(true);
  });

  it('is denied when nobody decides in time', async () => {
    await open({ default: { approval: 'ask', permission_ms: 300 } });
    const step = await done([WRITE, END]);
    expect([step.state, gateStates(step.id)]).toEqual(['failed_executor', ['expired']]);
  });

  it('goes out of date when the step is cancelled', async () => {
    await open(ASKING);
    const { id } = await started([WRITE, END]);
    await asked(id);
    await shop.ledger.record((tx) => tx.requestStop(id, 'cancel', LOCAL));
    expect((await settled(shop, id, 30_000)).state).toBe('cancelled');
    expect(gateStates(id)).toEqual(['outdated']);
  });
});

describe('an agent that goes on', () => {
  it('waits for its limit, and goes on by itself in its session, on what it left', async () => {
    await open({ default: {} }, CHECKED);
    const reset = Math.ceil((Date.now() + 1500) / 1000);
    const { id } = await started([{ write: ['good.txt', 'good\n'] }, { end: { is_error: true, result: `usage limit reached|${reset}` } }]);
    expect((await settled(shop, id, 30_000)).state).toBe('waiting_quota');
    for (let tries = 0; shop.ledger.read.step(id)!.state === 'waiting_quota' && tries < 300; tries++)
      await new Promise((resolve) => setTimeout(resolve, 20));
    const step = await settled(shop, id, 30_000);
    expect(step.state).toBe('completed');
    const [first, second] = attempts(id);
    expect(second).toMatchObject({ resumed_from: first!.id, session: 'session-of-the-agent' });
    expect(shop.ledger.read.change(step.change_id!)!.files.map(({ path }) => path)).toEqual(['again.txt', 'good.txt']);
    // What it had done when it reached the limit was never checked: it must not be there to be landed.
    expect(shop.ledger.read.changes(id).map(({ state }) => state)).toEqual(['discarded', 'held']);
  });

  it('is told which checks failed when it is retried in its session', async () => {
    await open({ default: {} }, CHECKED);
    const step = await done([WRITE, END]);
    expect(step.state).toBe('failed_validation');
    await shop.ledger.record((tx) => {
      const resumes = step.attempt_id;
      tx.move.step(
        step.id,
        'retried',
        { change_id: null, gate_id: null, resumes, instructions: 'PLAY [{"write":["good.txt","g"]},{"end":{}}]' },
        LOCAL,
      );
    });
    const again = await settled(shop, step.id, 30_000);
    expect(again.state).toBe('completed');
    const prompt = await artifact(step.id, 'prompt');
    expect(prompt).toContain('The check good failed');
    expect(prompt).not.toContain('Your files are in');
    expect(shop.ledger.read.change(again.change_id!)!.files.map(({ path }) => path)).toEqual(['b.txt', 'good.txt']);
  });
});
