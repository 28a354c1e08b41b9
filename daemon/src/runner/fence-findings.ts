import type { FenceFinding } from '@fairlead/shared/contract/resources';
import type { Difference } from '../git/difference.ts';
import type { SnapshotFinding } from '../git/snapshot.ts';
import type { EffectivePolicy } from '../policy/effective.ts';
import { judgeFence } from '../policy/fence.ts';

const failed = (rule: string, path: string, message: string): FenceFinding => ({ rule, severity: 'failed', path, message });

/** The fence's findings on what git observed; those from before hashing and name collisions come along. */
export const fenceFindings = (
  difference: Difference,
  effective: EffectivePolicy,
  earlier: readonly SnapshotFinding[] = [],
): FenceFinding[] =>
  judgeFence({
    entries: difference.entries.map(({ old_id, new_id, link_target, ...entry }) => ({
      ...entry,
      old_object: old_id,
      new_object: new_id,
      ...(link_target !== null && { link_target }),
    })),
    numstat: difference.entries,
    earlier: [
      ...earlier.map(({ rule, path, message }) => failed(rule, path, message)),
      ...difference.collisions.map((pair) => failed('name_collision', pair.path, `the same name as ${pair.with} on some systems`)),
    ],
    effective,
  });
