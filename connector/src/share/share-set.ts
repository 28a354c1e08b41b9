import { FairleadError } from '@fairlead/shared/contract/errors';
import type { Clock } from '@fairlead/shared/kit/clock';
import type { Files } from '../config/files.ts';
import { judgeShare, type JudgedShare, type Party } from './judge.ts';
import { readShares, type ShareRecord } from './share-file.ts';

export interface ShareSet {
  /** What is shared now, by instance id. */
  readonly shares: ReadonlyMap<string, JudgedShare>;
  /** Why nothing is shared although a file is there, or null. */
  readonly problem: FairleadError | null;
  /**
   * Operations to advertise for an instance: those of its grant or, while the copy is not to be believed, those of the last one that was.
   * An edit is thus refused without ever being shown to anyone as wider.
   */
  advertised(instanceId: string): readonly string[];
  /** Reads the file again. @returns whether anything differs from before */
  reload(): Promise<boolean>;
}

/**
 * The shares of one identity as the file on the disk says. A file that cannot be read shares nothing: no state of a file may widen what an
 * owner said.
 */
export const createShareSet = ({
  files,
  party,
  clock,
}: {
  readonly files: Files;
  readonly party: Party;
  readonly clock: Clock;
}): ShareSet => {
  let shares: ReadonlyMap<string, JudgedShare> = new Map();
  let problem: FairleadError | null = null;
  let seen = '';
  const lastTrusted = new Map<string, readonly string[]>();

  const judge = (records: readonly ShareRecord[]): ReadonlyMap<string, JudgedShare> =>
    new Map(
      records.map((record) => {
        const judged = judgeShare(record, party, clock.now());
        if (judged.served.distrust === null) lastTrusted.set(record.instance_id, record.grant.operations);
        return [record.instance_id, judged];
      }),
    );

  return {
    get shares() {
      return shares;
    },
    get problem() {
      return problem;
    },
    advertised(instanceId) {
      return lastTrusted.get(instanceId) ?? [];
    },
    async reload() {
      let records: ShareRecord[] = [];
      let trouble: FairleadError | null = null;
      try {
        records = await readShares(files);
      } catch (error) {
        trouble =
          error instanceof FairleadError
            ? error
            : new FairleadError('config_invalid', { detail: 'shares.json cannot be read', cause: error });
      }
      const now = JSON.stringify([records, trouble?.code ?? null]);
      if (now === seen) return false;
      seen = now;
      shares = judge(records);
      problem = trouble;
      return true;
    },
  };
};
