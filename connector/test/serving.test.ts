import { newResourceId } from '@fairlead/shared/contract/ids';
import { FairleadError } from '@fairlead/shared/contract/errors';
import { LIMITS } from '@fairlead/shared/contract/limits';
import { systemClock } from '@fairlead/shared/kit/clock';
import { afterEach, describe, expect, it } from 'vitest';
import { askFor, textOf } from './relay-double.ts';
import { stand, until, type Stand } from './stand.ts';

let here: Stand;
afterEach(() => here.close());

const read = { effect: 'read' } as const;
const write = { effect: 'write' } as const;
const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'answered',
    (error: unknown) => (error instanceof FairleadError ? error.code : String(error)),
  );

const up = async () => {
  here = await stand();
  await here.share(here.instance);
  await here.run();
  return here.session();
};

describe('what the connector serves', () => {
  it('carries an operation to the daemon and its bytes back untouched', async () => {
    const { channel } = await up();
    const odd = '{"id" : "é\\u0000",  "n":1.50,"id":2}';
    here.daemon.answerWith((_, response) => response.writeHead(200, { 'content-type': 'application/json' }).end(odd));
    const step = newResourceId('step', here.instance);
    const answer = await channel.request(askFor('get_step', here.instance, { step_id: step }), read);
    expect(await textOf(answer)).toBe(odd);
    const asked = here.daemon.seen.at(-1)!;
    expect(asked).toMatchObject({ method: 'GET', path: `/api/v1/steps/${step}` });
    expect(asked.headers['authorization']).toBe(`Bearer ${here.daemon.grants.get(here.instance)!.token}`);
    expect(asked.headers['fairlead-instance']).toBe(here.instance);
    expect(JSON.parse(Buffer.from(String(asked.headers['fairlead-principal']), 'base64url').toString())).toEqual({
      id: 'planner-1',
      name: 'Planner',
    });
  });

  it('hands the idempotency key of a write on, and refuses a write without', async () => {
    const { channel } = await up();
    const input = { instance_id: here.instance, title: 'Tidy' };
    await channel.request(askFor('start_run', here.instance, input, { idempotency_key: 'k-1' }), write);
    expect(here.daemon.seen.at(-1)!.headers['idempotency-key']).toBe('k-1');
    expect(JSON.parse(here.daemon.seen.at(-1)!.body)).toEqual({ title: 'Tidy' });
    expect(await codeOf(channel.request(askFor('start_run', here.instance, input), write))).toBe('idempotency_key_required');
  });

  it('serves what is asked while the owner shares anew, under the new share', async () => {
    const { channel } = await up();
    const former = here.daemon.grants.get(here.instance)!;
    const ask = (operation: string, input: Record<string, unknown> = {}) =>
      codeOf(channel.request(askFor(operation, here.instance, { instance_id: here.instance, ...input }, { idempotency_key: 'k' }), write));
    here.daemon.grants.delete(here.instance);
    const asked = [ask('get_instance'), ask('start_run', { title: 'Tidy' })];
    await until(() => here.daemon.seen.length === 2);
    await here.share(here.instance, { operations: ['get_instance'] });
    expect(await Promise.all(asked)).toEqual(['answered', 'grant_denied']);
    expect(here.daemon.seen.map(({ headers }) => headers['authorization'])).toEqual(
      [former, former, here.daemon.grants.get(here.instance)!].map(({ token }) => `Bearer ${token}`),
    );
  });

  it('says that a share was withdrawn, after a moment the first time and then at once', async () => {
    const { channel } = await up();
    here.daemon.grants.delete(here.instance);
    const timed = async () => {
      const began = performance.now();
      const code = await codeOf(channel.request(askFor('get_instance', here.instance, { instance_id: here.instance }), read));
      return { code, waited: performance.now() - began >= LIMITS.share_replaced.value };
    };
    expect(await timed()).toEqual({ code: 'grant_expired', waited: true });
    expect(await timed()).toEqual({ code: 'grant_expired', waited: false });
  });

  it("gives the daemon's own refusal back with its code and members", async () => {
    const { channel } = await up();
    const problem = {
      type: 'urn:fairlead:error:transition_refused',
      title: 'No',
      status: 409,
      code: 'transition_refused',
      detail: 'It is done',
      gate_id: 'g',
    };
    here.daemon.answerWith((_, response) => here.daemon.json(response, problem, 409));
    const error = await channel
      .request(askFor('get_run', here.instance, { run_id: newResourceId('run', here.instance) }), read)
      .catch((e: unknown) => e as FairleadError);
    expect(error).toMatchObject({ code: 'transition_refused', context: { detail: 'It is done', more: { gate_id: 'g' } } });
    // A refusal says nothing about the line: the status file does not call it an error.
    expect([here.state(), here.history.at(-1)!.last_error]).toEqual(['verified', null]);
  });

  it('answers daemon_not_running while the daemon is away, and keeps the session', async () => {
    const { channel } = await up();
    const ask = () => codeOf(channel.request(askFor('get_instance', here.instance, { instance_id: here.instance }), read));
    await here.daemon.stop();
    expect(await ask()).toBe('daemon_not_running');
    expect(here.state()).toBe('verified');
    await here.daemon.listen();
    expect(await ask()).toBe('answered');
    expect(here.relay.sessions).toHaveLength(1);
  });

  it('passes an artifact of any size in bounded memory, at the pace of its reader', async () => {
    const { channel } = await up();
    const size = 48 * 1024 * 1024;
    let written = 0;
    here.daemon.answerWith((_, response) => {
      response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': size });
      const block = Buffer.alloc(256 * 1024, 7);
      const more = () => {
        while (written < size) {
          written += block.length;
          if (response.write(block)) continue;
          response.once('drain', more);
          return;
        }
        response.end();
      };
      more();
    });
    const asked = askFor(
      'get_artifact_content',
      here.instance,
      { artifact_id: newResourceId('art', here.instance) },
      { accept: 'bytes', time_left_ms: 60_000 },
    );
    const answer = await channel.request(asked, read);
    expect(answer.length).toBe(size);
    // Nobody reads yet: what the daemon could write is what fits into windows and socket buffers, not the artifact.
    await systemClock.sleep(300);
    expect(written).toBeLessThan(16 * 1024 * 1024);
    let got = 0;
    for await (const chunk of answer.body as AsyncIterable<Uint8Array>) got += chunk.length;
    expect(got).toBe(size);
  });

  it('sends JSON that is too large for one frame as a stream', async () => {
    const { channel } = await up();
    const text = JSON.stringify({ text: 'x'.repeat(5 * 1024 * 1024) });
    here.daemon.answerWith((_, response) => response.writeHead(200, { 'content-type': 'application/json' }).end(text));
    const answer = await channel.request(askFor('list_runs', here.instance, { instance_id: here.instance }), read);
    expect(Buffer.isBuffer(answer.body)).toBe(false);
    expect(await textOf(answer)).toBe(text);
  });

  it("ends the daemon's work on a read that its asker gave up", async () => {
    const { channel } = await up();
    let closed = false;
    here.daemon.answerWith((_, response) => response.on('close', () => (closed = true)));
    const asker = new AbortController();
    const waiting = codeOf(
      channel.request(askFor('wait_step', here.instance, { step_id: newResourceId('step', here.instance) }), {
        ...read,
        signal: asker.signal,
      }),
    );
    await until(() => here.daemon.seen.some(({ path }) => path.includes('/wait')));
    asker.abort(new FairleadError('deadline_exceeded'));
    await waiting;
    await until(() => closed);
  });

  it('lets one instance wait without holding another up', async () => {
    here = await stand();
    const other = here.daemon.newInstance();
    await here.share(here.instance);
    await here.share(other);
    await here.run();
    const { channel } = await here.session();
    here.daemon.answerWith((request, response) => {
      if (!request.path.includes('/wait')) here.daemon.json(response, {});
    });
    const step = newResourceId('step', here.instance);
    const held = Array.from({ length: 100 }, () => codeOf(channel.request(askFor('wait_step', here.instance, { step_id: step }), read)));
    const began = systemClock.monotonic();
    expect(await codeOf(channel.request(askFor('get_instance', other, { instance_id: other }), read))).toBe('answered');
    expect(systemClock.monotonic() - began).toBeLessThan(2_000);
    here.relay.cut();
    expect(new Set(await Promise.all(held))).toEqual(new Set(['connector_offline']));
  });

  it('finishes a write that has begun when it is told to stop, and takes nothing new', async () => {
    const { channel } = await up();
    let finish: () => void = () => undefined;
    here.daemon.answerWith((request, response) => {
      if (request.method === 'POST') finish = () => here.daemon.json(response, { done: true });
    });
    const input = { instance_id: here.instance };
    const begun = channel.request(askFor('start_run', here.instance, input, { idempotency_key: 'k' }), write);
    const waiting = codeOf(channel.request(askFor('wait_step', here.instance, { step_id: newResourceId('step', here.instance) }), read));
    await until(() => here.daemon.seen.length >= 2);
    const closing = here.close();
    expect(await waiting).toBe('draining');
    expect(await codeOf(channel.request(askFor('list_runs', here.instance, input), read))).toBe('draining');
    finish();
    expect(await textOf(await begun)).toBe('{"done":true}');
    await closing;
    expect(here.state()).toBe('stopped');
  });
});
