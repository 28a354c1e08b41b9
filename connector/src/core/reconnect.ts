import type { ErrorCode } from '@fairlead/shared/contract/error-table';

/** Refusals that only a person changes. Coming back at once would only fill the relay's audit. */
const BY_DECISION: ReadonlySet<ErrorCode> = new Set([
  'connector_disabled',
  'handshake_failed',
  'key_rotated',
  'relay_untrusted',
  'protocol_unsupported',
  'rate_limited',
]);

/** The shortest wait before the relay is dialled again after this error, in milliseconds; the backoff may make it longer. */
export const reconnectFloor = (code: ErrorCode): number => (BY_DECISION.has(code) ? 2_000 : 0);
