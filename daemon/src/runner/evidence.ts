import { constants, createReadStream } from 'node:fs';
import { lstat, opendir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { newResourceId } from '@fairlead/shared/contract/ids';
import { LIMITS } from '@fairlead/shared/contract/limits';
import type { ArtifactKind, ArtifactRecord, AttemptRecord } from '../core/records.ts';
import type { ArtifactFiles, StoredFile } from '../ledger/artifact-files.ts';
import type { Masked, Redactor, RedactorStream } from '../process/redactor.ts';

/** A row of evidence that is not recorded yet; its bytes are stored already. */
export type NewArtifact = Omit<ArtifactRecord, 'created_at'>;

type Owner = Pick<AttemptRecord, 'id' | 'step_id' | 'run_id' | 'instance_id'>;

/** Makes the row of a stored file. */
export const artifactRow = (
  owner: Owner,
  file: StoredFile,
  about: { readonly kind: ArtifactKind; readonly name: string; readonly media_type: string; readonly redactions?: Masked },
): NewArtifact => ({
  id: newResourceId('art', owner.instance_id),
  instance_id: owner.instance_id,
  run_id: owner.run_id,
  step_id: owner.step_id,
  attempt_id: owner.id,
  kind: about.kind,
  name: about.name,
  media_type: about.media_type,
  size: file.size,
  sha256: file.sha256,
  redactions: about.redactions ?? {},
});

/** Plain files below a folder, in a stable order, at most `LIMITS.artifacts_per_attempt`. Links and special files are left where they are. */
const plainFiles = async (folder: string): Promise<string[]> => {
  const found: string[] = [];
  const walk = async (at: string): Promise<void> => {
    const entries = [];
    for await (const entry of await opendir(at)) entries.push(entry);
    for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
      if (found.length >= LIMITS.artifacts_per_attempt.value) return;
      const path = join(at, entry.name);
      if (entry.isDirectory()) await walk(path);
      else if (entry.isFile() && (await lstat(path)).size <= LIMITS.artifact.value) found.push(path);
    }
  };
  await walk(folder);
  return found;
};

async function* redacted(path: string, stream: RedactorStream): AsyncGenerator<Uint8Array> {
  const flags = (constants.O_RDONLY | constants.O_NOFOLLOW) as unknown as string;
  for await (const chunk of createReadStream(path, { flags })) yield stream.push(chunk as Buffer);
  yield stream.end();
}

/** Takes the files of a `$FAIRLEAD_OUT` folder as artifacts, redacted like any output. A missing folder is an empty one. */
export const collectOut = async (
  owner: Owner,
  folder: string,
  { artifacts, redactor }: { readonly artifacts: ArtifactFiles; readonly redactor: Redactor },
): Promise<NewArtifact[]> => {
  const rows: NewArtifact[] = [];
  const there = await lstat(folder).catch(() => undefined);
  if (!there?.isDirectory()) return rows;
  for (const path of await plainFiles(folder)) {
    const stream = redactor.stream();
    const file = await artifacts.storeStream(redacted(path, stream));
    const name = relative(folder, path);
    rows.push(artifactRow(owner, file, { kind: 'out_file', name, media_type: 'application/octet-stream', redactions: stream.masked }));
  }
  return rows;
};
