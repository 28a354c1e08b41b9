import { createServer, connect, type AddressInfo, type Socket } from 'node:net';

/** One message on the line between connector and relay. */
export interface Frame {
  readonly from: 'connector' | 'relay';
  /** Its kind and, where it belongs to a request, that request's operation: `response submit_task`, `bytes get_artifact_content`. */
  readonly name: string;
}

/** Decides what becomes of a frame: whoever does not call `pass` has lost it on the way. */
type Watcher = (frame: Frame, pass: () => void) => void;

export interface TappedWire {
  /** Where the connector dials; the relay is told that this is its origin. */
  readonly url: string;
  /** Frames that were seen since it was opened. */
  readonly frames: number;
  /** Where the relay really is. */
  to(port: number): void;
  /** Sees every frame from now on; without one all pass. */
  watch(watcher: Watcher | undefined): void;
  close(): Promise<void>;
}

interface Message {
  readonly bytes: Buffer;
  readonly data: boolean;
  readonly binary: boolean;
  readonly payload: Buffer;
}

const HEAD_END = Buffer.from('\r\n\r\n');

/** The first whole websocket frame of what has come. Both ends send each message in one frame. */
const takeMessage = (from: Buffer): Message | undefined => {
  if (from.length < 2) return undefined;
  const short = from[1]! & 0x7f;
  const [more, masked] = [short === 126 ? 2 : short === 127 ? 8 : 0, (from[1]! & 0x80) !== 0];
  const head = 2 + more + (masked ? 4 : 0);
  if (from.length < head) return undefined;
  const length = more === 2 ? from.readUInt16BE(2) : more === 8 ? Number(from.readBigUInt64BE(2)) : short;
  if (from.length < head + length) return undefined;
  const payload = Buffer.from(from.subarray(head, head + length));
  if (masked) for (let at = 0; at < length; at++) payload[at]! ^= from[head - 4 + (at & 3)]!;
  const kind = from[0]! & 0x0f;
  return { bytes: from.subarray(0, head + length), data: kind === 1 || kind === 2, binary: kind === 2, payload };
};

/** Names the frames of one connection; an answer carries only the number of its request. */
const naming = () => {
  const operations = new Map<number, string>();
  return ({ binary, payload }: Message): string => {
    if (binary) return `bytes ${operations.get(payload.readUInt32BE(0)) ?? ''}`.trim();
    // The body of an answer follows its head in the same message, on a line of its own.
    const end = payload.indexOf(0x0a);
    const { t, id, operation } = JSON.parse(payload.subarray(0, end < 0 ? undefined : end).toString('utf8')) as Record<string, unknown>;
    if (t === 'request') operations.set(id as number, operation as string);
    return [t, operations.get(id as number)].filter((word) => word !== undefined).join(' ');
  };
};

/** Cuts a stream of bytes at its websocket messages, once its HTTP head has passed. */
const cutting = (each: (message: Message) => void, plain: (bytes: Buffer) => void) => {
  let kept = Buffer.alloc(0);
  let upgraded = false;
  return (chunk: Buffer, isUpgrade: (head: string) => boolean): void => {
    kept = Buffer.concat([kept, chunk]);
    if (!upgraded) {
      const end = kept.indexOf(HEAD_END);
      upgraded = end >= 0 && isUpgrade(kept.subarray(0, end).toString('latin1'));
      const rest = upgraded ? kept.subarray(end + HEAD_END.length) : Buffer.alloc(0);
      plain(upgraded ? kept.subarray(0, end + HEAD_END.length) : kept);
      kept = Buffer.from(rest);
    }
    for (let message = upgraded ? takeMessage(kept) : undefined; message; message = takeMessage(kept)) {
      kept = kept.subarray(message.bytes.length);
      each(message);
    }
  };
};

/**
 * A line between connector and relay that passes everything on unchanged and shows each websocket message before it does: the two
 * programs need no hooks for tests, and a test can end a process exactly before or after any message.
 */
export const tapWire = async (): Promise<TappedWire> => {
  let [port, frames] = [0, 0];
  let watcher: Watcher | undefined;
  const sockets = new Set<Socket>();
  const show = (from: Frame['from'], name: string, pass: () => void): void => {
    frames += 1;
    if (watcher) watcher({ from, name }, pass);
    else pass();
  };
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    const nameOf = naming();
    const side = (from: Frame['from'], source: Socket, sink: Socket, isUpgrade: (head: string) => boolean): void => {
      const send = (bytes: Buffer) => void sink.write(bytes);
      const cut = cutting((message) => {
        if (message.data) show(from, nameOf(message), () => send(message.bytes));
        else send(message.bytes);
      }, send);
      sockets.add(source);
      source.on('data', (chunk: Buffer) => cut(chunk, isUpgrade));
      source.on('error', () => sink.destroy());
      source.on('end', () => sink.end());
      source.on('close', () => {
        sockets.delete(source);
        sink.destroy();
      });
      source.setNoDelay(true);
    };
    side('connector', near, far, (head) => /^upgrade: *websocket/im.test(head));
    side('relay', far, near, (head) => head.startsWith('HTTP/1.1 101'));
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get frames() {
      return frames;
    },
    to: (relay) => void (port = relay),
    watch: (next) => void (watcher = next),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
};
