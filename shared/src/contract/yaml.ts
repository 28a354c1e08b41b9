import { isNode, isPair, isScalar, Lexer, LineCounter, parseDocument, visit, type Document } from 'yaml';
import { FairleadError } from './errors.ts';
import { parseStrictJson, type Json } from './json.ts';
import { LIMITS } from './limits.ts';

const refuse = (rule: string, detail: string = `The YAML ${rule}.`): never => {
  throw new FairleadError('invalid_input', { rule, detail });
};

/** The lexer says so before the text of a scalar, which may look like anything. */
const SCALAR = '\u001f';
/** How deep a text may look. The exact limit is that of JSON, and holds for what was read. */
const LOOKS_DEEP = 2 * LIMITS.json_depth.value;

/**
 * Refuses what is nested much too deep before it is parsed: the parser recurses, and an engine that has to compile a regular expression
 * at the end of its stack ends the whole process.
 */
const refuseDepth = (text: string): void => {
  // Where the lines that are open began, brackets that are open, and how often this line goes deeper by `- ` and `? `.
  const indents: number[] = [];
  let flow = 0;
  let inline = 0;
  let indent: number | undefined = 0;
  let scalar = false;
  for (const token of new Lexer().lex(text)) {
    if (indent !== undefined && /^[ \t]+$/.test(token)) indent = token.length;
    else if (token.endsWith('\n')) [inline, indent] = [0, 0];
    else if (indent !== undefined && !token.startsWith('#')) {
      if (flow === 0) {
        while (indents.length > 0 && indents.at(-1)! >= indent) indents.pop();
        indents.push(indent);
      }
      indent = undefined;
    }
    if (!scalar) {
      if (token === '[' || token === '{') flow++;
      else if (token === ']' || token === '}') flow = Math.max(0, flow - 1);
      else if (token === '-' || token === '?') inline++;
    }
    scalar = token === SCALAR;
    if (indents.length + flow + inline > LOOKS_DEEP) refuse(`is nested deeper than ${LIMITS.json_depth.value} levels`);
  }
};

/** Refuses what YAML can say and JSON cannot, and what reads as something else than it looks like. */
const refuseBeyondJson = (document: Document.Parsed): void => {
  if (document.directives.yaml.version !== '1.2') refuse('must be YAML 1.2');
  visit(document, (_, node) => {
    if (isPair(node)) {
      // 1 and "1" are two keys of YAML and one name of what is read.
      if (!isScalar(node.key) || typeof node.key.value !== 'string') refuse('must have text for every key; put others in quotes');
      return;
    }
    if (isNode(node) && node.tag !== undefined) refuse('must be without tags such as !!binary');
    if (isScalar(node) && typeof node.value === 'number' && !Number.isFinite(node.value)) refuse('must have finite numbers');
  });
};

/**
 * The one YAML parser for what an owner or a planner writes: one document of what JSON can say, under the rules of `parseStrictJson`.
 * @param options.aliases how often an alias may be followed; a few lines of them expand to gigabytes
 * @throws FairleadError `invalid_input` with the rule, and the line where it is the text that does not fit
 */
export const parseStrictYaml = (text: string, { aliases = 0 }: { readonly aliases?: number } = {}): Json => {
  refuseDepth(text);
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { uniqueKeys: true, strict: true, merge: false, prettyErrors: false, lineCounter });
  const problem = document.errors[0] ?? document.warnings[0];
  if (problem) {
    const { line, col } = lineCounter.linePos(problem.pos[0]);
    refuse('must be YAML with unique keys', `${problem.message} at line ${line}, column ${col}`);
  }
  refuseBeyondJson(document);
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: aliases });
  } catch {
    return refuse(aliases === 0 ? 'must be without aliases' : 'must have fewer aliases');
  }
  try {
    return parseStrictJson(JSON.stringify(value ?? null));
  } catch (error) {
    return refuse((error as FairleadError).context.rule ?? 'must be plain');
  }
};
