import { describe, expect, it } from 'vitest';
import type { FairleadError } from '../contract/errors.ts';
import type { Delegation } from '../contract/operations/daemon-admin.ts';
import {
  CERTIFICATE_TYPE,
  DELEGATION_TYPE,
  makeCertificate,
  makeDelegation,
  verifyDelegation,
  type DelegationDocument,
} from './delegation.ts';
import { generateKey, instanceIdOf, newInstanceNonce, signEnvelope } from './signature.ts';

const now = Date.UTC(2026, 5, 1);
const later = '2026-07-01T00:00:00.000Z';
const earlier = '2026-05-01T00:00:00.000Z';
const root = generateKey();
const operational = generateKey();
const nonce = newInstanceNonce();
const document: DelegationDocument = {
  instance_id: instanceIdOf(root.publicKey, nonce),
  root_key: root.publicKey,
  nonce,
  connector_key: generateKey().publicKey,
  relay_key: generateKey().publicKey,
  sequence: 3,
  not_after: later,
  grant_digest: `sha256:${'0'.repeat(64)}`,
};
const certificate = makeCertificate(root, { number: 2, operational_key: operational.publicKey, not_after: later });
const delegation = makeDelegation({ certificate, operational }, document);

const verdict = (given: Delegation): string => {
  try {
    verifyDelegation(given, { now });
    return 'valid';
  } catch (error) {
    return `${(error as FairleadError).code}: ${(error as Error).message}`;
  }
};

describe('verifyDelegation', () => {
  it('answers what was signed, with the certificate it stands on', () => {
    expect(verifyDelegation(delegation, { now })).toEqual({
      ...document,
      certificate: { root_key: root.publicKey, number: 2, operational_key: operational.publicKey, not_after: later },
    });
  });

  it.each([
    ['an expired delegation', makeDelegation({ certificate, operational }, { ...document, not_after: earlier })],
    [
      'an expired certificate',
      makeDelegation(
        { certificate: makeCertificate(root, { number: 2, operational_key: operational.publicKey, not_after: earlier }), operational },
        document,
      ),
    ],
    [
      'an instance of another root key',
      makeDelegation({ certificate, operational }, { ...document, instance_id: instanceIdOf(generateKey().publicKey, nonce) }),
    ],
    ['another nonce', makeDelegation({ certificate, operational }, { ...document, nonce: newInstanceNonce() })],
    ['an operational key that the root never certified', makeDelegation({ certificate, operational: generateKey() }, document)],
    [
      'a certificate by another root',
      makeDelegation(
        {
          certificate: makeCertificate(generateKey(), { number: 9, operational_key: operational.publicKey, not_after: later }),
          operational,
        },
        document,
      ),
    ],
    ['the root key as its own operational key, uncertified', makeDelegation({ certificate, operational: root }, document)],
    ['a delegation in the place of a certificate', { certificate: delegation.delegation, delegation: delegation.delegation }],
    ['a certificate in the place of a delegation', { certificate, delegation: certificate }],
    ['a relabelled payload', { certificate, delegation: { ...delegation.delegation, payloadType: CERTIFICATE_TYPE } }],
    [
      'an unknown member, though signed',
      { certificate, delegation: signEnvelope(DELEGATION_TYPE, { ...document, admin: true }, operational) },
    ],
    [
      'a member twice, though signed',
      {
        certificate,
        delegation: signEnvelope(
          DELEGATION_TYPE,
          Buffer.from(JSON.stringify(document).replace('"sequence":3', '"sequence":3,"sequence":9')),
          operational,
        ),
      },
    ],
    ['no JSON', { certificate, delegation: signEnvelope(DELEGATION_TYPE, Buffer.from('hello'), operational) }],
    [
      'other bytes under the old signature',
      {
        certificate,
        delegation: { ...delegation.delegation, payload: Buffer.from(JSON.stringify({ ...document, sequence: 99 })).toString('base64') },
      },
    ],
  ] as [string, Delegation][])('refuses %s', (_, given) => {
    expect(verdict(given)).toMatch(/^delegation_invalid: /);
  });

  it('checks the bytes that came, in whatever order they were written', () => {
    const reordered = Buffer.from(JSON.stringify(Object.fromEntries(Object.entries(document).toReversed()), null, 2));
    expect(verdict({ certificate, delegation: signEnvelope(DELEGATION_TYPE, reordered, operational) })).toBe('valid');
  });
});
