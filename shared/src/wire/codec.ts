import type * as z from 'zod';
import { FairleadError, invalidInput } from '../contract/errors.ts';
import { parseStrictJson } from '../contract/json.ts';
import { CONNECTOR_FRAMES, RELAY_FRAMES, STRICT_FRAMES, type ConnectorFrame, type RelayFrame, type Response } from './frames.ts';

/** A binary frame: the bytes of a stream. */
export interface Chunk {
  readonly t: 'chunk';
  readonly id: number;
  readonly bytes: Buffer;
}

/** A decoded message. `body` are the raw bytes behind the head of a response; they have not been parsed. */
export interface Decoded<F> {
  readonly frame: F;
  readonly body: Buffer | undefined;
}

const LINE_FEED = 0x0a;

/** Any frame without a body, as text. */
export const encodeFrame = (frame: RelayFrame | ConnectorFrame): string => JSON.stringify(frame);

/** A response with its body: the head as one line of JSON, and the body behind it as it is. One text message. */
export const encodeResponse = (head: Response, body: Uint8Array): Buffer => {
  const line = `${JSON.stringify(head)}\n`;
  const message = Buffer.allocUnsafe(Buffer.byteLength(line) + body.length);
  message.set(body, message.write(line));
  return message;
};

/** Bytes of a stream, behind its number as four bytes, big-endian. */
export const encodeChunk = (id: number, bytes: Uint8Array): Buffer => {
  const message = Buffer.allocUnsafe(4 + bytes.length);
  message.writeUInt32BE(id);
  message.set(bytes, 4);
  return message;
};

const violation = (detail: string, cause?: unknown) => new FairleadError('protocol_unsupported', { detail, cause });

/** The type of a frame, read from its first characters, so that the parser that fits it is chosen before anything is parsed. */
const TYPE = /^\{"t":"([a-z]{1,20})"/;

const readFrame = <F extends { readonly t: string }>(text: string, table: { readonly [T in F['t']]: z.ZodType }): F => {
  const type = (TYPE.exec(text)?.[1] ?? '') as F['t'];
  if (!Object.hasOwn(table, type)) throw violation('The peer sent a frame of a type that is not known here.');
  let value: unknown;
  if (STRICT_FRAMES.has(type)) value = parseStrictJson(text);
  else {
    try {
      value = JSON.parse(text);
    } catch (cause) {
      throw new FairleadError('malformed_json', { detail: 'The peer sent a frame that is not JSON.', cause });
    }
  }
  const result = table[type].safeParse(value);
  if (!result.success) throw invalidInput(result.error, type);
  return result.data as F;
};

const readChunk = (data: Buffer): Chunk => {
  if (data.length < 4) throw violation('The peer sent a binary frame without a stream number.');
  return { t: 'chunk', id: data.readUInt32BE(0), bytes: data.subarray(4) };
};

/**
 * Reads a message from a relay. A relay sends no binary frames.
 * @throws FairleadError `protocol_unsupported`, `malformed_json`, `invalid_input`; the session ends then
 */
export const decodeFromRelay = (data: Buffer, binary: boolean): RelayFrame => {
  if (binary) throw violation('A relay sends no binary frames.');
  return readFrame<RelayFrame>(data.toString('utf8'), RELAY_FRAMES);
};

/**
 * Reads a message from a connector.
 * @throws FairleadError `protocol_unsupported`, `malformed_json`, `invalid_input`; the session ends then
 */
export const decodeFromConnector = (data: Buffer, binary: boolean): Decoded<ConnectorFrame | Chunk> => {
  if (binary) return { frame: readChunk(data), body: undefined };
  const end = data.indexOf(LINE_FEED);
  if (end < 0) return { frame: readFrame<ConnectorFrame>(data.toString('utf8'), CONNECTOR_FRAMES), body: undefined };
  const frame = readFrame<ConnectorFrame>(data.toString('utf8', 0, end), CONNECTOR_FRAMES);
  if (frame.t !== 'response' || frame.stream) throw violation('Only a response has a body.');
  return { frame, body: data.subarray(end + 1) };
};
