import type { EventType } from '@fairlead/shared/contract/resources';
import type { GateState } from '@fairlead/shared/contract/states';
import { machine } from './machine.ts';

export const GATE_EVENTS = ['approved', 'rejected', 'outdated', 'expired', 'used'] as const;
export type GateEvent = (typeof GATE_EVENTS)[number];

/**
 * An approved gate goes out of date too: when the target moved, or the replayed tree is another than the approved one. `used` takes an
 * approved permission for the one call that asked for it, and there is no second.
 */
export const gate = machine<GateState, GateEvent>('gate', {
  pending: { approved: 'approved', rejected: 'rejected', outdated: 'outdated', expired: 'expired' },
  approved: { outdated: 'outdated', used: 'used' },
  rejected: {},
  outdated: {},
  expired: {},
  used: {},
});

export const GATE_EVENT_TYPES: Readonly<Record<GateEvent, EventType>> = {
  approved: 'gate.approved',
  rejected: 'gate.rejected',
  outdated: 'gate.outdated',
  expired: 'gate.expired',
  used: 'gate.used',
};
