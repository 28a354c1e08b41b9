import { bench, describe } from 'vitest';
import { decodeFromConnector, decodeFromRelay, encodeFrame, encodeResponse } from './codec.ts';

const request = {
  t: 'request',
  id: 17,
  operation: 'get_step',
  instance_id: `ins_${'a'.repeat(26)}`,
  input: { step_id: 'step_aaaaaaaaaa_019a0000-0000-7000-8000-000000000000' },
  time_left_ms: 30_000,
  principal: { id: 'tok_1', name: 'Planner' },
  authority: 'relay_asserted',
} as const;
const requestBytes = Buffer.from(encodeFrame(request));
const head = { t: 'response', id: 17, status: 200 } as const;

describe('request frame', () => {
  bench('baseline: JSON.parse of the text', () => void JSON.parse(requestBytes.toString('utf8')));
  bench('encode', () => void encodeFrame(request));
  bench('decode, strict and validated', () => void decodeFromRelay(requestBytes, false));
});

for (const size of [600, 65_536]) {
  const body = Buffer.from(JSON.stringify({ text: 'x'.repeat(size - 11) }));
  const message = encodeResponse(head, body);
  describe(`response with a body of ${size} bytes`, () => {
    bench('baseline: JSON.parse of the body', () => void JSON.parse(body.toString('utf8')));
    bench('encode', () => void encodeResponse(head, body));
    bench('decode', () => void decodeFromConnector(message, false));
  });
}
