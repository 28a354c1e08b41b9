import { newResourceId } from '@fairlead/shared/contract/ids';
import { OPERATIONS, defaultGrantOperations } from '@fairlead/shared/contract/operations/table';
import { runCli } from '@fairlead/shared/kit/cli';
import { mintSecret } from '@fairlead/shared/kit/secret';
import { chmod, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createProgram } from '../src/cli/program.ts';
import { runConnector } from '../src/connector.ts';
import { daemonDouble } from './daemon-double.ts';
import { askFor } from './relay-double.ts';
import { stand, until, type Stand } from './stand.ts';

let here: Stand;
beforeEach(async () => {
  here = await stand();
  await here.showDaemon();
});
afterEach(() => here.close());

const cli = async (...words: string[]) => {
  const said = { out: '', err: '' };
  const streams = { stdout: { write: (text: string) => (said.out += text) }, stderr: { write: (text: string) => (said.err += text) } };
  const exit = await runCli(
    createProgram(streams, { version: '0', run: runConnector }),
    ['node', 'x', ...words, '--home', here.folder],
    streams,
  );
  return { ...said, exit, json: () => JSON.parse(said.out) as Record<string, unknown> };
};

const grant = async () => {
  const { shares } = JSON.parse(await readFile(here.files.shares, 'utf8')) as {
    shares: { grant: { operations: string[]; expires_at: string }; connector_token: string }[];
  };
  return shares[0]!;
};

describe('share', () => {
  it("grants what is usual with the operator's token, says it in plain words, and keeps the credential to itself", async () => {
    const { out, err, exit } = await cli('share', '--repo', process.cwd());
    expect([exit, err]).toEqual([0, '']);
    expect(out).toMatch(/Planners at http:\/\/127\.0\.0\.1:\d+ may now, on shop:/);
    expect(out).toContain('They may not approve, reject, integrate or discard');
    const { grant: given, connector_token: token } = await grant();
    expect(given.operations).toEqual(defaultGrantOperations());
    expect(out).not.toContain(token);
    expect((await stat(here.files.shares)).mode & 0o777).toBe(0o600);
    const asked = here.daemon.seen.filter(({ method }) => method === 'POST');
    expect(asked[0]!.headers.authorization).toBe(`Bearer ${here.daemon.operatorToken}`);
    expect(asked[0]!.headers['idempotency-key']).toBeDefined();
  });

  it('hands every limit on', async () => {
    await cli(
      'share',
      '--instance',
      here.instance,
      '--allow',
      'default,read_file',
      '--executor',
      'patch',
      '--validation',
      'unit',
      '--steps',
      '5',
      '--wall',
      '10h',
      '--days',
      '3',
    );
    expect(JSON.parse(here.daemon.seen.find(({ method }) => method === 'POST')!.body)).toMatchObject({
      connector_key: here.identity.key,
      relay_key: here.identity.relay_key,
      operations: [...defaultGrantOperations(), 'read_file'],
      executors: ['patch'],
      validations: ['unit'],
      steps: 5,
      wall_ms: 36_000_000,
      days: 3,
      accept_relay_decisions: false,
    });
  });

  it('shares decisions only with the flag, and then prints what that means', async () => {
    expect(await cli('share', '--instance', here.instance, '--allow', 'approve_gate')).toMatchObject({
      exit: 4,
      err: expect.stringContaining('--accept-relay-decisions') as string,
    });
    const { err, json } = await cli('share', '--instance', here.instance, '--accept-relay-decisions', '--json');
    expect(err).toContain('nothing but its word says who decided');
    const decisions = Object.values(OPERATIONS)
      .filter(({ effect, remote }) => effect === 'decide' && remote)
      .map(({ name }) => name);
    expect((json()['grant'] as { operations: string[] }).operations).toEqual(expect.arrayContaining(decisions));
  });

  it.each([
    [['--allow', 'halt'], 1, 'halt is no operation that can be shared'],
    [['--steps', 'many'], 1, 'positive whole number'],
    [['--wall', 'soon'], 1, 'no duration'],
    [['--repo', '/x'], 1, 'either --instance or --repo'],
  ])('refuses %j and says why', async (words, exit, text) => {
    const said = await cli('share', '--instance', here.instance, ...words);
    expect(said).toMatchObject({ exit, err: expect.stringContaining(text) as string });
    expect(here.daemon.seen.some(({ method }) => method === 'POST')).toBe(false);
  });

  it('says what is missing: a daemon, a token, a private token', async () => {
    const token = join(here.folder, 'daemon', 'operator.token');
    await chmod(token, 0o640);
    expect(await cli('share', '--instance', here.instance)).toMatchObject({
      exit: 5,
      err: expect.stringContaining('secret_exposed') as string,
    });
    await chmod(token, 0o600);
    await here.daemon.stop();
    expect(await cli('share', '--instance', here.instance)).toMatchObject({
      exit: 5,
      err: expect.stringContaining('daemon_not_running') as string,
    });
  });

  it('takes effect in a running connector, and so does unshare', async () => {
    await here.run();
    const { channel, sets } = await here.session();
    await cli('share', '--instance', here.instance);
    await until(() => sets.at(-1)!.length === 1);
    const ask = () => channel.request(askFor('get_instance', here.instance, { instance_id: here.instance }), { effect: 'read' });
    await ask();
    const { exit, json } = await cli('unshare', '--instance', here.instance, '--json');
    expect([exit, json()['revoked']]).toEqual([0, true]);
    await until(() => sets.at(-1)!.length === 0);
    await expect(ask()).rejects.toMatchObject({ code: 'not_found' });
  });

  it('says what of the earlier share it takes the place of', async () => {
    await cli('share', '--instance', here.instance, '--executor', 'patch', '--steps', '1');
    const { err } = await cli('share', '--instance', here.instance, '--accept-relay-decisions');
    expect(err).toMatch(/place of an earlier share\. That one allowed \d+ operations; executors: patch; steps: 1; decisions: local\./);
  });

  it('tells after unshare which steps go on, and how to end them', async () => {
    await cli('share', '--instance', here.instance);
    const [run, step] = [newResourceId('run', here.instance), newResourceId('step', here.instance)];
    const items = [
      { id: step, authority: 'relay_asserted', ended: false, state: 'running' },
      { id: 'ended', authority: 'relay_asserted', ended: true, state: 'completed' },
      { id: 'held', authority: 'relay_asserted', ended: false, state: 'needs_approval' },
      { id: 'own', authority: 'local', ended: false, state: 'running' },
    ];
    here.daemon.answerWith(({ path }, response) => {
      if (path.startsWith(`/api/v1/runs/${run}/steps`)) here.daemon.json(response, { items, next_page: null });
      else here.daemon.json(response, { items: [{ id: run, progress: 'running' }], next_page: null });
    });
    const { exit, out } = await cli('unshare', '--instance', here.instance);
    expect([exit, out]).toEqual([
      0,
      `${here.instance} is shared no more.\n1 step that planners asked for goes on. To end it:\n  fairlead step cancel ${step}\n`,
    ]);
  });

  it('leads from a path to the id where the daemon cannot help', async () => {
    await cli('share', '--instance', here.instance);
    await here.daemon.stop();
    const { exit, err } = await cli('unshare', '--repo', process.cwd());
    expect([exit, err]).toEqual([5, expect.stringContaining('unshare --instance ID')]);
  });

  it('names the flags that were typed', async () => {
    for (const [flag, value] of [
      ['--steps', '-1'],
      ['--days', 'x'],
      ['--wall', 'long'],
      ['--allow', 'nosuch'],
    ] as const)
      expect((await cli('share', '--instance', here.instance, flag, value, '--json')).json()).toMatchObject({ field: flag });
  });

  it('finds a daemon that came back on another port', async () => {
    await cli('share', '--instance', here.instance);
    await here.run();
    const { channel } = await here.session();
    const ask = () => channel.request(askFor('get_instance', here.instance, { instance_id: here.instance }), { effect: 'read' });
    await ask();
    await here.daemon.stop();
    await expect(ask()).rejects.toMatchObject({ code: 'daemon_not_running' });
    const elsewhere = await daemonDouble();
    elsewhere.grants.set(here.instance, here.daemon.grants.get(here.instance)!);
    await writeFile(join(here.folder, 'daemon', 'endpoint.json'), JSON.stringify({ url: elsewhere.url, pid: 1, started_at: '' }));
    await ask();
    expect(elsewhere.seen).toHaveLength(1);
    await elsewhere.stop();
  });

  it('unshares without a daemon, and says what is left', async () => {
    await cli('share', '--instance', here.instance);
    await here.daemon.stop();
    const { exit, json } = await cli('unshare', '--instance', here.instance, '--json');
    expect([exit, json()['revoked']]).toEqual([4, false]);
    expect((await cli('list', '--json')).json()).toEqual({ items: [] });
    expect(await cli('unshare', '--instance', here.instance)).toMatchObject({
      exit: 1,
      err: expect.stringContaining('not_found') as string,
    });
  });
});

describe('the other commands', () => {
  it('list shows what is shared and what is not believed', async () => {
    await cli('share', '--instance', here.instance);
    expect((await cli('list', '--json')).json()['items']).toMatchObject([{ instance_id: here.instance, code: null }]);
    const text = await readFile(here.files.shares, 'utf8');
    await writeFile(here.files.shares, text.replace('"get_step"', '"read_file"'));
    expect((await cli('list')).out).toContain('grant_untrusted');
  });

  it('enroll does not give an identity up by accident', async () => {
    const secret = mintSecret('fle');
    here.relay.tokenFor(secret);
    const order = ['enroll', '--relay', here.relay.origin, '--token', secret];
    expect(await cli(...order)).toMatchObject({ exit: 1, err: expect.stringContaining('--replace') as string });
    const { exit, json } = await cli(...order, '--replace', '--json');
    expect(exit).toBe(0);
    expect(json()['connector_id']).not.toBe(here.identity.connector_id);
    expect(await cli('enroll', '--relay', here.relay.origin, '--token', 'fle_used_or_unknown_token', '--replace')).toMatchObject({
      exit: 5,
      err: expect.stringContaining('enrollment_invalid') as string,
    });
  });

  it('enroll shares nothing by itself', async () => {
    const secret = mintSecret('fle');
    here.relay.tokenFor(secret);
    expect((await cli('enroll', '--relay', here.relay.origin, '--token', secret, '--replace')).exit).toBe(0);
    await here.run();
    const { sets } = await here.session();
    await until(() => sets.length > 0);
    expect(sets).toEqual([[]]);
    expect((await cli('list', '--json')).json()['items']).toEqual([]);
    expect([here.daemon.grants.size, here.daemon.seen.filter(({ method }) => method === 'POST')]).toEqual([0, []]);
  });

  it('config tells where each value came from, and no secret', async () => {
    const { out } = await cli('config', '--json');
    expect(out).toContain('"source":"flag"');
    expect(out).not.toContain(here.identity.keys.privateKey);
  });

  it('status is truthful: a file that a dead process left is not believed', async () => {
    const connector = await here.run();
    await here.session();
    await until(async () => (await cli('status', '--json')).json()['state'] === 'verified');
    const left = await readFile(here.files.status);
    await connector.stop();
    await writeFile(here.files.status, left);
    await writeFile(here.files.runLock, JSON.stringify({ pid: process.pid, started: '1' }));
    const { exit, json } = await cli('status', '--json');
    expect([exit, json()]).toMatchObject([5, { state: 'stopped', pid: null }]);
    // And such a lock does not keep the next one from starting.
    await (await here.run()).stop();
  });

  it('status does not call a line useful that has no daemon behind it', async () => {
    await cli('share', '--instance', here.instance);
    await here.run();
    await here.session();
    await until(async () => (await cli('status', '--json')).json()['daemon_answers'] === true);
    await here.daemon.stop();
    const { exit, out } = await cli('status');
    expect([exit, out]).toEqual([5, expect.stringContaining('the daemon does not answer')]);
  });

  it('names the way out for what was mistyped', async () => {
    expect(await cli('shrae')).toMatchObject({ exit: 1, err: expect.stringContaining('share') as string });
    expect((await cli('status', '--json')).json()).toMatchObject({ state: 'stopped', enrolled: true });
  });
});

describe('files that two change at once', () => {
  it('lose nothing', async () => {
    const ids = Array.from({ length: 12 }, () => here.daemon.newInstance());
    await Promise.all(ids.map((id) => here.share(id)));
    const { shares } = JSON.parse(await readFile(here.files.shares, 'utf8')) as { shares: { instance_id: string }[] };
    expect(shares.map(({ instance_id }) => instance_id).sort()).toEqual([...ids].sort());
  });

  it('let one connector of many that start at once run', async () => {
    const starts = await Promise.allSettled(Array.from({ length: 5 }, () => here.run()));
    expect(starts.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });
});
