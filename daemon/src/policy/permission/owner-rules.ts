import type { PermissionRule } from '@fairlead/shared/contract/permission-rules';
import { compilePattern } from '../glob.ts';
import type { ShellWord } from './words.ts';

/** What rules of the owner are matched with. */
export interface Subject {
  readonly tool: string;
  readonly words?: readonly ShellWord[] | undefined;
  /** Relative to the workspace. */
  readonly path?: string | undefined;
}

/** `*` in a word of a pattern stands for any text, slashes too. */
const fits = (pattern: string, text: string): boolean => compilePattern(pattern.replaceAll('/', '\u0001'))(text.replaceAll('/', '\u0001'));

/**
 * Whether the words of a pattern are the beginning of an argv. A `*` at the end asks for nothing more.
 * @param unknown whether a word that the shell computes counts as a match: so for denying, not for allowing
 */
const beginsWith = (pattern: string, words: readonly ShellWord[], unknown: boolean): boolean => {
  const wanted = pattern.split(' ');
  if (wanted.length > 1 && wanted.at(-1) === '*') wanted.pop();
  if (!unknown && words.some(({ value, glob }) => value === null && !glob)) return false;
  return wanted.every((one, index) => {
    const word = words[index];
    if (word === undefined) return false;
    if (word.value === null) return unknown;
    return fits(one, word.value) || (index === 0 && fits(one, word.value.split('/').at(-1)!) && unknown);
  });
};

const matches = (rule: PermissionRule, subject: Subject, unknown: boolean): boolean =>
  (rule.tool === undefined || fits(rule.tool, subject.tool)) &&
  (rule.command === undefined || (subject.words !== undefined && beginsWith(rule.command, subject.words, unknown))) &&
  (rule.path === undefined || (subject.path !== undefined && compilePattern(rule.path)(subject.path)));

/** The first deny rule that matches. A word that nobody can know counts as what the rule names. */
export const denyingRule = (rules: readonly PermissionRule[], subject: Subject): PermissionRule | undefined =>
  rules.find((rule) => matches(rule, subject, true));

/**
 * The first allow rule that matches and that speaks of the same as the finding: of a command, of a path, or of the tool as such.
 * @param about what the finding is about
 */
export const allowingRule = (
  rules: readonly PermissionRule[],
  subject: Subject,
  about: 'command' | 'path' | 'tool',
): PermissionRule | undefined =>
  rules.find((rule) => {
    const speaks =
      about === 'command'
        ? rule.command !== undefined
        : about === 'path'
          ? rule.path !== undefined
          : rule.command === undefined && rule.path === undefined;
    return speaks && matches(rule, subject, false);
  });
