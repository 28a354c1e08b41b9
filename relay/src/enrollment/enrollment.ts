import { FairleadError } from '@fairlead/shared/contract/errors';
import { newRelayId } from '@fairlead/shared/contract/ids';
import type { InputOf, OutputOf } from '@fairlead/shared/contract/operations/table';
import type { Clock } from '@fairlead/shared/kit/clock';
import { hashSecret } from '@fairlead/shared/kit/secret';
import { enrollmentProofHolds } from '@fairlead/shared/wire/handshake';
import type { ConnectorRow } from '../store/connector-rows.ts';
import type { Store } from '../store/store.ts';

export interface Enrollment {
  /**
   * Exchanges a one-time token for an identity. The same token with the same key answers the same identity again, because the answer
   * may have been lost on its way.
   * @throws FairleadError `enrollment_invalid`; the error says nothing about why
   */
  enroll(input: InputOf<'enroll'>): OutputOf<'enroll'>;
}

/** @param options.origin the relay's own, known once it listens */
export const openEnrollment = ({
  store,
  clock,
  relayKey,
  origin,
}: {
  readonly store: Store;
  readonly clock: Clock;
  readonly relayKey: string;
  readonly origin: () => string;
}): Enrollment => {
  const join = (tokenId: string, { key, label }: InputOf<'enroll'>): ConnectorRow => {
    const now = clock.now();
    const row: ConnectorRow = { id: newRelayId('con'), label, key, state: 'enabled', enrolled_at: now, last_seen_at: null };
    store.atomically(() => {
      store.connectors.add(row);
      store.enrollments.use(tokenId, now, row.id);
    });
    return row;
  };
  return {
    enroll(input) {
      const { secret, key, label, proof } = input;
      const token = store.enrollments.byHash(hashSecret(secret));
      const known = store.connectors.byKey(key);
      const answer = (row: ConnectorRow) => ({ connector_id: row.id, relay_key: relayKey, relay_origin: origin() });
      if (!token || token.revoked_at !== null || token.expires_at <= clock.now()) throw new FairleadError('enrollment_invalid');
      if (!enrollmentProofHolds({ secret, key, label, origin: origin() }, proof)) {
        throw new FairleadError('enrollment_invalid', {
          detail: 'The proof of the key does not hold for this relay.',
          hint: `Enrol at ${origin()}, the address that the relay knows itself by.`,
        });
      }
      if (token.used_at !== null) {
        if (known && token.connector_id === known.id && known.state === 'enabled') return answer(known);
        throw new FairleadError('enrollment_invalid');
      }
      // A key is one identity for ever: a revoked one does not come back under a new token.
      if (known || store.connectors.retiredFrom(key) !== undefined)
        throw new FairleadError('enrollment_invalid', {
          detail: 'This key is enrolled already.',
          hint: 'Enrol with a new key: move the connector home away first.',
        });
      return answer(join(token.id, input));
    },
  };
};
