import { LIMITS } from '../contract/limits.ts';
import type { WireRequest } from './exchange.ts';

/** What is kept of a request for as long as it is under way; its input may be large. */
export type Who = Pick<WireRequest, 'instance_id' | 'principal'>;

export const whoAsks = ({ instance_id, principal }: Who): Who => ({ instance_id, principal });

const add = (counts: Map<string, number>, key: string, by: 1 | -1): void => {
  const now = (counts.get(key) ?? 0) + by;
  if (now === 0) counts.delete(key);
  else counts.set(key, now);
};

/** The requests under way on one session. Neither one instance nor one who asks can fill it, so that the others are still served. */
export class InFlight {
  readonly #ofInstance = new Map<string, number>();
  readonly #ofPrincipal = new Map<string, number>();
  #total = 0;

  /** Whether one more would be too many. */
  refuses({ instance_id, principal }: Who): boolean {
    return (
      this.#total >= LIMITS.wire_pending.value ||
      (this.#ofInstance.get(instance_id) ?? 0) >= LIMITS.wire_pending_per_instance.value ||
      (this.#ofPrincipal.get(principal.id) ?? 0) >= LIMITS.wire_pending_per_principal.value
    );
  }

  enter(who: Who): void {
    this.#count(who, 1);
  }

  leave(who: Who): void {
    this.#count(who, -1);
  }

  #count({ instance_id, principal }: Who, by: 1 | -1): void {
    this.#total += by;
    add(this.#ofInstance, instance_id, by);
    add(this.#ofPrincipal, principal.id, by);
  }
}
