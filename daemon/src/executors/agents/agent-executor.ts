import type { ExecutorInfo } from '@fairlead/shared/contract/executors';
import type { Executor } from '../executor.ts';
import type { AgentProfile } from '../executor.ts';
import { runAgent } from './agent-run.ts';
import type { AgentKind } from './agent-spec.ts';
import type { AgentProgram } from './program.ts';

/** A profile as the operator declared it, with its secrets read. */
export interface DeclaredProfile extends AgentProfile {
  readonly name: string;
  /** Where the model is, in place of the vendor's own. */
  readonly base_url: string | undefined;
  /** The credential, for the gateway alone; undefined where the agent signs in with its own files. */
  readonly secret: string | undefined;
  /** Variables that are let through. */
  readonly env: Readonly<Record<string, string>>;
}

/** What one agent's profiles share: where its program is, found out again when that changes. */
export interface AgentMachine {
  /** Undefined where it is not installed. */
  program(): AgentProgram | undefined;
  /** What it says of its version; null until it was asked, or where it says nothing. */
  version(): string | null;
  /** Sign-in files that are there, by path below the operator's home. */
  /** Folder for the sockets of attempts. */
  readonly sockets: string;
  login(): readonly { readonly from: string; readonly to: string }[];
}

/** `claude` for the default profile, `claude.careful` for others. */
const idOf = (name: string, profile: string): string => (profile === 'default' ? name : `${name}.${profile}`);

/** Makes the executor of one profile of one agent. */
export const agentExecutor = (
  name: string,
  of: AgentKind,
  profile: DeclaredProfile,
  machine: AgentMachine,
  now: () => number,
): Executor => {
  const id = idOf(name, profile.name);
  const dialect = of.dialect(now);
  const route =
    of.gateway && profile.secret !== undefined
      ? { name: 'model', upstream: profile.base_url ?? of.gateway.upstream, headers: of.gateway.header(profile.secret) }
      : undefined;
  const signedIn = (): ExecutorInfo['signed_in'] => {
    if (route) return 'yes';
    if (of.login.length === 0) return 'unknown';
    return machine.login().length > 0 ? 'yes' : 'no';
  };
  const unavailable = (): string | undefined => {
    if (!machine.program()) return `${of.program} was not found on the daemon's PATH; install it, or name agents.${name}.program`;
    if (signedIn() === 'no')
      return `${of.title} is not signed in on this machine: sign in with it once, or name a credential in agents.${name}.profiles.${profile.name}`;
    return undefined;
  };
  return {
    id,
    kind: of.kind,
    description: `${of.title}${profile.model === undefined ? '' : `, model ${profile.model}`}: works on a goal in a confined copy of the repository`,
    needs: 'workspace',
    runs_code: true,
    replayable: false,
    simulated: false,
    prompted: true,
    profile,
    ...(profile.time_ms !== undefined && { timeout_ms: profile.time_ms }),
    unavailable,
    checked: `looked for ${of.program}, its version and its sign-in, without a call to its model`,
    version: () => machine.version(),
    signedIn,
    async execute(order, report) {
      const program = machine.program();
      if (!program)
        return { outcome: 'refused', reason: { code: 'executor_unavailable', message: unavailable() ?? `${of.program} is gone` } };
      return runAgent(
        {
          id,
          dialect,
          program,
          profile,
          route,
          vendor_hosts: of.vendor_hosts,
          env: profile.env,
          login: route ? [] : machine.login(),
          sockets: machine.sockets,
        },
        order,
        report,
      );
    },
  };
};
