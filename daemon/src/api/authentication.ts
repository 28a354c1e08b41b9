import { FairleadError } from '@fairlead/shared/contract/errors';
import { InstanceId } from '@fairlead/shared/contract/ids';
import { parseStrictJson } from '@fairlead/shared/contract/json';
import { Principal } from '@fairlead/shared/contract/values';
import { bearerOf } from '@fairlead/shared/kit/http-server';
import { hashSecret } from '@fairlead/shared/kit/secret';
import type { IncomingHttpHeaders } from 'node:http';
import type { Asker } from '../commands/command.ts';
import type { RightsReads } from './remembered-rights.ts';

/** Who presented a credential. What is remote follows from the credential alone, never from a header. */
export type Caller =
  | { readonly kind: 'operator'; readonly asker: Asker }
  | {
      readonly kind: 'connector';
      readonly connector_key: string;
      readonly instance_id: string | undefined;
      readonly principal: Principal | undefined;
    };

const OPERATOR: Asker = { principal: { id: 'operator', name: 'operator' }, authority: 'local', remote: false };

const refuse = (field: string, rule: string): never => {
  throw new FairleadError('invalid_input', { field, rule, detail: `${field} ${rule}` });
};

// Made once: making a schema costs more than all the rest of a request.
const StrictPrincipal = Principal.strict();

/** More principals than these are forgotten all at once. */
const MOST_PRINCIPALS = 1000;

/** Principals by their header: a planner sends the same one with every request. */
const principals = new Map<string, Principal>();

const readPrincipal = (header: string): Principal => {
  try {
    return StrictPrincipal.parse(parseStrictJson(Buffer.from(header, 'base64url').toString('utf8')));
  } catch {
    return refuse('Fairlead-Principal', 'must be base64url of JSON with id and name');
  }
};

/** The principal that the relay asserts, as the connector hands it on. */
const principalOf = (header: string | string[] | undefined): Principal | undefined => {
  if (header === undefined) return undefined;
  if (typeof header !== 'string' || header.length > 4096) return refuse('Fairlead-Principal', 'must come once');
  const known = principals.get(header);
  if (known) return known;
  const principal = readPrincipal(header);
  if (principals.size >= MOST_PRINCIPALS) principals.clear();
  principals.set(header, principal);
  return principal;
};

const instanceOf = (header: string | string[] | undefined): string | undefined => {
  if (header === undefined) return undefined;
  return InstanceId.safeParse(header).data ?? refuse('Fairlead-Instance', 'must be an instance id');
};

export interface Credentials {
  readonly read: Pick<RightsReads, 'credential'>;
  /** Of the token in the home's file: whoever replaces the file and starts the daemon again has withdrawn the old one. */
  readonly operatorHash: string;
}

/**
 * Finds out who asks. Hashes are compared, so that the time it takes tells nothing about a secret.
 * @throws FairleadError `unauthenticated`, the same for a missing, a malformed, an unknown and a revoked token
 */
export const authenticate = (headers: IncomingHttpHeaders, { operatorHash, read }: Credentials): Caller => {
  const hash = hashSecret(bearerOf(headers));
  if (hash === operatorHash) return { kind: 'operator', asker: OPERATOR };
  const credential = read.credential(hash);
  if (credential?.kind !== 'connector' || credential.connector_key === null) throw new FairleadError('unauthenticated');
  return {
    kind: 'connector',
    connector_key: credential.connector_key,
    instance_id: instanceOf(headers['fairlead-instance']),
    principal: principalOf(headers['fairlead-principal']),
  };
};
