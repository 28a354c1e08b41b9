import { forEachChild, parse, type Command, type ParsedScript, type Redirection, type Statement, type SyntaxNode } from 'unbash';
import { steersPrograms } from './environment.ts';
import { goTo, moveShell, replaceAll, type Folders } from './folders.ts';
import type { RuleId } from './rules.ts';
import { literalWord, shownWord, wordOfAssignment, wordsOf, type ShellWord } from './words.ts';
import { startedBy } from './wrappers.ts';

/** What a command reads as its standard input. */
export type Stdin =
  | { readonly kind: 'inherited' | 'pipe' }
  | { readonly kind: 'file'; readonly file: ShellWord }
  /** A here-document or here-string; null where the shell computes it. */
  | { readonly kind: 'text'; readonly text: string | null };

interface ShellRedirect {
  readonly operator: string;
  readonly target: ShellWord;
  readonly reads: boolean;
  readonly writes: boolean;
}

/** One command with everything that surrounds it, as far as it can be known. */
export interface ShellCommand {
  /** The name first; empty for assignments or redirects alone. */
  readonly words: readonly ShellWord[];
  readonly assignments: readonly ShellWord[];
  readonly redirects: readonly ShellRedirect[];
  /** Every folder in which it may start, absolute or from `~`; null where that cannot be known. */
  readonly cwds: readonly (string | null)[];
  readonly depth: number;
  readonly background: boolean;
  readonly stdin: Stdin;
}

interface ShellFault {
  readonly rule: RuleId;
  readonly about: string;
}

/** What a text for a shell would do. */
export interface ShellReading {
  readonly commands: readonly ShellCommand[];
  readonly faults: readonly ShellFault[];
  /** Names of the functions that it defines. */
  readonly functions: readonly string[];
}

/** Deeper or more than any honest command; a bound on the work of judging. */
const DEEPEST = 16;
const MOST_COMMANDS = 1000;
/** Parentheses and braces that are open at once, quoted ones too. The parser is recursive, and its time grows with this. */
const MOST_OPEN = 100;
/** How much of a text is shown when it is the fault. */
const SHOWN = 200;

interface Scene {
  /** Changed by `cd`. */
  readonly at: Folders;
  readonly depth: number;
  readonly background: boolean;
  readonly stdin: Stdin;
  /** Names of the functions around it. */
  readonly within: readonly string[];
}

/** The name of a program without its folder and its `.exe`, in lower case: some file systems do not tell cases apart. */
export const programName = (word: string): string => (word.split('/').at(-1) ?? '').toLowerCase().replace(/\.exe$/, '');

/** What `$(…)` in a literal text may do where a builtin evaluates texts as arithmetic. */
const SUBSTITUTES = /\$\(|`|\$\{/;
const EVALUATES = new Set([
  'let',
  'test',
  '[',
  'printf',
  'read',
  'unset',
  'declare',
  'typeset',
  'local',
  'export',
  'readonly',
  'mapfile',
  'readarray',
  'getopts',
  'wait',
]);
const MOVES = new Set(['cd', 'pushd', 'popd', 'builtin', 'command', 'eval', 'source', '.']);

/** The most parentheses and braces that are open at once, whatever they mean where they stand. */
const mostOpen = (text: string): number => {
  let open = 0;
  let most = 0;
  for (const one of text) {
    if (one === '(' || one === '{') most = Math.max(most, ++open);
    else if (one === ')' || one === '}') open = Math.max(0, open - 1);
  }
  return most;
};

/** Reads shell text; the state is what has been found so far. */
class Reader {
  readonly commands: ShellCommand[] = [];
  readonly faults: ShellFault[] = [];
  readonly functions = new Set<string>();
  #full = false;

  fault(rule: RuleId, about: string): void {
    if (this.faults.length < MOST_COMMANDS) this.faults.push({ rule, about: about.slice(0, SHOWN) });
  }

  /** Reads a text. `scene.at` is where it starts, and where it ends afterwards. */
  text(text: string, scene: Scene): void {
    if (mostOpen(text) > MOST_OPEN) this.fault('shell.too_deep', `more than ${MOST_OPEN} parentheses or braces are open at once`);
    else this.#script(parse(text), scene);
  }

  /** A command that no shell reads. */
  argv(argv: readonly string[], scene: Scene): void {
    this.#command({ words: argv.map(literalWord), assignments: [], redirects: [], scene });
  }

  #script(script: ParsedScript, scene: Scene): void {
    for (const { message, pos } of script.errors ?? []) this.fault('shell.parse_error', `${message} at character ${pos + 1}`);
    if (scene.depth > DEEPEST) {
      this.fault('shell.too_deep', `more than ${DEEPEST} levels`);
      return;
    }
    this.#statements(script.commands, scene);
  }

  #statements(statements: readonly Statement[], scene: Scene): void {
    for (const statement of statements) {
      if (this.#full) return;
      if (statement.background === true) {
        this.#node(statement.command, { ...scene, at: new Set(scene.at), background: true });
        continue;
      }
      const before = [...scene.at];
      this.#node(statement.command, scene);
      // What came last may have failed half way, and with it every `cd` in it.
      replaceAll(scene.at, new Set([...before, ...scene.at]));
    }
  }

  /** Everything that is run while a node is expanded, itself included: command and process substitutions, wherever they stand. */
  #expansions(node: SyntaxNode, scene: Scene): void {
    forEachChild(node, (child) => {
      if (child.type === 'Script') this.#script(child, { ...scene, at: new Set(scene.at), depth: scene.depth + 1 });
      else this.#expansions(child, scene);
    });
    if (node.type === 'CommandExpansion' || node.type === 'ProcessSubstitution') {
      if (node.script === undefined) this.fault('shell.parse_error', node.text);
    } else if (node.type === 'ParameterExpansion') {
      const { operation } = node;
      if (operation?.type === 'Unknown') this.fault('shell.parse_error', node.text);
      if (operation?.type === 'Transform' && /[PEA]/.test(operation.operand.value)) this.fault('shell.dynamic_code', node.text);
    } else if (node.type === 'Assignment' && node.value.type === 'Word' && /\[.*(?:\$\(|`)/s.test(wordsOf(node.value)[0]?.value ?? '')) {
      this.fault('shell.hidden_evaluation', node.text);
    } else if (node.type === 'ArithmeticExpansion') this.#evaluated(node);
  }

  /** Literal words below an arithmetic or test that hold a substitution in quotes: evaluated all the same. */
  #evaluated(node: SyntaxNode): void {
    forEachChild(node, (child) => {
      if ((child.type === 'SingleQuoted' || child.type === 'AnsiCQuoted') && SUBSTITUTES.test(child.value))
        this.fault('shell.hidden_evaluation', child.text);
      if (child.type !== 'Script') this.#evaluated(child);
    });
  }

  #node(node: SyntaxNode, scene: Scene): void {
    if (this.#full) return;
    switch (node.type) {
      case 'Command':
        this.#simple(node, scene);
        return;
      case 'AndOr': {
        const seen = new Set(scene.at);
        for (const [index, command] of node.commands.entries()) {
          if (node.operators[index - 1] === '||') replaceAll(scene.at, seen);
          this.#node(command, scene);
          for (const folder of scene.at) seen.add(folder);
        }
        // After the last `||` any of them may have come last.
        if (node.operators.includes('||')) replaceAll(scene.at, seen);
        return;
      }
      case 'Pipeline':
        for (const [index, command] of node.commands.entries()) {
          const alone = node.commands.length === 1;
          const stdin: Stdin = index === 0 ? scene.stdin : { kind: 'pipe' };
          const at = alone ? scene.at : new Set(scene.at);
          this.#node(command, { ...scene, stdin, at });
          // Some shells run the last part of a pipe themselves, so that a `cd` there holds.
          if (index === node.commands.length - 1) replaceAll(scene.at, new Set(alone ? at : [...scene.at, ...at]));
        }
        return;
      case 'Subshell':
        this.#statements(node.body.commands, { ...scene, at: new Set(scene.at) });
        return;
      case 'BraceGroup':
        this.#statements(node.body.commands, scene);
        return;
      case 'CompoundList':
        this.#statements(node.commands, scene);
        return;
      case 'Redirected': {
        const redirects = this.#redirects(node.redirects, scene);
        this.#command({ words: [], assignments: [], redirects: redirects.all, scene });
        this.#node(node.command, { ...scene, stdin: redirects.stdin ?? scene.stdin });
        return;
      }
      case 'Function': {
        const name = node.name.value;
        this.functions.add(name);
        this.fault('shell.function', name);
        this.#node(node.body, { ...scene, at: new Set([null]), within: [...scene.within, name] });
        return;
      }
      case 'Coproc':
        this.#node(node.body, { ...scene, at: new Set(scene.at), background: true });
        return;
      default:
        this.#compound(node, scene);
    }
  }

  /** `if`, loops, `case`, tests, arithmetic: their parts in order, any of which may or may not run. */
  #compound(node: SyntaxNode, scene: Scene): void {
    if ((node.type === 'For' || node.type === 'Select') && steersPrograms(literalWord(node.name.value)))
      this.fault('env.steers_programs', node.name.value);
    const loops = node.type === 'For' || node.type === 'While' || node.type === 'ArithmeticFor' || node.type === 'Select';
    if (loops && this.#moves(node)) replaceAll(scene.at, [...scene.at, null]);
    const seen = new Set(scene.at);
    const visit = (child: SyntaxNode): void => {
      if (child.type === 'CompoundList') this.#statements(child.commands, scene);
      else if (child.type === 'Elif' || child.type === 'CaseItem') forEachChild(child, visit);
      else if (child.type === 'Script') this.#script(child, { ...scene, at: new Set(scene.at), depth: scene.depth + 1 });
      else this.#expansions(child, scene);
      for (const folder of scene.at) seen.add(folder);
      replaceAll(scene.at, seen);
    };
    forEachChild(node, visit);
    if (node.type === 'TestCommand' || node.type === 'ArithmeticCommand') this.#evaluated(node);
  }

  /** Whether anything in a node may change the folder of the shell. */
  #moves(node: SyntaxNode): boolean {
    let moves = node.type === 'Command' && node.name !== undefined && MOVES.has(node.name.value);
    forEachChild(node, (child) => {
      moves ||= child.type !== 'Script' && this.#moves(child);
    });
    return moves;
  }

  #redirects(redirections: readonly Redirection[], scene: Scene): { all: ShellRedirect[]; stdin: Stdin | undefined } {
    const all: ShellRedirect[] = [];
    let stdin: Stdin | undefined;
    for (const one of redirections) {
      if (one.type === 'HereDoc') {
        this.#expansions(one, scene);
        const { delimiter, body } = one;
        const literal = delimiter?.quoted === true || (!/[\\$`]/.test(body.text) && delimiter !== undefined);
        stdin = { kind: 'text', text: literal ? body.text : null };
        continue;
      }
      if (one.target === undefined) {
        this.fault('shell.parse_error', `${one.operator} without a target`);
        continue;
      }
      this.#expansions(one, scene);
      const words = wordsOf(one.target);
      const target = words.length === 1 ? words[0]! : { source: one.target.text, value: null, prefix: '', glob: false, braces: true };
      if (one.type === 'HereString') {
        stdin = { kind: 'text', text: target.value };
        continue;
      }
      const { operator } = one;
      const duplicates = operator.endsWith('&') && /^(\d+-?|-)$/.test(target.value ?? '');
      const reads = operator === '<' || operator === '<>';
      if (reads) stdin = { kind: 'file', file: target };
      if (operator === '<&') stdin = { kind: 'pipe' };
      all.push({ operator, target, reads, writes: !duplicates && /[>]/.test(operator) });
    }
    return { all, stdin };
  }

  #simple(node: Command, scene: Scene): void {
    const name = node.name === undefined ? [] : wordsOf(node.name);
    const words = [...name, ...node.args.flatMap((arg) => (arg.type === 'Assignment' ? [wordOfAssignment(arg)] : wordsOf(arg)))];
    const assignments = node.prefix.flatMap((one) => (one.type === 'Assignment' ? [wordOfAssignment(one)] : []));
    forEachChild(node, (child) => {
      if (child.type !== 'Redirect' && child.type !== 'HereDoc' && child.type !== 'HereString') this.#expansions(child, scene);
    });
    const redirects = this.#redirects(node.redirects, scene);
    const inner = redirects.stdin === undefined ? scene : { ...scene, stdin: redirects.stdin };
    this.#command({ words, assignments, redirects: redirects.all, scene: inner });
  }

  /** Records a command, and reads what it would start. */
  #command({
    words,
    assignments,
    redirects,
    scene,
  }: Pick<ShellCommand, 'words' | 'assignments' | 'redirects'> & { readonly scene: Scene }): void {
    if (this.#full) return;
    if (this.commands.length >= MOST_COMMANDS || scene.depth > DEEPEST) {
      this.#full = true;
      this.fault('shell.too_deep', `more than ${MOST_COMMANDS} commands or ${DEEPEST} levels`);
      return;
    }
    if (words.length === 0 && assignments.length === 0 && redirects.length === 0) return;
    this.commands.push({
      words,
      assignments,
      redirects,
      cwds: [...scene.at],
      depth: scene.depth,
      background: scene.background,
      stdin: scene.stdin,
    });
    const [first, ...args] = words;
    if (first === undefined) return;
    if (first.value === null || first.braces) {
      this.fault('shell.dynamic_command', first.source);
      return;
    }
    const name = programName(first.value);
    if (scene.within.includes(first.value)) this.fault('shell.redefines', `${first.value} calls itself`);
    if (EVALUATES.has(name)) {
      for (const { value, source } of args)
        if (value !== null && /\[.*(?:\$\(|`)/s.test(value)) this.fault('shell.hidden_evaluation', source);
    }
    for (const started of startedBy(name, args, scene.stdin)) {
      if (started.kind === 'fault') {
        this.fault(started.rule, words.map(shownWord).join(' '));
        continue;
      }
      const inner: Scene = {
        ...scene,
        at: started.here === true ? scene.at : new Set(scene.at),
        depth: scene.depth + 1,
      };
      if (started.kind === 'code') {
        this.text(started.code, inner);
        continue;
      }
      if (started.cwd) goTo(started.cwd, inner.at);
      this.#command({
        words: started.words,
        assignments: started.sets ?? [],
        redirects: [],
        scene: started.stdin ? { ...inner, stdin: started.stdin } : inner,
      });
    }
    moveShell(first.value, args, scene.at);
  }
}

/** Reads what a command would do. @param folder where it starts, absolute */
export const readCommand = (command: string | readonly string[], folder: string | null): ShellReading => {
  const reader = new Reader();
  const scene: Scene = { at: new Set([folder]), depth: 0, background: false, stdin: { kind: 'inherited' }, within: [] };
  try {
    if (typeof command === 'string') reader.text(command, scene);
    else reader.argv(command, scene);
  } catch {
    // Whatever a parser that was not ours to write may do with a hostile text, it ends as a denial.
    reader.fault('shell.too_deep', 'the text could not be read to its end');
  }
  return { commands: reader.commands, faults: reader.faults, functions: [...reader.functions] };
};
