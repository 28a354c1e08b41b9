import { FairleadError } from '@fairlead/shared/contract/errors';
import type { InputOf, OutputOf } from '@fairlead/shared/contract/operations/table';
import { rotationHolds, unenrollmentProofHolds } from '@fairlead/shared/wire/handshake';
import type { Hub } from '../sessions/hub.ts';
import type { Store } from '../store/store.ts';

export interface IdentityParts {
  readonly store: Store;
  readonly hub: Hub;
  readonly about: { readonly origin: () => string; readonly relayKey: string };
}

/** Unknown connectors and wrong signatures are answered alike: whoever cannot sign learns nothing of who is enrolled. */
const unproven = () => new FairleadError('signature_invalid', { detail: 'The request is not signed by a connector of this relay.' });

/** What a connector asks for about its own identity. Its signature is its only credential. */
export const identityHandlers = ({ store, hub, about }: IdentityParts) => ({
  unenroll({ connector_id, proof }: InputOf<'unenroll'>): OutputOf<'unenroll'> {
    const row = store.connectors.byId(connector_id);
    const request = { connector_id, key: row?.key ?? '', origin: about.origin(), relay_key: about.relayKey };
    if (!row || !unenrollmentProofHolds(request, proof)) throw unproven();
    if (row.state !== 'revoked') hub.unenroll(connector_id);
    return { connector_id, state: 'revoked' };
  },
  rotate_connector_key(input: InputOf<'rotate_connector_key'>): OutputOf<'rotate_connector_key'> {
    const { connector_id, old_key, new_key, old_proof, new_proof } = input;
    const row = store.connectors.byId(connector_id);
    const request = { connector_id, old_key, new_key, origin: about.origin(), relay_key: about.relayKey };
    const isNow = row?.key === old_key;
    // The answer may have been lost on its way: the key that was changed last may be changed to the same again.
    const wasDone = row?.key === new_key && store.connectors.retiredFrom(old_key) === connector_id;
    if (!row || (!isNow && !wasDone) || !rotationHolds(request, { old: old_proof, new: new_proof })) throw unproven();
    if (row.state !== 'enabled') throw new FairleadError('connector_disabled');
    if (wasDone) return { connector_id, key: new_key };
    if (store.connectors.byKey(new_key) || store.connectors.retiredFrom(new_key) !== undefined) {
      throw new FairleadError('invalid_input', {
        field: 'new_key',
        rule: 'must never have been the key of a connector',
        detail: 'The new key is or was the key of a connector',
      });
    }
    hub.setConnectorKey(row, new_key);
    return { connector_id, key: new_key };
  },
});
