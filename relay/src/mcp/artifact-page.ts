import { isUtf8 } from 'node:buffer';
import { LIMITS } from '@fairlead/shared/contract/limits';

/** Most bytes of an artifact that one tool answer carries. */
export const PAGE_BYTES = LIMITS.log_page.value;

interface Page {
  readonly encoding: 'utf-8' | 'base64';
  readonly content: string;
  /** How many of the bytes are in the content; the rest belongs to the next page. */
  readonly used: number;
}

/**
 * Bytes as text where they are text, and as base64 otherwise. A character that the end of the page cut is left for the next page.
 * @param last whether the artifact ends with these bytes
 */
export const artifactPage = (bytes: Buffer, last: boolean): Page => {
  for (let cut = 0; cut <= (last ? 0 : 3) && cut < bytes.length; cut++) {
    const part = bytes.subarray(0, bytes.length - cut);
    if (isUtf8(part)) return { encoding: 'utf-8', content: part.toString('utf8'), used: part.length };
  }
  if (bytes.length === 0) return { encoding: 'utf-8', content: '', used: 0 };
  return { encoding: 'base64', content: bytes.toString('base64'), used: bytes.length };
};
