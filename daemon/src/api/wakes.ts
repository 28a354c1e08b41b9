import type { EventRecord } from '../core/records.ts';
import type { Ledger } from '../ledger/ledger.ts';

/** Tells those who wait on an instance what was committed. Nothing polls. */
export interface Wakes {
  /** Hears the events of one instance after each commit. Answers what ends the listening. */
  listen(instanceId: string, hear: (events: readonly EventRecord[]) => void): () => void;
  /**
   * Resolves at the next commit that concerns the waiter, or touches its rights; when the time is over; or when the caller hangs up.
   */
  next(of: {
    readonly instance_id: string;
    readonly ms: number;
    readonly signal: AbortSignal;
    readonly concerns: (event: EventRecord) => boolean;
  }): Promise<'event' | 'time' | 'gone'>;
  /** Wakes everybody, as at a shutdown. */
  wakeAll(): void;
}

/** Events after which the right to listen may be gone. */
const RIGHTS = new Set(['instance.unshared', 'instance.removed', 'instance.shared', 'daemon.halted']);

export const createWakes = (ledger: Pick<Ledger, 'onCommit'>, after: (ms: number, fn: () => void) => () => void): Wakes => {
  const listeners = new Map<string, Set<(events: readonly EventRecord[]) => void>>();
  const everybody = new Set<() => void>();
  ledger.onCommit((events) => {
    const byInstance = new Map<string, EventRecord[]>();
    for (const event of events) {
      if (!listeners.has(event.instance_id)) continue;
      const list = byInstance.get(event.instance_id);
      if (list) list.push(event);
      else byInstance.set(event.instance_id, [event]);
    }
    for (const [instanceId, list] of byInstance) for (const hear of listeners.get(instanceId) ?? []) hear(list);
  });
  const listen: Wakes['listen'] = (instanceId, hear) => {
    const set = listeners.get(instanceId) ?? new Set();
    listeners.set(instanceId, set.add(hear));
    return () => {
      set.delete(hear);
      if (set.size === 0 && listeners.get(instanceId) === set) listeners.delete(instanceId);
    };
  };
  return {
    listen,
    next: ({ instance_id, ms, signal, concerns }) =>
      new Promise((resolve) => {
        const end = (why: 'event' | 'time' | 'gone') => {
          stopListening();
          stopClock();
          everybody.delete(woken);
          signal.removeEventListener('abort', gone);
          resolve(why);
        };
        const gone = () => end('gone');
        const woken = () => end('event');
        const stopListening = listen(instance_id, (events) => {
          if (events.some((event) => RIGHTS.has(event.type) || concerns(event))) end('event');
        });
        const stopClock = after(ms, () => end('time'));
        everybody.add(woken);
        if (signal.aborted) gone();
        else signal.addEventListener('abort', gone, { once: true });
      }),
    wakeAll: () => {
      for (const wake of everybody) wake();
    },
  };
};
