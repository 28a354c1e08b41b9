import { LIMITS } from '@fairlead/shared/contract/limits';
import { systemClock } from '@fairlead/shared/kit/clock';
import { printable } from '@fairlead/shared/kit/printable';
import type { Command } from 'commander';
import type { Files } from '../config/files.ts';
import { readIdentity } from '../identity/identity.ts';
import { daemonAccess } from '../share/daemon-access.ts';
import { discover, type Discovery } from '../share/discover.ts';
import { judgeShare } from '../share/judge.ts';
import { readShares } from '../share/share-file.ts';
import { addCommand, many, type Streams } from './context.ts';
import { positive } from './numbers.ts';

interface DiscoverOptions {
  readonly root?: string[];
  readonly depth?: string;
}

/** The instances that planners can ask for now. Without an identity nothing is shared, whatever the file says. */
const sharedNow = async (files: Files): Promise<Set<string>> => {
  const identity = await readIdentity(files);
  if (!identity) return new Set();
  const now = systemClock.now();
  const served = (await readShares(files)).map((record) => judgeShare(record, identity, now).served);
  return new Set(
    served.filter((share) => share.distrust === null && !share.revoked && now < share.expiresAt).map(({ instanceId }) => instanceId),
  );
};

const remarks = ({ items, folders, unreadable, truncated }: Discovery): string[] => [
  ...(truncated ? [`The search ended after ${folders} folders; name narrower ones with --root.`] : []),
  ...(unreadable > 0 ? [`${unreadable} ${unreadable === 1 ? 'folder' : 'folders'} could not be read.`] : []),
  ...(items.some(({ standing }) => standing === 'found') ? ['To register one: fairlead add PATH.'] : []),
  ...(items.some(({ standing }) => standing === 'registered') ? ['To share one: fairlead-connector share --instance ID.'] : []),
];

export const discoverCommand = (program: Command, streams: Streams): void => {
  addCommand(
    program,
    streams,
    { use: 'discover', text: 'look for repositories that could be shared; registers and shares nothing' },
    async ({ files, settings, out }, command) => {
      const { root = [], depth } = command.opts<DiscoverOptions>();
      const levels = positive(depth, '--depth') ?? LIMITS.discover_depth.value;
      const [{ operator }, shared] = await Promise.all([daemonAccess(settings), sharedNow(files)]);
      const discovery = await discover({ operator, shared, roots: root, depth: levels });
      const { items } = discovery;
      out.result(discovery, () =>
        items.length === 0
          ? 'Nothing was found. Name folders to search with --root FOLDER.'
          : out.table([
              ['STANDING', 'PATH', 'INSTANCE', 'LABEL'],
              ...items.map(({ standing, path, instance_id, label }) => [standing, printable(path), instance_id ?? '-', label ?? '-']),
            ]),
      );
      for (const remark of remarks(discovery)) out.note(remark);
      out.note('Nothing was registered or shared by this.');
    },
  )
    .option('--root <folder>', 'search below this folder too; links are not followed; may be repeated', many)
    .option('--depth <n>', `how many levels below each --root; default: ${LIMITS.discover_depth.value}`);
};
