import { existsSync } from 'node:fs';
import { FairleadError } from '@fairlead/shared/contract/errors';
import type { Log } from '@fairlead/shared/kit/log';
import { loadOrCreateKey } from '@fairlead/shared/kit/signature';
import type { DaemonHome } from '../config/home.ts';
import type { Cause } from '../core/records.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { viewLedger, type LedgerView } from '../ledger/open-ledger.ts';
import { lostHeads, readSignedHeads, type LostHead } from '../ledger/signed-heads.ts';

const BY_OWNER: Cause = { principal: { id: 'operator', name: 'operator' }, authority: 'local' };

const sentence = ({ instance_id, message }: LostHead): string => `Of ${instance_id}, ${message}.`;

/**
 * Compares the ledger with what was signed of it last, before anything acts on it. A ledger that was rolled back has forgotten what was done:
 * keys of requests, spent budgets, withdrawn grants. Whether to go on with it is the owner's decision, and stands in the history then.
 * @throws FairleadError `history_rolled_back`, `signature_invalid`
 */
export const settleHistory = async (parts: {
  readonly home: DaemonHome;
  readonly ledger: Ledger;
  readonly rootKey: string;
  readonly accept: boolean;
  readonly log: Log;
}): Promise<void> => {
  const { home, ledger, log } = parts;
  const lost = lostHeads((await readSignedHeads(home.heads, parts.rootKey)) ?? [], ledger.read);
  if (lost.length === 0) return;
  if (!parts.accept) throw new FairleadError('history_rolled_back', { detail: lost.map(sentence).join(' ') });
  for (const { instance_id, message } of lost) log.warn({ instance_id }, `the owner accepted that ${message}`);
  ledger.renewEpoch();
  await ledger.record((tx) => {
    for (const { instance_id, seq, hash, ends_at } of lost) {
      if (tx.read.instance(instance_id) === undefined) continue;
      const data = { signed_seq: seq, signed_hash: hash, ends_at };
      tx.note({ type: 'history.rollback_accepted', instance_id, ...BY_OWNER, data });
    }
  });
};

/** What a look at the history of one instance found. */
export interface HistoryFinding {
  readonly instance_id: string;
  /** Undefined where the ledger knows the instance no more. */
  readonly label: string | undefined;
  readonly events: number;
  readonly problems: readonly string[];
}

const problemsOf = (view: LedgerView | undefined, id: string, lost: readonly LostHead[]) => {
  const report = view?.read.instance(id) === undefined ? { events: 0, problems: [] } : view.verify(id);
  const chains = report.problems.map(({ run_id, message }) => (run_id === null ? message : `${run_id}: ${message}`));
  return { events: report.events, problems: [...lost.filter((one) => one.instance_id === id).map(({ message }) => message), ...chains] };
};

/**
 * Recomputes every chain of the ledger in a home, and compares it with what was signed last, whether a daemon runs or not.
 * @throws FairleadError `signature_invalid`
 */
export const examineHistory = async (home: DaemonHome): Promise<readonly HistoryFinding[]> => {
  // Read first: the ledger may have gone on since, and never back.
  const heads = existsSync(home.heads) ? ((await readSignedHeads(home.heads, (await loadOrCreateKey(home.rootKey)).publicKey)) ?? []) : [];
  const view = viewLedger(home.ledger);
  try {
    const known = view?.read.instances({ removed: true }) ?? [];
    const nothing = { events: () => [], head: () => ({ seq: 0, hash: '' }), instance: () => undefined };
    const lost = lostHeads(heads, view?.read ?? nothing);
    const ids = new Set([...known.map(({ id }) => id), ...lost.map(({ instance_id }) => instance_id)]);
    return [...ids].map((id) => ({ instance_id: id, label: known.find((one) => one.id === id)?.label, ...problemsOf(view, id, lost) }));
  } finally {
    view?.close();
  }
};
