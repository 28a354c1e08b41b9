import { isUtf8 } from 'node:buffer';

/** A file name of git as text. Bytes that are no UTF-8 are shown as \xNN, so that every name can be printed and compared. */
export const nameOf = (bytes: Buffer): string => {
  if (isUtf8(bytes)) return bytes.toString('utf8');
  let text = '';
  for (let at = 0; at < bytes.length;) {
    const length = sequenceLength(bytes[at]!);
    const part = bytes.subarray(at, at + length);
    if (part.length === length && isUtf8(part)) {
      text += part.toString('utf8');
      at += length;
    } else {
      text += `\\x${bytes[at]!.toString(16).padStart(2, '0')}`;
      at++;
    }
  }
  return text;
};

const sequenceLength = (first: number): number => {
  if (first < 0x80) return 1;
  if (first < 0xe0) return 2;
  return first < 0xf0 ? 3 : 4;
};

/** The fields of output that git ends with NUL each. */
export const splitNul = (bytes: Buffer): Buffer[] => {
  const fields: Buffer[] = [];
  let start = 0;
  for (let at = bytes.indexOf(0); at !== -1; at = bytes.indexOf(0, start)) {
    fields.push(bytes.subarray(start, at));
    start = at + 1;
  }
  if (start < bytes.length) fields.push(bytes.subarray(start));
  return fields;
};
