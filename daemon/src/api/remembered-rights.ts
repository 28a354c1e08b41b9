import type { CredentialRecord, GrantRecord, InstanceRecord } from '../core/records.ts';
import type { Ledger, Reads } from '../ledger/ledger.ts';
import { rememberBetweenCommits } from './between-commits.ts';

/** What every request asks about who may do what. */
export type RightsReads = Pick<Reads, 'credential' | 'grantFor' | 'instance' | 'halted'>;

/** The same answers, remembered between commits: a right that is withdrawn is withdrawn by a commit. */
export const rememberRights = (ledger: Pick<Ledger, 'read' | 'onCommit'>): RightsReads => {
  const { read } = ledger;
  const credentials = rememberBetweenCommits<CredentialRecord>(ledger);
  const grants = rememberBetweenCommits<GrantRecord>(ledger);
  const instances = rememberBetweenCommits<InstanceRecord>(ledger);
  const latch = rememberBetweenCommits<boolean>(ledger);
  return {
    credential: (hash) => credentials.get(hash, () => read.credential(hash)),
    grantFor: (of) => grants.get(`${of.connector_key} ${of.instance_id}`, () => read.grantFor(of)),
    instance: (id) => instances.get(id, () => read.instance(id)),
    halted: () => latch.get('halted', () => read.halted()) ?? false,
  };
};
