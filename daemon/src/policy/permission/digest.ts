import { digestOf } from '../../core/digest.ts';
import type { ParsedRequest, PermissionRequest } from './request.ts';

/** A file that would be executed, as it was observed in the workspace: the digest of its bytes, or null where there is none. */
export interface ExecutedFile {
  /** As in `ParsedRequest.executes`. */
  readonly path: string;
  readonly digest: string | null;
}

/**
 * What a person's decision binds: the request byte for byte, what was parsed of it, and the content of every file that it would
 * execute. Equal requests on equal files have equal digests, in whatever order the files are given.
 * @param request one that `judgePermission` did not find malformed; its input is JSON then
 */
export const permissionDigest = (request: PermissionRequest, parsed: ParsedRequest, files: readonly ExecutedFile[]): string =>
  digestOf({
    request: {
      tool: request.tool,
      kind: request.kind,
      command: request.command ?? null,
      cwd: request.cwd ?? null,
      paths: request.paths ?? null,
      urls: request.urls ?? null,
      input: request.input,
    },
    parsed: { commands: parsed.commands, reads: parsed.reads, writes: parsed.writes, urls: parsed.urls, executes: parsed.executes },
    files: files
      .map(({ path, digest }) => ({ path, digest }))
      .toSorted((one, other) => (one.path < other.path ? -1 : one.path > other.path ? 1 : 0)),
  });
