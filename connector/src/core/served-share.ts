import type { ErrorCode } from '@fairlead/shared/contract/error-table';
import type { Grant } from '@fairlead/shared/contract/resources';

/** One shared instance as requests meet it: its grant, made quick to ask. */
export interface ServedShare {
  readonly instanceId: string;
  readonly operations: ReadonlySet<string>;
  /** null is every one. */
  readonly executors: ReadonlySet<string> | null;
  readonly validations: ReadonlySet<string> | null;
  readonly acceptsDecisions: boolean;
  /** Epoch milliseconds. */
  readonly expiresAt: number;
  readonly revoked: boolean;
  /** How long the daemon's delegation proves the right to serve it, epoch milliseconds. */
  readonly provenUntil: number;
  /** Why nothing is served although the share is there: the copy differs from what the daemon signed, or the proof does not hold. */
  readonly distrust: ErrorCode | null;
}

interface Judged {
  readonly instanceId: string;
  readonly grant: Grant;
  readonly distrust: ErrorCode | null;
  readonly provenUntil: number;
}

/** The quick form of a grant. */
export const servedShare = ({ instanceId, grant, distrust, provenUntil }: Judged): ServedShare => ({
  instanceId,
  operations: new Set(grant.operations),
  executors: grant.executors && new Set(grant.executors),
  validations: grant.validations && new Set(grant.validations),
  acceptsDecisions: grant.accept_relay_decisions,
  expiresAt: Date.parse(grant.expires_at),
  revoked: grant.revoked_at !== null,
  distrust,
  provenUntil,
});
