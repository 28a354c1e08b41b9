import type { Line } from './peer.ts';

/** Lists that tell what an agent could do, not what it does; two entries show their form. */
const LONG_LIST = /commands|skill|tools|agents|models|^options$/i;
const LIST_KEPT = 2;
const TEXT_KEPT = 1000;

const UUID = /\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g;
const PREFIXED = /\b(msg|toolu|call|fc|rs|resp|ses|prt|req|r)(_{0,2})([0-9a-zA-Z]{20,30})\b/g;
/** What differs from run to run and means nothing, with what stands for it. */
const VOLATILE: readonly (readonly [RegExp, string])[] = [
  [/\b20\d\d-\d\d-\d\dT\d\d[:-]\d\d[:-]\d\d(\.\d+)?Z?/g, '2026-01-01T00:00:00.000Z'],
  [/\b1[789]\d{11}\b/g, '1790000000000'],
  [/\b1[789]\d{8}\b/g, '1790000000'],
  [/("(?:duration|ttft|time_to_)[A-Za-z_]*":)\d+(\.\d+)?/g, '$11'],
  [/("(?:duration|ttft)_[a-z_]*ms":)\d+/g, '$11'],
  [/("processId":)"\d+"/g, '$1"1"'],
  [/sessions\/20\d\d\/\d\d\/\d\d/g, 'sessions/2026/01/01'],
  [/PGID: \d+/g, 'PGID: 1'],
  [/try again at [^."]*\./g, 'try again at 5:11 PM.'],
  [/\([A-Z][A-Za-z ]+ [\d.]+; x86_64\)/g, '(Linux; x86_64)'],
];

const shortened = (value: unknown, key = ''): unknown => {
  if (typeof value === 'string') return value.length > TEXT_KEPT ? `${value.slice(0, TEXT_KEPT)}…` : value;
  if (Array.isArray(value)) {
    // The options of a permission request are what is asked; those of a setting are a list like others.
    const asked = value.some((item) => typeof item === 'object' && item !== null && 'optionId' in item);
    return (LONG_LIST.test(key) && !asked ? value.slice(0, LIST_KEPT) : value).map((item) => shortened(item));
  }
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, shortened(inner, name)]));
};

const namer = () => {
  const names = new Map<string, string>();
  return (text: string): string => {
    const nameOf = (found: string, make: (count: number) => string): string => {
      if (!names.has(found)) names.set(found, make(names.size + 1));
      return names.get(found)!;
    };
    return text
      .replace(UUID, (found) => nameOf(found, (count) => `00000000-0000-4000-8000-${String(count).padStart(12, '0')}`))
      .replace(PREFIXED, (found, prefix: string, join: string) => nameOf(found, (count) => `${prefix}${join || '_'}${count}`));
  };
};

/**
 * A recording as a fixture: what agent and client wrote, and the exit, with identifiers and times that are the same on every run. Lines that are no
 * JSON stay as they are; stderr and notes are left out.
 */
export const fixtureOf = (lines: readonly Line[]): string => {
  const named = namer();
  return lines
    .filter(({ dir }) => dir === 'in' || dir === 'out' || dir === 'end')
    .map(({ dir, line }) => {
      let text = line;
      try {
        text = JSON.stringify(shortened(JSON.parse(line)));
      } catch {
        // An agent that writes what is no JSON is one of the things to be shown.
      }
      for (const [pattern, replacement] of VOLATILE) text = text.replace(pattern, replacement);
      return `${JSON.stringify({ dir, line: named(text) })}\n`;
    })
    .join('');
};
