/** Numbers that look random and follow from a seed. */
export interface Dice {
  /** A whole number from 0 up to but not including `below`. */
  roll(below: number): number;
  pick<T>(of: readonly T[]): T;
}

/** Mulberry32: small, fast, and good enough to find faults with. */
export const dice = (seed: number): Dice => {
  let state = seed >>> 0;
  const roll = (below: number): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
  return { roll, pick: (of) => of[roll(of.length)]! };
};

/** What parsers stumble over. */
const EVIL: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  1e308,
  2 ** 53,
  -0.5,
  '',
  ' ',
  '\u0000',
  '\u202e',
  '\ud800',
  '../..',
  '/etc/passwd',
  '.git',
  '*'.repeat(80),
  '**/**/**',
  'a'.repeat(5000),
  [],
  {},
  [[[[[[]]]]]],
  { constructor: 1 },
  'toString',
  '${x}',
  '%00',
  '%2e%2e%2f',
  'ins_',
  'step_',
  'NaN',
  '1e999',
];
const BYTES = [
  '\0',
  '\n',
  '"',
  '\\',
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '\u00ff',
  '*',
  '/',
  '__proto__',
  '\\ud800',
  '9'.repeat(30),
  '-',
  '@@',
  '%',
  '[['.repeat(40),
];

/** A copy of a JSON value with one thing changed somewhere in it. */
export const mutateValue = (value: unknown, by: Dice): unknown => {
  if (typeof value !== 'object' || value === null || by.roll(8) === 0) return by.pick(EVIL);
  if (Array.isArray(value)) {
    if (value.length === 0 || by.roll(5) === 0) return [...(value as unknown[]), by.pick(EVIL)];
    const at = by.roll(value.length);
    return by.roll(4) === 0
      ? value.filter((_, index) => index !== at)
      : value.map((one, index) => (index === at ? mutateValue(one, by) : one) as unknown);
  }
  const entries = Object.entries(value);
  const at = by.roll(entries.length + 1);
  const entry = entries[at];
  if (!entry)
    return Object.fromEntries([...entries, [by.pick(['x', 'toString', 'argv', 'path', 'instance_id', 'constructor']), by.pick(EVIL)]]);
  const rest = entries.filter((_, index) => index !== at);
  if (by.roll(5) === 0) return Object.fromEntries(rest);
  return Object.fromEntries([...rest, [by.roll(12) === 0 ? `${entry[0]}x` : entry[0], mutateValue(entry[1], by)]]);
};

/** Text with a few pieces cut, doubled, put elsewhere or replaced. */
export const mutateText = (text: string, by: Dice): string => {
  let now = text;
  for (let times = 1 + by.roll(4); times > 0; times--) {
    const at = by.roll(now.length + 1);
    const to = Math.min(now.length, at + 1 + by.roll(12));
    const piece = now.slice(at, to);
    switch (by.roll(5)) {
      case 0:
        now = now.slice(0, at) + now.slice(to);
        break;
      case 1:
        now = now.slice(0, at) + piece.repeat(2 + by.roll(6)) + now.slice(to);
        break;
      case 2:
        now = now.slice(0, at) + by.pick(BYTES) + now.slice(to);
        break;
      case 3:
        now = now.slice(0, at) + String.fromCharCode(by.roll(256)) + now.slice(at + 1);
        break;
      default:
        now = now.slice(0, at);
    }
  }
  return now.length > 60_000 ? now.slice(0, 60_000) : now;
};
