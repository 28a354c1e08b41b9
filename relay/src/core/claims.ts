/** A valid claim on an instance: which connector may serve it, by a delegation of which sequence. */
export interface Claim {
  readonly instance_id: string;
  readonly connector_id: string;
  readonly sequence: number;
}

export type ClaimVerdict = 'granted' | 'granted_from_other' | 'instance_moved' | 'prefix_taken';

/**
 * Decides between a new valid claim and the one that is known for the same routing prefix. Of two claims on one instance the
 * higher sequence wins; a lower one is an old delegation that came back, from whomever. A prefix belongs to the first
 * instance that registered it.
 */
export const judgeClaim = (known: Claim | undefined, claim: Claim): ClaimVerdict => {
  if (!known) return 'granted';
  if (known.instance_id !== claim.instance_id) return 'prefix_taken';
  if (claim.sequence < known.sequence) return 'instance_moved';
  if (known.connector_id === claim.connector_id) return 'granted';
  return claim.sequence > known.sequence ? 'granted_from_other' : 'instance_moved';
};
