import type { Clock } from '@fairlead/shared/kit/clock';
import type { Store } from '../store/store.ts';

/** For how long it is gathered who came and went, in milliseconds. */
const GATHER_MS = 100;

/** When connectors were last here, on its way to the disk. */
export interface Presence {
  /** Notes a connector, and those of its instances that share its fate. */
  seen(connectorId: string, instanceIds: readonly string[]): void;
  /** Writes what is left. @throws FairleadError when the store cannot be written */
  close(): void;
}

/**
 * Gathers who came and went, and writes it in one transaction: when a relay starts again, all connectors come at once, and a sync for each
 * would keep the others waiting. A crash loses at most the last moment of it, and who is here says so again.
 */
export const createPresence = ({ store, clock }: { readonly store: Store; readonly clock: Clock }): Presence => {
  const connectors = new Map<string, number>();
  const instances = new Map<string, number>();
  let cancel: (() => void) | undefined;
  const write = () => {
    cancel = undefined;
    store.softly(() => {
      for (const [id, at] of connectors) store.connectors.seen(id, at);
      for (const [id, at] of instances) store.instances.seen(id, at);
    });
    connectors.clear();
    instances.clear();
  };
  const gathered = () => {
    try {
      write();
    } catch {
      // A store that cannot be written is told by everything else; what was gathered is tried again with what comes next.
    }
  };
  return {
    seen(connectorId, instanceIds) {
      connectors.set(connectorId, clock.now());
      for (const id of instanceIds) instances.set(id, clock.now());
      cancel ??= clock.after(GATHER_MS, gathered);
    },
    close() {
      cancel?.();
      if (connectors.size > 0) write();
    },
  };
};
