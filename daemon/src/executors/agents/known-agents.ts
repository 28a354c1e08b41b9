import type { AgentKind } from './agent-spec.ts';
import { claudeDialect } from './claude.ts';
import { codexDialect } from './codex.ts';

/** The agents that Fairlead knows. An operator may declare more that speak the Agent Client Protocol. */
export const KNOWN_AGENTS: Readonly<Record<string, AgentKind>> = {
  claude: {
    kind: 'claude',
    title: 'Claude Code',
    program: 'claude',
    dialect: claudeDialect,
    gateway: {
      upstream: 'https://api.anthropic.com',
      header: (secret) => ({ 'x-api-key': secret }),
      variable: 'ANTHROPIC_API_KEY',
    },
    login: ['.claude/.credentials.json'],
    vendor_hosts: ['api.anthropic.com', 'platform.claude.com', 'claude.ai', 'console.anthropic.com'],
    resumes: true,
  },
  codex: {
    kind: 'codex',
    title: 'Codex',
    program: 'codex',
    dialect: codexDialect,
    gateway: {
      upstream: 'https://api.openai.com',
      header: (secret) => ({ authorization: `Bearer ${secret}` }),
      variable: 'OPENAI_API_KEY',
    },
    login: ['.codex/auth.json'],
    vendor_hosts: ['chatgpt.com', 'auth.openai.com', 'api.openai.com'],
    resumes: true,
  },
};
