import { FairleadError } from '@fairlead/shared/contract/errors';
import type { DaemonHome } from '../../config/home.ts';
import { blocked, ok, type Finding } from './finding.ts';

/** Recomputes the history in a home and compares it with what was signed of it; loaded when `doctor` is asked for. */
export type ExamineHistory = (home: DaemonHome) => Promise<
  readonly {
    readonly instance_id: string;
    readonly label: string | undefined;
    readonly events: number;
    readonly problems: readonly string[];
  }[]
>;

/** Of many problems, the first ones say what is wrong. */
const SHOWN = 5;

const CURE =
  'Put the newest ledger.db back from a backup; until then trust no record of it. If it is lost for good: fairlead serve --accept-rollback';

/** Whether the history of every instance is whole, and still goes as far as what was signed of it. */
export const historyFindings = async (home: DaemonHome, examine: ExamineHistory): Promise<Finding[]> => {
  try {
    return (await examine(home)).map(({ instance_id, label, events, problems }) => {
      const about = `history ${label ?? instance_id}`;
      if (problems.length === 0) return ok(about, `${events} lines, whole, and all that was signed is there`);
      const more = problems.length > SHOWN ? `; and ${problems.length - SHOWN} more` : '';
      return blocked(about, `${problems.slice(0, SHOWN).join('; ')}${more}`, CURE);
    });
  } catch (error) {
    if (!(error instanceof FairleadError)) throw error;
    return [blocked('history', error.message, error.context.hint ?? CURE)];
  }
};
