/** Why a transport ended. `code` is a websocket close code. */
export interface TransportEnd {
  readonly code: number;
  readonly reason: string;
}

/**
 * Carries whole messages both ways, in order, until it ends. It knows nothing of frames. After its end nothing more is delivered, and
 * sending does nothing: whoever waits for an answer hears of it through `onEnd`.
 */
export interface Transport {
  /** Sends a text message; bytes must be UTF-8. */
  sendText(data: string | Uint8Array): void;
  /** Sends a binary message. The bytes must not be changed afterwards. */
  sendBytes(data: Uint8Array): void;
  /**
   * Who gets the messages. Messages that come while nobody is set wait in order; `undefined` sets nobody again, so that a handshake can
   * hand over to a channel without losing one.
   */
  receive(handler: ((data: Buffer, binary: boolean) => void) | undefined): void;
  /** Called once when the transport has ended, whoever ended it; at once if it has ended already. */
  onEnd(handler: (end: TransportEnd) => void): void;
  /** Bytes that were sent and have not left this process yet. */
  readonly buffered: number;
  /** Called each time that `buffered` has fallen low again after it was high. One handler. */
  onDrain(handler: () => void): void;
  /** Ends it in good order: what was sent before still arrives. */
  close(code: number, reason: string): void;
  /** Ends it now. */
  destroy(): void;
  /** The peer has proved who it is: lifts the limit on what a stranger may send. */
  trust(): void;
}

/** Above this many buffered bytes a writer waits for `onDrain`. Little, because a small answer waits behind what is buffered. */
export const HIGH_WATER = 512 * 1024;
/** `onDrain` is called when no more than this is buffered. */
export const LOW_WATER = 128 * 1024;
/** What a peer may send before it has proved who it is, in bytes. */
export const STRANGER_BYTES = 16 * 1024;

/** Close codes of the wire. The private ones tell a connector whether coming back makes sense. */
export const CLOSE = {
  normal: 1000,
  goingAway: 1001,
  violation: 1008,
  /** The other side refused; the frame before it says why. */
  refused: 4001,
  /** Nothing was heard for three heartbeats, or the handshake took too long. */
  silent: 4002,
} as const;
