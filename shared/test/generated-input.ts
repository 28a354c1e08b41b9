import * as fc from 'fast-check';
import * as z from 'zod';

type Schema = z.core.$ZodType;
/** What JSON Schema says of a string or number. */
interface Facts {
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly pattern?: string;
  readonly contentEncoding?: string;
}

const factsOf = (schema: Schema): Facts => z.toJSONSchema(schema, { io: 'input' }) as Facts;

const stringsOf = ({ minLength = 0, maxLength = 40, pattern, contentEncoding }: Facts): fc.Arbitrary<string> => {
  if (contentEncoding === 'base64') return fc.base64String({ maxLength: 40 });
  if (pattern?.includes('refs')) return fc.stringMatching(/^[a-z]{1,20}$/).map((name) => `refs/heads/${name}`);
  if (pattern !== undefined && !pattern.includes('\\p')) return fc.stringMatching(new RegExp(pattern));
  return fc.string({ minLength, maxLength: Math.min(maxLength, minLength + 40), unit: 'grapheme' });
};

const numbersOf = ({ minimum = 0, maximum = 1_000_000 }: Facts): fc.Arbitrary<number> =>
  fc.integer({ min: Math.max(minimum, 0), max: Math.min(maximum, 0x7fff_ffff) });

const leafOf = (schema: Schema): fc.Arbitrary<unknown> => {
  const { def } = schema._zod;
  switch (def.type as string) {
    case 'string':
      return stringsOf(factsOf(schema));
    case 'number':
      return numbersOf(factsOf(schema));
    case 'boolean':
      return fc.boolean();
    case 'enum':
      return fc.constantFrom(...Object.values((def as z.core.$ZodEnumDef).entries));
    case 'literal':
      return fc.constantFrom(...(def as z.core.$ZodLiteralDef<z.core.util.Literal>).values);
    default:
      throw new TypeError(`no generator for ${def.type}`);
  }
};

/** Values that a schema of an operation accepts, generated from the schema itself: what adds an operation adds its tests. */
export const generated = (schema: Schema): fc.Arbitrary<unknown> => {
  const { def } = schema._zod;
  switch (def.type as string) {
    case 'object': {
      const { shape } = def as z.core.$ZodObjectDef;
      const required = Object.keys(shape).filter((name) => shape[name]!._zod.optin !== 'optional');
      return fc.record(Object.fromEntries(Object.entries(shape).map(([name, member]) => [name, generated(member)])), {
        requiredKeys: required,
      });
    }
    case 'array': {
      const { element } = def as z.core.$ZodArrayDef;
      const { minItems: minimum = 0 } = factsOf(schema);
      return fc.array(generated(element), { minLength: minimum, maxLength: minimum + 3 });
    }
    case 'record': {
      const { keyType, valueType } = def as z.core.$ZodRecordDef;
      return fc.dictionary(generated(keyType) as fc.Arbitrary<string>, generated(valueType), { maxKeys: 3 });
    }
    case 'unknown':
      return fc.jsonValue({ maxDepth: 2 });
    case 'union':
      return fc.oneof(...(def as z.core.$ZodUnionDef).options.map((option) => generated(option)));
    case 'nullable':
      return fc.option(generated((def as z.core.$ZodNullableDef).innerType));
    case 'optional':
    case 'default':
    case 'prefault':
      return generated((def as z.core.$ZodDefaultDef).innerType);
    default:
      return leafOf(schema).filter((value) => accepts(schema, value));
  }
};

const accepts = (schema: Schema, value: unknown): boolean => (schema as z.ZodType).safeParse(value).success;

/** Inputs of an operation, as a caller may write them. */
export const generatedInput = (schema: z.ZodObject): fc.Arbitrary<Record<string, unknown>> =>
  generated(schema) as fc.Arbitrary<Record<string, unknown>>;
