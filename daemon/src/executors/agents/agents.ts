import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Executor } from '../executor.ts';
import { agentExecutor, type AgentMachine, type DeclaredProfile } from './agent-executor.ts';
import type { AgentKind } from './agent-spec.ts';
import { findProgram, programVersion, type AgentProgram } from './program.ts';

/** One agent as the operator's config has it, put together with what is known of its kind. */
export interface DeclaredAgent {
  readonly name: string;
  readonly of: AgentKind;
  readonly profiles: readonly DeclaredProfile[];
}

export interface AgentsOptions {
  readonly agents: readonly DeclaredAgent[];
  /** Where programs are looked for, in order. */
  readonly folders: () => readonly string[];
  /** The operator's own home, where agents keep what they sign in with. */
  readonly operator_home: string;
  /** A folder of ours that a program may take for its home while it is asked for its version. */
  readonly scratch: string;
  /** Folder for the sockets of attempts. */
  readonly sockets: string;
  readonly now: () => number;
}

/** How long what was found is believed. In ms: a listing that is read again and again must not search the disk each time. */
const BELIEVED_MS = 2_000;

const machineOf = ({ of }: DeclaredAgent, { folders, operator_home, scratch, sockets, now }: AgentsOptions): AgentMachine => {
  let seen: { readonly at: number; readonly program: AgentProgram | undefined } | undefined;
  let known: { readonly print: string; version: string | null } | undefined;
  const program = (): AgentProgram | undefined => {
    if (!seen || now() - seen.at > BELIEVED_MS || now() < seen.at) seen = { at: now(), program: findProgram(of.program, folders()) };
    return seen.program;
  };
  const version = (): string | null => {
    const found = program();
    if (!found) return null;
    if (known?.print !== found.print) {
      const asked: { readonly print: string; version: string | null } = { print: found.print, version: null };
      known = asked;
      void programVersion(found, scratch).then((said) => (asked.version = said));
    }
    return known.version;
  };
  const login = () => of.login.map((path) => ({ from: join(operator_home, path), to: path })).filter(({ from }) => existsSync(from));
  return { program, version, login, sockets };
};

/** The executors of all agents. Those that are not installed are listed too, with the reason. */
export const agentExecutors = (options: AgentsOptions): Executor[] =>
  options.agents.flatMap((agent) => {
    const machine = machineOf(agent, options);
    // Asked for once at the start, so that the first listing knows it.
    machine.version();
    return agent.profiles.map((profile) => agentExecutor(agent.name, agent.of, profile, machine, options.now));
  });
