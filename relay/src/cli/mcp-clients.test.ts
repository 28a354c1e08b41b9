import { describe, expect, it } from 'vitest';
import { MCP_CLIENTS } from './mcp-clients.ts';

const URL_TEXT = 'https://relay.example/mcp';

describe('what an MCP client is told', () => {
  it.each(MCP_CLIENTS.map((client) => [client.name, client] as const))('%s: the endpoint, and where the token comes from', (_, client) => {
    const text = client.config(URL_TEXT, 'MY_TOKEN');
    expect(text).toContain(URL_TEXT);
    expect(text).toMatch(/MY_TOKEN|\$\{input:fairlead-token\}/);
    if (client.format === 'json') expect(JSON.stringify(JSON.parse(text))).toContain(JSON.stringify(URL_TEXT));
    else expect(text.split('\n')[0]).toBe('[mcp_servers.fairlead]');
  });

  it('is known by one name each', () => {
    expect(new Set(MCP_CLIENTS.map(({ name }) => name)).size).toBe(MCP_CLIENTS.length);
  });
});
