import { FairleadError } from '@fairlead/shared/contract/errors';
import { readInput } from '@fairlead/shared/contract/http';
import type { Operation } from '@fairlead/shared/contract/operations/operation';
import type { Clock } from '@fairlead/shared/kit/clock';
import { idempotencyKeyOf, type Handle } from '@fairlead/shared/kit/http-server';
import type { Asker } from '../commands/command.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { AnyHandler } from './asked.ts';
import { authenticate } from './authentication.ts';
import { addressOf, checkOwnership } from './ownership.ts';
import { createRefusalLog } from './refusals.ts';
import { rememberRights } from './remembered-rights.ts';
import { askerFor } from './rights.ts';

export interface PipelineParts {
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly operatorHash: string;
  /** By operation name. */
  readonly handlers: Readonly<Record<string, AnyHandler>>;
  /** Whether the daemon is shutting down. */
  readonly draining: () => boolean;
}

/** The full id of the instance that an id in the path belongs to, where the ledger knows it. */
const ownerOf = (ledger: Ledger, address: string): string | undefined => {
  if (address.startsWith('ins_')) return address;
  const prefix = address.slice(address.indexOf('_') + 1).split('_')[0]!;
  return ledger.read.instances({ removed: true }).find((one) => one.id.startsWith(`ins_${prefix}`))?.id;
};

/** @throws FairleadError `idempotency_key_required` for a remote write without one */
const withKey = (asker: Asker, row: Operation, key: string | undefined): Asker => {
  if (row.effect === 'read') return asker;
  if (key === undefined && asker.remote) throw new FairleadError('idempotency_key_required');
  return key === undefined ? asker : { ...asker, idempotency_key: key };
};

/**
 * What every request goes through, whatever it asks: who it is, whether they may, a strict look at the input, whose ids it names,
 * the idempotency rule, and then its handler.
 */
export const createPipeline = ({ ledger, clock, operatorHash, handlers, draining }: PipelineParts): Handle => {
  const told = createRefusalLog(ledger, clock);
  const read = rememberRights(ledger);
  const rights = { read, clock };
  const credentials = { read, operatorHash };
  return async (row, readRaw, context) => {
    if (draining()) throw new FairleadError('draining');
    const caller = authenticate(context.headers, credentials);
    try {
      const raw = await readRaw();
      const pathInstance = typeof raw['instance_id'] === 'string' ? raw['instance_id'] : undefined;
      const asker = askerFor(row, caller, pathInstance, rights);
      const input: Record<string, unknown> = readInput(row, raw);
      // A remote request names its instance; a local one is about whatever its path is about.
      const address = asker.instance_id ?? localInstance(ledger, row, input);
      if (address !== undefined) checkOwnership(input, address);
      const recheck = () => {
        if (draining()) throw new FairleadError('draining');
        askerFor(row, authenticate(context.headers, credentials), pathInstance, rights);
      };
      const handler = handlers[row.name];
      if (!handler) throw new FairleadError('operation_unknown', { detail: `${row.name} is not served here` });
      return await handler(input as never, { asker: withKey(asker, row, idempotencyKeyOf(context.headers)), context, recheck });
    } catch (error) {
      told(error, row, caller);
      throw error;
    }
  };
};

/** Only inputs with more than their path can name a second instance, so only those cost a look. */
const localInstance = (ledger: Ledger, row: Operation, input: Record<string, unknown>): string | undefined => {
  if (Object.keys(input).length < 2) return undefined;
  const address = addressOf(row, input);
  return address === undefined ? undefined : ownerOf(ledger, address);
};
