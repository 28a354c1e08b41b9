import type { Failure } from '../script.ts';
import type { Refusal } from './wire.ts';

const KINDS: Readonly<Record<Failure['fail'], readonly [type: string, code: string]>> = {
  400: ['invalid_request_error', 'invalid_request'],
  401: ['invalid_request_error', 'invalid_api_key'],
  403: ['invalid_request_error', 'forbidden'],
  429: ['rate_limit_error', 'rate_limit_exceeded'],
  500: ['server_error', 'server_error'],
  503: ['server_error', 'server_overloaded'],
  529: ['server_error', 'overloaded'],
};

/** How OpenAI and those that copy it word a refusal. */
export const openaiRefusal = ({ fail, message, limit_resets_in }: Failure, nowSeconds: number): Refusal => {
  const [type, code] = KINDS[fail];
  if (limit_resets_in === undefined) return { headers: {}, body: { error: { message, type, code, param: null } } };
  return {
    headers: {},
    body: {
      error: {
        type: 'usage_limit_reached',
        message,
        plan_type: 'pro',
        resets_at: Math.ceil(nowSeconds + limit_resets_in),
        resets_in_seconds: Math.ceil(limit_resets_in),
      },
    },
  };
};
