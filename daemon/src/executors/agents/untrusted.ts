/** A JSON object of an agent, of which nothing is known yet. */
export type Message = Readonly<Record<string, unknown>>;

export const isObject = (value: unknown): value is Message => typeof value === 'object' && value !== null && !Array.isArray(value);

/** The object that a member ought to be; an empty one in place of anything else. */
export const objectOf = (value: unknown): Message => (isObject(value) ? value : {});

/** The objects of a list; what is none of them is left out. */
export const objectsOf = (value: unknown): readonly Message[] => (Array.isArray(value) ? value.filter(isObject) : []);

/** The texts of a list; what is none of them is left out. */
export const textsOf = (value: unknown): readonly string[] =>
  Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : [];

/** A text; an empty one in place of anything else. */
export const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

/** A number from 0 up; null in place of anything else. */
export const amountOf = (value: unknown): number | null =>
  typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : null;

/** A count, rounded to a whole number; null in place of anything else. */
export const countOf = (value: unknown): number | null => {
  const found = amountOf(value);
  return found === null ? null : Math.round(found);
};
