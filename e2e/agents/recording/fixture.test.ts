import { readdirSync, readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../../rig/programs.ts';
import { AGENT_PINS } from '../pins.ts';
import { fixtureOf } from './fixture.ts';
import { RECORDINGS } from './scenarios.ts';

const FOLDER = join(ROOT, 'daemon', 'src', 'executors', 'agents', 'fixtures');
const names = readdirSync(FOLDER).filter((name) => name.endsWith('.jsonl'));
const MOST_BYTES = 100 * 1024;

describe('a recording as a fixture', () => {
  it('has the same identifiers and times on every run', () => {
    const run = (id: string, time: number) =>
      fixtureOf([
        { dir: 'in', line: JSON.stringify({ id: 0, method: 'open' }) },
        { dir: 'out', line: JSON.stringify({ session: id, again: id, at: time, durationMs: time % 1000 }) },
        { dir: 'err', line: 'noise' },
        { dir: 'end', line: '0' },
      ]);
    const first = run('0a6e97ea-272c-4f1d-b571-b2dec665885e', 1795882263123);
    expect(first).toBe(run('7c93650e-91c3-4547-9918-cb7559b9bfde', 1795889999456));
    expect(first).not.toContain('noise');
    expect(first.trim().split('\n')).toHaveLength(3);
  });

  it('shortens lists of what could be done, and keeps what is asked', () => {
    const options = [1, 2, 3, 4].map((count) => ({ optionId: `o${count}`, kind: 'allow_once' }));
    const text = fixtureOf([{ dir: 'out', line: JSON.stringify({ availableCommands: [1, 2, 3, 4], options }) }]);
    expect(JSON.parse((JSON.parse(text) as { line: string }).line)).toEqual({ availableCommands: [1, 2], options });
  });

  it('keeps a line that is no JSON', () => {
    expect(fixtureOf([{ dir: 'out', line: 'panic: {' }])).toBe('{"dir":"out","line":"panic: {"}\n');
  });
});

describe('the fixtures', () => {
  it('are there for every agent and every recording', () => {
    const wanted = AGENT_PINS.flatMap(({ name }) => RECORDINGS.map((recording) => `${name}-${recording.name}.jsonl`));
    expect(names.toSorted()).toEqual(wanted.toSorted());
  });

  it.each(names)('%s is small, of one form, and tells nothing of a machine', (name) => {
    const file = join(FOLDER, name);
    expect(statSync(file).size).toBeLessThan(MOST_BYTES);
    const text = readFileSync(file, 'utf8');
    expect(text).not.toContain(`${ROOT}/`);
    expect(text).not.toContain(`${homedir()}/`);
    expect(text).not.toMatch(/fairlead-record-|\/(root|Users)\/|\/home\/(?!fairlead\b)|\bsk-[A-Za-z0-9]/);
    for (const line of text.trimEnd().split('\n'))
      expect(JSON.parse(line)).toEqual({ dir: expect.stringMatching(/^(in|out|end)$/), line: expect.any(String) });
  });
});
