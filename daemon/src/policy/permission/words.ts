import type { Assignment, DoubleQuotedChild, Word, WordPart } from 'unbash';

/** A word of a command as far as it can be known without running anything. */
export interface ShellWord {
  /** As written, quotes and all. */
  readonly source: string;
  /** What the program would get; null where the shell computes it. */
  readonly value: string | null;
  /** The beginning that is known in any case: all of a literal, what stands before the first wildcard or expansion. */
  readonly prefix: string;
  /** A pattern of file names and nothing else that is unknown. */
  readonly glob: boolean;
  /** Written with braces that the shell multiplies. */
  readonly braces: boolean;
}

/** The most words that one word with braces is taken apart into. */
const MOST_ALTERNATIVES = 32;
/** Braces of plain names. Nested ones, ranges and quotes within are left to the shell, and such a word counts as computed. */
const PLAIN_BRACES = /^\{[\w./@%+:=-]*(?:,[\w./@%+:=-]*)+\}$/;

/** Pieces of a word in order. */
type Piece = { readonly kind: 'text'; readonly text: string } | { readonly kind: 'glob' | 'computed' | 'braces'; readonly text: string };

const textPiece = (text: string): Piece => ({ kind: 'text', text });
const computed: Piece = { kind: 'computed', text: '' };

const quotedPieces = (parts: readonly DoubleQuotedChild[]): Piece[] =>
  parts.map((part) => (part.type === 'Literal' ? textPiece(part.value) : computed));

const piecesOf = (part: WordPart): Piece[] => {
  switch (part.type) {
    case 'Literal':
    case 'SingleQuoted':
    case 'AnsiCQuoted':
      return [textPiece(part.value)];
    case 'DoubleQuoted':
      return quotedPieces(part.parts);
    case 'Glob':
    case 'ExtendedGlob':
      return [{ kind: 'glob', text: part.text }];
    case 'BraceExpansion':
      return [{ kind: 'braces', text: part.text }];
    default:
      // Expansions; and `$"…"`, which a catalogue of messages may turn into anything.
      return [computed];
  }
};

const assemble = (source: string, pieces: readonly Piece[], braces: boolean): ShellWord => {
  const stop = pieces.findIndex(({ kind }) => kind !== 'text');
  const known = (stop === -1 ? pieces : pieces.slice(0, stop)).map(({ text }) => text).join('');
  // No argument holds a NUL: what stands after one is lost on the way to the program.
  const value = stop === -1 && !known.includes('\0') ? known : null;
  return {
    source,
    value,
    prefix: known.split('\0')[0]!,
    glob: value === null && pieces.every(({ kind }) => kind === 'text' || kind === 'glob'),
    braces,
  };
};

/** Every way to choose one alternative per brace; undefined where that is too many or cannot be told. */
const alternatives = (pieces: readonly Piece[]): Piece[][] | undefined => {
  let all: Piece[][] = [[]];
  for (const piece of pieces) {
    if (piece.kind !== 'braces') {
      for (const one of all) one.push(piece);
      continue;
    }
    if (!PLAIN_BRACES.test(piece.text)) return undefined;
    const choices = piece.text.slice(1, -1).split(',');
    if (all.length * choices.length > MOST_ALTERNATIVES) return undefined;
    all = all.flatMap((one) => choices.map((choice) => [...one, textPiece(choice)]));
  }
  return all;
};

/** The words that one written word becomes: one, or several where it has braces. */
export const wordsOf = (word: Word): ShellWord[] => {
  if (word.parts === undefined) return [assemble(word.text, [textPiece(word.value)], false)];
  const pieces = word.parts.flatMap(piecesOf);
  if (!pieces.some(({ kind }) => kind === 'braces')) return [assemble(word.text, pieces, false)];
  const chosen = alternatives(pieces);
  if (!chosen) return [assemble(word.text, [computed], true)];
  return chosen.map((one) => assemble(word.text, one, true));
};

/** An assignment that stands as an argument, as in `export A=b`, is a word like another. */
export const wordOfAssignment = ({ text, name, append, index, value }: Assignment): ShellWord => {
  const start = `${name}${append ? '+=' : '='}`;
  const [only, ...more] = value.type === 'Word' && index === undefined ? wordsOf(value) : [];
  if (!only || more.length > 0) return { source: text, value: null, prefix: name, glob: false, braces: false };
  return {
    source: text,
    value: only.value === null ? null : `${start}${only.value}`,
    prefix: `${start}${only.prefix}`,
    glob: false,
    braces: false,
  };
};

/** A word that is not read by any shell: an entry of an argv. */
export const literalWord = (text: string): ShellWord => assemble(text, [textPiece(text)], false);

/** A word of which nothing is known, such as what `xargs` appends. @param source how it is shown */
export const unknownWord = (source: string): ShellWord => ({ source, value: null, prefix: '', glob: false, braces: false });

/** How a word is shown: its value where it is known, as written where it is not. */
export const shownWord = ({ value, source }: ShellWord): string => value ?? source;

/** The value of a word, where there is one and it is known. */
export const knownValue = (word: ShellWord | undefined): string | undefined => word?.value ?? undefined;
