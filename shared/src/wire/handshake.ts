import { FairleadError } from '../contract/errors.ts';
import { canonicalJson } from '../contract/json.ts';
import { LIMITS } from '../contract/limits.ts';
import { randomBytes } from '../kit/clock.ts';
import { pae, sign, verify, type KeyPair } from '../kit/signature.ts';
import { PROTOCOL, type Challenge, type Prove, type Welcome } from './frames.ts';

/**
 * The documents of the handshake, without any line: who signs what, and what each side refuses. Every signature covers the direction,
 * both nonces, the origin and the relay's key, so that nothing can be replayed to another relay, in another session or backwards.
 */
const PROVE_TYPE = 'fairlead.wire.prove.v1';
const WELCOME_TYPE = 'fairlead.wire.welcome.v1';
const ENROLL_TYPE = 'fairlead.enroll.v1';
const UNENROLL_TYPE = 'fairlead.unenroll.v1';
const ROTATE_TYPE = 'fairlead.rotate-key.v1';

const newNonce = (): string => randomBytes(32).toString('base64url');

const signDocument = (type: string, document: Readonly<Record<string, unknown>>, privateKey: string): string =>
  sign(privateKey, pae(type, Buffer.from(canonicalJson(document)))).toString('base64url');

const documentHolds = (type: string, document: Readonly<Record<string, unknown>>, publicKey: string, signature: string): boolean =>
  verify(publicKey, pae(type, Buffer.from(canonicalJson(document))), Buffer.from(signature, 'base64url'));

/** What both signatures cover. */
const common = (challenge: Challenge, prove: Omit<Prove, 'signature'>) => ({
  relay_nonce: challenge.nonce,
  connector_nonce: prove.nonce,
  origin: challenge.origin,
  relay_key: challenge.relay_key,
  connector_id: prove.connector_id,
  protocol: prove.protocol,
});

/** The highest protocol version that both sides speak. @throws FairleadError `protocol_unsupported` */
export const chooseProtocol = (theirs: { readonly min: number; readonly max: number }): number => {
  const chosen = Math.min(theirs.max, PROTOCOL.max);
  if (chosen < theirs.min || chosen < PROTOCOL.min) {
    throw new FairleadError('protocol_unsupported', {
      detail: `The relay speaks ${theirs.min} to ${theirs.max}, this connector ${PROTOCOL.min} to ${PROTOCOL.max}.`,
    });
  }
  return chosen;
};

/** Step 1, the relay: a fresh challenge. */
export const makeChallenge = (relay: { readonly origin: string; readonly publicKey: string }): Challenge => ({
  t: 'challenge',
  nonce: newNonce(),
  origin: relay.origin,
  relay_key: relay.publicKey,
  protocol: PROTOCOL,
});

/**
 * Step 2, the connector: refuses any relay but the one that it enrolled with, at the address that it dialled, and proves its key.
 * @throws FairleadError `relay_untrusted`, `protocol_unsupported`
 */
export const answerChallenge = (
  challenge: Challenge,
  self: { readonly connectorId: string; readonly key: KeyPair; readonly dialledOrigin: string; readonly pinnedRelayKey: string },
): Prove => {
  if (challenge.origin !== self.dialledOrigin) {
    throw new FairleadError('relay_untrusted', { detail: `The relay at ${self.dialledOrigin} says that it is another one.` });
  }
  if (challenge.relay_key !== self.pinnedRelayKey)
    throw new FairleadError('relay_untrusted', { detail: 'The key of the relay is not the one that was pinned at enrolment.' });
  const prove = { t: 'prove', connector_id: self.connectorId, nonce: newNonce(), protocol: chooseProtocol(challenge.protocol) } as const;
  return {
    ...prove,
    signature: signDocument(PROVE_TYPE, { direction: 'connector-to-relay', ...common(challenge, prove) }, self.key.privateKey),
  };
};

/** Step 3, the relay: whether the proof is by this key, for this very challenge. @throws FairleadError `handshake_failed`, `protocol_unsupported` */
export const checkProof = (challenge: Challenge, prove: Prove, connectorKey: string): void => {
  if (prove.protocol < challenge.protocol.min || prove.protocol > challenge.protocol.max) throw new FairleadError('protocol_unsupported');
  const document = { direction: 'connector-to-relay', ...common(challenge, prove) };
  if (!documentHolds(PROVE_TYPE, document, connectorKey, prove.signature))
    throw new FairleadError('handshake_failed', { detail: 'The proof of the connector does not hold.' });
};

const limits = {
  frame: LIMITS.wire_frame.value,
  inline: LIMITS.inline_json.value,
  credit: LIMITS.wire_credit.value,
  pending: LIMITS.wire_pending.value,
} as const;

const welcomeDocument = (challenge: Challenge, prove: Prove, sessionId: string, heartbeat: number) => ({
  direction: 'relay-to-connector',
  ...common(challenge, prove),
  session_id: sessionId,
  heartbeat_ms: heartbeat,
});

/** Step 3, the relay: welcomes a connector whose proof holds, and proves its own key over the connector's nonce. */
export const makeWelcome = (challenge: Challenge, prove: Prove, relay: KeyPair, sessionId: string): Welcome => ({
  t: 'welcome',
  session_id: sessionId,
  protocol: prove.protocol,
  heartbeat_ms: LIMITS.heartbeat.value,
  limits,
  signature: signDocument(WELCOME_TYPE, welcomeDocument(challenge, prove, sessionId, LIMITS.heartbeat.value), relay.privateKey),
});

/** Step 3, the connector: whether the welcome is by the pinned key, for this very session. @throws FairleadError `relay_untrusted` */
export const checkWelcome = (challenge: Challenge, prove: Prove, welcome: Welcome, pinnedRelayKey: string): void => {
  const document = welcomeDocument(challenge, prove, welcome.session_id, welcome.heartbeat_ms);
  const holds = welcome.protocol === prove.protocol && documentHolds(WELCOME_TYPE, document, pinnedRelayKey, welcome.signature);
  if (!holds) throw new FairleadError('relay_untrusted', { detail: 'The welcome of the relay is not signed by the key that was pinned.' });
};

/** What a connector asks for when it enrols; the origin is the address that it dialled. */
export interface EnrollmentRequest {
  readonly secret: string;
  readonly key: string;
  readonly label: string;
  readonly origin: string;
}

const enrollmentDocument = ({ secret, key, label, origin }: EnrollmentRequest) => ({ secret, key, label, origin });

/** Proves that who enrols holds the private key, for this token at this relay. */
export const makeEnrollmentProof = (request: EnrollmentRequest, privateKey: string): string =>
  signDocument(ENROLL_TYPE, enrollmentDocument(request), privateKey);

/** Whether the proof of an enrolment holds. @param request with the relay's own origin */
export const enrollmentProofHolds = (request: EnrollmentRequest, proof: string): boolean =>
  documentHolds(ENROLL_TYPE, enrollmentDocument(request), request.key, proof);

/** A connector that gives its identity up, at the relay that it was enrolled with. */
export interface UnenrollmentRequest {
  readonly connector_id: string;
  readonly key: string;
  readonly origin: string;
  readonly relay_key: string;
}

const unenrollmentDocument = ({ connector_id, key, origin, relay_key }: UnenrollmentRequest) => ({ connector_id, key, origin, relay_key });

/** Proves that who un-enrols is the connector itself. A copy of it can do no more than what was asked: an identity ends once. */
export const makeUnenrollmentProof = (request: UnenrollmentRequest, privateKey: string): string =>
  signDocument(UNENROLL_TYPE, unenrollmentDocument(request), privateKey);

/** Whether the proof holds. @param request with the relay's own origin and key, and the connector's key as the relay knows it */
export const unenrollmentProofHolds = (request: UnenrollmentRequest, proof: string): boolean =>
  documentHolds(UNENROLL_TYPE, unenrollmentDocument(request), request.key, proof);

/** A connector that puts a new key in the place of its old one. */
export interface RotationRequest {
  readonly connector_id: string;
  readonly old_key: string;
  readonly new_key: string;
  readonly origin: string;
  readonly relay_key: string;
}

const rotationDocument = ({ connector_id, old_key, new_key, origin, relay_key }: RotationRequest) => ({
  connector_id,
  old_key,
  new_key,
  origin,
  relay_key,
});

/** One of the two signatures over a rotation: the old key says who asks, the new one that its holder agrees. */
export const signRotation = (request: RotationRequest, privateKey: string): string =>
  signDocument(ROTATE_TYPE, rotationDocument(request), privateKey);

/** Whether both keys signed this very rotation. @param request with the relay's own origin and key */
export const rotationHolds = (request: RotationRequest, proofs: { readonly old: string; readonly new: string }): boolean =>
  documentHolds(ROTATE_TYPE, rotationDocument(request), request.old_key, proofs.old) &&
  documentHolds(ROTATE_TYPE, rotationDocument(request), request.new_key, proofs.new);
