import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import { FairleadError } from '@fairlead/shared/contract/errors';
import type { ProjectPolicy } from '@fairlead/shared/contract/project-policy';
import type { InstanceParts } from '../api/instance-reads.ts';
import type { RepositoryPort } from '../commands/command.ts';
import type { InstanceRecord } from '../core/records.ts';
import { checkPatchForm } from '../git/patch-form.ts';
import { isReachable } from '../git/reachable.ts';
import { inspectRepository, readTips } from '../git/repository.ts';
import { syncStore } from '../git/store.ts';
import { refsFor } from '../runner/base.ts';
import type { Grounds } from '../runner/grounds.ts';
import { ownerPolicyOf } from '../runner/policy-in-force.ts';

/** What commands and the api ask of repositories, answered by git. */
export type Repositories = RepositoryPort & InstanceParts['repositories'];

const refsOf = (instance: InstanceRecord): string[] => refsFor(instance, { target: instance.target });

/** Only the digest of an origin may leave the machine: the URL may hold a password, and says where the code lives. */
const originDigest = (url: string | null): string | null =>
  url === null ? null : `sha256:${createHash('sha256').update(url).digest('hex')}`;

/** Adapts git, the stores and the owner's overrides to the ports. */
export const createRepositories = (grounds: Grounds, override: (instanceId: string) => ProjectPolicy | undefined): Repositories => ({
  async inspect(path) {
    const facts = await inspectRepository(path);
    const real = facts.work_tree ?? facts.git_dir;
    return {
      path: real,
      head: facts.head_ref,
      branches: facts.branches.map(({ ref }) => ref),
      origin_digest: originDigest(facts.origin_url),
      name: basename(real).replace(/\.git$/, '') || 'repository',
    };
  },
  async createStore(instance) {
    const facts = await inspectRepository(instance.repository);
    const ref = facts.head_ref ?? facts.default_branch;
    await grounds.create(instance, ref === null ? [] : [ref]);
  },
  async ownerPolicy(instance) {
    const ground = await grounds.of(instance);
    const tips = await syncStore(ground.store, ground.repository, refsOf(instance));
    return ownerPolicyOf(ground, instance, tips, override(instance.id));
  },
  async tip(instance, ref) {
    const { repository } = await grounds.of(instance);
    return (await readTips(repository, [ref])).get(ref) ?? null;
  },
  async reaches(instance, commit, refs) {
    const { repository, store } = await grounds.of(instance);
    const tips = await syncStore(store, repository, [...new Set([...refsOf(instance), ...refs])]);
    return (await isReachable(
      store,
      commit,
      refs.flatMap((ref) => tips.get(ref) ?? []),
    ))
      ? 'reached'
      : 'not_reached';
  },
  checkPatch: async (patch) => checkPatchForm(patch),
  async atTarget(instance) {
    const { repository, store } = await grounds.of(instance);
    const commit = (await syncStore(store, repository, [instance.target])).get(instance.target);
    if (commit === undefined)
      throw new FairleadError('base_unknown', { field: 'revision', detail: `The branch ${instance.target} does not exist any more` });
    return { store, commit };
  },
  store: async (instance) => (await grounds.of(instance)).store,
});
