/**
 * What must never reach a terminal as it is: control characters (with escape sequences), format characters (bidirectional
 * overrides, zero-width ones), separators that break lines unseen, lone surrogates, and whatever else shows as nothing. Emoji
 * presentation selectors are spared: they only choose between two pictures.
 */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Default_Ignorable_Code_Point}]/gu;
const SPARED = new Set(['\ufe0e', '\ufe0f']);

const show = (character: string): string => {
  const code = character.codePointAt(0)!;
  if (code < 0x20) return String.fromCodePoint(0x2400 + code);
  if (code === 0x7f) return '\u2421';
  return `\\u{${code.toString(16)}}`;
};

/**
 * Makes hostile text visible and inert: control characters become their pictures (`␛`), others `\u{202e}`.
 * @param options.multiline keeps line feeds and tabs, for text that is shown as a block
 */
export const printable = (text: string, { multiline = false }: { readonly multiline?: boolean } = {}): string =>
  text.replace(UNSAFE, (character) =>
    SPARED.has(character) || (multiline && (character === '\n' || character === '\t')) ? character : show(character),
  );

/** One JSON document on one line that says the same and holds nothing that `printable` would have to show: those characters are escaped. */
export const printableJson = (value: unknown): string =>
  JSON.stringify(value).replace(UNSAFE, (character) =>
    Array.from({ length: character.length }, (_, at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`).join(''),
  );
