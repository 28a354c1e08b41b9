import { FairleadError } from '@fairlead/shared/contract/errors';
import { newResourceId } from '@fairlead/shared/contract/ids';
import {
  OPERATIONS,
  defaultGrantOperations,
  type InputOf,
  type OperationTable,
  type OutputOf,
} from '@fairlead/shared/contract/operations/table';
import { hashSecret, mintSecret } from '@fairlead/shared/kit/secret';
import type { GrantRecord, InstanceRecord } from '../core/records.ts';
import type { Tx } from '../ledger/ledger.ts';
import { grantView } from '../ledger/views.ts';
import { causeOf, scopeOf, servedInstance } from './asking.ts';
import type { Command, CommandDeps } from './command.ts';

type Input = InputOf<'create_grant'>;
const DAY_MS = 86_400_000;
const TABLE: OperationTable = OPERATIONS;

/** What may be asked: named operations, or the default. What decides must be named, and accepted. @throws FairleadError `invalid_input` */
const operationsOf = (input: Input): string[] => {
  const named = input.operations ?? defaultGrantOperations();
  for (const [index, name] of named.entries()) {
    const field = `operations[${index}]`;
    const row = Object.hasOwn(TABLE, name) ? TABLE[name] : undefined;
    if (!row?.remote) {
      const available = Object.values(TABLE)
        .filter(({ remote }) => remote)
        .map((one) => one.name);
      throw new FairleadError('invalid_input', {
        field,
        rule: 'must be an operation that can be shared',
        detail: `${name} cannot be shared`,
        hint: `Name of these: ${available.join(', ')}`,
        more: { available },
      });
    }
    if (row.effect === 'decide' && !input.accept_relay_decisions) {
      throw new FairleadError('invalid_input', {
        field,
        rule: 'what decides needs accept_relay_decisions',
        detail: `${name} decides. Whoever controls the relay could then decide for you`,
        hint: 'Leave it out and decide at the machine, or share with --accept-relay-decisions.',
      });
    }
  }
  return [...new Set(named)];
};

/** @throws FairleadError `executor_unknown` */
const checkExecutors = (deps: CommandDeps, input: Input, instance: InstanceRecord): void => {
  const available = deps.executors(instance).map(({ id }) => id);
  for (const [index, id] of (input.executors ?? []).entries()) {
    if (available.includes(id)) continue;
    throw new FairleadError('executor_unknown', {
      field: `executors[${index}]`,
      detail: `There is no executor ${id}`,
      hint: `Name one of: ${available.join(', ')}`,
      more: { available },
    });
  }
};

/** A new grant takes the place of the connector's earlier one, whose credential ends with it. */
const replaceGrant = (tx: Tx, input: Input, operations: readonly string[], about: ReturnType<typeof causeOf>): GrantRecord => {
  const earlier = tx.read.grantFor({ connector_key: input.connector_key, instance_id: input.instance_id });
  if (earlier && earlier.revoked_at === null) tx.revokeGrant(earlier.id, about);
  return tx.add.grant(
    {
      id: newResourceId('grant', input.instance_id),
      instance_id: input.instance_id,
      connector_key: input.connector_key,
      relay_key: input.relay_key,
      operations,
      executors: input.executors,
      validations: input.validations,
      budget: { steps: input.steps, wall_ms: input.wall_ms },
      accept_relay_decisions: input.accept_relay_decisions,
      created_at: tx.at,
      expires_at: tx.at + input.days * DAY_MS,
    },
    about,
  );
};

/** Records a grant and answers it with a fresh credential, of which only the hash is kept. @throws FairleadError `grant_expired` */
const granted = async (
  deps: CommandDeps,
  instance: InstanceRecord,
  grantIn: (tx: Tx) => string,
): Promise<OutputOf<'create_grant' | 'move_grant'>> => {
  const token = mintSecret('flc');
  const grant = await deps.ledger.record((tx) => {
    const found = tx.read.grant(grantIn(tx));
    if (!found || found.revoked_at !== null) throw new FairleadError('grant_expired');
    const { id, connector_key } = found;
    tx.add.credential({
      hash: hashSecret(token),
      kind: 'connector',
      connector_key,
      grant_id: id,
      created_at: tx.at,
      revoked_at: null,
    });
    return found;
  });
  return { grant: grantView(grant), delegation: deps.delegate(grant, instance), connector_token: token };
};

/**
 * Shares an instance with one connector at one relay, and answers the delegation and a credential of the connector's own. The
 * credential is kept as a hash only: a repeated request answers the same grant with a fresh credential.
 * @throws FairleadError `invalid_input`, `executor_unknown`, `not_found`
 */
export const createGrant =
  (deps: CommandDeps): Command<'create_grant'> =>
  async (input, asker) => {
    const { ledger } = deps;
    const instance = servedInstance(ledger.read, asker, input.instance_id);
    const operations = operationsOf(input);
    checkExecutors(deps, input, instance);
    const scope = scopeOf('create_grant', input, asker, { instance_id: instance.id });
    return granted(deps, instance, (tx) => {
      servedInstance(tx.read, asker, instance.id);
      return tx.idempotent(scope, () => replaceGrant(tx, input, operations, causeOf(asker)).id);
    });
  };

/**
 * Gives a grant to another key of its connector, as it stands: operations, end and what was spent stay, so that nothing is widened by it.
 * @throws FairleadError `not_found`, `grant_expired`
 */
export const moveGrant =
  (deps: CommandDeps): Command<'move_grant'> =>
  async (input, asker) => {
    const former = deps.ledger.read.grant(input.grant_id);
    if (!former) throw new FairleadError('not_found', { field: 'grant_id' });
    const instance = servedInstance(deps.ledger.read, asker, former.instance_id);
    const scope = scopeOf('move_grant', input, asker, { instance_id: instance.id });
    return granted(deps, instance, (tx) =>
      tx.idempotent(scope, () => {
        const { revoked_at: revokedAt, expires_at: expiresAt, spent } = tx.read.grant(former.id)!;
        if (revokedAt !== null || expiresAt <= tx.at) throw new FairleadError('grant_expired');
        const about = causeOf(asker);
        const { instance_id, relay_key, operations, executors, validations, budget, accept_relay_decisions } = former;
        tx.revokeGrant(former.id, about);
        const id = newResourceId('grant', instance_id);
        const { connector_key } = input;
        const terms = { relay_key, operations, executors, validations, budget, accept_relay_decisions, expires_at: expiresAt };
        tx.add.grant({ id, instance_id, connector_key, ...terms, created_at: tx.at }, about);
        tx.spend(id, spent);
        return id;
      }),
    );
  };

/** Ends a grant at once, and its credentials with it. @throws FairleadError `not_found` */
export const revokeGrant =
  ({ ledger }: CommandDeps): Command<'revoke_grant'> =>
  async (input, asker) => {
    const grant = ledger.read.grant(input.grant_id);
    if (!grant) throw new FairleadError('not_found', { field: 'grant_id' });
    const scope = scopeOf('revoke_grant', input, asker, { instance_id: grant.instance_id });
    return ledger.record((tx) => tx.idempotent(scope, () => grantView(tx.revokeGrant(grant.id, causeOf(asker)))));
  };
