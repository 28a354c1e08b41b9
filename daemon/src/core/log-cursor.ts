/** A place in an attempt's activity, as contract `LogCursor` carries it: which attempt of its step, and the byte to read on from. */
export interface LogPlace {
  readonly attempt: number;
  readonly offset: number;
}

const FORM = /^l([0-9a-z]{1,6})\.([0-9a-z]{1,11})$/;

export const formatLogCursor = ({ attempt, offset }: LogPlace): string => `l${attempt.toString(36)}.${offset.toString(36)}`;

/** Reads a log cursor, or answers `undefined` for anything that is not one. */
export const parseLogCursor = (cursor: string): LogPlace | undefined => {
  const match = FORM.exec(cursor);
  if (!match) return undefined;
  const [attempt, offset] = [Number.parseInt(match[1]!, 36), Number.parseInt(match[2]!, 36)];
  return Number.isSafeInteger(offset) && attempt > 0 ? { attempt, offset } : undefined;
};
