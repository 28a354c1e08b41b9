import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { runCommand } from '../rig/processes.ts';
import { AGENT_PINS, type AgentPin } from './pins.ts';

/** An agent that is there and answers with the version it should have. */
export interface InstalledAgent {
  readonly name: AgentPin['name'];
  readonly version: string;
  /** The folder that holds it and nothing else; what a sandbox must be shown. */
  readonly folder: string;
  /** The command, absolute. */
  readonly command: string;
}

/** An agent that could not be had, with the reason, for tests to say why they skip. */
export interface MissingAgent {
  readonly name: AgentPin['name'];
  readonly version: string;
  readonly reason: string;
}

export interface InstallOptions {
  /** Which; all of them unless said otherwise. */
  readonly agents?: readonly AgentPin['name'][];
  /** Where they are kept; `agentCache()` unless said otherwise. */
  readonly cache?: string;
  /** Told of each step in words. */
  readonly tell?: (line: string) => void;
}

export interface Installed {
  readonly installed: readonly InstalledAgent[];
  readonly missing: readonly MissingAgent[];
}

const INSTALL_MS = 300_000;
const VERSION_MS = 60_000;

/** Where agents are kept, outside of the checkout: `$XDG_CACHE_HOME/fairlead/agents`, or the same below `~/.cache`. */
export const agentCache = (env: Readonly<Record<string, string | undefined>> = process.env): string =>
  join(env['XDG_CACHE_HOME']?.startsWith('/') ? env['XDG_CACHE_HOME'] : join(homedir(), '.cache'), 'fairlead', 'agents');

const NPM_INSTALL = [
  'npm',
  'install',
  '--ignore-scripts',
  '--no-audit',
  '--no-fund',
  '--save-exact',
  // A machine without a network is to be told within seconds, not after npm's own minutes.
  '--fetch-retries=1',
  '--fetch-retry-mintimeout=1000',
  '--fetch-timeout=60000',
];

const commandIn = (folder: string, { bin }: AgentPin): string => join(folder, 'node_modules', '.bin', bin);

/** The end of what a command said, on one line. */
const lastWords = (text: string): string => text.trim().split('\n').slice(-3).join(' | ').slice(-400);

/** What npm says went wrong: it tells that first, and then at length what one might do. */
const npmError = (text: string): string =>
  text
    .split('\n')
    .filter((line) => line.startsWith('npm error'))
    .map((line) => line.replace(/^npm error\s*/, ''))
    .filter((line) => line !== '')
    .slice(0, 4)
    .join(' | ')
    .slice(0, 400) || lastWords(text);

/** What is wrong with an agent in a folder, judged by running it with a home of its own; nothing when it is as pinned. */
const faultOf = async (folder: string, pin: AgentPin): Promise<string | undefined> => {
  const command = commandIn(folder, pin);
  if (!existsSync(command)) return `it has no ${pin.bin}`;
  const home = await mkdtemp(join(folder, 'home-'));
  try {
    const env = { HOME: home, OPENCODE_DISABLE_AUTOUPDATE: '1', OPENCODE_DISABLE_MODELS_FETCH: '1', DISABLE_AUTOUPDATER: '1' };
    const { code, stdout, stderr } = await runCommand({ name: pin.name, argv: [command, '--version'], env, timeoutMs: VERSION_MS });
    if (code !== 0) return `${pin.bin} --version ended with ${code ?? 'a signal'}: ${lastWords(stderr || stdout)}`;
    return stdout.includes(pin.version) ? undefined : `${pin.bin} --version says ${lastWords(stdout)}`;
  } finally {
    await rm(home, { recursive: true, force: true });
  }
};

/** Installs into a folder beside the place, to be renamed when it is whole. @throws Error with the reason */
const installInto = async (folder: string, pin: AgentPin): Promise<void> => {
  await writeFile(join(folder, 'package.json'), '{"private":true}\n');
  const npm = [...NPM_INSTALL, `${pin.npmPackage}@${pin.version}`];
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) =>
      /^(HOME|https?_proxy|no_proxy|npm_config_(registry|cafile|cache|userconfig))$/i.test(name),
    ),
  ) as Record<string, string>;
  const { code, stdout, stderr } = await runCommand({ name: 'npm', argv: npm, cwd: folder, env, timeoutMs: INSTALL_MS });
  if (code === null) throw new Error(`npm install took longer than ${INSTALL_MS / 1000} s`);
  if (code !== 0) throw new Error(`npm install ended with ${code}: ${npmError(stderr || stdout)}`);
  if (pin.postinstall === undefined) return;
  const script = await runCommand({
    name: pin.postinstall,
    argv: [process.execPath, pin.postinstall],
    cwd: join(folder, 'node_modules', pin.npmPackage),
    timeoutMs: INSTALL_MS,
  });
  if (script.code !== 0) throw new Error(`${pin.postinstall} ended with ${script.code ?? 'a signal'}: ${lastWords(script.stderr)}`);
};

/** Moves a whole folder to its place. Of two that install at once the first wins, and the other takes what is there. */
const settleAt = async (folder: string, place: string): Promise<void> => {
  try {
    await rename(folder, place);
  } catch (error) {
    if (!existsSync(place)) throw error;
    await rm(folder, { recursive: true, force: true });
  }
};

const ABANDONED = /^\.installing-/;

/** Removes what an installation that was killed has left. */
const removeAbandoned = async (cache: string, pin: AgentPin): Promise<void> => {
  for (const name of await readdir(cache))
    if (ABANDONED.test(name) && name.startsWith(`.installing-${pin.name}-`)) await rm(join(cache, name), { recursive: true, force: true });
};

const have = async (pin: AgentPin, cache: string, tell: (line: string) => void): Promise<InstalledAgent> => {
  const place = join(cache, `${pin.name}-${pin.version}`);
  const found: InstalledAgent = { name: pin.name, version: pin.version, folder: place, command: commandIn(place, pin) };
  // What stands at its place was whole and answered when it was put there.
  if (existsSync(found.command)) return found;
  const started = Date.now();
  tell(`installing ${pin.npmPackage} ${pin.version}`);
  await mkdir(dirname(place), { recursive: true });
  await removeAbandoned(cache, pin);
  const folder = await mkdtemp(join(cache, `.installing-${pin.name}-`));
  try {
    await installInto(folder, pin);
    const fault = await faultOf(folder, pin);
    if (fault !== undefined) throw new Error(fault);
    await settleAt(folder, place);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  tell(`installed ${pin.name} ${pin.version} in ${Math.round((Date.now() - started) / 1000)} s`);
  return found;
};

/**
 * Has the pinned agents in the cache. What is there already is taken as it is, without a network and at once; the rest is installed by
 * npm, beside its place, run once, and then put there. Never throws for an agent that cannot be had; it is in `missing`, with the reason.
 */
export const installAgents = async ({ agents, cache = agentCache(), tell = () => {} }: InstallOptions = {}): Promise<Installed> => {
  const installed: InstalledAgent[] = [];
  const missing: MissingAgent[] = [];
  for (const pin of AGENT_PINS.filter(({ name }) => agents === undefined || agents.includes(name))) {
    try {
      installed.push(await have(pin, cache, tell));
    } catch (error) {
      const reason = (error as Error).message;
      tell(`${pin.name} ${pin.version} could not be installed: ${reason}`);
      missing.push({ name: pin.name, version: pin.version, reason });
    }
  }
  return { installed, missing };
};
