import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { operation } from '@fairlead/shared/contract/operations/operation';
import { systemClock } from '@fairlead/shared/kit/clock';
import { listen, createApp, type Listening } from '@fairlead/shared/kit/http-server';
import { hashSecret, mintSecret } from '@fairlead/shared/kit/secret';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import type { Ledger } from '../ledger/ledger.ts';
import { openLedger } from '../ledger/open-ledger.ts';
import { createPipeline } from './pipeline.ts';

/** An operation that only this test knows: one row and one handler, and it is served. */
const greet = operation({
  name: 'greet',
  title: 'Greet',
  description: 'Says hello.',
  route: 'POST /greetings/:name',
  input: z.strictObject({ name: z.string(), loud: z.boolean().default(false) }),
  output: z.object({ text: z.string() }),
  scope: 'steps:write',
  effect: 'write',
});

describe('an operation of another table', () => {
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-pipeline-'));
  const token = mintSecret('flo');
  let ledger: Ledger;
  let server: Listening;
  let draining = false;
  const seen: unknown[] = [];

  beforeAll(async () => {
    ledger = openLedger({ file: join(folder, 'ledger.db'), clock: systemClock });
    const handlers = {
      greet: ({ name, loud }: { name: string; loud: boolean }, { asker }: { asker: unknown }) => {
        seen.push(asker);
        return { text: `hello ${name}${loud ? '!' : ''}` };
      },
    };
    const handle = createPipeline({ ledger, clock: systemClock, operatorHash: hashSecret(token), handlers, draining: () => draining });
    server = await listen(createApp({ mounts: [{ prefix: '/api/v1', rows: [greet], handle }] }), { host: '127.0.0.1', port: 0 });
  });
  afterAll(async () => {
    await server.close();
    await ledger.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const ask = async (path: string, body: unknown, headers: Record<string, string> = {}) => {
    const response = await fetch(`${server.url}/api/v1${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });
    return (await response.json()) as Record<string, unknown>;
  };

  it('is reached, checked and given its idempotency key', async () => {
    expect(await ask('/greetings/ann', { loud: true }, { 'idempotency-key': 'k1' })).toEqual({ text: 'hello ann!' });
    expect(seen[0]).toMatchObject({ authority: 'local', remote: false, idempotency_key: 'k1' });
    expect(await ask('/greetings/ann', { volume: 11 })).toMatchObject({ code: 'invalid_input', field: 'volume' });
    expect(await ask('/greetings/ann', {}, { 'idempotency-key': 'two words' })).toMatchObject({
      code: 'invalid_input',
      field: 'Idempotency-Key',
    });
  });

  it('is refused while the daemon drains', async () => {
    draining = true;
    expect(await ask('/greetings/ann', {})).toMatchObject({ code: 'draining', retryable: true });
    draining = false;
  });
});
