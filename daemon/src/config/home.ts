import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';

/** Where everything of one daemon lies. Folders are 0700, files that hold secrets 0600. */
export interface DaemonHome {
  /** `$FAIRLEAD_HOME`, shared with a connector and a relay on the same machine. */
  readonly root: string;
  /** `$FAIRLEAD_HOME/daemon`. */
  readonly folder: string;
  readonly config: string;
  readonly ledger: string;
  /** What the daemon signed last of the ledger's history. */
  readonly heads: string;
  readonly artifacts: string;
  readonly stores: string;
  readonly workspaces: string;
  /** Agents' own files, a folder an attempt. */
  readonly agents: string;
  /** Checkouts made ahead of need; on the file system of the workspaces. */
  readonly pool: string;
  /** Sockets of attempts' ways out. */
  readonly sockets: string;
  /** Small files that sandboxes mount. */
  readonly sandbox: string;
  readonly rootKey: string;
  readonly operationalKey: string;
  readonly certificate: string;
  readonly endpoint: string;
  readonly operatorToken: string;
  readonly lock: string;
}

/** The layout below a root folder. Nothing is created. */
export const daemonHome = (root: string): DaemonHome => {
  const base = isAbsolute(root) ? root : resolve(root);
  const folder = join(base, 'daemon');
  return {
    root: base,
    folder,
    config: join(folder, 'config.yaml'),
    ledger: join(folder, 'ledger.db'),
    heads: join(folder, 'heads.json'),
    artifacts: join(folder, 'artifacts'),
    stores: join(folder, 'stores'),
    workspaces: join(folder, 'workspaces'),
    agents: join(folder, 'agents'),
    pool: join(folder, 'pool'),
    sockets: join(folder, 'sockets'),
    sandbox: join(folder, 'sandbox'),
    rootKey: join(folder, 'root.key'),
    operationalKey: join(folder, 'operational.key'),
    certificate: join(folder, 'certificate.json'),
    endpoint: join(folder, 'endpoint.json'),
    operatorToken: join(folder, 'operator.token'),
    lock: join(folder, 'daemon.lock'),
  };
};

/** The root that holds unless `--home` or `FAIRLEAD_HOME` names another. */
export const defaultRoot = (): string => join(homedir(), '.fairlead');

/** The home of whoever runs the daemon: agents keep there what they sign in with. */
export const operatorHome = (): string => homedir();

/**
 * Where this machine keeps things, as text that must not leave it: the owner's home, Fairlead's, and the end of that path, which is all that
 * a mount table shows where homes are a file system of their own.
 */
export const placesOf = ({ root }: DaemonHome): string[] => {
  const own = homedir();
  return [...new Set([root, own === '/' ? root : own, root.split('/').slice(-2).join('/')])];
};
