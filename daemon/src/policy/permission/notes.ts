import type { RuleId } from './rules.ts';
import type { ShellWord } from './words.ts';

/** How a path is touched. `stage` puts a file that is there into the index of the private repository. */
export type Touch = 'read' | 'write' | 'delete' | 'execute' | 'stage';

/** What the table of programs says of one command. Paths are words still; where they lead depends on the folder. */
export interface Notes {
  /** A rule that applies to the command. @param about what it is about; the command itself when left out */
  rule(id: RuleId, about?: string): void;
  touch(how: Touch, ...words: readonly ShellWord[]): void;
  /** A file that may be executed although nothing names it, relative to where the command starts: a package.json, a Makefile. */
  executes(...files: readonly string[]): void;
  /** A link at `path` that leads to `target`. */
  links(path: ShellWord, target: ShellWord): void;
  url(word: ShellWord): void;
}
