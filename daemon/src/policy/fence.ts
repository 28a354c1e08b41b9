import type { FenceFinding } from '@fairlead/shared/contract/resources';
import type { EffectivePolicy } from './effective.ts';

/** One entry of a raw tree difference (`diff-tree -r -z --raw --no-renames`). Modes are six octal digits; `000000` is absent. */
export interface RawDiffEntry {
  /** Relative, forward slashes. Bytes that are not UTF-8 are written `\xNN`. */
  readonly path: string;
  readonly status: 'added' | 'modified' | 'deleted' | 'type_changed';
  readonly old_mode: string;
  readonly new_mode: string;
  readonly old_object: string;
  readonly new_object: string;
  /** Where a new or changed symbolic link points; the content of its blob. */
  readonly link_target?: string;
}

/** Lines per path as numstat counts them; null for binary files. */
export interface LineCount {
  readonly path: string;
  readonly added: number | null;
  readonly removed: number | null;
}

/** What the fence is judged on. */
export interface FenceFacts {
  readonly entries: readonly RawDiffEntry[];
  readonly numstat: readonly LineCount[];
  /** All paths of the resulting tree, to find names that collide; may be empty when nothing is added. */
  readonly names: readonly string[];
  /** Findings from before hashing: a FIFO, a device, a file over the limit, a nested repository. */
  readonly earlier?: readonly FenceFinding[];
  readonly effective: EffectivePolicy;
}
