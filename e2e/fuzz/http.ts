import * as fc from 'fast-check';
import { Agent, request } from 'node:http';
import { readdirSync, readFileSync } from 'node:fs';
import { ERROR_CODES } from '@fairlead/shared/contract/error-table';
import { methodOf, pathOf, pathParameters } from '@fairlead/shared/contract/http';
import type { Operation } from '@fairlead/shared/contract/operations/operation';
import { operationsOf } from '@fairlead/shared/contract/operations/table';
import { generatedInput } from '../../shared/test/generated-input.ts';
import { dice, mutateText, mutateValue, type Dice } from './mutations.ts';

/** One request as it goes over the line. */
interface Sent {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** A server that strangers reach. */
export interface Door {
  readonly name: string;
  readonly url: string;
  /** They take turns, so that no rate is reached. */
  readonly tokens: readonly string[];
  readonly make: (by: Dice) => Omit<Sent, 'headers'> & { readonly headers?: Readonly<Record<string, string>> };
}

/** Ids that are there, by the name of their field, so that generated requests reach what they name. */
export type Known = Readonly<Record<string, string>>;

const CODES: ReadonlySet<string> = new Set(ERROR_CODES);
/** Statuses above 499 that say nothing bad about whoever answers: nobody is behind it, or the answer came too late. */
const ELSEWHERE: ReadonlySet<string> = new Set(['connector_offline', 'outcome_unknown', 'deadline_exceeded']);
/** What would end the test or hold a request for long. */
const LEFT_OUT: ReadonlySet<string> = new Set([
  'halt',
  'remove_instance',
  'wait_step',
  'list_events',
  'revoke_grant',
  'create_grant',
  'add_instance',
]);

const rowsOf = (api: 'daemon' | 'relay'): Operation[] =>
  operationsOf(api).filter((row) => !LEFT_OUT.has(row.name) && !row.scope.startsWith('admin:') && row.stream !== 'bytes');

const poolOf = (rows: readonly Operation[]): readonly { readonly row: Operation; readonly input: Record<string, unknown> }[] =>
  rows.flatMap((row, at) => fc.sample(generatedInput(row.input), { numRuns: 15, seed: at }).map((input) => ({ row, input })));

const textOf = (value: unknown): string => (typeof value === 'string' ? value : (JSON.stringify(value) ?? ''));
const encoded = (value: unknown): string => encodeURIComponent(textOf(value).toWellFormed());

/** An input with known ids in most places, and something wrong in most. */
const inputOf = (input: Readonly<Record<string, unknown>>, known: Known, by: Dice): Record<string, unknown> => {
  const placed = Object.fromEntries(
    Object.entries(input).map(([name, value]) => [name, by.roll(4) > 0 && known[name] !== undefined ? known[name] : value]),
  );
  const changed = by.roll(5) === 0 ? placed : mutateValue(placed, by);
  return typeof changed === 'object' && changed !== null ? { ...(changed as Record<string, unknown>) } : placed;
};

/** Requests of an API, made from its rows. */
export const restRequests = (api: 'daemon' | 'relay', prefix: string, known: Known): Door['make'] => {
  const pool = poolOf(rowsOf(api));
  return (by) => {
    const { row, input } = by.pick(pool);
    const value = inputOf(input, known, by);
    const path = pathParameters(row).reduce((at, name) => at.replace(`:${name}`, encoded(value[name]) || 'x'), pathOf(row));
    const rest = Object.fromEntries(Object.entries(value).filter(([name]) => !pathParameters(row).includes(name)));
    const method = by.roll(25) === 0 ? by.pick(['GET', 'POST', 'DELETE', 'PUT']) : methodOf(row);
    if (methodOf(row) !== 'POST') {
      const query = Object.entries(rest)
        .map(([name, one]) => `${encoded(name)}=${encoded(one)}`)
        .join('&');
      return { method, path: `${prefix}${path}${query === '' ? '' : `?${query}`}`, body: undefined };
    }
    const body = JSON.stringify(rest);
    return { method, path: `${prefix}${path}`, body: by.roll(5) === 0 ? mutateText(body, by) : body };
  };
};

/** Calls of MCP tools, as JSON-RPC. */
export const mcpRequests = (known: Known): Door['make'] => {
  const pool = poolOf(rowsOf('relay').filter(({ remote }) => remote));
  return (by) => {
    const { row, input } = by.pick(pool);
    const call = {
      jsonrpc: '2.0',
      id: by.roll(1000),
      method: by.roll(12) === 0 ? by.pick(['tools/list', 'ping', 'initialize', 'resources/list', 'x', 'tools/call']) : 'tools/call',
      params: { name: row.name, arguments: inputOf(input, known, by) },
    };
    const body = JSON.stringify(by.roll(4) === 0 ? mutateValue(call, by) : call) ?? 'null';
    const headers = { accept: 'application/json, text/event-stream', 'mcp-protocol-version': by.roll(10) === 0 ? 'x' : '2025-06-18' };
    return { method: 'POST', path: '/mcp', headers, body: by.roll(6) === 0 ? mutateText(body, by) : body };
  };
};

const send = (agent: Agent, url: string, { method, path, headers, body }: Sent): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url);
    const asked = request(
      {
        agent,
        hostname,
        port,
        method,
        path,
        headers: {
          ...headers,
          ...(body !== undefined && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
        },
      },
      (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(chunks).toString() }));
        answer.on('error', reject);
      },
    );
    asked.on('error', reject);
    asked.end(body);
  });

/** What is wrong with an answer, or undefined. */
const faultOf = ({ status, body }: Answer, mcp: boolean): string | undefined => {
  let problem: { readonly code?: unknown; readonly field?: unknown } | undefined;
  try {
    problem = status >= 400 ? (JSON.parse(body) as typeof problem) : undefined;
  } catch {
    return `a refusal that is no JSON, ${status}`;
  }
  const code = problem?.code;
  if (status >= 500) return typeof code === 'string' && ELSEWHERE.has(code) ? undefined : `${status}`;
  if (status < 400) return undefined;
  // JSON-RPC has codes of its own.
  if (mcp && typeof (problem as { error?: { code?: unknown } } | undefined)?.error?.code === 'number') return undefined;
  if (typeof code !== 'string' || !CODES.has(code)) return `a refusal without a code of the table, ${status}`;
  return code === 'invalid_input' && typeof problem?.field !== 'string' ? 'an invalid_input that names no field' : undefined;
};

export interface Knocked {
  readonly requests: number;
  readonly byStatus: Readonly<Record<string, number>>;
}

/** Sends so many generated requests, a few at the same time. @throws Error that names the seed and the request */
export const knock = async (door: Door, count: number, seed: number, side = 8): Promise<Knocked> => {
  const by = dice(seed);
  const agent = new Agent({ keepAlive: true, maxSockets: side });
  const byStatus: Record<string, number> = {};
  let sent = 0;
  const one = async (): Promise<void> => {
    while (sent < count) {
      const at = sent++;
      const made = door.make(by);
      const token = door.tokens[at % door.tokens.length]!;
      const headers = {
        authorization: `Bearer ${token}`,
        ...(made.method === 'POST' && at % 3 > 0 && { 'idempotency-key': `fuzz-${seed}-${at}` }),
        ...made.headers,
      };
      const answer = await send(agent, door.url, { ...made, headers });
      byStatus[answer.status] = (byStatus[answer.status] ?? 0) + 1;
      const fault = faultOf(answer, made.path === '/mcp');
      if (fault)
        throw new Error(
          `${door.name} answered ${fault} at seed ${seed}, request ${at}: ${JSON.stringify(made).slice(0, 3000)}\n${answer.body.slice(0, 1000)}`,
        );
    }
  };
  try {
    await Promise.all(Array.from({ length: side }, one));
  } finally {
    agent.destroy();
  }
  return { requests: count, byStatus };
};

/** Open descriptors and resident megabytes of a process. */
export const standing = (pid: number): { readonly descriptors: number; readonly megabytes: number } => ({
  descriptors: readdirSync(`/proc/${pid}/fd`).length,
  megabytes: Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024,
});
