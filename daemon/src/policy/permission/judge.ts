import { printable } from '@fairlead/shared/kit/printable';
import type { PermissionRule } from '@fairlead/shared/contract/permission-rules';
import { steersPrograms } from './environment.ts';
import { judgeUrl } from './network.ts';
import type { Notes, Touch } from './notes.ts';
import { allowingRule, denyingRule, type Subject } from './owner-rules.ts';
import { compileFence, judgeLink, judgePath, shownPaths, type CompiledFence, type PathFinding } from './paths.ts';
import { joined, placeOf } from './place.ts';
import { isKnownProgram, judgeProgram } from './programs.ts';
import type { ParsedCommand, PermissionPolicy, PermissionRequest, PermissionVerdict } from './request.ts';
import { askedOf, isJudgeable, type Asked } from './asked.ts';
import { RULE_ORDER, RULES, SEVERITY, type Decision, type RuleId } from './rules.ts';
import { programName, readCommand, type ShellCommand } from './shell.ts';
import { knownValue, literalWord, shownWord, type ShellWord } from './words.ts';

interface Finding {
  readonly rule: RuleId;
  readonly about: string;
  /** Which rules of the owner may lift it, and what they are matched with; nothing where none may. */
  readonly lift?: { readonly by: 'command' | 'path' | 'tool'; readonly subject: Subject };
}

/** Builtins that set the variables their arguments name. */
const SETS = new Set(['export', 'declare', 'typeset', 'readonly', 'local', 'read', 'mapfile', 'readarray', 'getopts', 'printf']);
/** Longest text that is shown of one finding. */
const SHOWN = 300;
const MOST_FINDINGS = 200;

/** What is gathered while a request is judged. */
class Case {
  readonly findings: Finding[] = [];
  readonly reads = new Set<string>();
  readonly writes = new Set<string>();
  readonly urls = new Set<string>();
  readonly commands: ParsedCommand[] = [];
  readonly #fence: CompiledFence;

  readonly tool: string;
  readonly policy: PermissionPolicy;

  constructor(tool: string, policy: PermissionPolicy) {
    this.tool = tool;
    this.policy = policy;
    this.#fence = compileFence(policy.fence);
  }

  add(rule: RuleId, about: string, lift?: Finding['lift']): void {
    this.findings.push({ rule, about, ...(lift && { lift }) });
  }

  /** Paths of one command, or of a tool without one. */
  touch(
    how: Touch,
    word: ShellWord,
    cwds: readonly (string | null)[],
    words: readonly ShellWord[] | undefined,
    folder: boolean,
  ): PathFinding[] {
    const found = judgePath(how, word, cwds, this.policy, this.#fence, folder);
    const shown = how === 'read' || how === 'execute' || how === 'stage' ? this.reads : this.writes;
    for (const path of shownPaths(word, cwds, this.policy)) shown.add(path);
    for (const finding of found) this.#path(finding, words);
    for (const path of found.length === 0 ? shownPaths(word, cwds, this.policy) : []) this.denied({ tool: this.tool, words, path }, path);
    return found;
  }

  links(at: ShellWord, target: ShellWord, cwds: readonly (string | null)[], words: readonly ShellWord[]): void {
    for (const finding of judgeLink(at, target, cwds, this.policy)) this.#path(finding, words);
  }

  #path({ rule, about, path }: PathFinding, words: readonly ShellWord[] | undefined): void {
    const subject: Subject = { tool: this.tool, words, path };
    if (rule === 'fs.protected' || words === undefined) this.add(rule, about, path === undefined ? undefined : { by: 'path', subject });
    else this.add(rule, about, { by: 'command', subject });
    this.denied(subject, about);
  }

  url(text: string, lift?: Finding['lift']): void {
    this.urls.add(text);
    for (const rule of judgeUrl(text, this.policy.network)) this.add(rule, text, lift);
  }

  /** Notes the owner's own denial. */
  denied(subject: Subject, about: string): void {
    const rule = denyingRule(this.policy.rules.deny, subject);
    if (rule) this.add('owner.deny', rule.reason ?? about);
  }
}

const isOutside = (folder: string | null, policy: PermissionPolicy): boolean =>
  folder === null || placeOf(folder, '.', policy).kind !== 'workspace';

/** Judges one command of a text with all its redirects, variables and paths. */
const judgeCommand = (command: ShellCommand, of: Case): void => {
  const { words, cwds, assignments, redirects } = command;
  const { policy } = of;
  const about = words.map(shownWord).join(' ');
  const subject: Subject = { tool: of.tool, words };
  const lift = { by: 'command', subject } as const;
  const executes = new Set<string>();
  const before = of.findings.length;
  const execute = (word: ShellWord): void => {
    for (const { rule, path } of of.touch('execute', word, cwds, words, false))
      if (rule === 'code.workspace' && path !== undefined) executes.add(path);
  };
  const notes: Notes = {
    rule: (id, what = about) => of.add(id, what, lift),
    touch: (how, ...paths) => {
      for (const path of paths) {
        if (how === 'execute') execute(path);
        else of.touch(how, path, cwds, words, true);
      }
    },
    executes: (...files) => {
      for (const cwd of cwds) {
        const folder = cwd === null || isOutside(joined(cwd, files[0] ?? '.'), policy);
        if (folder) of.add('code.outside', about, lift);
        else for (const file of files) executes.add(placeOf(cwd, file, policy).path);
      }
    },
    links: (at, target) => of.links(at, target, cwds, words),
    url: (word) => (word.value === null ? of.add('net.unknown_target', word.source, lift) : of.url(word.value, lift)),
  };
  of.denied(subject, about);
  judgeProgram(command, notes);
  const name = programName(knownValue(words[0]) ?? '');
  for (const word of [...assignments, ...(SETS.has(name) ? words.slice(1) : [])])
    if (steersPrograms(word)) of.add('env.steers_programs', word.source);
  // Moving to a folder outside is judged as reading it.
  if (name === 'cd' || name === 'pushd')
    for (const word of words.slice(1)) if (!word.prefix.startsWith('-')) of.touch('read', word, cwds, words, true);
  for (const { target, reads, writes } of redirects) {
    if (/^\/dev\/(tcp|udp)\//.test(target.prefix)) of.add('net.raw_socket', target.source);
    else if (writes) {
      of.add('fs.write', target.source, lift);
      of.touch('write', target, cwds, undefined, false);
    } else if (reads) of.touch('read', target, cwds, undefined, false);
  }
  if (command.background) of.add('proc.background', about, lift);
  if (of.findings.length === before) of.add(words.length === 0 ? 'shell.builtin' : 'program.unknown', about, lift);
  of.commands.push({
    argv: words.map((word) => printable(shownWord(word))),
    assignments: assignments.map(({ source }) => printable(source)),
    redirects: redirects.map(({ operator, target }) => printable(`${operator} ${shownWord(target)}`)),
    depth: command.depth,
    cwds: cwds.map((cwd) => (cwd === null ? null : printable(placeOf(cwd, '.', policy).path))),
    background: command.background,
    executes: [...executes].sort().map((path) => printable(path)),
  });
};

/** What a tool does to its paths, by its kind; those that nobody knows are taken for writing. */
const TOUCHES: Readonly<Record<PermissionRequest['kind'], Touch>> = {
  execute: 'read',
  read: 'read',
  search: 'read',
  think: 'read',
  agent: 'read',
  edit: 'write',
  move: 'write',
  delete: 'delete',
  fetch: 'write',
  mcp: 'write',
  other: 'write',
};
const KIND_RULE: Readonly<Record<Exclude<PermissionRequest['kind'], 'execute'>, RuleId>> = {
  read: 'fs.read',
  search: 'fs.read',
  think: 'tool.think',
  agent: 'agent.spawn',
  edit: 'fs.write',
  move: 'fs.write',
  delete: 'fs.delete',
  fetch: 'net.fetch',
  mcp: 'mcp.tool',
  other: 'tool.unknown',
};

const judgeTool = (asked: Asked, cwd: string, of: Case): void => {
  const { tool, kind, paths, urls } = asked;
  const lift = { by: 'tool', subject: { tool } } as const;
  if (kind !== 'execute' && !(kind === 'fetch' && urls.length > 0)) of.add(KIND_RULE[kind], tool, lift);
  if (/^mcp(__|[.:/])/i.test(tool) && kind !== 'mcp') of.add('mcp.tool', tool, lift);
  if ((kind === 'edit' || kind === 'delete' || kind === 'move') && paths.length === 0) of.add('tool.paths_unknown', tool, lift);
  if (kind === 'fetch' && urls.length === 0) of.add('net.unknown_target', tool, lift);
  for (const path of paths) of.touch(TOUCHES[kind], literalWord(path), [cwd], undefined, false);
  for (const url of urls) of.url(url, lift);
};

/** The language of a tool's commands, told by its name. */
const OTHER_SHELL = /powershell|pwsh|^cmd(?:\.exe)?$|^fish$|^nu(?:shell)?$/i;

const judgeShell = (asked: Asked, cwd: string, of: Case): void => {
  const { command } = asked;
  if (command === undefined) return;
  if (OTHER_SHELL.test(asked.tool)) of.add('shell.not_bash', asked.tool);
  const { commands, faults, functions } = readCommand(command, cwd);
  for (const { rule, about } of faults) of.add(rule, about);
  for (const name of functions) if (isKnownProgram(name) || !/^[\w.-]+$/.test(name)) of.add('shell.redefines', name);
  const defined = new Set(functions);
  for (const one of commands) {
    const name = knownValue(one.words[0]);
    // What a function does is judged where it is defined.
    if (name !== undefined && defined.has(name)) judgeCommand({ ...one, words: [literalWord(':'), ...one.words.slice(1)] }, of);
    else judgeCommand(one, of);
  }
  if (commands.length === 0 && faults.length === 0) of.add('request.empty', 'no command in it');
};

const decisionOf = (finding: Finding, policy: PermissionPolicy): { decision: Decision; allowed?: PermissionRule } => {
  const facts = RULES[finding.rule];
  const decision = facts.decisions[policy.mode];
  if (decision === 'allow' || facts.absolute || policy.mode === 'read_only' || !finding.lift) return { decision };
  const allowed = allowingRule(policy.rules.allow, finding.lift.subject, finding.lift.by);
  return allowed ? { decision: 'allow', allowed } : { decision };
};

const conclude = (asked: Pick<Asked, 'tool' | 'kind'>, of: Case): PermissionVerdict => {
  const judged = of.findings.map((finding) => ({ finding, ...decisionOf(finding, of.policy) }));
  const sorted = judged.toSorted(
    (one, other) =>
      SEVERITY[other.decision] - SEVERITY[one.decision] || RULE_ORDER.get(one.finding.rule)! - RULE_ORDER.get(other.finding.rule)!,
  );
  const unique = new Map(
    sorted.map(({ finding, decision }) => {
      const about = printable(finding.about.slice(0, SHOWN));
      return [`${finding.rule}\0${about}`, { rule: finding.rule, decision, about }];
    }),
  );
  const [first] = sorted;
  const lifted = first!.decision === 'allow' && judged.some(({ allowed }) => allowed !== undefined);
  const rule = lifted ? 'owner.allow' : first!.finding.rule;
  const about = printable(first!.finding.about.slice(0, SHOWN));
  return {
    decision: first!.decision,
    rule,
    reason: [
      RULES[rule].reason,
      ...(RULES[rule].decisions[of.policy.mode] === 'deny' && RULES[rule].decisions.auto !== 'deny'
        ? ['The profile allows reading only.']
        : []),
      ...(about === '' || lifted ? [] : [`(${about})`]),
    ].join(' '),
    parsed: {
      tool: printable(asked.tool),
      kind: asked.kind,
      commands: of.commands,
      reads: [...of.reads].sort().map((path) => printable(path)),
      writes: [...of.writes].sort().map((path) => printable(path)),
      urls: [...of.urls].sort().map((url) => printable(url)),
      executes: [...new Set(of.commands.flatMap(({ executes }) => executes))].sort(),
      findings: [...unique.values()].slice(0, MOST_FINDINGS),
    },
  };
};

/**
 * Judges what an agent asks leave for: `allow`, `deny` or `ask`, with the id of the deciding rule. Pure, total (it never throws) and
 * deterministic; the time is about linear in the size of the request, which is bounded by `LIMITS.permission_request`.
 */
export const judgePermission = (request: PermissionRequest, policy: PermissionPolicy): PermissionVerdict => {
  const of = new Case(typeof request.tool === 'string' ? request.tool : '', policy);
  const fault = isJudgeable(request);
  if (fault !== undefined) {
    of.add(fault, '');
    return conclude({ tool: of.tool.slice(0, SHOWN), kind: request.kind }, of);
  }
  const asked = askedOf(request);
  const cwd = joined(policy.workspace, asked.cwd ?? '.');
  const { command } = asked;
  if (
    command === undefined
      ? asked.kind === 'execute'
      : command.length === 0 || (typeof command === 'string' ? command : command[0]!).trim() === ''
  )
    of.add('request.empty', asked.tool);
  else judgeShell(asked, cwd, of);
  judgeTool(asked, cwd, of);
  of.denied({ tool: asked.tool }, asked.tool);
  const texts = [asked.tool, ...(command === undefined ? [] : [command].flat()), ...asked.paths, ...asked.urls];
  const hidden = texts.find((text) => printable(text, { multiline: true }) !== text);
  if (hidden !== undefined) of.add('request.hidden_characters', hidden);
  return conclude(asked, of);
};
