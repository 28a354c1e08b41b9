import { randomUUID } from 'node:crypto';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { FairleadError, Problem } from '@fairlead/shared/contract/errors';
import { OPERATIONS, type CallOf, type OutputOf, type RemoteName } from '@fairlead/shared/contract/operations/table';
import type { Planner } from './planner.ts';

export interface McpPlanner extends Planner {
  readonly client: Client;
}

interface ToolAnswer {
  readonly isError?: boolean;
  readonly structuredContent?: unknown;
  readonly content?: readonly { readonly type: string; readonly text?: string }[];
}

const problemOf = (answer: ToolAnswer): FairleadError => {
  const found = Problem.safeParse(answer.structuredContent);
  if (found.success) return FairleadError.fromProblem(found.data);
  const text = answer.content?.find(({ type }) => type === 'text')?.text ?? 'The tool answered an error without words';
  const inText = /\{[\s\S]*\}/.exec(text);
  const parsed = inText ? Problem.safeParse(JSON.parse(inText[0])) : undefined;
  return parsed?.success ? FairleadError.fromProblem(parsed.data) : new FairleadError('internal', { detail: text });
};

/** A planner that speaks MCP to the relay, with the official client. */
export const mcpPlanner = async (mcpUrl: string, token: string): Promise<McpPlanner> => {
  const client = new Client({ name: 'fairlead-rig', version: '1.0.0' });
  await client.connect(
    new StreamableHTTPClientTransport(new URL(mcpUrl), { requestInit: { headers: { authorization: `Bearer ${token}` } } }),
  );
  const call = async <N extends RemoteName>(name: N, input: CallOf<N>, key: string = randomUUID()): Promise<OutputOf<N>> => {
    const args = OPERATIONS[name].effect === 'read' ? { ...input } : { ...input, idempotency_key: key };
    const answer = (await client.callTool({ name, arguments: args }, { timeout: 60_000 })) as ToolAnswer;
    if (answer.isError) throw problemOf(answer);
    return answer.structuredContent as OutputOf<N>;
  };
  return {
    way: 'mcp',
    client,
    call,
    async content(artifactId) {
      const chunks: Buffer[] = [];
      for (let offset: number | null = 0; offset !== null;) {
        const page: OutputOf<'get_artifact_content'> = await call('get_artifact_content', { artifact_id: artifactId, offset });
        chunks.push(Buffer.from(page.content, page.encoding === 'base64' ? 'base64' : 'utf8'));
        offset = page.next_offset;
      }
      return Buffer.concat(chunks);
    },
    close: () => client.close(),
  };
};
