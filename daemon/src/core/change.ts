import type { EventType } from '@fairlead/shared/contract/resources';
import type { ChangeState } from '@fairlead/shared/contract/states';
import { machine } from './machine.ts';

export const CHANGE_EVENTS = ['integrating', 'integrated', 'conflicted', 'validation_failed', 'returned', 'discarded'] as const;
export type ChangeEvent = (typeof CHANGE_EVENTS)[number];

/** A conflict and a failed check of the replayed tree depend on where the target is, so both may be tried again when it has moved. */
export const change = machine<ChangeState, ChangeEvent>('change', {
  held: { integrating: 'integrating', discarded: 'discarded' },
  integrating: { integrated: 'integrated', conflicted: 'conflict', validation_failed: 'failed_validation', returned: 'held' },
  conflict: { integrating: 'integrating', discarded: 'discarded' },
  failed_validation: { integrating: 'integrating', discarded: 'discarded' },
  integrated: {},
  discarded: {},
});

export const CHANGE_EVENT_TYPES: Readonly<Record<ChangeEvent, EventType>> = {
  integrating: 'change.integrating',
  integrated: 'change.integrated',
  conflicted: 'change.conflicted',
  validation_failed: 'change.failed_validation',
  returned: 'change.returned',
  discarded: 'change.discarded',
};
