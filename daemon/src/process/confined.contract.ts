import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ConfinedEnd, ConfinedOrder, Places, Sandbox } from './confined.ts';
import { detectConfinement, workingSandboxes, type Confining } from './detect.ts';
import { closeInherited } from './inherited.ts';
import { descendantsOf, endSurvivors, isAlive } from './process-table.ts';

// As the daemon does first of all; whoever started this test may have left something open.
closeInherited();
const folder = mkdtempSync(join(tmpdir(), 'fairlead-confined-'));
export const confining: Confining = await detectConfinement({ folder: join(folder, 'own'), toolchain: [] });
/** Those that work here, the strongest first. */
export const sandboxes = await workingSandboxes(join(folder, 'each'), []);
if (!confining.sandbox) process.stderr.write(`skipped: no sandbox here (${confining.reason}); ${confining.cure}\n`);
for (const kind of ['bubblewrap', 'unshare'])
  if (!sandboxes.some((sandbox) => sandbox.kind === kind)) process.stderr.write(`skipped: ${kind} does not work here\n`);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let serial = 0;
const place = () => {
  const workspace = join(folder, `work-${serial}`);
  const out = join(folder, `out-${serial++}`);
  mkdirSync(workspace);
  mkdirSync(out);
  return { workspace, out };
};

const run = async (sandbox: Sandbox, script: string, more: Partial<ConfinedOrder> = {}): Promise<ConfinedEnd & { text: string }> => {
  let text = '';
  const process = await sandbox.start({
    argv: ['/bin/sh', '-c', script],
    ...place(),
    readable: [],
    env: {},
    timeout_ms: 20_000,
    output: (chunk) => (text += chunk.toString()),
    ...more,
  });
  return { ...(await process.ended), text };
};

/** How long a test's children sleep, in seconds: a word of this process alone, for the same tests may run beside it. */
const nap = (test: number): string => `777${test}.${process.pid}`;

const SLEEP = { argv: ['sleep', nap(4)], readable: [], env: {}, timeout_ms: 20_000, output: () => undefined } as const;

const sleepers = async (word: string): Promise<number> => {
  const pids = await descendantsOf(1);
  return pids.filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'latin1').startsWith(`sleep\0${word}\0`);
    } catch {
      return false;
    }
  }).length;
};

/** What holds for every kind of confinement. */
export const confinementContract = (kinds: readonly Sandbox[]): void => {
  describe.each(kinds.map((sandbox) => [sandbox.kind, sandbox] as const))('%s', (kind, sandbox) => {
    it('runs in the workspace with an environment of its own and keeps what is put into /out', async () => {
      const { workspace, out } = place();
      writeFileSync(join(workspace, 'input'), 'in');
      process.env['FAIRLEAD_TEST_LEAK'] = 'leaked';
      const end = await run(sandbox, 'cat input; cat; env; echo result > "$FAIRLEAD_OUT/r"; echo w > made; echo err >&2; exit 3', {
        workspace,
        out,
        env: { OWN: 'yes', LD_BIND_NOW: "it's 1" },
        stdin: Buffer.from('STDIN'),
      });
      delete process.env['FAIRLEAD_TEST_LEAK'];
      expect(end).toMatchObject({ exit_code: 3, signal: null, timed_out: false, stopped: 'by_itself', dropped: 0 });
      expect(end.text).toContain('inSTDIN');
      expect(end.text).toContain('OWN=yes');
      expect(end.text).toContain("LD_BIND_NOW=it's 1\n");
      expect(end.text).not.toContain('leaked');
      expect(end.text).toContain('err');
      expect(readFileSync(join(out, 'r'), 'utf8')).toBe('result\n');
      expect(readFileSync(join(workspace, 'made'), 'utf8')).toBe('w\n');
    });

    it('stops with TERM first, and confirms it', async () => {
      let text = '';
      const child = await sandbox.start({
        argv: ['/bin/sh', '-c', 'trap "echo got term; exit 0" TERM; echo ready; while :; do sleep 0.05; done'],
        ...place(),
        readable: [],
        env: {},
        timeout_ms: 20_000,
        output: (chunk) => (text += chunk.toString()),
      });
      while (!text.includes('ready')) await new Promise((resolve) => setTimeout(resolve, 5));
      expect(await isAlive(child)).toBe(true);
      expect(await child.stop()).toMatchObject({ stopped: 'confirmed', timed_out: false });
      expect(text).toContain('got term');
      expect(await isAlive(child)).toBe(false);
      expect(await child.stop()).toEqual(await child.ended);
    });

    it('kills what ignores TERM, and children in sessions of their own', async () => {
      const end = await run(sandbox, `trap '' TERM; setsid sleep ${nap(1)} & sleep ${nap(1)} & echo up; while :; do sleep 1; done`, {
        timeout_ms: 400,
      });
      expect(end).toMatchObject({ timed_out: true, stopped: 'confirmed' });
      expect(await sleepers(nap(1))).toBe(0);
    }, 20_000);

    it('leaves nothing behind when the command ends by itself', async () => {
      const end = await run(sandbox, `setsid sleep ${nap(2)} >/dev/null 2>&1 & sleep ${nap(2)} & exit 0`);
      expect(end).toMatchObject({ exit_code: 0, stopped: 'by_itself' });
      expect(await sleepers(nap(2))).toBe(0);
    });

    it('ends a survivor that is known by its owner and its name, and nobody else', async () => {
      const child = await sandbox.start({
        owner: 'mine',
        argv: ['/bin/sh', '-c', `setsid sleep ${nap(3)} & sleep ${nap(3)}`],
        ...place(),
        readable: [],
        env: {},
        timeout_ms: 20_000,
        output: () => undefined,
      });
      const name = { pid: child.pid, started: child.started };
      expect(await endSurvivors('another', { pid: process.pid, started: 'another.1' })).toBe('was_gone');
      expect(await endSurvivors('min', undefined)).toBe('was_gone');
      expect(await endSurvivors('mine', name)).toBe('ended');
      expect(await endSurvivors('mine', name)).toBe('was_gone');
      expect(await sleepers(nap(3))).toBe(0);
      await child.ended;
    });

    it.runIf(process.platform === 'linux')('ends a survivor of which nothing was written down but whose it is', async () => {
      const order = { argv: ['/bin/sh', '-c', `setsid sleep ${nap(6)} & sleep ${nap(6)}`], readable: [], env: {}, timeout_ms: 20_000 };
      const start = (owner: string) => sandbox.start({ ...order, owner, ...place(), output: () => undefined });
      const [own, other] = await Promise.all([start('att_1'), start('att_12')]);
      expect(await endSurvivors('att_1', undefined)).toBe('ended');
      expect(await own.ended).toMatchObject({ stopped: 'by_itself' });
      expect(await isAlive(other)).toBe(true);
      await other.stop();
      expect(await sleepers(nap(6))).toBe(0);
    });

    it('takes input while it runs, at the speed of the reader, until it is ended or nobody reads', async () => {
      let text = '';
      const start = (script: string) =>
        sandbox.start({
          argv: ['/bin/sh', '-c', script],
          ...place(),
          readable: [],
          env: {},
          timeout_ms: 20_000,
          stdin: 'open',
          output: (chunk) => (text += chunk.toString()),
        });
      const echo = await start('while read -r line; do echo "got $line"; done; echo over');
      await echo.write('one\n');
      while (!text.includes('got one')) await new Promise((resolve) => setTimeout(resolve, 5));
      await echo.write(Buffer.from('two\n'));
      echo.endInput();
      expect(await echo.ended).toMatchObject({ exit_code: 0, stopped: 'by_itself' });
      expect(text).toContain('got two\nover');
      await echo.write('late');
      echo.endInput();

      const slow = await start('sleep 1; head -c 4000000 | wc -c; exec 0<&-; sleep 0.5');
      const before = performance.now();
      await slow.write(Buffer.alloc(4_000_000));
      expect(performance.now() - before).toBeGreaterThan(500);
      await Promise.all([slow.write(Buffer.alloc(4_000_000)), slow.ended]);
      expect(text).toContain('4000000');
    });

    it('gives the places that an order names, read-only or writable, and translates their paths', async () => {
      const made = place();
      const given = {
        data: join(folder, `data-${serial}`),
        session: join(folder, `session-${serial}`),
        home: join(folder, `host-${serial}`),
      };
      for (const path of Object.values(given)) mkdirSync(path);
      writeFileSync(join(given.data, 'd'), 'data');
      writeFileSync(join(given.session, 'login.json'), 'login');
      writeFileSync(join(given.home, 'h'), 'home');
      const order = {
        ...made,
        readable: [{ from: given.data, to: '/opt/given' }],
        writable: [
          { from: given.session, to: '/home/fairlead/.agent' },
          { from: join(given.session, 'login.json'), to: '/opt/login.json' },
        ],
        argv: (places: Places) => ['/bin/sh', '-c', SCRIPT, 'sh', places.pathOf('/opt/given/d'), places.pathOf('/opt/login.json')],
        env: (places: Places) => ({ AGENT_HOME: places.pathOf('/home/fairlead/.agent'), AT: `${places.home} ${places.workspace}` }),
      };
      const SCRIPT =
        'cat "$1" "$2"; cat ~/.agent/login.json; echo s >> "$AGENT_HOME/s"; cat ~/h; echo w > ~/w; echo "at $AT"; cd ~ && echo "is $PWD"';
      const end = await run(sandbox, '', order);
      expect(end.text).toContain('dataloginlogin');
      expect(readFileSync(join(given.session, 's'), 'utf8')).toBe('s\n');
      const [, home, workspace] = /at (\S+) (\S+)/.exec(end.text)!;
      expect(end.text).toContain(`is ${home}`);
      expect(workspace).toBe(kind === 'unconfined' ? made.workspace : '/workspace');
      expect(existsSync(join(given.home, 'w'))).toBe(false);

      const kept = await run(sandbox, '', { ...order, ...place(), home: given.home });
      expect(kept.text).toContain('home');
      expect(readFileSync(join(given.home, 'w'), 'utf8')).toBe('w\n');

      for (const missing of [
        { readable: [{ from: join(folder, 'none'), to: '/given' }] },
        { writable: [{ from: join(folder, 'none'), to: '/given' }] },
        { home: join(folder, 'none') },
      ])
        await expect(run(sandbox, 'true', missing)).rejects.toMatchObject({ code: 'sandbox_unavailable' });
      for (const to of ['relative', '/', '/a/../b', '/workspace'])
        await expect(run(sandbox, 'true', { readable: [{ from: given.data, to }] })).rejects.toMatchObject({ code: 'sandbox_unavailable' });
    });

    it('mounts nothing through a link that earlier work left', async () => {
      const made = place();
      symlinkSync(folder, join(made.workspace, 'cache'));
      const into = { ...made, readable: [{ from: made.out, to: '/workspace/cache/x' }] };
      await expect(run(sandbox, 'true', into)).rejects.toMatchObject({ code: 'sandbox_unavailable' });
    });

    it('tells a signal that was not ours from a stop', async () => {
      const child = await sandbox.start({ ...SLEEP, ...place() });
      process.kill(child.pid, 'SIGKILL');
      expect(await child.ended).toMatchObject({ signal: 'SIGKILL', stopped: 'by_itself', timed_out: false, killed_by: 'other' });
      expect(await run(sandbox, 'kill -TERM $$')).toMatchObject({ signal: 'SIGTERM', stopped: 'by_itself', killed_by: 'other' });
      expect(await run(sandbox, 'exit 1')).toMatchObject({ exit_code: 1, signal: null, killed_by: null, exceeded: null });
      const stopped = await sandbox.start({ ...SLEEP, ...place() });
      expect(await stopped.stop()).toMatchObject({ stopped: 'confirmed', killed_by: 'fairlead', exceeded: null });
    });

    it('stops what fills the disk, wherever it may write, and says so', async () => {
      const limits = { disk: 60 * 1024 * 1024 };
      const fill = (path: string) => `mkdir -p ${path}/d && head -c 150000000 /dev/zero > ${path}/d/f; sleep 7775`;
      expect(await run(sandbox, fill('.'), { limits })).toMatchObject({ exceeded: 'disk', killed_by: 'fairlead', stopped: 'confirmed' });
      expect(await run(sandbox, fill('"$FAIRLEAD_OUT"'), { limits })).toMatchObject({ exceeded: 'disk' });
      expect(await run(sandbox, 'head -c 30000000 /dev/zero > f; truncate -s 1T sparse; sleep 2', { limits })).toMatchObject({
        exit_code: 0,
        exceeded: null,
      });
    });

    it.runIf(kind !== 'unconfined')('stops what starts too many processes or takes too much memory, and says so', async () => {
      for (const bomb of [`while :; do sleep ${nap(6)} & done`, `b() { b | b & sleep ${nap(6)}; }; b`]) {
        const end = await run(sandbox, bomb, { limits: { processes: 100 } });
        expect(end).toMatchObject({ exceeded: 'processes', killed_by: 'fairlead', stopped: 'confirmed' });
      }
      expect(await sleepers(nap(6))).toBe(0);
      const limits = { memory: 300 * 1024 * 1024 };
      const hog = 'const kept = []; setInterval(() => kept.push(Buffer.alloc(5e6, 1)), 5)';
      expect(await run(sandbox, '', { argv: ['node', '-e', hog], limits })).toMatchObject({ exceeded: 'memory', stopped: 'confirmed' });
      for (const at of ['/tmp', '$HOME', '/dev/shm'])
        expect(await run(sandbox, `head -c 400000000 /dev/zero > ${at}/f; sleep 7775`, { limits })).toMatchObject({ exceeded: 'memory' });
      expect(await run(sandbox, 'head -c 100000000 /dev/zero > /tmp/f; sleep 1', { limits })).toMatchObject({
        exit_code: 0,
        exceeded: null,
      });
    });

    it('says when a program does not exist', async () => {
      const attempt = run(sandbox, '', { argv: ['no-such-program-here'] });
      if (kind === 'unconfined') await expect(attempt).rejects.toMatchObject({ code: 'requirement_missing' });
      else expect((await attempt).exit_code).not.toBe(0);
      const tooLong = run(sandbox, '', { argv: ['true', 'x'.repeat(3_000_000)] });
      await expect(tooLong).rejects.toMatchObject({ code: kind === 'unconfined' ? 'requirement_missing' : 'sandbox_unavailable' });
    });
  });

  describe.each(kinds.filter(({ kind }) => kind !== 'unconfined').map((sandbox) => [sandbox.kind, sandbox] as const))(
    '%s keeps out',
    (_, sandbox) => {
      let server: Server;
      let port: number;
      const others: Server[] = [];
      const shared = `/dev/shm/fairlead-test-${process.pid}`;
      const secrets = join(homedir(), `.fairlead-test-${process.pid}`);
      beforeAll(async () => {
        mkdirSync(join(secrets, '.ssh'), { recursive: true });
        writeFileSync(join(secrets, '.ssh', 'id_ed25519'), 'PRIVATE KEY');
        writeFileSync(join(folder, 'operator.token'), 'flo_token');
        server = createServer((socket) => socket.on('error', () => undefined).end('daemon'));
        await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
        port = (server.address() as { port: number }).port;
        for (const path of [`\0${abstract}`, join(secrets, 'agent.sock')]) {
          const other = createServer((socket) => socket.on('error', () => undefined).end('agent'));
          await new Promise<void>((resolve) => other.listen(path, resolve));
          others.push(other);
        }
        process.env['SSH_AUTH_SOCK'] = join(secrets, 'agent.sock');
        writeFileSync(shared, 'shared');
      });
      afterAll(() => {
        server?.close();
        for (const other of others) other.close();
        delete process.env['SSH_AUTH_SOCK'];
        rmSync(shared, { force: true });
        rmSync(secrets, { recursive: true, force: true });
      });

      const abstract = `fairlead-test-${process.pid}`;
      const connectTo = (target: string): string =>
        `node -e "require('net').connect(${target}).on('connect',()=>process.exit(0)).on('error',()=>process.exit(1))"`;
      const perl = (program: string): string => `perl -e '${program}'`;

      const attacks = (): readonly (readonly [string, string])[] => [
        ['reading a planted ssh key', `cat ${secrets}/.ssh/id_ed25519`],
        ['reading the home of the owner', `ls -A ${homedir()} | grep .`],
        ['reading a token in the home of Fairlead', `cat ${folder}/operator.token`],
        ['reading the shadow file', 'cat /etc/shadow'],
        [
          'connecting to the port of the daemon',
          `node -e "require('net').connect(${port},'127.0.0.1').on('connect',()=>process.exit(0)).on('error',()=>process.exit(1))"`,
        ],
        ['seeing processes of the host', `test -d /proc/${process.pid} && grep -q vitest /proc/${process.pid}/cmdline`],
        ['seeing more than its own processes', 'test "$(ls -d /proc/[0-9]* | wc -l)" -gt 12'],
        ['writing to the system', 'touch /usr/fairlead-test'],
        ['writing to the root', 'touch /fairlead-test'],
        ['writing to the folder beside', `touch ${folder}/x`],
        // Opened for appending and left alone, so that a failing test changes nothing on the machine.
        ['opening a kernel setting for writing', ': >> /proc/sys/kernel/core_pattern'],
        ['opening the system request trigger for writing', ': >> /proc/sysrq-trigger'],
        ['mounting', 'mount -t tmpfs none /workspace'],
        ['making a further user namespace', 'unshare -U true'],
        ['killing the daemon', `kill -9 ${process.pid}`],
        ['finding a device', 'ls /dev/sda /dev/vda /dev/mem /dev/kmsg 2>/dev/null | grep .'],
        ['reaching the network', 'cat /proc/net/route | grep -v Iface | grep .'],
        ['reaching an address outside', connectTo("{port:443,host:'192.0.2.1'}")],
        ['reaching an abstract socket of the host', connectTo(`{path:'\\0${abstract}'}`)],
        ['reaching a socket in a folder of the host', connectTo(`{path:'${join(secrets, 'agent.sock')}'}`)],
        [
          'reaching a socket of the desktop or of docker',
          'ls -d /run/docker.sock /run/user /run/dbus /run/systemd /tmp/.X11-unix 2>/dev/null | grep .',
        ],
        [
          'finding the sockets of agents in the environment',
          'env | grep -E "SSH_AUTH_SOCK|GPG_AGENT|DBUS|DISPLAY|WAYLAND|DOCKER|XDG_RUNTIME"',
        ],
        ['holding a descriptor of the daemon', 'ls /proc/self/fd | grep -v "^[0123]$"'],
        ['typing into the terminal of the daemon', ': < /dev/tty'],
        ['seeing the shared memory of the host', `ls /dev/shm | grep .`],
        ['making a device or file in /dev', 'touch /dev/fairlead-test'],
        ['reading the environment of the host', `cat /proc/${process.pid}/environ /proc/${process.pid}/root/etc/hostname`],
        [
          'tracing a process of the host',
          perl(`exit(syscall(${process.arch === 'x64' ? 101 : 117}, 16, ${process.pid}, 0, 0) == 0 ? 0 : 1)`),
        ],
        // Not merely unsuccessful: refused, whatever this kernel has.
        ['asking for the keyring of the session', perl(`syscall(${process.arch === 'x64' ? 250 : 219}, 0, -3, 0); exit($! == 1 ? 1 : 0)`)],
        ['talking to the host of a virtual machine', perl('socket(my $s, 40, 1, 0); exit($! == 1 ? 1 : 0)')],
        ['leaving its memory behind', 'test "$(ulimit -c)" != 0'],
        ['swapping its checkout for a link', 'cd / && mv workspace w && ln -s /etc workspace'],
        ['ending everything it can see', 'kill -9 -1; sleep 1; test -d /proc/1 && exit 1'],
        ['editing a file through a link in its checkout', `ln -s ${folder}/operator.token l && echo x >> l`],
        ['writing over the bytes of a mount', 'mount -o remount,rw / 2>/dev/null || umount /proc 2>/dev/null'],
        ['entering the namespaces of the first process', 'nsenter -t 1 -m -- true && test -e /oldroot'],
      ];
      it('while outside it the same attacks reach what was planted', async () => {
        const reachable = [
          'reading a planted ssh key',
          'connecting to the port of the daemon',
          'reaching an abstract socket of the host',
          'reaching a socket in a folder of the host',
          'seeing the shared memory of the host',
          'reading the environment of the host',
        ];
        for (const [name, script] of attacks().filter(([title]) => reachable.includes(title))) {
          const end = await run(confining.unconfined, script);
          expect(end.exit_code, `${name}: ${end.text}`).toBe(0);
        }
      });

      const unfiltered = sandbox.detail.includes('system calls are not filtered');
      const held = attacks().filter(([name]) => !unfiltered || !/keyring|virtual machine/.test(name));
      it.each(held.map(([name]) => name))('%s', async (name) => {
        const script = attacks().find(([title]) => title === name)![1];
        const end = await run(sandbox, script);
        expect(end.exit_code, end.text).not.toBe(0);
        expect(end.text).not.toMatch(/PRIVATE KEY|flo_token/);
      });

      it.runIf(sandbox.detail.includes('limited by the kernel'))('and tells when the kernel ended it for want of memory', async () => {
        const hog = 'const kept = []; for (;;) kept.push(Buffer.alloc(50e6, 1));';
        const end = await run(sandbox, '', { argv: ['node', '-e', hog], limits: { memory: 300 * 1024 * 1024 } });
        expect(end).toMatchObject({ exceeded: 'memory', killed_by: 'oom', stopped: 'by_itself' });
      });

      it('but lets node and git work', async () => {
        const end = await run(
          sandbox,
          'node -e "process.stderr.write(require(\'os\').userInfo().username)" && git init -q . && git -c user.name=a -c user.email=b commit -q --allow-empty -m x && git log --oneline && echo $HOME && touch $HOME/x /tmp/x',
        );
        expect(end.exit_code, end.text).toBe(0);
        expect(end.text).toContain('fairlead');
      });

      it('mounts what it is told to, read-only', async () => {
        const { workspace } = place();
        writeFileSync(join(workspace, 'data'), 'shared');
        const end = await run(sandbox, 'cat /given/data; echo x > /given/data || echo refused', {
          readable: [{ from: workspace, to: '/given' }],
        });
        expect(end.text).toContain('shared');
        expect(end.text).toContain('refused');
        expect(readFileSync(join(workspace, 'data'), 'utf8')).toBe('shared');
        await expect(run(sandbox, 'true', { readable: [{ from: join(folder, 'none'), to: '/given' }] })).rejects.toMatchObject({
          code: 'sandbox_unavailable',
        });
      });

      it('passes on output up to the limit only', async () => {
        const end = await run(sandbox, 'head -c 70000000 /dev/zero', { output: () => undefined });
        expect(end.dropped).toBe(70_000_000 - 64 * 1024 * 1024);
      });
    },
  );
};
