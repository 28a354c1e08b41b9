import { FairleadError } from '@fairlead/shared/contract/errors';
import { readInput } from '@fairlead/shared/contract/http';
import { OPERATIONS, type CallOf, type OperationName, type OutputOf } from '@fairlead/shared/contract/operations/table';
import { parseDuration, type Output } from '@fairlead/shared/kit/cli';
import { printable } from '@fairlead/shared/kit/printable';
import { connect, type GlobalFlags } from './connection.ts';

interface Context<T = object> {
  readonly output: Output;
  readonly globals: GlobalFlags;
  readonly flags: T;
  readonly args: readonly string[];
}

/** Asks the relay; the input is checked here first, so that a usage error names its field without a round trip. */
const ask = async <N extends OperationName>({ globals }: Context, name: N, input: CallOf<N>): Promise<OutputOf<N>> => {
  readInput(OPERATIONS[name], input);
  const client = await connect(globals);
  return client.call(name, input);
};

const words = (lists: readonly string[] | undefined): string[] | undefined =>
  lists?.flatMap((list) => list.split(',')).filter((word) => word !== '');
const or = (text: string | null, instead: string): string => text ?? instead;

export const status = async (context: Context): Promise<void> => {
  const value = await ask(context, 'relay_status', {});
  context.output.result(value, () =>
    context.output.table([
      ['relay', ''],
      ['version', value.version],
      ['origin', value.origin],
      ['key', value.key],
      ['started', value.started_at],
      ['connectors', `${value.online_connectors} of ${value.connectors} online`],
      ['instances', String(value.instances)],
      ['under way', String(value.pending)],
      [
        'process',
        `${Math.round(value.process.memory_bytes / 1024 / 1024)} MiB of memory, event loop late by ${value.process.loop_delay_p99_ms} ms (p99)`,
      ],
      ...(value.draining ? [['draining', 'yes']] : []),
    ]),
  );
};

export const listConnectors = async (context: Context): Promise<void> => {
  const value = await ask(context, 'list_connectors', {});
  const rows = value.items.map((row) => [
    row.id,
    row.label,
    row.online ? 'online' : 'away',
    row.state,
    String(row.instances.length),
    or(row.last_seen_at, 'never'),
  ]);
  context.output.result(value, () => context.output.table([['id', 'label', 'line', 'state', 'instances', 'last seen'], ...rows]));
};

export const listInstances = async (context: Context): Promise<void> => {
  const value = await ask(context, 'list_all_instances', {});
  const rows = value.items.map((row) => [
    row.id,
    row.label,
    row.machine,
    row.default_branch,
    row.online ? 'online' : 'away',
    row.connector_id,
  ]);
  context.output.result(value, () => context.output.table([['id', 'label', 'machine', 'branch', 'line', 'connector'], ...rows]));
};

export const listAudit = async (context: Context<{ limit?: number; page?: string; action?: string; outcome?: string }>): Promise<void> => {
  const { limit, page, action, outcome } = context.flags;
  const value = await ask(context, 'list_audit', { limit, page, action, outcome });
  const rows = value.items.map((row) => [
    row.at,
    row.actor,
    row.action,
    row.outcome,
    row.resource_id ?? row.instance_id ?? '',
    row.request_id ?? '',
  ]);
  context.output.result(value, () => context.output.table([['at', 'actor', 'action', 'outcome', 'about', 'request'], ...rows]));
};

export const setConnectorState =
  (state: 'enabled' | 'disabled' | 'revoked') =>
  async (context: Context): Promise<void> => {
    const value = await ask(context, 'set_connector_state', { connector_id: context.args[0]!, state });
    context.output.result(value, `${printable(value.label)} is ${value.state}.`);
  };

export const renameConnector = async (context: Context): Promise<void> => {
  const value = await ask(context, 'rename_connector', { connector_id: context.args[0]!, label: context.args[1]! });
  context.output.result(value, `${value.id} is called ${printable(value.label)} here.`);
};

/** A secret goes to stdout alone, so that it can be piped; everything said about it goes to stderr. */
const showSecret = ({ output }: Context, value: { readonly secret: string }, remark: string): void => {
  output.result(value, value.secret);
  output.note(remark);
};

export const createEnrollmentToken = async (context: Context<{ label?: string; expires?: string }>): Promise<void> => {
  const { label, expires } = context.flags;
  const value = await ask(context, 'create_enrollment_token', {
    label,
    ...(expires !== undefined && { expires_ms: parseDuration(expires, 'expires') }),
  });
  showSecret(context, value, `One connector may enrol with it until ${value.expires_at}. It is not shown again.`);
};

export const listEnrollmentTokens = async (context: Context): Promise<void> => {
  const value = await ask(context, 'list_enrollment_tokens', {});
  const state = (row: (typeof value.items)[number]) => (row.revoked_at ? 'revoked' : row.used_at ? 'used' : 'open');
  context.output.result(value, () =>
    context.output.table([
      ['id', 'label', 'state', 'expires'],
      ...value.items.map((row) => [row.id, row.label, state(row), row.expires_at]),
    ]),
  );
};

export const revokeEnrollmentToken = async (context: Context): Promise<void> => {
  const value = await ask(context, 'revoke_enrollment_token', { enrollment_token_id: context.args[0]! });
  context.output.result(value, `${value.id} enrols nobody any more.`);
};

export const createPlannerToken = async (
  context: Context<{ name?: string; scope?: string[]; instance?: string[]; expires?: string }>,
): Promise<void> => {
  const { flags, args } = context;
  const name = args[0] ?? flags.name;
  if (name === undefined || (args[0] !== undefined && flags.name !== undefined)) {
    throw new FairleadError('invalid_input', {
      field: 'name',
      rule: 'must be given once',
      detail: 'Name the planner once: planner-token create NAME.',
    });
  }
  const scopes = words(flags.scope) as CallOf<'create_planner_token'>['scopes'];
  const value = await ask(context, 'create_planner_token', {
    name,
    scopes,
    instances: words(flags.instance) ?? null,
    expires_ms: flags.expires === undefined ? null : parseDuration(flags.expires, 'expires'),
  });
  showSecret(
    context,
    value,
    `Scopes: ${value.scopes.join(', ')}. ${value.instances === null ? 'Every instance' : `${value.instances.length} instances`}. It is not shown again.`,
  );
};

export const listPlannerTokens = async (context: Context): Promise<void> => {
  const value = await ask(context, 'list_planner_tokens', {});
  const rows = value.items.map((row) => [
    row.id,
    row.name,
    row.revoked_at ? 'revoked' : 'open',
    row.instances === null ? 'all' : String(row.instances.length),
    or(row.expires_at, 'never'),
    or(row.last_used_at, 'never'),
  ]);
  context.output.result(value, () => context.output.table([['id', 'name', 'state', 'instances', 'expires', 'last used'], ...rows]));
};

export const revokePlannerToken = async (context: Context): Promise<void> => {
  const value = await ask(context, 'revoke_planner_token', { token_id: context.args[0]! });
  context.output.result(value, `The token of ${printable(value.name)} no longer works.`);
};
