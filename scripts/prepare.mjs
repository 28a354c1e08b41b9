// Makes a checkout ready: checks what the machine must have, installs dependencies, and the sandbox where it may.
// Plain Node without dependencies, because it runs before there are any. Everything it says goes to stderr, so that
// `npm run -s X -- --json` prints one document and nothing else.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, constants, existsSync, mkdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const stampFolder = join(root, 'node_modules', '.fairlead');
const installedStamp = join(stampFolder, 'installed');
const sandboxStamp = join(stampFolder, 'sandbox-tried');
const DAY = 86_400_000;

const say = (text) => process.stderr.write(`${text}\n`);

const onPath = (name) =>
  (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return folder !== '';
    } catch {
      return false;
    }
  });

/** Which family of systems this is, by its package manager. */
export const systemOf = (platform = process.platform, has = onPath) => {
  if (platform === 'darwin') return 'macos';
  if (platform !== 'linux') return 'other';
  return (
    { 'apt-get': 'debian', dnf: 'fedora', pacman: 'arch', apk: 'alpine', zypper: 'suse' }[
      ['apt-get', 'dnf', 'pacman', 'apk', 'zypper'].find((name) => has(name)) ?? ''
    ] ?? 'other'
  );
};

const INSTALL = {
  debian: (names) => `sudo apt-get update && sudo apt-get install -y ${names.join(' ')}`,
  fedora: (names) => `sudo dnf install -y ${names.join(' ')}`,
  arch: (names) => `sudo pacman -S --needed ${names.join(' ')}`,
  alpine: (names) => `sudo apk add ${names.join(' ')}`,
  suse: (names) => `sudo zypper install -y ${names.join(' ')}`,
};

/** What each need is called where. A need without a name on a system has a sentence of its own. */
const PACKAGES = {
  git: { debian: 'git', fedora: 'git', arch: 'git', alpine: 'git', suse: 'git' },
  python3: { debian: 'python3', fedora: 'python3', arch: 'python', alpine: 'python3', suse: 'python3' },
  make: { debian: 'make', fedora: 'make', arch: 'make', alpine: 'make', suse: 'make' },
  compiler: { debian: 'g++', fedora: 'gcc-c++', arch: 'gcc', alpine: 'g++', suse: 'gcc-c++' },
  bubblewrap: { debian: 'bubblewrap', fedora: 'bubblewrap', arch: 'bubblewrap', alpine: 'bubblewrap', suse: 'bubblewrap' },
};

/** One line that cures all the named needs on this system. */
export const cureFor = (needs, system) => {
  if (system === 'macos') return needs.includes('git') ? 'xcode-select --install, or brew install git' : 'xcode-select --install';
  const install = INSTALL[system];
  if (!install) return `install ${needs.join(', ')} with your system's package manager`;
  return install(needs.map((need) => PACKAGES[need][system]));
};

const NODE_CURE = {
  macos: 'brew install node@22, or see https://nodejs.org',
  other: 'install Node 22 from https://nodejs.org, or with your version manager (nvm install 22, fnm install 22)',
};

/** Compares dotted versions by their first three numbers. */
export const atLeast = (version, floor) => {
  const numbers = (text) => (text.match(/\d+/g) ?? []).slice(0, 3).map(Number);
  const [have, want] = [numbers(version), numbers(floor)];
  for (let at = 0; at < want.length; at++) {
    if ((have[at] ?? 0) !== want[at]) return (have[at] ?? 0) > want[at];
  }
  return true;
};

const gitVersion = () => {
  const answer = spawnSync('git', ['--version'], { encoding: 'utf8', timeout: 10_000 });
  return answer.status === 0 ? answer.stdout.replace(/^git version /, '').trim() : undefined;
};

/** What is missing. The build tools are needed only where dependencies are still to be installed. */
export const missingNeeds = ({
  withBuildTools,
  nodeVersion = process.versions.node,
  git = gitVersion(),
  has = onPath,
  cxx = process.env.CXX,
}) => {
  const missing = [];
  if (!atLeast(nodeVersion, '20.19')) missing.push({ need: 'node', text: `Node >= 20.19 (this is ${nodeVersion})` });
  if (git === undefined) missing.push({ need: 'git', text: 'git >= 2.38' });
  else if (!atLeast(git, '2.38')) missing.push({ need: 'git', text: `git >= 2.38 (this is ${git})` });
  if (!withBuildTools) return missing;
  if (!has('python3')) missing.push({ need: 'python3', text: 'python3, to compile SQLite' });
  if (!has('make')) missing.push({ need: 'make', text: 'make, to compile SQLite' });
  if (!cxx && !['c++', 'g++', 'clang++'].some((name) => has(name)))
    missing.push({ need: 'compiler', text: 'a C++ compiler, to compile SQLite' });
  return missing;
};

const lockDigest = () => {
  const hash = createHash('sha256').update(`${process.versions.modules} ${process.platform} ${process.arch}`);
  for (const file of ['pnpm-lock.yaml', 'pnpm-workspace.yaml']) hash.update(`\n${file}\n`).update(readFileSync(join(root, file)));
  return hash.digest('hex');
};

const stamp = (file, text) => {
  mkdirSync(stampFolder, { recursive: true });
  writeFileSync(file, text);
};

const readStamp = (file) => (existsSync(file) ? readFileSync(file, 'utf8') : undefined);

/**
 * The folder of this very Node's own headers, where it was installed with them. With it SQLite is compiled without fetching
 * headers from nodejs.org, which many networks do not let through.
 */
export const headersOf = (execPath = realpathSync(process.execPath), version = process.versions.node) => {
  const folder = dirname(dirname(execPath));
  try {
    const text = readFileSync(join(folder, 'include', 'node', 'node_version.h'), 'utf8');
    const part = (name) => new RegExp(`#define NODE_${name}_VERSION (\\d+)`).exec(text)?.[1];
    return ['MAJOR', 'MINOR', 'PATCH'].map(part).join('.') === version ? folder : undefined;
  } catch {
    return undefined;
  }
};

/** Runs a program with its output on our stderr, and says that it still works every ten seconds. */
const run = (command, args, what) =>
  new Promise((resolve) => {
    const started = Date.now();
    // `npm run -s` hands its silence on, and then nobody would see why an installation failed.
    const { npm_config_loglevel: _, ...env } = process.env;
    const headers = headersOf();
    if (headers !== undefined) env.npm_config_nodedir ??= headers;
    const child = spawn(command, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] });
    // The bins of our own packages are linked before they are built; pnpm warns, and it does not matter.
    const show = (chunk) => {
      for (const line of String(chunk).split('\n')) if (line.trim() && !/Failed to create bin/.test(line)) say(`  ${line}`);
    };
    child.stdout.on('data', show);
    child.stderr.on('data', show);
    const beat = setInterval(() => say(`  … ${what}, ${Math.round((Date.now() - started) / 1000)} s`), 10_000);
    const end = (code) => {
      clearInterval(beat);
      resolve(code);
    };
    child.on('error', () => end(127));
    child.on('close', (code) => end(code ?? 1));
  });

const installDependencies = async (digest) => {
  say('fairlead: installing dependencies (the first time compiles SQLite, which takes about a minute)');
  rmSync(installedStamp, { force: true });
  const code = await run('npx', ['-y', 'pnpm@10.34.9', 'install', '--frozen-lockfile', '--reporter=append-only'], 'still installing');
  if (code !== 0) {
    say(
      'fairlead: the installation of dependencies failed; see above. It needs the npm registry, and nodejs.org for the headers of a Node that was installed without them. Check the network, then run the same command again.',
    );
    return false;
  }
  const probe = spawnSync(process.execPath, ['-e', "new (require('better-sqlite3'))(':memory:').close()"], {
    cwd: join(root, 'daemon'),
    encoding: 'utf8',
  });
  if (probe.status !== 0) {
    say(`fairlead: SQLite was installed but does not load; run: npx -y pnpm@10.34.9 rebuild better-sqlite3\n${probe.stderr}`);
    return false;
  }
  stamp(installedStamp, digest);
  say('fairlead: dependencies are ready');
  return true;
};

/** Installs bubblewrap where that is allowed. It is never a failure: what needs a sandbox says so itself. */
const prepareSandbox = async (system) => {
  if (process.platform !== 'linux' || onPath('bwrap')) return;
  const cure = cureFor(['bubblewrap'], system);
  const isRoot = process.getuid?.() === 0;
  const may = system === 'debian' && (isRoot || (process.env.CI === 'true' && onPath('sudo')));
  const tried = Number(readStamp(sandboxStamp) ?? 0);
  if (may && Date.now() - tried > DAY) {
    say('fairlead: installing the sandbox (bubblewrap)');
    const apt = isRoot ? ['apt-get'] : ['sudo', '-n', 'apt-get'];
    await run(apt[0], [...apt.slice(1), 'update', '-qq'], 'still updating the package lists');
    await run(apt[0], [...apt.slice(1), 'install', '-y', '-qq', '--no-install-recommends', 'bubblewrap'], 'still installing bubblewrap');
    if (onPath('bwrap')) return;
    stamp(sandboxStamp, String(Date.now()));
  }
  say(
    `fairlead: no sandbox here (bubblewrap is missing). The demo runs its own throw-away instance unconfined and says so; tests say what they skip.\n  To cure: ${cure}`,
  );
};

/** Makes the checkout ready. Answers whether it is. */
export const prepare = async () => {
  const system = systemOf();
  const digest = lockDigest();
  const installed = readStamp(installedStamp) === digest;
  const missing = missingNeeds({ withBuildTools: !installed });
  if (missing.length > 0) {
    say('fairlead: this machine lacks:');
    for (const { text } of missing) say(`  - ${text}`);
    if (missing.some(({ need }) => need === 'node')) say(`To cure: ${NODE_CURE[system] ?? NODE_CURE.other}`);
    const rest = missing.map(({ need }) => need).filter((need) => need !== 'node');
    if (rest.length > 0) say(`To cure: ${cureFor(rest, system)}`);
    return false;
  }
  if (!installed && !(await installDependencies(digest))) return false;
  await prepareSandbox(system);
  return true;
};

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = (await prepare()) ? 0 : 1;
