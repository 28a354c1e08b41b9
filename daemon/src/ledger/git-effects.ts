import { FairleadError } from '@fairlead/shared/contract/errors';
import { machine } from '../core/machine.ts';
import type { GitEffectRecord, GitEffectState } from '../core/records.ts';
import type { LateWrites } from './late-writes.ts';
import type { Tx } from './ledger.ts';
import type { Tables } from './tables.ts';

/**
 * The journal of effects on the user's repository. The order of things: `plan` in the transaction that moves the change to
 * `integrating`, and await it; then the effect; then `mark(applied)`; then `mark(reconciled)` in the transaction that moves the
 * change to `integrated`. After a crash a planned effect is looked at: the ref is where it was to go (applied), or not (abandoned).
 */
const effect = machine<GitEffectState, 'applied' | 'reconciled' | 'abandoned'>('git effect', {
  planned: { applied: 'applied', reconciled: 'reconciled', abandoned: 'abandoned' },
  applied: { reconciled: 'reconciled' },
  reconciled: {},
  abandoned: {},
});

/** Only the ledger writes these rows; they are no history of their own, the change's events are. */
export const createGitEffects = (tables: Tables, at: () => number, late: LateWrites): Tx['effects'] => {
  const lastId = late.reader('select coalesce(max(id), 0) from git_effects', 'one');
  return {
    plan(planned): GitEffectRecord {
      const record: GitEffectRecord = {
        ...planned,
        id: (lastId.get() as number) + 1,
        state: 'planned',
        planned_at: at(),
        updated_at: at(),
      };
      tables.effects.insert(record);
      return record;
    },
    mark(id, event) {
      const from = tables.effects.get(id);
      if (!from) throw new FairleadError('not_found', { detail: `There is no git effect ${id}` });
      const state = effect.next(from.state, event);
      if (state === undefined)
        throw new FairleadError('transition_refused', { detail: `The git effect is ${from.state}; "${event}" is not possible then.` });
      tables.effects.update(id, { state, updated_at: at() });
    },
  };
};
