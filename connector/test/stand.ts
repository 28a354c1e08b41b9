import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OPERATIONS, type OperationTable } from '@fairlead/shared/contract/operations/table';
import type { Grant } from '@fairlead/shared/contract/resources';
import { systemClock } from '@fairlead/shared/kit/clock';
import { createLog } from '@fairlead/shared/kit/log';
import { mintSecret, writeSecretFile } from '@fairlead/shared/kit/secret';
import { filesIn, type Files } from '../src/config/files.ts';
import { runConnector, type RunningConnector } from '../src/connector.ts';
import { enroll } from '../src/enrollment/enroll.ts';
import type { Identity } from '../src/identity/identity.ts';
import { changeShares, withShare, type ShareRecord } from '../src/share/share-file.ts';
import type { StatusFile } from '../src/status/status-file.ts';
import { daemonDouble, type DaemonDouble } from './daemon-double.ts';
import { relayDouble, type LiveSession, type RelayDouble, type RelayOptions } from './relay-double.ts';

/** Waits until something holds; the time is only for the case that it never does. */
export const until = async <T>(what: () => T | undefined | false | Promise<T | undefined | false>, ms = 8_000): Promise<T> => {
  const end = systemClock.monotonic() + ms;
  for (;;) {
    const found = await what();
    if (found !== undefined && found !== false) return found;
    if (systemClock.monotonic() > end) throw new Error('it never came to hold');
    await systemClock.sleep(10);
  }
};

export interface Stand {
  readonly files: Files;
  readonly folder: string;
  readonly relay: RelayDouble;
  readonly daemon: DaemonDouble;
  readonly identity: Identity;
  readonly instance: string;
  readonly history: StatusFile[];
  /** Shares an instance as `share` does, with a grant of the daemon double. */
  share(instance: string, grant?: Partial<Grant>, notAfter?: number): Promise<ShareRecord>;
  /** Puts into the home what a daemon leaves there for its operator, so that commands find the daemon double. */
  showDaemon(): Promise<void>;
  run(table?: OperationTable): Promise<RunningConnector>;
  /** The newest session, once its set was taken. */
  session(): Promise<LiveSession>;
  state(): string | undefined;
  close(): Promise<void>;
}

/** An enrolled connector in a folder of its own, between a relay double and a daemon double. It does not run yet. */
export const stand = async (options: { relay?: RelayOptions } = {}): Promise<Stand> => {
  const folder = await mkdtemp(join(tmpdir(), 'fairlead-connector-'));
  const files = filesIn(join(folder, 'connector'));
  const [relay, daemon] = await Promise.all([relayDouble(options.relay), daemonDouble()]);
  const secret = mintSecret('fle');
  relay.tokenFor(secret);
  const identity = await enroll({ relay: relay.origin, secret, label: 'desk' }, { files, clock: systemClock });
  const instance = daemon.newInstance();
  const history: StatusFile[] = [];
  const running: RunningConnector[] = [];

  const share: Stand['share'] = async (id, about = {}, notAfter) => {
    const grant = daemon.makeGrant({ instance_id: id, connector_key: identity.key, relay_key: identity.relay_key, ...about });
    const token = mintSecret('flc');
    daemon.grants.set(id, { grant, token });
    const record: ShareRecord = {
      instance_id: id,
      descriptor: daemon.descriptor,
      grant,
      delegation: daemon.delegate(grant, notAfter),
      daemon: { url: daemon.url, home: null },
      connector_token: token,
    };
    await changeShares(files, (shares) => withShare(shares, record));
    return record;
  };

  return {
    files,
    folder,
    relay,
    daemon,
    identity,
    instance,
    history,
    share,
    async showDaemon() {
      const home = join(folder, 'daemon');
      await mkdir(home, { mode: 0o700 });
      await writeFile(join(home, 'endpoint.json'), JSON.stringify({ url: daemon.url, pid: 1, started_at: '' }));
      await writeSecretFile(join(home, 'operator.token'), daemon.operatorToken);
    },
    async run(table = OPERATIONS) {
      const connector = await runConnector({
        files,
        table,
        clock: systemClock,
        log: createLog({ part: 'test', level: 'silent' }),
        onStatus: (status) => history.push(status),
      });
      running.push(connector);
      return connector;
    },
    session: async () => {
      await until(() => history.at(-1)?.state === 'verified');
      return relay.sessions.at(-1)!;
    },
    state: () => history.at(-1)?.state,
    async close() {
      for (const connector of running) await connector.stop();
      await Promise.all([relay.close(), daemon.stop().catch(() => undefined)]);
      await rm(folder, { recursive: true, force: true });
    },
  };
};
