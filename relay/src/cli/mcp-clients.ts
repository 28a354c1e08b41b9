/** How one MCP client is told of a server. */
export interface McpClient {
  readonly name: string;
  /** Where the client reads it from. */
  readonly file: string;
  readonly format: 'json' | 'toml';
  /** The text of the file, with the server alone in it. @param variable holds the token when the client starts */
  config(url: string, variable: string): string;
}

const json = (value: unknown): string => JSON.stringify(value, null, 2);
const bearer = (reference: string): Record<string, string> => ({ Authorization: `Bearer ${reference}` });

/** Gemini's settings, and those of what is made from it. Its `url` would mean the older transport. */
const geminiLike = (url: string, variable: string): string =>
  json({ mcpServers: { fairlead: { httpUrl: url, headers: bearer(`$${variable}`) } } });

/**
 * The clients that `mcp-config` knows. In none of these is the token itself: the client reads it from its environment, or asks for it, so
 * that the file may be committed.
 */
export const MCP_CLIENTS: readonly McpClient[] = [
  {
    name: 'claude-code',
    file: '.mcp.json in the project',
    format: 'json',
    config: (url, variable) => json({ mcpServers: { fairlead: { type: 'http', url, headers: bearer(`\${${variable}}`) } } }),
  },
  {
    name: 'codex',
    file: '~/.codex/config.toml',
    format: 'toml',
    // Strings of TOML and of JSON are written alike, as long as they hold what a URL and a variable's name may hold.
    config: (url, variable) =>
      `[mcp_servers.fairlead]\nurl = ${JSON.stringify(url)}\nbearer_token_env_var = ${JSON.stringify(variable)}\ntool_timeout_sec = 60`,
  },
  {
    name: 'cursor',
    file: '.cursor/mcp.json in the project',
    format: 'json',
    config: (url, variable) => json({ mcpServers: { fairlead: { url, headers: bearer(`\${env:${variable}}`) } } }),
  },
  { name: 'gemini', file: '~/.gemini/settings.json', format: 'json', config: geminiLike },
  {
    name: 'opencode',
    file: 'opencode.json in the project',
    format: 'json',
    config: (url, variable) => json({ mcp: { fairlead: { type: 'remote', url, enabled: true, headers: bearer(`{env:${variable}}`) } } }),
  },
  { name: 'qwen', file: '~/.qwen/settings.json', format: 'json', config: geminiLike },
  {
    name: 'vscode',
    file: '.vscode/mcp.json in the project',
    format: 'json',
    config: (url) =>
      json({
        inputs: [{ type: 'promptString', id: 'fairlead-token', description: 'Planner token of the Fairlead relay', password: true }],
        servers: { fairlead: { type: 'http', url, headers: bearer('${input:fairlead-token}') } },
      }),
  },
];
