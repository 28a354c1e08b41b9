import { FairleadError } from '@fairlead/shared/contract/errors';
import type { Output } from '@fairlead/shared/kit/cli';
import { MCP_CLIENTS } from './mcp-clients.ts';
import { connect, type GlobalFlags } from './connection.ts';

interface Asked {
  readonly output: Output;
  readonly globals: GlobalFlags;
  readonly flags: { readonly client?: string; readonly tokenEnv?: string; readonly endpoint?: string };
}

const refuse = (field: string, rule: string): never => {
  throw new FairleadError('invalid_input', { field, rule, detail: `${field} ${rule}` });
};

/** The endpoint as planners reach it: as given, or below the origin that the running relay calls itself. */
const endpointFor = async (given: string | undefined, globals: GlobalFlags): Promise<string> => {
  if (given === undefined) return `${(await (await connect(globals)).call('relay_status', {})).origin}/mcp`;
  if (!/^https?:\/\/[^\s"'\\]+$/.test(given) || !URL.canParse(given)) refuse('--endpoint', 'must be an http or https URL');
  return given;
};

/** Prints what one MCP client must be told, ready for its file. */
export const mcpConfig = async ({ output, globals, flags }: Asked): Promise<void> => {
  const names = MCP_CLIENTS.map(({ name }) => name).join(', ');
  const client = MCP_CLIENTS.find(({ name }) => name === flags.client) ?? refuse('--client', `must be one of ${names}`);
  const variable = flags.tokenEnv ?? 'FAIRLEAD_TOKEN';
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(variable)) refuse('--token-env', 'must be the name of an environment variable');
  const url = await endpointFor(flags.endpoint, globals);
  const config = client.config(url, variable);
  output.result({ client: client.name, file: client.file, format: client.format, endpoint: url, token_env: variable, config }, config);
  output.note(`Put this into ${client.file}, beside what is there.`);
  output.note(
    config.includes(variable)
      ? `The client reads the token from ${variable}: fairlead-relay planner-token create --name ${client.name}`
      : `The client asks for the token once: fairlead-relay planner-token create --name ${client.name}`,
  );
};
