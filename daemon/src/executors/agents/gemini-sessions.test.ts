import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { keepGeminiSessions } from './gemini-sessions.ts';

const homes: string[] = [];
const home = (): string => {
  const made = mkdtempSync(join(tmpdir(), 'fairlead-gemini-'));
  homes.push(made);
  return made;
};
afterEach(() => {
  for (const made of homes.splice(0)) rmSync(made, { recursive: true, force: true });
});

describe('the sessions of gemini', () => {
  it('are put where a start in the same minute does not begin them anew', async () => {
    const at = home();
    const chats = join(at, '.gemini', 'tmp', 'workspace', 'chats');
    mkdirSync(chats, { recursive: true });
    writeFileSync(join(chats, 'session-2026-11-28T17-17-fd2dc405.jsonl'), 'said');
    writeFileSync(join(chats, 'notes.txt'), 'other');
    await keepGeminiSessions(at);
    expect(readdirSync(chats).sort()).toEqual(['notes.txt', 'session-1970-01-01T00-00-fd2dc405.jsonl']);
    expect(readFileSync(join(chats, 'session-1970-01-01T00-00-fd2dc405.jsonl'), 'utf8')).toBe('said');
  });

  it('need not be there', async () => {
    await expect(keepGeminiSessions(home())).resolves.toBeUndefined();
  });
});
