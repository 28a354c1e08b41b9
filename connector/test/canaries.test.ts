import { newResourceId } from '@fairlead/shared/contract/ids';
import { readFile } from 'node:fs/promises';
import { homedir, hostname, userInfo } from 'node:os';
import { afterEach, describe, expect, it } from 'vitest';
import { askFor, textOf } from './relay-double.ts';
import { stand, until, type Stand } from './stand.ts';

let here: Stand;
afterEach(() => here.close());

/** What must not leave the machine, each as it is, as base64 at every alignment, and as hex. */
const canaries = async (): Promise<string[]> => {
  const { keys } = here.identity;
  const { token } = here.daemon.grants.get(here.instance)!;
  const seed = (await readFile(here.files.key, 'utf8')).trim();
  const plain = [
    here.folder,
    here.files.home,
    keys.privateKey,
    seed,
    token,
    here.daemon.operatorToken,
    `:${here.daemon.port}`,
    process.cwd(),
    'ECONNREFUSED',
    'ECONNRESET',
  ];
  // Names as short as these stand in ordinary words and random ids, too.
  for (const name of [homedir(), hostname(), userInfo().username]) if (name.length > 5) plain.push(name);
  const encoded = plain
    .filter((text) => text.length > 8)
    .flatMap((text) =>
      ['', 'a', 'ab'].map((pad) =>
        Buffer.from(pad + text)
          .toString('base64')
          .slice(4, -4),
      ),
    );
  return [...plain, ...encoded, ...plain.map((text) => Buffer.from(text).toString('hex'))];
};

const hostileAnswers = () => {
  const { daemon, files, instance } = here;
  const { token } = daemon.grants.get(instance)!;
  const words = `failed at ${files.home}/x.ts:1 for ${daemon.url} with ${token} in ${here.folder} on ${hostname()}, pid ${process.pid}`;
  const problem = {
    type: 'urn:fairlead:error:internal',
    title: 'No',
    status: 500,
    code: 'internal',
    detail: words,
    hint: words,
    field: words,
    more: { deep: [words, { at: words }] },
    extra: words,
  };
  return [
    (_: unknown, response: Parameters<typeof daemon.json>[0]) => daemon.json(response, problem, 500),
    (_: unknown, response: Parameters<typeof daemon.json>[0]) =>
      void response.writeHead(500, { 'content-type': 'text/html' }).end(`<pre>${words}</pre>`),
    (_: unknown, response: Parameters<typeof daemon.json>[0]) => void response.writeHead(302, { location: `${daemon.url}/x` }).end(words),
    (_: unknown, response: Parameters<typeof daemon.json>[0]) => void response.destroy(),
    (_: unknown, response: Parameters<typeof daemon.json>[0]) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': 1000, 'x-home': files.home });
      response.write('{"a":');
      setTimeout(() => response.destroy(), 20);
    },
    (_: unknown, response: Parameters<typeof daemon.json>[0]) => void response.writeHead(401, {}).end(words),
  ];
};

describe('what leaves the machine (threats row 16)', () => {
  it('holds nothing of it, whatever goes wrong behind the connector', async () => {
    here = await stand();
    await here.share(here.instance);
    await here.run();
    const { channel } = await here.session();
    const step = newResourceId('step', here.instance);
    const asks = [
      askFor('get_step', here.instance, { step_id: step }),
      askFor('start_run', here.instance, { instance_id: here.instance }, { idempotency_key: 'k' }),
      askFor('get_artifact_content', here.instance, { artifact_id: newResourceId('art', here.instance) }, { accept: 'bytes' }),
      askFor('list_events', here.instance, { instance_id: here.instance }, { accept: 'events' }),
      askFor(
        'submit_task',
        here.instance,
        { run_id: newResourceId('run', here.instance), task: { nonsense: 1 } },
        { idempotency_key: 'k' },
      ),
    ];
    const askAll = async () => {
      for (const ask of asks)
        await channel
          .request(ask, { effect: 'read' })
          .then(textOf)
          .catch(() => undefined);
    };
    for (const answer of hostileAnswers()) {
      here.daemon.answerWith(answer);
      await askAll();
    }
    await here.daemon.stop();
    await askAll();
    await here.share(here.instance);
    await until(() => here.relay.sessions[0]!.sets.length > 1);

    const sent = Buffer.concat(here.relay.received).toString('latin1');
    expect(sent.length).toBeGreaterThan(10_000);
    for (const canary of await canaries()) expect(sent.includes(canary), canary).toBe(false);
    expect(sent).not.toMatch(new RegExp(`\\b${process.pid}\\b`));
    expect(here.history.at(-1)!.state).toBe('verified');
  });

  it('is a descriptor of the shape that the design names, and no more', async () => {
    here = await stand();
    await here.share(here.instance);
    await here.run();
    const { sets } = await here.session();
    expect(Object.keys(sets[0]![0]!).sort()).toEqual([
      'default_branch',
      'delegation',
      'executors',
      'instance_id',
      'label',
      'machine',
      'operations',
      'origin_digest',
    ]);
  });
});
