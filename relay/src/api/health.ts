import type { Clock } from '@fairlead/shared/kit/clock';
import { RawAnswer } from '@fairlead/shared/kit/http-server';

/** How long an answer about the store stands, in milliseconds, so that nobody can keep the disk busy by asking. */
const STANDS = 1000;

/** `healthz`: the process answers. `readyz`: it listens, does not drain, and its store takes writes. */
export const healthRoutes = ({
  clock,
  writable,
  draining,
}: {
  readonly clock: Clock;
  readonly writable: () => boolean;
  readonly draining: () => boolean;
}) => {
  let known: { readonly at: number; readonly writable: boolean } | undefined;
  const storeTakesWrites = (): boolean => {
    if (known === undefined || clock.monotonic() - known.at >= STANDS) known = { at: clock.monotonic(), writable: writable() };
    return known.writable;
  };
  return {
    'GET /healthz': () => ({ ok: true }),
    'GET /readyz': () => {
      const facts = { draining: draining(), store_writable: storeTakesWrites() };
      const ready = !facts.draining && facts.store_writable;
      return new RawAnswer(JSON.stringify({ ready, ...facts }), {
        status: ready ? 200 : 503,
        headers: { 'content-type': 'application/json' },
      });
    },
  };
};
