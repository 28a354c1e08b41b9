import type { CredentialRecord, GrantRecord, InstanceRecord } from '../core/records.ts';
import type { Ledger, Reads } from '../ledger/ledger.ts';

/** What every request asks about who may do what. */
export type RightsReads = Pick<Reads, 'credential' | 'grantFor' | 'instance' | 'halted'>;

/**
 * The same answers without asking the database for each request. Everything is forgotten at each commit, before anyone hears of it, so
 * that a withdrawn right is never remembered; only what was found is kept, so it never grows beyond the rows there are.
 */
export const rememberRights = ({ read, onCommit }: Pick<Ledger, 'read' | 'onCommit'>): RightsReads => {
  const credentials = new Map<string, CredentialRecord>();
  const grants = new Map<string, GrantRecord>();
  const instances = new Map<string, InstanceRecord>();
  let halted: boolean | undefined;
  onCommit(() => {
    credentials.clear();
    grants.clear();
    instances.clear();
    halted = undefined;
  });
  const kept = <R>(memory: Map<string, R>, key: string, look: () => R | undefined): R | undefined => {
    const known = memory.get(key);
    if (known !== undefined) return known;
    const found = look();
    if (found !== undefined) memory.set(key, found);
    return found;
  };
  return {
    credential: (hash) => kept(credentials, hash, () => read.credential(hash)),
    grantFor: (of) => kept(grants, `${of.connector_key} ${of.instance_id}`, () => read.grantFor(of)),
    instance: (id) => kept(instances, id, () => read.instance(id)),
    halted: () => (halted ??= read.halted()),
  };
};
