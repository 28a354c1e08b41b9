import type * as z from 'zod';

type Schema = z.core.$ZodType;

const asRecord = (value: unknown): Readonly<Record<string, unknown>> => (typeof value === 'object' && value !== null ? { ...value } : {});

/** The object schemas that a schema may stand for; wrappers such as optional and default are looked through. */
const objectsIn = (schema: Schema): Schema[] => {
  const { def } = schema._zod;
  if (def.type === 'object') return [schema];
  const { innerType, in: input, options } = asRecord(def);
  return [innerType, input, ...(Array.isArray(options) ? (options as unknown[]) : [])].flatMap((one) =>
    one === undefined ? [] : objectsIn(one as Schema),
  );
};

/** What stands below a step of a path: a field, an entry of a list or of a record. */
const below = (schema: Schema, step: PropertyKey): Schema[] => {
  const { def } = schema._zod;
  const { innerType, in: input, options, shape, element, valueType } = asRecord(def);
  if (shape !== undefined) return Object.hasOwn(shape as object, step) ? [asRecord(shape)[String(step)] as Schema] : [];
  if (element !== undefined || valueType !== undefined) return [(element ?? valueType) as Schema];
  return [innerType, input, ...(Array.isArray(options) ? (options as unknown[]) : [])].flatMap((one) =>
    one === undefined ? [] : below(one as Schema, step),
  );
};

/** The keys that an object at a path of a schema may have; none where there is no object. */
export const keysAt = (schema: Schema, path: readonly PropertyKey[]): string[] => {
  const found = path.reduce<Schema[]>((all, step) => all.flatMap((one) => below(one, step)), [schema]);
  return [...new Set(found.flatMap(objectsIn).flatMap((one) => Object.keys(asRecord(asRecord(one._zod.def)['shape']))))];
};

/** How many letters have to be put in, left out, replaced or swapped with their neighbour to make one word of another. */
const distance = (one: string, other: string): number => {
  const rows = [Array.from({ length: other.length + 1 }, (_, at) => at)];
  for (let i = 1; i <= one.length; i++) {
    const row = [i];
    for (let j = 1; j <= other.length; j++) {
      const same = one[i - 1] === other[j - 1];
      row[j] = Math.min(rows[i - 1]![j]! + 1, row[j - 1]! + 1, rows[i - 1]![j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1])
        row[j] = Math.min(row[j]!, rows[i - 2]![j - 2]! + 1);
    }
    rows.push(row);
  }
  return rows[one.length]![other.length]!;
};

/** Keys that come from outside may be long; a misspelling is not. */
const LONGEST = 64;

/** The known key that a misspelt one was meant to be, or undefined where none is near. */
export const nearestKey = (word: string, known: readonly string[]): string | undefined => {
  if (word.length > LONGEST) return undefined;
  const near = known
    .map((key) => ({ key, far: distance(word.toLowerCase(), key) }))
    .filter(({ key, far }) => far <= Math.max(1, Math.floor(Math.min(key.length, word.length) / 3)));
  return near.toSorted((a, b) => a.far - b.far)[0]?.key;
};
