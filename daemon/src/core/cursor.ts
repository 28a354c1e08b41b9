/** A position in an instance's history, as contract `Cursor` carries it: the ledger's epoch and the instance's sequence. */
export interface Position {
  readonly epoch: string;
  readonly seq: number;
}

const FORM = /^c([0-9a-z]{8})\.([0-9a-z]{1,11})$/;

export const formatCursor = ({ epoch, seq }: Position): string => `c${epoch}.${seq.toString(36)}`;

/** Reads a cursor, or answers `undefined` for anything that is not one. */
export const parseCursor = (cursor: string): Position | undefined => {
  const match = FORM.exec(cursor);
  if (!match) return undefined;
  const seq = Number.parseInt(match[2]!, 36);
  return Number.isSafeInteger(seq) ? { epoch: match[1]!, seq } : undefined;
};

/**
 * Where to read on from. A cursor of another epoch, or beyond the head, comes from a history that this ledger does not hold:
 * the answer is `gap`, and what follows starts at the head.
 */
export const resumeAt = (cursor: string | undefined, epoch: string, head: number): { after: number; resumed: 'resumed' | 'gap' } => {
  if (cursor === undefined) return { after: head, resumed: 'resumed' };
  const position = parseCursor(cursor);
  if (!position || position.epoch !== epoch || position.seq > head) return { after: head, resumed: 'gap' };
  return { after: position.seq, resumed: 'resumed' };
};
