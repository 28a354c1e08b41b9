import { FairleadError } from '@fairlead/shared/contract/errors';
import { bytes } from '../layout.ts';
import { constants, existsSync, statSync } from 'node:fs';
import { access, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { DaemonHome } from '../../config/home.ts';
import { loadConfig, type Config } from '../../config/load-config.ts';
import { secretValues } from '../../config/secret-values.ts';
import { blocked, ok, warning, type Finding } from './finding.ts';

/** Below this a step may fail for want of space. In bytes. */
const SPACE = 512 * 1024 * 1024;

const modeOf = (path: string): number => statSync(path).mode & 0o777;
const octal = (mode: number): string => mode.toString(8).padStart(3, '0');

/** The nearest folder above a path that exists. */
const existing = (path: string): string => (existsSync(path) ? path : existing(dirname(path)));

const folderFindings = async (home: DaemonHome): Promise<Finding[]> => {
  const there = existing(home.folder);
  const findings: Finding[] = [];
  try {
    await access(there, constants.W_OK | constants.X_OK);
  } catch {
    return [blocked('home', `${there} cannot be written`, `Make it yours: chown $(id -un) ${there}, or choose another with FAIRLEAD_HOME`)];
  }
  if (there !== home.folder) return [ok('home', `${home.folder} is not there yet; fairlead serve makes it`)];
  const owner = statSync(home.folder).uid;
  if (process.getuid && owner !== process.getuid())
    findings.push(blocked('home', `${home.folder} belongs to another user (${owner})`, `chown -R $(id -un) ${home.folder}`));
  if ((modeOf(home.folder) & 0o077) !== 0)
    findings.push(
      blocked('home', `${home.folder} has permissions ${octal(modeOf(home.folder))}; others can enter it`, `chmod 700 ${home.folder}`),
    );
  return findings.length > 0 ? findings : [ok('home', `${home.folder} is yours alone`)];
};

const spaceFindings = async (home: DaemonHome): Promise<Finding[]> => {
  const { bavail, bsize } = await statfs(existing(home.folder));
  const free = bavail * bsize;
  return free < SPACE
    ? [warning('space', `Only ${bytes(free)} are free where Fairlead keeps its state`, 'Free some space, or move FAIRLEAD_HOME')]
    : [ok('space', `${bytes(free)} are free`)];
};

const secretFindings = (home: DaemonHome): Finding[] => {
  const files = [
    home.operatorToken,
    home.rootKey,
    home.operationalKey,
    home.ledger,
    join(home.root, 'connector', 'connector.key'),
    join(home.root, 'connector', 'shares.json'),
  ].filter((file) => existsSync(file));
  const exposed = files.filter((file) => (modeOf(file) & 0o077) !== 0);
  if (exposed.length > 0) {
    return exposed.map((file) =>
      blocked(
        'secrets',
        `${file} has permissions ${octal(modeOf(file))}; others can read it`,
        `chmod 600 ${file}, and replace the secret if others may have read it`,
      ),
    );
  }
  return files.length === 0
    ? [ok('secrets', 'There are none yet')]
    : [ok('secrets', `${files.length} files with secrets are readable by you alone`)];
};

/** The configuration, and what is wrong with it. */
export const configFindings = (
  home: DaemonHome,
  env: Readonly<Record<string, string | undefined>>,
): { readonly config: Config | undefined; readonly findings: readonly Finding[] } => {
  try {
    const config = loadConfig({ file: home.config, env, flags: {} });
    const unset = config.settings.secrets.env.filter((name) => !env[name]);
    secretValues(config.settings.secrets, env);
    const findings = [ok('config', existsSync(home.config) ? `${home.config} is valid` : 'There is no config.yaml; the defaults hold')];
    if (unset.length > 0)
      findings.push(
        warning(
          'config',
          `secrets.env names ${unset.join(', ')}, which is not set here`,
          'Set it where fairlead serve is started, or its value is not masked',
        ),
      );
    if (existsSync(home.config) && (modeOf(home.config) & 0o022) !== 0)
      findings.push(blocked('config', `${home.config} can be written by others, who could declare commands`, `chmod 600 ${home.config}`));
    return { config, findings };
  } catch (error) {
    const hint = error instanceof FairleadError ? (error.context.hint ?? 'Correct the named field') : 'Correct the file';
    return { config: undefined, findings: [blocked('config', (error as Error).message, hint)] };
  }
};

/** What lies in the home. */
export const homeFindings = async (home: DaemonHome): Promise<Finding[]> => [
  ...(await folderFindings(home)),
  ...(await spaceFindings(home)),
  ...secretFindings(home),
];
