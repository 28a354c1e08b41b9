import { isUtf8 } from 'node:buffer';
import { FairleadError } from '@fairlead/shared/contract/errors';
import { LIMITS } from '@fairlead/shared/contract/limits';
import { RawAnswer, type RequestContext } from '@fairlead/shared/kit/http-server';
import type { Asker } from '../commands/command.ts';
import type { ArtifactRecord } from '../core/records.ts';
import type { ArtifactFiles } from '../ledger/artifact-files.ts';
import type { Reads } from '../ledger/ledger.ts';
import type { HandlersOf } from './asked.ts';
import { found } from './found.ts';

export interface EvidenceParts {
  readonly read: Reads;
  readonly artifacts: ArtifactFiles;
}

/** Cuts bytes so that no character is split at the end, where they are text at all. */
const wholeCharacters = (bytes: Buffer): Buffer => {
  for (let cut = 0; cut <= 3 && cut <= bytes.length; cut++) {
    const part = bytes.subarray(0, bytes.length - cut);
    if (isUtf8(part)) return part;
  }
  return bytes;
};

/** Bytes as a field of JSON: as text where they are UTF-8 without NUL, else as base64. */
export const jsonBytes = (all: Buffer, isEnd: boolean): { encoding: 'utf-8' | 'base64'; content: string; length: number } => {
  const part = isEnd ? all : wholeCharacters(all);
  if (isUtf8(part) && !part.includes(0) && (part.length > 0 || all.length === 0))
    return { encoding: 'utf-8', content: part.toString('utf8'), length: part.length };
  return { encoding: 'base64', content: all.toString('base64'), length: all.length };
};

/** Whether the caller wants a page of the bytes as JSON, as planners over MCP do. */
const wantsJson = ({ headers }: RequestContext): boolean => /^application\/json\s*(;|$)/i.test(headers.accept ?? '');

const asBytes = async (
  artifacts: ArtifactFiles,
  artifact: ArtifactRecord,
  offset: number,
  length: number | undefined,
): Promise<RawAnswer> => {
  const size = Math.max(0, Math.min(length ?? Infinity, artifact.size - offset));
  const body = size === 0 ? new Uint8Array() : await artifacts.stream(artifact.sha256, { offset, length: size });
  return new RawAnswer(body, {
    headers: {
      // Never a type that anything would render: evidence is untrusted content.
      'content-type': 'application/octet-stream',
      'content-disposition': `attachment; filename="${artifact.id}"`,
      etag: `"${artifact.sha256}"`,
      'fairlead-size': String(artifact.size),
      ...(size > 0 && { 'content-length': String(size) }),
    },
  });
};

/**
 * A bundle of an agent's commits is compressed, so that nothing could be masked in it: whoever is far away reads the patch, which is.
 * @throws FairleadError `local_only`
 */
const checkMayLeave = ({ kind }: ArtifactRecord, { remote }: Asker): void => {
  if (!remote || kind !== 'agent_commits') return;
  throw new FairleadError('local_only', {
    detail: 'The commits of an agent cannot be redacted, and stay on the machine',
    hint: 'Read the patch of the change instead; the owner reads the bundle at the machine.',
  });
};

/** Evidence files: bytes that are verified before the first is given. */
export const evidenceReads = ({ read, artifacts }: EvidenceParts): HandlersOf<'get_artifact_content'> => ({
  get_artifact_content: async ({ artifact_id, offset, length }, { asker, context }) => {
    const artifact = found(read.artifact(artifact_id));
    checkMayLeave(artifact, asker);
    if (!wantsJson(context)) return asBytes(artifacts, artifact, offset, length);
    const wanted = Math.min(length ?? LIMITS.file_read.value, LIMITS.file_read.value);
    const bytes = offset >= artifact.size ? Buffer.alloc(0) : await artifacts.read(artifact.sha256, { offset, length: wanted });
    const part = jsonBytes(bytes, offset + bytes.length >= artifact.size);
    const next = offset + part.length;
    return {
      artifact_id,
      size: artifact.size,
      offset,
      encoding: part.encoding,
      content: part.content,
      next_offset: next < artifact.size ? next : null,
    };
  },
});
