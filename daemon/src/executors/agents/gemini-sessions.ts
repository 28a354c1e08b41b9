import { readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';

/** Such as `session-2026-11-28T17-17-fd2dc405.jsonl`: the minute in which it was begun, and the first digits of its id. */
const NAME = /^session-\d{4}-\d\d-\d\dT\d\d-\d\d-([0-9a-f]{8}\.jsonl?)$/;

const namesIn = (folder: string): Promise<string[]> => readdir(folder).catch(() => []);

/**
 * Puts the sessions in a home out of the way of the next start. Gemini names the file of a session by the minute, and a start that goes on
 * with it begins a file of that name anew before it looks for the session: in the same minute it would wipe out what it looks for. It finds
 * sessions by what is in their files, so they get the name of a minute that has long passed.
 */
export const keepGeminiSessions = async (home: string): Promise<void> => {
  const projects = join(home, '.gemini', 'tmp');
  for (const project of await namesIn(projects)) {
    const chats = join(projects, project, 'chats');
    for (const name of await namesIn(chats)) {
      const found = NAME.exec(name);
      if (found) await rename(join(chats, name), join(chats, `session-1970-01-01T00-00-${found[1]}`));
    }
  }
};
