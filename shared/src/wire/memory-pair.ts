import { HIGH_WATER, LOW_WATER, type Transport, type TransportEnd } from './transport.ts';

interface Side {
  readonly transport: Transport;
  /** What this side has sent, oldest first. */
  readonly sent: readonly { readonly data: Buffer; readonly binary: boolean }[];
  /** Holds back what this side sends until the fence is lifted. */
  fence(): void;
  lift(): void;
}

export interface MemoryPair {
  readonly left: Side;
  readonly right: Side;
  /** Breaks the line: both sides hear of it, and what was held back is lost. */
  cut(): void;
}

interface Message {
  readonly data: Buffer;
  readonly binary: boolean;
}

class Half {
  readonly sent: Message[] = [];
  readonly #ends: ((end: TransportEnd) => void)[] = [];
  #outgoing: Message[] = [];
  #waiting: Message[] = [];
  #handler: ((data: Buffer, binary: boolean) => void) | undefined;
  #drain: (() => void) | undefined;
  #ended: TransportEnd | undefined;
  #closing: TransportEnd | undefined;
  #fenced = false;
  #scheduled = false;
  #buffered = 0;
  #high = false;
  peer!: Half;

  readonly transport: Transport = ((half: Half): Transport => ({
    sendText: (data) => half.send(typeof data === 'string' ? Buffer.from(data) : Buffer.from(data), false),
    sendBytes: (data) => half.send(Buffer.from(data), true),
    receive: (handler) => half.receive(handler),
    onEnd: (handler) => half.onEnd(handler),
    get buffered() {
      return half.#buffered;
    },
    onDrain: (handler) => {
      half.#drain = handler;
    },
    close: (code, reason) => half.close({ code, reason }),
    destroy: () => half.cut(),
    trust: () => {},
  }))(this);

  send(data: Buffer, binary: boolean): void {
    if (this.#ended || this.#closing) return;
    const message = { data, binary };
    this.sent.push(message);
    this.#outgoing.push(message);
    this.#buffered += data.length;
    if (this.#buffered > HIGH_WATER) this.#high = true;
    this.schedule();
  }

  receive(handler: ((data: Buffer, binary: boolean) => void) | undefined): void {
    this.#handler = handler;
    while (this.#handler && this.#waiting.length > 0) {
      const { data, binary } = this.#waiting.shift()!;
      this.#handler(data, binary);
    }
  }

  onEnd(handler: (end: TransportEnd) => void): void {
    if (this.#ended) handler(this.#ended);
    else this.#ends.push(handler);
  }

  close(end: TransportEnd): void {
    if (this.#ended || this.#closing) return;
    this.#closing = end;
    this.schedule();
  }

  cut(): void {
    this.end({ code: 1006, reason: '' });
    this.peer.end({ code: 1006, reason: '' });
  }

  end(end: TransportEnd): void {
    if (this.#ended) return;
    this.#ended = end;
    this.#outgoing = [];
    for (const handler of this.#ends) handler(end);
  }

  fence(held: boolean): void {
    this.#fenced = held;
    this.schedule();
  }

  /** Messages arrive in a later turn of the event loop, as from a socket. */
  schedule(): void {
    if (this.#scheduled || this.#fenced) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    while (!this.#fenced && !this.#ended && this.#outgoing.length > 0) {
      const message = this.#outgoing.shift()!;
      this.#buffered -= message.data.length;
      this.peer.#deliver(message);
    }
    if (this.#high && this.#buffered <= LOW_WATER) {
      this.#high = false;
      this.#drain?.();
    }
    if (this.#closing && this.#outgoing.length === 0 && !this.#fenced) {
      this.peer.end(this.#closing);
      this.end(this.#closing);
    }
  }

  #deliver(message: Message): void {
    if (this.#ended) return;
    if (this.#handler && this.#waiting.length === 0) this.#handler(message.data, message.binary);
    else this.#waiting.push(message);
  }
}

/**
 * Two transports that are joined in memory, for tests. A fence holds back what one side sends, so that every order of things can be
 * played through without a socket or a sleep.
 */
export const memoryPair = (): MemoryPair => {
  const left = new Half();
  const right = new Half();
  left.peer = right;
  right.peer = left;
  const side = (half: Half): Side => ({
    transport: half.transport,
    sent: half.sent,
    fence: () => half.fence(true),
    lift: () => half.fence(false),
  });
  return { left: side(left), right: side(right), cut: () => left.cut() };
};
