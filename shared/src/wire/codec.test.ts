import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FairleadError } from '../contract/errors.ts';
import { newRelayId } from '../contract/ids.ts';
import { generateKey } from '../kit/signature.ts';
import { decodeFromConnector, decodeFromRelay, encodeChunk, encodeFrame, encodeResponse } from './codec.ts';
import { CONNECTOR_FRAMES, RELAY_FRAMES, type ConnectorFrame, type RelayFrame } from './frames.ts';

const instance_id = `ins_${'a'.repeat(26)}`;
const nonce = Buffer.alloc(32, 1).toString('base64url');
const signature = Buffer.alloc(64, 1).toString('base64url');
const envelope = { payloadType: 'x', payload: 'e30=', signatures: [{ keyid: 'k', sig: 'AA==' }] };
const problem = { type: 'urn:fairlead:error:internal', title: 'x', status: 500, code: 'internal' };

const FROM_RELAY: { [T in RelayFrame['t']]: Extract<RelayFrame, { t: T }> } = {
  challenge: { t: 'challenge', nonce, origin: 'https://relay.example', relay_key: generateKey().publicKey, protocol: { min: 1, max: 1 } },
  welcome: {
    t: 'welcome',
    session_id: 'ses_1',
    protocol: 1,
    heartbeat_ms: 15_000,
    limits: { frame: 1, inline: 1, credit: 1, pending: 1 },
    signature,
  },
  refuse: { t: 'refuse', code: 'draining', detail: 'x' },
  advertised: { t: 'advertised', accepted: [instance_id], refused: [{ instance_id, code: 'instance_moved' }] },
  request: {
    t: 'request',
    id: 1,
    operation: 'submit_task',
    instance_id,
    input: { task: { goal: 'ü "x"\n' } },
    time_left_ms: 1000,
    principal: { id: 'p', name: 'P' },
    authority: 'relay_asserted',
    idempotency_key: 'k',
    accept: 'json',
  },
  cancel: { t: 'cancel', id: 4294967295 },
  credit: { t: 'credit', id: 1, bytes: 65_536 },
};
const FROM_CONNECTOR: { [T in ConnectorFrame['t']]: Extract<ConnectorFrame, { t: T }> } = {
  prove: { t: 'prove', connector_id: newRelayId('con'), nonce, protocol: 1, signature },
  advertise: {
    t: 'advertise',
    instances: [
      {
        instance_id,
        label: 'l',
        machine: 'm',
        default_branch: 'refs/heads/main',
        executors: ['patch'],
        operations: ['get_step'],
        origin_digest: null,
        delegation: { certificate: envelope, delegation: envelope },
      },
    ],
  },
  response: { t: 'response', id: 1, status: 200, stream: true, type: 'text/event-stream', length: 3, proof: 'later' },
  error: { t: 'error', id: 1, problem },
  end: { t: 'end', id: 1, problem },
  event: { t: 'event', id: 1, data: { percent: 1 } },
};

describe('frames', () => {
  it.each(Object.keys(RELAY_FRAMES) as RelayFrame['t'][])('%s survives the way to the connector', (type) => {
    expect(decodeFromRelay(Buffer.from(encodeFrame(FROM_RELAY[type])), false)).toEqual(FROM_RELAY[type]);
  });

  it.each(Object.keys(CONNECTOR_FRAMES) as ConnectorFrame['t'][])('%s survives the way to the relay', (type) => {
    expect(decodeFromConnector(Buffer.from(encodeFrame(FROM_CONNECTOR[type])), false)).toEqual({
      frame: FROM_CONNECTOR[type],
      body: undefined,
    });
  });

  it('what asks or is signed takes no unknown field, what answers does', () => {
    const withExtra = (frame: object) => Buffer.from(JSON.stringify({ ...frame, extra: 1 }));
    for (const type of ['request', 'cancel', 'credit'] as const)
      expect(() => decodeFromRelay(withExtra(FROM_RELAY[type]), false), type).toThrow(FairleadError);
    for (const type of ['prove', 'advertise'] as const)
      expect(() => decodeFromConnector(withExtra(FROM_CONNECTOR[type]), false), type).toThrow(FairleadError);
    for (const type of ['challenge', 'welcome', 'refuse', 'advertised'] as const)
      expect(decodeFromRelay(withExtra(FROM_RELAY[type]), false).t).toBe(type);
    for (const type of ['response', 'error', 'end', 'event'] as const)
      expect(decodeFromConnector(withExtra(FROM_CONNECTOR[type]), false).frame.t).toBe(type);
  });

  it('every prefix and every single changed byte of a frame is read or refused with a code, never anything else', () => {
    const text = Buffer.from(encodeFrame(FROM_RELAY.request));
    const read = (data: Buffer) => {
      try {
        decodeFromRelay(data, false);
      } catch (error) {
        expect(error).toBeInstanceOf(FairleadError);
      }
    };
    for (let length = 0; length < text.length; length++) read(text.subarray(0, length));
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.nat(255), (at, byte) => {
        const changed = Buffer.from(text);
        changed[at] = byte;
        read(changed);
      }),
      { numRuns: 500 },
    );
  });
});

describe('bodies', () => {
  it('pass untouched, whatever they hold', () => {
    fc.assert(
      fc.property(fc.json(), fc.constantFrom('', '\n', ' \n\n'), (json, around) => {
        const body = Buffer.from(`${around}${json}${around}`);
        const decoded = decodeFromConnector(encodeResponse({ t: 'response', id: 9, status: 200 }, body), false);
        expect(decoded.frame).toEqual({ t: 'response', id: 9, status: 200 });
        expect(decoded.body!.equals(body)).toBe(true);
      }),
    );
  });

  it('chunks carry their stream number and their bytes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 0xffff_ffff }), fc.uint8Array({ maxLength: 200 }), (id, bytes) => {
        const { frame } = decodeFromConnector(encodeChunk(id, bytes), true);
        expect(frame).toEqual({ t: 'chunk', id, bytes: Buffer.from(bytes) });
      }),
    );
  });
});
