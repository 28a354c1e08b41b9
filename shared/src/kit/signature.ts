import { createHash, createPrivateKey, createPublicKey, sign as cryptoSign, verify as cryptoVerify, type KeyObject } from 'node:crypto';
import { FairleadError } from '../contract/errors.ts';
import { canonicalJson } from '../contract/json.ts';
import type { Envelope } from '../contract/operations/daemon-admin.ts';
import { randomBytes } from './clock.ts';
import { readSecretFile, writeSecretFile } from './secret.ts';

/** An Ed25519 key pair as base64url without padding: the 32 bytes of the public key, and the 32 bytes of the seed. */
export interface KeyPair {
  readonly publicKey: string;
  readonly privateKey: string;
}

/** What stands before the 32 bytes in the DER forms that node:crypto reads (RFC 8410). */
const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex');
const SPKI = Buffer.from('302a300506032b6570032100', 'hex');

/** Decodes base64url and refuses every spelling but the one that encoding gives back. */
const decode = (text: string, length: number, what: string): Buffer => {
  const bytes = Buffer.from(text, 'base64url');
  if (bytes.length !== length || bytes.toString('base64url') !== text)
    throw new FairleadError('signature_invalid', { detail: `The ${what} is not ${length} bytes of base64url.` });
  return bytes;
};

/** More private keys than these are forgotten all at once. A process signs with a few; one that plays a crowd, with thousands. */
const MOST_KEYS = 10_000;

const privateKeys = new Map<string, KeyObject>();

/** Reading a private key takes ten times as long as signing with it, so each is read once. */
const privateKeyOf = (seed: string): KeyObject => {
  const known = privateKeys.get(seed);
  if (known) return known;
  const key = createPrivateKey({ key: Buffer.concat([PKCS8, decode(seed, 32, 'private key')]), format: 'der', type: 'pkcs8' });
  if (privateKeys.size >= MOST_KEYS) privateKeys.clear();
  privateKeys.set(seed, key);
  return key;
};

/** As a JWK a public key is read ten times as fast as from DER. */
const publicKeyOf = (key: string): KeyObject => {
  decode(key, 32, 'public key');
  return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: key }, format: 'jwk' });
};

const pairOf = (seed: string): KeyPair => ({
  privateKey: seed,
  publicKey: createPublicKey(privateKeyOf(seed)).export({ format: 'der', type: 'spki' }).subarray(SPKI.length).toString('base64url'),
});

/** A new key pair. */
export const generateKey = (): KeyPair => pairOf(randomBytes(32).toString('base64url'));

/** Signs bytes. @returns 64 bytes */
export const sign = (privateKey: string, bytes: Uint8Array): Buffer => cryptoSign(null, bytes, privateKeyOf(privateKey));

/** Whether a signature over exactly these bytes is by this key. A malformed key or signature is simply not valid. */
export const verify = (publicKey: string, bytes: Uint8Array, signature: Uint8Array): boolean => {
  if (signature.length !== 64) return false;
  try {
    return cryptoVerify(null, bytes, publicKeyOf(publicKey), signature);
  } catch {
    return false;
  }
};

/** DSSE pre-authentication encoding: type and body with their lengths, so that neither can be read as a part of the other. */
export const pae = (payloadType: string, body: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from(`DSSEv1 ${Buffer.byteLength(payloadType)} ${payloadType} ${body.length} `), body]);

/** Signs a payload into a DSSE envelope. An object is written as canonical JSON first; bytes are signed as they are. */
export const signEnvelope = (payloadType: string, payload: Uint8Array | Readonly<Record<string, unknown>>, key: KeyPair): Envelope => {
  const body = payload instanceof Uint8Array ? payload : Buffer.from(canonicalJson(payload));
  return {
    payloadType,
    payload: Buffer.from(body).toString('base64'),
    signatures: [{ keyid: key.publicKey, sig: sign(key.privateKey, pae(payloadType, body)).toString('base64') }],
  };
};

/**
 * The exact bytes that were signed, once the payload type is the expected one and one signature is by this key.
 * @throws FairleadError `signature_invalid`
 */
export const openEnvelope = (envelope: Envelope, payloadType: string, publicKey: string): Buffer => {
  if (envelope.payloadType !== payloadType)
    throw new FairleadError('signature_invalid', { detail: 'The signed payload is of another type than expected.' });
  const body = Buffer.from(envelope.payload, 'base64');
  const signed = pae(payloadType, body);
  const valid = envelope.signatures.some(({ keyid, sig }) => keyid === publicKey && verify(publicKey, signed, Buffer.from(sig, 'base64')));
  if (!valid) throw new FairleadError('signature_invalid', { detail: 'No signature of the expected key covers the payload.' });
  return body;
};

const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';

/** The first `count` base32 characters, lower case, of some bytes. */
const base32 = (bytes: Uint8Array, count: number): string => {
  let text = '';
  for (let index = 0; index < count; index++) {
    let value = 0;
    for (let bit = index * 5; bit < index * 5 + 5; bit++) value = (value << 1) | ((bytes[bit >> 3]! >> (7 - (bit & 7))) & 1);
    text += BASE32[value];
  }
  return text;
};

/** A new nonce for an instance: 16 bytes as base64url. */
export const newInstanceNonce = (): string => randomBytes(16).toString('base64url');

/**
 * The self-certifying id of an instance: 130 bits of a domain-separated SHA-256 over the daemon's root key and the nonce.
 * @throws FairleadError `signature_invalid` when key or nonce is not well formed
 */
export const instanceIdOf = (rootPublicKey: string, nonce: string): string => {
  const parts = Buffer.concat([decode(rootPublicKey, 32, 'root key'), decode(nonce, 16, 'nonce')]);
  return `ins_${base32(createHash('sha256').update(pae('fairlead.instance.v1', parts)).digest(), 26)}`;
};

/** Reads the key pair of a file, or makes one and writes it with permissions 600. @throws FairleadError `secret_exposed` */
export const loadOrCreateKey = async (file: string): Promise<KeyPair> => {
  try {
    return pairOf(await readSecretFile(file));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    const key = generateKey();
    await writeSecretFile(file, key.privateKey);
    return key;
  }
};
