import { execFile } from 'node:child_process';
import { mkdir, readFile, readdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { runCli } from '@fairlead/shared/kit/cli';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createProgram } from '../src/cli/program.ts';
import { runConnector } from '../src/connector.ts';
import { stand, type Stand } from './stand.ts';

const git = (...args: string[]) => promisify(execFile)('git', args);

let here: Stand;
let root: string;
beforeEach(async () => {
  here = await stand();
  await here.showDaemon();
  root = join(here.folder, 'src');
  await mkdir(root);
});
afterEach(() => here.close());

interface Told {
  readonly items: { standing: string; path: string; instance_id: string | null }[];
  readonly folders: number;
  readonly unreadable: number;
  readonly truncated: boolean;
}

const discover = async (...words: string[]) => {
  const said = { out: '', err: '' };
  const streams = { stdout: { write: (text: string) => (said.out += text) }, stderr: { write: (text: string) => (said.err += text) } };
  const program = createProgram(streams, { version: '0', run: runConnector });
  const exit = await runCli(program, ['node', 'x', 'discover', ...words, '--home', here.folder], streams);
  return { ...said, exit, told: () => JSON.parse(said.out) as Told };
};

const found = async (...words: string[]) =>
  (await discover('--root', root, '--json', ...words))
    .told()
    .items.filter(({ standing }) => standing === 'found')
    .map(({ path }) => path.slice(root.length + 1));

describe('discover', () => {
  it('tells shared, registered and merely found ones apart', async () => {
    const other = here.daemon.newInstance();
    await here.share(here.instance);
    await git('init', '-q', join(root, 'new'));
    const { exit, told, err } = await discover('--root', root, '--json');
    expect(exit).toBe(0);
    expect(told()).toMatchObject({
      items: [
        { standing: 'shared', path: process.cwd(), instance_id: here.instance },
        { standing: 'registered', instance_id: other },
        { standing: 'found', path: join(root, 'new'), instance_id: null },
      ],
      folders: 2,
      unreadable: 0,
      truncated: false,
    });
    expect(err).toContain('Nothing was registered or shared by this.');
    // A share that has ended is shared no more.
    await here.share(here.instance, { expires_at: '2020-01-01T00:00:00.000Z' });
    expect((await discover('--json')).told().items[0]).toMatchObject({ standing: 'registered' });
  });

  it('finds checkouts, linked worktrees and bare repositories, and looks into none of them', async () => {
    await git('init', '-q', join(root, 'a', 'checkout'));
    await git('init', '-q', join(root, 'a', 'checkout', 'vendored'));
    await git('init', '-q', '--bare', join(root, 'bare.git'));
    await mkdir(join(root, 'linked'));
    await writeFile(join(root, 'linked', '.git'), 'gitdir: elsewhere\n');
    for (const passed of ['.hidden', 'node_modules']) await git('init', '-q', join(root, passed, 'dependency'));
    expect(await found()).toEqual(['a/checkout', 'bare.git', 'linked']);
  });

  it('goes only as deep as it was told, and follows no link, not even in a circle', async () => {
    await git('init', '-q', join(root, '1', '2', '3'));
    await git('init', '-q', join(here.folder, 'outside', 'secret'));
    await symlink(join(here.folder, 'outside'), join(root, 'way-out'));
    await symlink(root, join(root, '1', 'circle'));
    expect(await found('--depth', '2')).toEqual([]);
    expect(await found('--depth', '3')).toEqual(['1/2/3']);
  });

  it('only asks what there is: no write at the daemon, no word to the relay, no file of the connector touched', async () => {
    await here.share(here.instance);
    await git('init', '-q', join(root, 'new'));
    const before = await Promise.all([readFile(here.files.shares, 'utf8'), readdir(here.files.home), readdir(join(root, 'new', '.git'))]);
    const words = here.relay.received.length;
    await discover('--root', root);
    expect(here.daemon.seen.map(({ method, path }) => `${method} ${path}`)).toEqual(['GET /api/v1/instances']);
    expect(here.relay.received).toHaveLength(words);
    expect(await Promise.all([readFile(here.files.shares, 'utf8'), readdir(here.files.home), readdir(join(root, 'new', '.git'))])).toEqual(
      before,
    );
  });

  it('names what was mistyped, and shows a hostile folder name as what it is', async () => {
    expect((await discover('--root', join(root, 'missing'), '--json')).told()).toMatchObject({ code: 'invalid_input', field: '--root' });
    expect((await discover('--depth', '0', '--json')).told()).toMatchObject({ field: '--depth' });
    await git('init', '-q', join(root, 'red\u001b[31m'));
    expect((await discover('--root', root)).out).not.toContain('\u001b');
  });
});
