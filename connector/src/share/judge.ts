import { grantDigest, verifyDelegation } from '@fairlead/shared/kit/delegation';
import type { ErrorCode } from '@fairlead/shared/contract/error-table';
import { servedShare, type ServedShare } from '../core/served-share.ts';
import type { ShareRecord } from './share-file.ts';

/** Whose delegations count: this connector's key, at the relay it was enrolled with. */
export interface Party {
  readonly key: string;
  readonly relay_key: string;
}

/** A share as the running connector holds it. */
export interface JudgedShare {
  readonly record: ShareRecord;
  readonly served: ServedShare;
}

const distrustOf = (record: ShareRecord, party: Party, now: number): { code: ErrorCode | null; provenUntil: number } => {
  try {
    const proof = verifyDelegation(record.delegation, { now });
    const provenUntil = Math.min(Date.parse(proof.not_after), Date.parse(proof.certificate.not_after));
    const about = proof.instance_id === record.instance_id && proof.connector_key === party.key && proof.relay_key === party.relay_key;
    if (!about) return { code: 'delegation_invalid', provenUntil: 0 };
    // The copy is believed as far as the daemon signed it: an edit, by whomever, makes it worthless and never wider.
    const copied = record.grant.instance_id === record.instance_id && grantDigest(record.grant) === proof.grant_digest;
    return { code: copied ? null : 'grant_untrusted', provenUntil };
  } catch {
    return { code: 'delegation_invalid', provenUntil: 0 };
  }
};

/** Compares a share's copy of the grant with what the daemon signed. @param now epoch milliseconds */
export const judgeShare = (record: ShareRecord, party: Party, now: number): JudgedShare => {
  const { code, provenUntil } = distrustOf(record, party, now);
  return { record, served: servedShare({ instanceId: record.instance_id, grant: record.grant, distrust: code, provenUntil }) };
};
