import { ERRORS, type ErrorCode } from '@fairlead/shared/contract/error-table';
import { isoTime } from '@fairlead/shared/kit/clock';
import { dialRelay } from '@fairlead/shared/wire/ws-transport';
import type { RunOrder } from './cli/run.ts';
import { allowlistOf } from './core/allowlist.ts';
import { STATUS_OF } from './core/session-machine.ts';
import { readIdentity, requireIdentity, type Identity } from './identity/identity.ts';
import { createDaemonProxy } from './proxy/daemon-proxy.ts';
import { advertisementOf } from './session/advertisement.ts';
import { createAnswering } from './session/answer.ts';
import { createSession, type SessionReport } from './session/session.ts';
import { createRenewal } from './share/renewal.ts';
import { createShareSet } from './share/share-set.ts';
import { watchFiles } from './share/watch.ts';
import { takeRunLock } from './status/run-lock.ts';
import { createStatusWriter, type SharedInstance, type StatusFile } from './status/status-file.ts';

export interface RunningConnector {
  readonly connectorId: string;
  readonly unenrolled: Promise<void>;
  /** Finishes what is under way and takes the line down. */
  stop(): Promise<void>;
}

/** A newer relay may refuse with a code that is not known here; that it refused is known. */
const knownCode = (code: string | undefined): ErrorCode | null => {
  if (code === undefined) return null;
  return Object.hasOwn(ERRORS, code) ? (code as ErrorCode) : 'delegation_invalid';
};

/** A connector under one identity: its shares, its session with the relay and the renewals. */
const createLine = async (identity: Identity, parts: RunOrder, say: (status: StatusFile) => void) => {
  const { files, table, clock, log } = parts;
  const allowlist = allowlistOf(table);
  const set = createShareSet({ files, party: identity, clock });
  await set.reload();
  const proxy = createDaemonProxy();
  const answering = createAnswering({ allowlist, shares: () => set.shares, proxy, clock, log });
  const startedAt = isoTime(clock.now());
  let since = startedAt;
  let word: StatusFile['state'] = 'connecting';

  const instancesOf = ({ refused }: SessionReport): SharedInstance[] =>
    [...set.shares.values()].map(({ record, served }) => {
      const ended = served.revoked || clock.now() >= served.expiresAt;
      const byRelay = refused.find(({ instance_id }) => instance_id === record.instance_id)?.code;
      const code = served.distrust ?? (ended ? 'grant_expired' : knownCode(byRelay));
      return {
        instance_id: record.instance_id,
        label: record.descriptor.label,
        state: code === null ? 'served' : 'refused',
        code,
        grant_expires_at: record.grant.expires_at,
        proven_until: served.provenUntil > 0 ? isoTime(served.provenUntil) : null,
      };
    });

  const tell = (report: SessionReport) => {
    const state = STATUS_OF[report.state];
    if (state !== word) since = isoTime(clock.now());
    word = state;
    const error = report.error ?? set.problem;
    say({
      version: 1,
      state,
      since,
      connector_id: identity.connector_id,
      relay: identity.origin,
      session_id: report.sessionId,
      pid: process.pid,
      started_at: startedAt,
      last_error: error && { code: error.code, message: error.message, at: isoTime(clock.now()) },
      next_try_ms: report.nextTry,
      instances: instancesOf(report),
    });
  };

  const session = createSession({
    identity,
    dial: (signal) => dialRelay(identity.relay, clock, signal),
    answer: answering.handle,
    advertisement: () => advertisementOf(set, allowlist),
    clock,
    log,
    report: tell,
  });
  const renewal = createRenewal({ files, party: identity, clock, log, shares: () => set.shares });
  session.start();
  renewal.plan();

  return {
    identity,
    async sharesChanged() {
      if (!(await set.reload())) return;
      if (set.problem)
        log.error({ code: set.problem.code, detail: set.problem.message }, 'the shares cannot be read; nothing is shared until they can');
      else log.info({ instances: set.shares.size }, 'the shares have changed');
      renewal.plan();
      session.changed();
      tell(session.report);
    },
    async stop() {
      answering.drain();
      renewal.stop();
      await session.stop();
      proxy.close();
    },
  };
};

/**
 * Runs the connector of a home until it is stopped. Changes of its files take effect at once: shares are advertised anew, and another
 * identity takes the place of this one.
 * @throws FairleadError `config_invalid` when it was never enrolled, `already_running`
 */
export const runConnector = async (parts: RunOrder): Promise<RunningConnector> => {
  const { files, clock, log } = parts;
  const identity = await requireIdentity(files);
  const release = await takeRunLock(files);
  const status = createStatusWriter(files, (error) => log.error({ err: error }, 'the status cannot be written'));
  const say = (now: StatusFile) => {
    status.set(now);
    parts.onStatus?.(now);
  };
  let line = await createLine(identity, parts, say);
  let stopped = false;
  let givenUp: () => void = () => undefined;
  const unenrolled = new Promise<void>((resolve) => {
    givenUp = resolve;
  });

  const look = async () => {
    const found = await readIdentity(files).catch((error: unknown) => {
      log.error({ err: error }, 'config.json cannot be read; the identity stays as it was');
      return line.identity;
    });
    if (stopped) return;
    if (!found) {
      log.info({ connector_id: line.identity.connector_id }, 'the identity was given up');
      return givenUp();
    }
    if (found.connector_id !== line.identity.connector_id || found.key !== line.identity.key || found.relay !== line.identity.relay) {
      log.info({ connector_id: found.connector_id }, 'the identity has changed');
      await line.stop();
      line = await createLine(found, parts, say);
    }
    await line.sharesChanged();
  };
  // One look after the other: two at once could start two lines.
  let looking = Promise.resolve();
  const unwatch = watchFiles([files.shares, files.identity], clock, () => {
    looking = looking.then(look).catch((error: unknown) => log.error({ err: error }, 'a change of the files could not be taken up'));
  });

  return {
    get connectorId() {
      return line.identity.connector_id;
    },
    unenrolled,
    async stop() {
      stopped = true;
      unwatch();
      await looking;
      await line.stop();
      await status.settled();
      await release();
    },
  };
};
