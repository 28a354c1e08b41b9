import { createHash } from 'node:crypto';
import { chmod, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { getPublicKey, hashes, sign as nobleSign, verify as nobleVerify } from '@noble/ed25519';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FairleadError } from '../contract/errors.ts';
import { InstanceId } from '../contract/ids.ts';
import {
  generateKey,
  instanceIdOf,
  loadOrCreateKey,
  newInstanceNonce,
  openEnvelope,
  pae,
  sign,
  signEnvelope,
  verify,
} from './signature.ts';

hashes.sha512 = (message) => createHash('sha512').update(message).digest();
const bytesOf = (text: string) => Buffer.from(text, 'base64url');

describe('signatures', () => {
  it("are byte for byte those of another implementation, and each verifies the other's", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.uint8Array({ maxLength: 300 }), (seed, message) => {
        const privateKey = Buffer.from(seed).toString('base64url');
        const publicKey = Buffer.from(getPublicKey(seed)).toString('base64url');
        const ours = sign(privateKey, message);
        expect(ours.equals(Buffer.from(nobleSign(message, seed)))).toBe(true);
        expect(verify(publicKey, message, ours)).toBe(true);
        expect(nobleVerify(ours, message, bytesOf(publicKey))).toBe(true);
      }),
      { numRuns: 25 },
    );
  });

  it('hold for exactly these bytes and this key', () => {
    const key = generateKey();
    const message = Buffer.from('message');
    const signature = sign(key.privateKey, message);
    expect(verify(key.publicKey, Buffer.from('messagf'), signature)).toBe(false);
    expect(verify(generateKey().publicKey, message, signature)).toBe(false);
    expect(verify(key.publicKey, message, signature.subarray(0, 63))).toBe(false);
    expect(verify('nonsense', message, signature)).toBe(false);
    // A second spelling of the same key must not count as the key.
    expect(verify(`${key.publicKey}=`, message, signature)).toBe(false);
  });

  it('derive the public key from the seed as the other implementation does', () => {
    const { publicKey, privateKey } = generateKey();
    expect(Buffer.from(getPublicKey(bytesOf(privateKey))).toString('base64url')).toBe(publicKey);
  });
});

describe('DSSE', () => {
  it('encodes as the specification shows', () => {
    expect(pae('http://example.com/HelloWorld', Buffer.from('hello world')).toString()).toBe(
      'DSSEv1 29 http://example.com/HelloWorld 11 hello world',
    );
  });

  it('gives back the exact bytes, for the expected type and key alone', () => {
    const key = generateKey();
    const body = Buffer.from('{ "b":1,  "a":2 }');
    const envelope = signEnvelope('application/x', body, key);
    expect(openEnvelope(envelope, 'application/x', key.publicKey).equals(body)).toBe(true);
    expect(() => openEnvelope(envelope, 'application/y', key.publicKey)).toThrow(FairleadError);
    expect(() => openEnvelope({ ...envelope, payloadType: 'application/y' }, 'application/y', key.publicKey)).toThrow(FairleadError);
    expect(() => openEnvelope(envelope, 'application/x', generateKey().publicKey)).toThrow(FairleadError);
    expect(() => openEnvelope({ ...envelope, payload: Buffer.from('{}').toString('base64') }, 'application/x', key.publicKey)).toThrow(
      FairleadError,
    );
  });

  it('signs objects as canonical JSON', () => {
    const key = generateKey();
    expect(openEnvelope(signEnvelope('t', { b: 1, a: [true] }, key), 't', key.publicKey).toString()).toBe('{"a":[true],"b":1}');
  });
});

describe('instance ids', () => {
  it('come from key and nonce, and from nothing else', () => {
    const { publicKey } = generateKey();
    const nonce = newInstanceNonce();
    const id = instanceIdOf(publicKey, nonce);
    expect(InstanceId.safeParse(id).success).toBe(true);
    expect(instanceIdOf(publicKey, nonce)).toBe(id);
    expect(instanceIdOf(publicKey, newInstanceNonce())).not.toBe(id);
    expect(instanceIdOf(generateKey().publicKey, nonce)).not.toBe(id);
    expect(() => instanceIdOf(publicKey, 'short')).toThrow(FairleadError);
    expect(() => instanceIdOf(`${publicKey}A`, nonce)).toThrow(FairleadError);
  });

  it('stay what they are: a change of the derivation would orphan every instance', () => {
    const key = Buffer.alloc(32, 7).toString('base64url');
    const nonce = Buffer.alloc(16, 9).toString('base64url');
    const digest = createHash('sha256')
      .update(Buffer.concat([Buffer.from('DSSEv1 20 fairlead.instance.v1 48 '), Buffer.alloc(32, 7), Buffer.alloc(16, 9)]))
      .digest();
    const bits = [...digest]
      .map((byte) => byte.toString(2).padStart(8, '0'))
      .join('')
      .slice(0, 130);
    const expected = bits
      .match(/.{5}/g)!
      .map((five) => 'abcdefghijklmnopqrstuvwxyz234567'[Number.parseInt(five, 2)])
      .join('');
    expect(instanceIdOf(key, nonce)).toBe(`ins_${expected}`);
  });
});

describe('loadOrCreateKey', () => {
  it('makes a key once, readable by its owner alone, and refuses one that others can read', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'fairlead-key-'));
    try {
      const file = path.join(folder, 'root.key');
      const key = await loadOrCreateKey(file);
      expect((await stat(file)).mode & 0o777).toBe(0o600);
      expect(await loadOrCreateKey(file)).toEqual(key);
      expect((await readFile(file, 'utf8')).trim()).toBe(key.privateKey);
      await chmod(file, 0o644);
      await expect(loadOrCreateKey(file)).rejects.toMatchObject({ code: 'secret_exposed' });
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
