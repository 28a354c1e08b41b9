import { geminiDialect, opencodeDialect, ownDialect, qwenDialect } from './acp-agents.ts';
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
  gemini: {
    kind: 'acp',
    title: 'Gemini CLI',
    program: 'gemini',
    dialect: geminiDialect,
    gateway: {
      upstream: 'https://generativelanguage.googleapis.com',
      header: (secret) => ({ 'x-goog-api-key': secret }),
      variable: 'GEMINI_API_KEY',
    },
    login: ['.gemini/oauth_creds.json', '.gemini/google_accounts.json'],
    vendor_hosts: ['cloudcode-pa.googleapis.com', 'oauth2.googleapis.com', 'www.googleapis.com', 'generativelanguage.googleapis.com'],
    resumes: true,
  },
  qwen: {
    kind: 'acp',
    title: 'Qwen Code',
    program: 'qwen',
    dialect: qwenDialect,
    gateway: {
      upstream: 'https://dashscope-intl.aliyuncs.com/compatible-mode',
      header: (secret) => ({ authorization: `Bearer ${secret}` }),
      variable: 'DASHSCOPE_API_KEY',
    },
    login: [],
    vendor_hosts: [],
    resumes: true,
  },
  opencode: {
    kind: 'acp',
    title: 'OpenCode',
    program: 'opencode',
    dialect: opencodeDialect,
    gateway: {
      upstream: 'https://opencode.ai/zen',
      header: (secret) => ({ authorization: `Bearer ${secret}` }),
      variable: 'OPENCODE_API_KEY',
    },
    login: ['.local/share/opencode/auth.json'],
    vendor_hosts: ['opencode.ai'],
    resumes: true,
  },
};

/** What an operator says of an agent that is not known here. */
export interface OwnAgent {
  readonly title: string;
  readonly program: string;
  /** What makes it speak the Agent Client Protocol on its standard input and output. */
  readonly args: readonly string[];
  /** Files below the operator's home that it signs in with. */
  readonly login: readonly string[];
  /** Hosts that its model needs. */
  readonly hosts: readonly string[];
}

/** The kind of an operator's own agent. It signs in by itself; which sessions it can go on with is not known, so none is tried. */
export const ownAgent = ({ title, program, args, login, hosts }: OwnAgent): AgentKind => ({
  kind: 'acp',
  title,
  program,
  dialect: () => ownDialect(args),
  gateway: undefined,
  login,
  vendor_hosts: hosts,
  resumes: false,
});
