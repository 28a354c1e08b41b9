import { createHash } from 'node:crypto';
import * as z from 'zod';
import { FairleadError } from '../contract/errors.ts';
import { InstanceId } from '../contract/ids.ts';
import { canonicalJson, parseStrictJson } from '../contract/json.ts';
import { PublicKey, type Delegation, type Envelope } from '../contract/operations/daemon-admin.ts';
import { Time } from '../contract/values.ts';
import { instanceIdOf, openEnvelope, signEnvelope, type KeyPair } from './signature.ts';

export const CERTIFICATE_TYPE = 'application/vnd.fairlead.certificate.v1+json';
export const DELEGATION_TYPE = 'application/vnd.fairlead.delegation.v1+json';

/** Signed by the daemon's root key: this key signs for it from now on. Of two certificates the higher number wins. */
export const OperationalCertificate = z.strictObject({
  root_key: PublicKey,
  number: z.number().int().positive(),
  operational_key: PublicKey,
  not_after: Time,
});
export type OperationalCertificate = z.infer<typeof OperationalCertificate>;

/** Signed by the operational key: this connector may serve this instance at this relay. Of two valid ones the higher sequence wins. */
export const DelegationDocument = z.strictObject({
  instance_id: InstanceId,
  root_key: PublicKey,
  nonce: z.string().regex(/^[A-Za-z0-9_-]{22}$/),
  connector_key: PublicKey,
  relay_key: PublicKey,
  sequence: z.number().int().positive(),
  not_after: Time,
  grant_digest: z.string().regex(/^sha256:[0-9a-f]{64}$/),
});
export type DelegationDocument = z.infer<typeof DelegationDocument>;

/** What a verified delegation says, with the certificate that it stands on. */
export type VerifiedDelegation = DelegationDocument & { readonly certificate: OperationalCertificate };

/** Signs a certificate for an operational key with the root key. */
export const makeCertificate = (root: KeyPair, about: Omit<OperationalCertificate, 'root_key'>): Envelope =>
  signEnvelope(CERTIFICATE_TYPE, { ...about, root_key: root.publicKey }, root);

/** Signs a delegation with the operational key that the certificate names. */
export const makeDelegation = (
  signer: { readonly certificate: Envelope; readonly operational: KeyPair },
  document: DelegationDocument,
): Delegation => ({
  certificate: signer.certificate,
  delegation: signEnvelope(DELEGATION_TYPE, document, signer.operational),
});

const invalid = (detail: string, cause?: unknown) => new FairleadError('delegation_invalid', { detail, cause });

/** Reads a payload whose signer is named in the payload itself; the signature is checked over the exact bytes received. */
const open = <S extends z.ZodType>(envelope: Envelope, type: string, schema: S, keyOf: (document: z.output<S>) => string): z.output<S> => {
  const document = schema.parse(parseStrictJson(Buffer.from(envelope.payload, 'base64').toString('utf8')));
  openEnvelope(envelope, type, keyOf(document));
  return document;
};

/**
 * Checks a delegation by itself: types, both signatures over the exact bytes, that the instance id comes from root key and nonce,
 * and both dates. That it names this connector, this relay and this grant is for the caller to compare.
 * @param options.now wall time in milliseconds
 * @throws FairleadError `delegation_invalid`
 */
export const verifyDelegation = (delegation: Delegation, { now }: { readonly now: number }): VerifiedDelegation => {
  let certificate: OperationalCertificate;
  let document: DelegationDocument;
  try {
    certificate = open(delegation.certificate, CERTIFICATE_TYPE, OperationalCertificate, (read) => read.root_key);
    const operationalKey = certificate.operational_key;
    document = open(delegation.delegation, DELEGATION_TYPE, DelegationDocument, () => operationalKey);
    if (instanceIdOf(document.root_key, document.nonce) !== document.instance_id)
      throw invalid('The instance id does not come from the root key and the nonce.');
  } catch (cause) {
    throw cause instanceof FairleadError && cause.code === 'delegation_invalid'
      ? cause
      : invalid('The delegation is not well formed and signed.', cause);
  }
  if (document.root_key !== certificate.root_key) throw invalid('The certificate belongs to another daemon.');
  if (Date.parse(certificate.not_after) < now) throw invalid('The certificate of the daemon has expired.');
  if (Date.parse(document.not_after) < now) throw invalid('The delegation has expired.');
  return { ...document, certificate };
};

/**
 * The digest that a delegation carries of its grant: SHA-256 over the canonical JSON of the whole resource but what changes later (what is
 * spent, when it was revoked) and the digest itself. Members that this version does not know count too.
 */
export const grantDigest = (grant: Readonly<Record<string, unknown>>): string => {
  const { digest: _digest, spent: _spent, revoked_at: _revokedAt, ...granted } = grant;
  return `sha256:${createHash('sha256').update(canonicalJson(granted)).digest('hex')}`;
};
