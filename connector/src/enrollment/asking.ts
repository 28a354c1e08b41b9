import { createClient, type Client } from '@fairlead/shared/contract/client';
import { FairleadError } from '@fairlead/shared/contract/errors';
import { nodeTransport } from '@fairlead/shared/kit/http-client';
import type { KeyPair } from '@fairlead/shared/kit/signature';
import { makeUnenrollmentProof, signRotation } from '@fairlead/shared/wire/handshake';
import type { Identity } from '../identity/identity.ts';

/** A relay, for requests that prove themselves and carry no other credential. */
export const relayClient = (origin: string): Client =>
  createClient({ url: origin, prefix: '/api/v2', token: 'none', transport: nodeTransport({ unreachable: 'relay_not_running' }) });

/** Asks; once more when the answer was lost on its way, because the relay answers the same to the same. */
export const askingTwice = async <T>(ask: () => Promise<T>): Promise<T> => {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof FairleadError && error.code === 'outcome_unknown') return ask();
    throw error;
  }
};

/**
 * Has the relay put a new key in the place of this connector's old one. Repeated, it answers the same.
 * @throws FairleadError `signature_invalid`, `connector_disabled`, `relay_not_running`
 */
export const askForRotation = async (identity: Identity, next: KeyPair): Promise<void> => {
  const { connector_id, origin, relay_key } = identity;
  const request = { connector_id, old_key: identity.key, new_key: next.publicKey, origin, relay_key };
  const input = {
    connector_id,
    old_key: request.old_key,
    new_key: request.new_key,
    old_proof: signRotation(request, identity.keys.privateKey),
    new_proof: signRotation(request, next.privateKey),
  };
  const client = relayClient(identity.relay);
  await askingTwice(() => client.call('rotate_connector_key', input));
};

/** Has the relay revoke this connector. Repeated, it answers the same. @throws FairleadError `signature_invalid`, `relay_not_running` */
export const askToLeave = async ({ connector_id, key, origin, relay_key, relay, keys }: Identity): Promise<void> => {
  const proof = makeUnenrollmentProof({ connector_id, key, origin, relay_key }, keys.privateKey);
  const client = relayClient(relay);
  await askingTwice(() => client.call('unenroll', { connector_id, proof }));
};
