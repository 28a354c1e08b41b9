import { FairleadError } from '@fairlead/shared/contract/errors';
import { AgentProfileSpec } from '../config/agent-settings.ts';
import { readProfile } from '../config/agents.ts';
import type { Settings } from '../config/settings.ts';
import type { AgentKind } from '../executors/agents/agent-spec.ts';
import type { DeclaredAgent } from '../executors/agents/agents.ts';
import { KNOWN_AGENTS, ownAgent } from '../executors/agents/known-agents.ts';

/** What the config may not say of an agent that is known already. */
const OWN_ONLY = ['args', 'login', 'hosts'] as const;

const kindOf = (name: string, settings: Settings['agents'][string] | undefined): AgentKind => {
  const known = Object.hasOwn(KNOWN_AGENTS, name) ? KNOWN_AGENTS[name] : undefined;
  if (known) {
    const odd = OWN_ONLY.find((key) => settings?.[key] !== undefined);
    if (odd)
      throw new FairleadError('config_invalid', {
        field: `agents.${name}.${odd}`,
        rule: 'is for agents of your own',
        detail: `agents.${name}.${odd}: ${name} is known already; only its program and its profiles can be set`,
      });
    return { ...known, program: settings?.program ?? known.program };
  }
  if (settings?.program === undefined)
    throw new FairleadError('config_invalid', {
      field: `agents.${name}.program`,
      rule: 'must name the program of an agent of your own',
      detail: `agents.${name}.program: ${name} is not known, so it needs a program that speaks the Agent Client Protocol`,
      hint: `Known agents are ${Object.keys(KNOWN_AGENTS).join(', ')}.`,
    });
  const { program, title = name, args = [], login = [], hosts = [] } = settings;
  return ownAgent({ title, program, args, login, hosts });
};

/**
 * Every agent that is known or declared, each with its profiles; `default` is there always.
 * @throws FairleadError `config_invalid`, `secret_exposed`
 */
export const declaredAgents = (settings: Settings, env: Readonly<Record<string, string | undefined>>): DeclaredAgent[] =>
  [...new Set([...Object.keys(KNOWN_AGENTS), ...Object.keys(settings.agents)])].map((name) => {
    const said = settings.agents[name];
    const of = kindOf(name, said);
    const profiles = { default: AgentProfileSpec.parse({}), ...said?.profiles };
    return {
      name,
      of,
      profiles: Object.entries(profiles).map(([profile, spec]) => ({
        ...readProfile(profile, spec, env, `agents.${name}.profiles.${profile}`, of.gateway?.variable),
        resumes: of.resumes,
      })),
    };
  });
