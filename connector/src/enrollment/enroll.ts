import { FairleadError } from '@fairlead/shared/contract/errors';
import { isoTime, type Clock } from '@fairlead/shared/kit/clock';
import { generateKey } from '@fairlead/shared/kit/signature';
import { makeEnrollmentProof } from '@fairlead/shared/wire/handshake';
import { relayAddress } from '@fairlead/shared/wire/ws-transport';
import type { Files } from '../config/files.ts';
import { writeIdentity, type Identity } from '../identity/identity.ts';
import { askingTwice, relayClient } from './asking.ts';

export interface EnrollmentOrder {
  /** Address of the relay, as the owner typed it. */
  readonly relay: string;
  /** The one-time token. It is sent once, over TLS or to this machine, and kept nowhere. */
  readonly secret: string;
  readonly label: string;
}

/**
 * Exchanges a one-time token for an identity: a new key pair, whose private half never leaves this machine, and the relay's key and origin,
 * which are pinned from here on. Nothing of an older identity is touched unless the relay has accepted the new one.
 * @throws FairleadError `enrollment_invalid`, `relay_untrusted` when the relay calls itself something else than what was dialled,
 *   `relay_not_running`
 */
export const enroll = async (
  order: EnrollmentOrder,
  { files, clock }: { readonly files: Files; readonly clock: Clock },
): Promise<Identity> => {
  const { origin } = relayAddress(order.relay);
  const keys = generateKey();
  const { secret, label } = order;
  const proof = makeEnrollmentProof({ secret, key: keys.publicKey, label, origin }, keys.privateKey);
  // The token opens nothing but this one operation, which names it in its body and asks for no other credential. The same key and token
  // give the same answer again, so that an answer lost on the way does not use the token up.
  const client = relayClient(origin);
  const answer = await askingTwice(() => client.call('enroll', { secret, key: keys.publicKey, label, proof }));
  if (answer.relay_origin !== origin) {
    throw new FairleadError('relay_untrusted', {
      detail: `The relay at ${origin} calls itself ${answer.relay_origin}`,
      hint: 'Enrol with the address that the relay calls itself, or have its operator start it with --origin set to this one.',
    });
  }
  const identity: Identity = {
    version: 1,
    connector_id: answer.connector_id,
    label,
    relay: origin,
    origin,
    relay_key: answer.relay_key,
    key: keys.publicKey,
    enrolled_at: isoTime(clock.now()),
    keys,
  };
  await writeIdentity(files, identity);
  return identity;
};
