import type { PermissionRules } from '@fairlead/shared/contract/permission-rules';
import type { EffectivePolicy } from '../effective.ts';
import type { Decision, Mode, RuleId } from './rules.ts';

/** What kind of tool an agent asks for. The adapter of the agent says so; the judgement never becomes milder by a wrong kind. */
export type ToolKind = 'execute' | 'read' | 'search' | 'edit' | 'delete' | 'move' | 'fetch' | 'mcp' | 'agent' | 'think' | 'other';

/** What an agent asks leave for. Everything in it is the agent's word. */
export interface PermissionRequest {
  /** The agent's own name of the tool. */
  readonly tool: string;
  readonly kind: ToolKind;
  /** Text for a POSIX shell, or an argv that no shell reads. */
  readonly command?: string | readonly string[];
  /** Where the command would start, absolute or relative to the workspace; the workspace itself when left out. */
  readonly cwd?: string;
  /** As given: absolute, as the agent sees them, or relative to `cwd`. */
  readonly paths?: readonly string[];
  readonly urls?: readonly string[];
  /** The whole input of the tool: an object of JSON values. */
  readonly input: unknown;
}

/** What a request is judged by. */
export interface PermissionPolicy {
  readonly mode: Mode;
  readonly rules: PermissionRules;
  /** Absolute POSIX path of the workspace as the agent sees it: `/workspace`. */
  readonly workspace: string;
  /** Folders beside the workspace that belong to the attempt alone: a private `/tmp`, the folder for artifacts. Absolute. */
  readonly scratch: readonly string[];
  readonly fence: Pick<EffectivePolicy['fence'], 'allowed' | 'forbidden' | 'protected'>;
  readonly network: 'none' | 'open' | { readonly hosts: readonly string[] };
}

/** One program that would be started, or one builtin of the shell. */
export interface ParsedCommand {
  /** Words with quotes taken off; a word that the shell would compute stands as it is written. */
  readonly argv: readonly string[];
  readonly assignments: readonly string[];
  readonly redirects: readonly string[];
  /** 0 for what is asked for itself, more for what it would start: substitutions, wrappers such as `env`, `bash -c`, `eval`. */
  readonly depth: number;
  /** Folders in which it may start, relative to the workspace (`.`) or absolute; null where that cannot be known. */
  readonly cwds: readonly (string | null)[];
  readonly background: boolean;
  /** Files of the workspace, relative to it, whose bytes it would execute. Some may not exist. */
  readonly executes: readonly string[];
}

/**
 * What a person is shown and what the digest binds: plain JSON. Control, bidirectional and zero-width characters in all of its
 * texts are made visible.
 */
export interface ParsedRequest {
  readonly tool: string;
  readonly kind: ToolKind;
  readonly commands: readonly ParsedCommand[];
  /** Paths as far as they can be known: relative to the workspace where they are in it, else absolute or as written. */
  readonly reads: readonly string[];
  readonly writes: readonly string[];
  readonly urls: readonly string[];
  /** Every file of `commands` that would be executed, once, in order of name. */
  readonly executes: readonly string[];
  /** Every rule that applied, the deciding one first: what it says of which part. */
  readonly findings: readonly { readonly rule: RuleId; readonly decision: Decision; readonly about: string }[];
}

export interface PermissionVerdict {
  readonly decision: Decision;
  /** The id of the deciding rule. */
  readonly rule: RuleId;
  /** One sentence for the agent and for a person, safe to print. */
  readonly reason: string;
  readonly parsed: ParsedRequest;
}
