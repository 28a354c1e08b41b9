import type { Problem } from '@fairlead/shared/contract/errors';
import type { Operation } from '@fairlead/shared/contract/operations/operation';

const asRecord = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};

/** A short text beside the structured answer, for clients and people that do not read the structure. */
export const wordsFor = (row: Operation, value: unknown): string => {
  const answer = asRecord(value);
  if (typeof answer['sentence'] === 'string') return answer['sentence'];
  if (Array.isArray(answer['items']))
    return `${row.title}: ${answer['items'].length} ${answer['items'].length === 1 ? 'entry' : 'entries'}.`;
  const { id, state } = answer;
  if (typeof id === 'string') return `${row.title}: ${id}${typeof state === 'string' ? ` is ${state}` : ''}.`;
  return `${row.title}: done.`;
};

/** An error in one line, for clients and people that do not read the structure. */
export const wordsForProblem = ({ code, detail, title, hint }: Problem): string =>
  [`${code}:`, `${(detail ?? title).replace(/[.]+$/, '')}.`, hint].filter(Boolean).join(' ');
