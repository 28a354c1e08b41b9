import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ConfinedEnd, ConfinedOrder } from './confined.ts';
import { detectConfinement } from './detect.ts';

const folder = mkdtempSync(join(tmpdir(), 'fairlead-bridge-'));
const { sandbox, reason } = await detectConfinement({ folder: join(folder, 'own'), toolchain: [] });
if (!sandbox) process.stderr.write(`skipped: no sandbox here (${reason})\n`);
const socket = join(folder, 's');
const PORT = 7411;
let server: Server;
let serial = 0;

const order = (argv: readonly string[], more: Partial<ConfinedOrder> = {}): ConfinedOrder => {
  const workspace = join(folder, `w-${serial++}`);
  mkdirSync(workspace);
  return {
    argv,
    workspace,
    readable: [],
    env: {},
    timeout_ms: 20_000,
    network: { forwards: [{ port: PORT, socket }] },
    output: () => undefined,
    ...more,
  };
};

const run = async (argv: readonly string[], more: Partial<ConfinedOrder> = {}): Promise<ConfinedEnd & { text: string }> => {
  let text = '';
  const child = await sandbox!.start(order(argv, { output: (chunk) => (text += chunk.toString()), ...more }));
  return { ...(await child.ended), text };
};

/** A client that says what its standard input holds, ends its side, and prints what comes back. */
const TALK = `const s = require('net').connect({ port: ${PORT}, host: '127.0.0.1', allowHalfOpen: true }, () => process.stdin.pipe(s));
  let n = 0; s.on('data', (c) => { n += c.length; if (n < 100) process.stdout.write(c); }).on('end', () => console.log('=' + n)).on('error', (e) => console.log(e.code));`;

describe.runIf(sandbox)('the bridge', () => {
  beforeAll(async () => {
    server = createServer({ allowHalfOpen: true }, (peer) => peer.on('error', () => peer.destroy()).pipe(peer));
    await new Promise<void>((resolve) => server.listen(socket, resolve));
  });
  afterAll(() => {
    server?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('carries a port of the private loopback to the socket, whole and in both directions', async () => {
    const end = await run(['node', '-e', TALK], { stdin: Buffer.alloc(3_000_000, 'x') });
    expect(end).toMatchObject({ exit_code: 0 });
    expect(end.text).toContain('=3000000');
  });

  it('listens on nothing else, and leads nowhere without forwards', async () => {
    const none = `require('net').connect(${PORT},'127.0.0.1').on('error',(e)=>console.log(e.code)).on('connect',()=>console.log('in'))`;
    expect((await run(['node', '-e', none], { network: { forwards: [] } })).text).toBe('ECONNREFUSED\n');
    const outside = `require('net').connect(80,'192.0.2.1').on('error',(e)=>console.log(e.code))`;
    expect((await run(['node', '-e', outside])).text).toBe('ENETUNREACH\n');
  });

  it('ends as the program ends, and hands on its input and environment', async () => {
    expect(await run(['/bin/sh', '-c', 'exit 7'])).toMatchObject({ exit_code: 7, signal: null, stopped: 'by_itself' });
    for (const name of ['TERM', 'KILL', 'USR1', 'SEGV', 'HUP'])
      expect(await run(['/bin/sh', '-c', `kill -${name} $$`])).toMatchObject({ signal: `SIG${name}`, stopped: 'by_itself' });
    expect((await run(['no-such-program'])).exit_code).toBe(127);
    const env = { NODE_OPTIONS: '--title=agent', OWN: 'own' };
    const end = await run(['/bin/sh', '-c', 'cat; echo " $NODE_OPTIONS $OWN"'], { stdin: Buffer.from('input'), env });
    expect(end.text).toBe('input --title=agent own\n');
  });

  it('runs on a node that lies outside the system folders', async () => {
    const { bubblewrap, VARIANTS } = await import('./bubblewrap.ts');
    const node = join(folder, 'versions', 'bin', 'node');
    mkdirSync(dirname(node), { recursive: true });
    copyFileSync(process.execPath, node);
    const { execPath } = process;
    process.execPath = node;
    const variant = VARIANTS.find(({ name }) => sandbox!.detail.includes(`(${name})`))!;
    const own = await bubblewrap({ variant, filtered: true, folder: join(folder, 'other'), toolchain: [] }).finally(
      () => (process.execPath = execPath),
    );
    let text = '';
    const child = await own.start(order(['/bin/sh', '-c', 'readlink /proc/$PPID/exe'], { output: (chunk) => (text += chunk.toString()) }));
    expect((await child.ended).exit_code).toBe(0);
    expect(text).toBe(`${node}\n`);
  });

  it('passes one TERM on, not two', async () => {
    let text = '';
    const script =
      'n=0; trap "n=\\$((n+1)); echo term \\$n" TERM; echo ready; while test $n -lt 1; do sleep 0.05; done; sleep 0.3; echo "in all $n"';
    const child = await sandbox!.start(order(['/bin/sh', '-c', script], { output: (chunk) => (text += chunk.toString()) }));
    while (!text.includes('ready')) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(await child.stop()).toMatchObject({ stopped: 'confirmed' });
    expect(text).toContain('in all 1');
  });
});
