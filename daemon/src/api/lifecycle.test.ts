import { LIMITS } from '@fairlead/shared/contract/limits';
import { generateKey } from '@fairlead/shared/kit/signature';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { blocksOf } from '../cli/event-source.ts';
import { codeOf, key, PATCH, ServedDaemon } from './served.fixture.ts';

const daemon = new ServedDaemon();
let instance: string;

beforeAll(async () => {
  await daemon.start();
  instance = await daemon.instance('shop');
});
afterAll(() => daemon.remove());

const GATED = 'version: 1\ngates: { when: [always] }\n';

describe('a patch over HTTP', () => {
  it('is submitted once for one key, whoever asks again', async () => {
    const { client, token, headers } = await daemon.share(instance);
    const run = await client.call('start_run', { instance_id: instance }, { idempotencyKey: key() });
    const [once, task] = [key(), { executor: 'patch', title: 'Add two', patch: PATCH }];
    const [first, again] = await Promise.all(
      [1, 2].map(() => client.call('submit_task', { run_id: run.id, task }, { idempotencyKey: once })),
    );
    expect(again!.id).toBe(first!.id);
    expect(await codeOf(client.call('submit_task', { run_id: run.id, task: { ...task, title: 'Other' } }, { idempotencyKey: once }))).toBe(
      'idempotency_conflict',
    );
    expect((await daemon.ask('POST', `/api/v1/runs/${run.id}/steps`, { token, headers, body: { task } })).json['code']).toBe(
      'idempotency_key_required',
    );
    expect((await client.call('list_steps', { run_id: run.id })).items).toHaveLength(1);
    // The key is the planner's, not the token's: another principal with the same key asks for something else.
    const other = await daemon.share(instance, {}, { id: 'planner-2', name: 'Other' });
    expect((await other.client.call('submit_task', { run_id: run.id, task }, { idempotencyKey: once })).id).not.toBe(first!.id);
  });

  it('ends as the change that was asked for', async () => {
    const { stepId } = await daemon.submitPatch(daemon.operator, instance);
    expect(await daemon.settled(stepId)).toMatch(/^(needs_approval|completed)/);
    const result = await daemon.operator.call('get_step_result', { step_id: stepId });
    expect(result.change?.files).toMatchObject([{ path: 'src/sum.txt', added: 1, removed: 0 }]);
    const [patch] = result.artifacts.filter((one) => one.kind === 'patch');
    const chunks: Uint8Array[] = [];
    for await (const chunk of await daemon.operator.stream('get_artifact_content', { artifact_id: patch!.id })) chunks.push(chunk);
    expect(Buffer.concat(chunks).toString()).toContain('+two');
    const page = await daemon.operator.call('get_artifact_content', { artifact_id: patch!.id, offset: 5, length: 10 });
    expect(page).toMatchObject({ size: patch!.size, offset: 5, encoding: 'utf-8', next_offset: 15 });
    const raw = await fetch(`${daemon.url}/api/v1/artifacts/${patch!.id}/content`, {
      headers: { authorization: `Bearer ${daemon.token}` },
    });
    expect(raw.headers.get('content-disposition')).toContain('attachment');
    expect(raw.headers.get('content-security-policy')).toContain('sandbox');
    expect(raw.headers.get('content-type')).toBe('application/octet-stream');
  });

  it('reads tracked files at the target and in a change', async () => {
    const { stepId } = await daemon.submitPatch(daemon.operator, instance);
    await daemon.settled(stepId);
    const { change_id } = await daemon.operator.call('get_step', { step_id: stepId });
    const read = async (revision: string) =>
      (await daemon.operator.call('read_file', { instance_id: instance, path: 'src/sum.txt', revision })).content;
    expect(await read('target')).toBe('one\n');
    expect(await read(change_id!)).toBe('one\ntwo\n');
    expect((await daemon.operator.call('list_files', { instance_id: instance })).items.map((file) => file.path)).toEqual([
      '.fairlead/project.yaml',
      'src/sum.txt',
    ]);
    expect((await daemon.operator.call('search_files', { instance_id: instance, text: 'one' })).matches).toEqual([
      { path: 'src/sum.txt', line: 1, text: 'one' },
    ]);
  });
});

describe('deciding', () => {
  it('needs local authority, and nobody remote approves what they asked for', async () => {
    const gated = await daemon.instance('gated', GATED);
    const plain = await daemon.share(gated);
    const { stepId } = await daemon.submitPatch(plain.client, gated);
    expect(await daemon.settled(stepId)).toBe('needs_approval');
    const { gate_id } = await daemon.operator.call('get_step', { step_id: stepId });
    const { digest } = await daemon.operator.call('get_gate', { gate_id: gate_id! });
    const decision = { gate_id: gate_id!, digest };
    expect(await codeOf(plain.client.call('approve_gate', decision, { idempotencyKey: key() }))).toBe('authority_required');
    const decides = { operations: ['get_gate', 'approve_gate', 'get_step', 'start_run', 'submit_task'], accept_relay_decisions: true };
    const same = await daemon.share(gated, { ...decides, relay_key: plain.grant.relay_key });
    expect(await codeOf(same.client.call('approve_gate', decision, { idempotencyKey: key() }))).toBe('self_approval');
    const other = await daemon.share(gated, decides, { id: 'planner-9', name: 'Nine' });
    const approved = await other.client.call('approve_gate', decision, { idempotencyKey: key() });
    expect(approved).toMatchObject({ state: 'approved', authority: 'relay_asserted', decided_by: { id: 'planner-9' } });
  });
});

describe('a grant', () => {
  it('is spent, withdrawn and over at once', async () => {
    const narrow = await daemon.share(instance, { steps: 1 });
    const { runId } = await daemon.submitPatch(narrow.client, instance);
    const task = { executor: 'patch', patch: PATCH };
    expect(await codeOf(narrow.client.call('submit_task', { run_id: runId, task }, { idempotencyKey: key() }))).toBe('grant_spent');
    expect((await narrow.client.call('get_instance', { instance_id: instance })).you.budget_left).toEqual({ steps: 0, wall_ms: null });
    await daemon.operator.call('revoke_grant', { grant_id: narrow.grant.id }, { idempotencyKey: key() });
    expect(['grant_expired', 'unauthenticated']).toContain(await codeOf(narrow.client.call('get_run', { run_id: runId })));
  });

  it('that is withdrawn ends a wait within a second', async () => {
    const gated = await daemon.instance('waited', GATED);
    const { client, grant } = await daemon.share(gated);
    const { stepId } = await daemon.submitPatch(client, gated);
    await daemon.settled(stepId);
    const { cursor } = await client.call('get_instance', { instance_id: gated });
    const waiting = codeOf(client.call('wait_step', { step_id: stepId, cursor, timeout_ms: 20_000 }));
    await new Promise((resolve) => setTimeout(resolve, 100));
    const began = performance.now();
    await daemon.operator.call('revoke_grant', { grant_id: grant.id }, { idempotencyKey: key() });
    expect(['grant_expired', 'unauthenticated']).toContain(await waiting);
    expect(performance.now() - began).toBeLessThan(1000);
  });
});

describe('wait_step', () => {
  it('answers what is new, holds when nothing is, and wakes', async () => {
    const gated = await daemon.instance('held', GATED);
    const { stepId } = await daemon.submitPatch(daemon.operator, gated);
    await daemon.settled(stepId);
    const first = await daemon.operator.call('wait_step', { step_id: stepId });
    expect(first).toMatchObject({ resumed: 'resumed', wait_again: false, gate: { state: 'pending' } });
    const began = performance.now();
    const quiet = await daemon.operator.call('wait_step', { step_id: stepId, cursor: first.next_cursor, timeout_ms: 200 });
    expect(quiet.events).toEqual([]);
    expect(performance.now() - began).toBeGreaterThan(180);
    const waiting = daemon.operator.call('wait_step', { step_id: stepId, cursor: first.next_cursor, timeout_ms: 20_000 });
    await daemon.operator.call('reject_gate', { gate_id: first.gate!.id }, { idempotencyKey: key() });
    const woken = await waiting;
    expect(woken.step.state).toBe('rejected');
    expect(woken.events.map((event) => event.type)).toContain('gate.rejected');
    expect(woken.wait_again).toBe(false);
  });

  it('says gap for a cursor of another history', async () => {
    const { stepId } = await daemon.submitPatch(daemon.operator, instance);
    expect((await daemon.operator.call('wait_step', { step_id: stepId, cursor: 'c00000000.5' })).resumed).toBe('gap');
  });

  it('ends with its caller and never the work', async () => {
    const gated = await daemon.instance('left', GATED);
    const { stepId } = await daemon.submitPatch(daemon.operator, gated);
    await daemon.settled(stepId);
    const { next_cursor } = await daemon.operator.call('wait_step', { step_id: stepId });
    const hangUp = new AbortController();
    const waiting = codeOf(
      daemon.operator.call('wait_step', { step_id: stepId, cursor: next_cursor, timeout_ms: 20_000 }, { signal: hangUp.signal }),
    );
    await new Promise((resolve) => setTimeout(resolve, 50));
    hangUp.abort();
    await waiting;
    expect((await daemon.operator.call('get_step', { step_id: stepId })).state).toBe('needs_approval');
  });
});

describe('lists', () => {
  it('are paged in order, without holes', async () => {
    const paged = await daemon.instance('paged');
    const ids: string[] = [];
    for (let at = 0; at < 5; at++)
      ids.push((await daemon.operator.call('start_run', { instance_id: paged, title: `Run ${at}` }, { idempotencyKey: key() })).id);
    const seen: string[] = [];
    for (let page: string | undefined; ;) {
      const list = await daemon.operator.call('list_runs', { instance_id: paged, limit: 2, ...(page !== undefined && { page }) });
      seen.push(...list.items.map((run) => run.id));
      if (list.next_page === null) break;
      page = list.next_page;
    }
    expect(seen).toEqual(ids.toReversed());
    expect(await codeOf(daemon.operator.call('list_runs', { instance_id: paged, page: 'x' }))).toBe('invalid_input');
    expect(await codeOf(daemon.operator.call('list_runs', { instance_id: paged, limit: LIMITS.page_max.value + 1 }))).toBe('invalid_input');
  });
});

describe('halt', () => {
  it('refuses everything remote and every new work, until resume', async () => {
    const { client } = await daemon.share(instance);
    await daemon.operator.call('halt', {}, { idempotencyKey: key() });
    expect(await codeOf(client.call('get_instance', { instance_id: instance }))).toBe('halted');
    expect(await codeOf(daemon.operator.call('start_run', { instance_id: instance }, { idempotencyKey: key() }))).toBe('halted');
    expect((await daemon.operator.call('daemon_status', {})).halted).toBe(true);
    await daemon.operator.call('resume', {}, { idempotencyKey: key() });
    expect(await codeOf(client.call('get_instance', { instance_id: instance }))).toBeUndefined();
  });
});

/** Reads messages of an event stream until `enough` says so. */
const readStream = async (cursor: string | undefined, enough: (data: Record<string, unknown>[]) => boolean, lastEventId?: string) => {
  const stop = new AbortController();
  const response = await fetch(`${daemon.url}/api/v1/instances/${instance}/events${cursor === undefined ? '' : `?cursor=${cursor}`}`, {
    headers: {
      authorization: `Bearer ${daemon.token}`,
      accept: 'text/event-stream',
      ...(lastEventId !== undefined && { 'last-event-id': lastEventId }),
    },
    signal: stop.signal,
  });
  expect(response.headers.get('content-type')).toContain('text/event-stream');
  const data: Record<string, unknown>[] = [];
  for await (const block of blocksOf(response.body as unknown as AsyncIterable<Uint8Array>)) {
    data.push(JSON.parse(block.data) as Record<string, unknown>);
    if (enough(data)) break;
  }
  stop.abort();
  return data;
};

describe('the event stream', () => {
  it('gives what was and what comes, and resumes after a restart', async () => {
    const { items } = await daemon.operator.call('list_events', { instance_id: instance, limit: 500 });
    const before = await readStream(undefined, (data) => data.length > items.length);
    expect(before[0]).toMatchObject({ resumed: 'resumed' });
    expect(before.slice(1).map((event) => event['hash'])).toEqual(items.map((event) => event.hash));
    const cursor = items.at(-1)!.cursor;
    const coming = readStream(cursor, (data) => data.length > 1);
    await daemon.operator.call('start_run', { instance_id: instance, title: 'While listening' }, { idempotencyKey: key() });
    expect((await coming)[1]).toMatchObject({ type: 'run.started' });
    await daemon.stop();
    await daemon.start();
    const resumed = await readStream(cursor, (data) => data.length > 1);
    expect(resumed[0]).toMatchObject({ resumed: 'resumed' });
    expect(resumed[1]).toMatchObject({ type: 'run.started' });
    expect((await readStream(undefined, () => true, cursor))[0]).toMatchObject({ cursor });
    expect((await readStream('c00000000.1', () => true))[0]).toMatchObject({ resumed: 'gap' });
  });

  it('ends with a problem when the right to listen ends', async () => {
    const { token, headers, grant } = await daemon.share(instance, { connector_key: generateKey().publicKey });
    const response = await fetch(`${daemon.url}/api/v1/instances/${instance}/events`, {
      headers: { authorization: `Bearer ${token}`, accept: 'text/event-stream', ...headers },
    });
    const blocks: string[] = [];
    const reading = (async () => {
      for await (const block of blocksOf(response.body as unknown as AsyncIterable<Uint8Array>)) blocks.push(block.type);
    })();
    await new Promise((resolve) => setTimeout(resolve, 100));
    await daemon.operator.call('revoke_grant', { grant_id: grant.id }, { idempotencyKey: key() });
    await reading;
    expect(blocks.at(-1)).toBe('problem');
  });
});
