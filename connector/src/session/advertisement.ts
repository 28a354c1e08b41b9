import type { Descriptor } from '@fairlead/shared/wire/frames';
import type { Allowlist } from '../core/allowlist.ts';
import type { JudgedShare } from '../share/judge.ts';
import type { ShareSet } from '../share/share-set.ts';

const descriptorOf = ({ record, served }: JudgedShare, granted: readonly string[], allowlist: Allowlist): Descriptor => {
  const asked = (name: string) => {
    const row = allowlist.get(name);
    return row !== undefined && (row.effect !== 'decide' || served.acceptsDecisions);
  };
  const { label, machine, default_branch, executors, origin_digest } = record.descriptor;
  return {
    instance_id: record.instance_id,
    label: label.slice(0, 100),
    machine: machine.slice(0, 100),
    default_branch,
    executors: served.executors ? executors.filter((id) => served.executors!.has(id)) : executors,
    operations: granted.filter(asked),
    origin_digest,
    delegation: record.delegation,
  };
};

/**
 * The authoritative full set for the relay. A share whose proof does not hold is left out, because the relay would refuse it; one whose
 * grant copy was altered stays, with the operations it had, so that who asks hears `grant_untrusted` and not that the machine is away.
 */
export const advertisementOf = (set: ShareSet, allowlist: Allowlist): Descriptor[] =>
  [...set.shares.values()]
    .filter(({ served }) => served.distrust !== 'delegation_invalid')
    .map((share) => descriptorOf(share, set.advertised(share.record.instance_id), allowlist));
