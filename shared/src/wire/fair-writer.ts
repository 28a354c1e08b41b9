import { HIGH_WATER, type Transport } from './transport.ts';

/**
 * Decides whose message goes out next. While the line keeps up everything goes at once; when it does not, instances take turns, one
 * message each, so that one that moves much data cannot starve the others. Messages of one instance stay in order.
 */
export interface FairWriter {
  /** Runs `send` when it is the instance's turn, perhaps at once. `send` hands one message to the transport. */
  write(instance: string, send: () => void): void;
  /** Runs everything that waits, whosever turn it is: for the end of the line, when each finds that it comes too late. */
  flush(): void;
}

export const createFairWriter = (transport: Transport): FairWriter => {
  // A map keeps the order of insertion: the instance at its front is next, and goes to the back after its turn.
  const waiting = new Map<string, (() => void)[]>();
  transport.onDrain(() => {
    while (transport.buffered <= HIGH_WATER) {
      const first = waiting.entries().next();
      if (first.done) return;
      const [instance, queue] = first.value;
      const send = queue.shift()!;
      waiting.delete(instance);
      if (queue.length > 0) waiting.set(instance, queue);
      send();
    }
  });
  return {
    write(instance, send) {
      if (waiting.size === 0 && transport.buffered <= HIGH_WATER) return send();
      const queue = waiting.get(instance);
      if (queue) queue.push(send);
      else waiting.set(instance, [send]);
    },
    flush() {
      const late = [...waiting.values()].flat();
      waiting.clear();
      for (const send of late) send();
    },
  };
};
