import { FairleadError } from '@fairlead/shared/contract/errors';
import type { Operation } from '@fairlead/shared/contract/operations/operation';
import { bearerOf, type RequestContext } from '@fairlead/shared/kit/http-server';
import type { Clock } from '@fairlead/shared/kit/clock';
import type { Audit } from '../audit/audit.ts';
import type { AdminCheck } from '../auth/admin-token.ts';
import type { LiveToken, PlannerTokens } from '../auth/planner-tokens.ts';
import type { CountStranger } from '../auth/strangers.ts';

/** Decides who a caller is, before anything else is looked at. Its refusals are in the audit before they are answered. */
export interface Gatekeeper {
  /** @throws FairleadError `unauthenticated`, `rate_limited` */
  planner(action: string, effect: Operation['effect'], secret: string | undefined, context: Caller): Promise<LiveToken>;
  /** @throws FairleadError `unauthenticated`, `scope_denied` for a planner's token, `rate_limited` */
  admin(row: Pick<Operation, 'name' | 'effect' | 'scope'>, context: RequestContext): Promise<void>;
  /** Counts a failed attempt of a stranger and answers the error for it. */
  failed(address: string, error: unknown): unknown;
  /** Puts a refusal into the audit, and counts it where a stranger caused it. @returns what to answer */
  refuse(action: string, effect: Operation['effect'], actor: string, caller: Caller, error: FairleadError): Promise<FairleadError>;
  /** Puts into the audit what was refused before anybody asked who calls: a bad body, host, origin, path or method. */
  unread(error: unknown, caller: Caller): Promise<void>;
  draining(): boolean;
}

/** What is known of a caller besides its credential. */
export interface Caller {
  readonly id: string;
  readonly address: string;
}

export interface GatekeeperParts {
  readonly tokens: PlannerTokens;
  readonly isAdmin: AdminCheck;
  readonly countStranger: CountStranger;
  readonly audit: Audit;
  readonly clock: Clock;
  readonly draining: () => boolean;
}

const MINUTE = 60_000;

export const createGatekeeper = ({ tokens, isAdmin, countStranger, audit, clock, draining }: GatekeeperParts): Gatekeeper => {
  /** When a token's excess was last put into the audit; once a minute says as much as every time. */
  const limited = new Map<string, number>();

  const refuse = async (
    action: string,
    effect: Operation['effect'],
    actor: string,
    caller: Caller,
    error: FairleadError,
  ): Promise<FairleadError> => {
    if (actor === 'anonymous') {
      const counted = countStranger(caller.address, error);
      // An address that fails without end must not fill the audit.
      if (counted.code === 'rate_limited') return counted;
    }
    await audit.record({ actor, action, effect, outcome: error.code, request_id: caller.id, address: caller.address });
    return error;
  };

  const overRate = async (
    action: string,
    effect: Operation['effect'],
    token: LiveToken,
    caller: Caller,
    waitMs: number,
  ): Promise<FairleadError> => {
    const error = new FairleadError('rate_limited', { more: { retry_after: waitMs / 1000 } });
    const last = limited.get(token.id);
    if (last !== undefined && clock.monotonic() - last < MINUTE) return error;
    limited.set(token.id, clock.monotonic());
    return refuse(action, effect, token.id, caller, error);
  };

  return {
    draining,
    refuse,
    async planner(action, effect, secret, caller) {
      let token: LiveToken;
      try {
        token = tokens.authenticate(secret ?? '');
      } catch (error) {
        const isOperator = secret !== undefined && isAdmin(secret);
        if (isOperator)
          throw await refuse(
            action,
            effect,
            'admin',
            caller,
            new FairleadError('scope_denied', {
              detail: 'The admin token is no planner.',
              hint: 'Make a planner token: fairlead-relay planner-token create.',
            }),
          );
        throw await refuse(action, effect, 'anonymous', caller, error as FairleadError);
      }
      const waitMs = token.take();
      if (waitMs > 0) throw await overRate(action, effect, token, caller, waitMs);
      return token;
    },
    async admin(row, context) {
      let secret: string;
      try {
        secret = bearerOf(context.headers);
      } catch (error) {
        throw await refuse(row.name, row.effect, 'anonymous', context, error as FairleadError);
      }
      if (isAdmin(secret)) return;
      let token: LiveToken;
      try {
        token = tokens.authenticate(secret);
      } catch (error) {
        throw await refuse(row.name, row.effect, 'anonymous', context, error as FairleadError);
      }
      throw await refuse(row.name, row.effect, token.id, context, new FairleadError('scope_denied', { more: { scope: row.scope } }));
    },
    async unread(error, caller) {
      if (error instanceof FairleadError) await refuse('http', 'read', 'anonymous', caller, error);
    },
    failed: (address, error) => (error instanceof FairleadError ? countStranger(address, error) : error),
  };
};
