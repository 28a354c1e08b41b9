import type { ErrorCode } from '@fairlead/shared/contract/error-table';
import { LIMITS } from '@fairlead/shared/contract/limits';

/** Refusals that only a person changes. Coming back at once would only fill the relay's audit. */
const BY_DECISION: ReadonlySet<ErrorCode> = new Set([
  'connector_disabled',
  'handshake_failed',
  'key_rotated',
  'relay_untrusted',
  'protocol_unsupported',
  'rate_limited',
]);
const DECISION_MS = 2_000;

/** Why a line ended. A relay that drains also says over how many milliseconds it wants its connectors back. */
export interface LineEnd {
  readonly code: ErrorCode;
  readonly spread?: number | undefined;
}

/**
 * How long to wait before the relay is dialled again after the line ended, in milliseconds. A relay that says that it drains will be back in a
 * moment: to knock meanwhile would only teach patience that then keeps the machine away. It alone knows how many come back with this one.
 * @param patience draws the next wait of a growing patience @param random from 0 up to but not including 1
 */
export const pauseAfter = ({ code, spread = 0 }: LineEnd, patience: () => number, random: () => number): number => {
  if (code === 'draining') return LIMITS.restart_pause.value + Math.round(random() * spread);
  return Math.max(BY_DECISION.has(code) ? DECISION_MS : 0, patience());
};
