import type { InputOf } from '@fairlead/shared/contract/operations/table';
import type { Change } from '@fairlead/shared/contract/resources';
import type { Clock } from '@fairlead/shared/kit/clock';
import type { Log } from '@fairlead/shared/kit/log';
import type { ChangeRecord } from '../core/records.ts';
import type { CheckOrder } from '../runner/validate.ts';
import type { Decider } from './decider.ts';
import { discardChange } from './discard.ts';
import type { GateDeps } from './gates.ts';
import { integrateChange } from './integrate.ts';
import { oneAtATime, type OneAtATime } from './one-at-a-time.ts';
import { settleIntegration } from './settle.ts';

/** What delivery is made with, once, at start. */
export interface DeliveryOptions extends GateDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly artifacts: CheckOrder['deps']['artifacts'];
  readonly redactor: CheckOrder['deps']['redactor'];
  readonly printed: CheckOrder['deps']['printed'];
  readonly workspaces: CheckOrder['deps']['workspaces'];
  readonly confining: CheckOrder['deps']['confining'];
}

export interface DeliveryDeps extends DeliveryOptions {
  /** What moves refs of one repository goes one after another. */
  readonly exclusively: OneAtATime;
}

/** Brings finished work to the user's repository, or says that it will not come. */
export interface Delivery {
  /** The handler of `integrate_change`. */
  integrate(input: InputOf<'integrate_change'>, decider: Decider): Promise<Change>;
  /** The handler of `discard_change`. */
  discard(input: InputOf<'discard_change'>, decider: Decider): Promise<Change>;
  /** Finds out, after a crash, what an interrupted integration came to, and records it. */
  settle(change: ChangeRecord): Promise<'applied' | 'not_applied'>;
}

export const createDelivery = (options: DeliveryOptions): Delivery => {
  const deps: DeliveryDeps = { ...options, exclusively: oneAtATime() };
  return { integrate: integrateChange(deps), discard: discardChange(deps), settle: (change) => settleIntegration(deps, change) };
};
