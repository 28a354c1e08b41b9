import { applyPatch } from '../git/apply-patch.ts';
import { readDifference } from '../git/difference.ts';
import type { Store } from '../git/store.ts';

const HEAD = Buffer.from('diff --git ');

/** Cuts a git diff into the sections of its files. A line of content never begins like a header, so that the cut is exact. */
export const sectionsOf = (patch: Buffer): Buffer[] => {
  const starts: number[] = [];
  for (let at = patch.indexOf(HEAD); at !== -1; at = patch.indexOf(HEAD, at + 1)) if (at === 0 || patch[at - 1] === 0x0a) starts.push(at);
  return starts.map((start, index) => patch.subarray(start, starts[index + 1] ?? patch.length));
};

/**
 * The tree of a snapshot with some paths put back as they are in its base: the reverse difference of just these is applied to it.
 * @throws FairleadError `patch_not_applicable` and its kin for entries that are no plain files
 */
export const restoreJudges = async (store: Store, change: { readonly base: string; readonly snapshot: string }, paths: ReadonlySet<string>): Promise<string> => {
  const chunks: Buffer[] = [];
  const { entries } = await readDifference(store, change.snapshot, change.base, (chunk) => void chunks.push(chunk));
  const sections = sectionsOf(Buffer.concat(chunks));
  // A change of kind is two sections of one path; such a change is left to the person whom its gate asks.
  if (sections.length !== entries.length) throw new Error('The difference has other sections than entries');
  return applyPatch(store, change.snapshot, Buffer.concat(sections.filter((_, index) => paths.has(entries[index]!.path))));
};
