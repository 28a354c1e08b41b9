import * as z from 'zod';
import { GrantId, InstanceId } from '../ids.ts';
import { LIMITS } from '../limits.ts';
import { Grant, Instance } from '../resources.ts';
import { ProcessHealth, Time } from '../values.ts';
import { ExecutorId } from '../task.ts';
import { operation } from './operation.ts';

/** A public key: 32 bytes of Ed25519 as base64url without padding. */
export const PublicKey = z.string().regex(/^[A-Za-z0-9_-]{43}$/, { error: 'must be an Ed25519 public key as base64url' });

/** DSSE envelope: the payload is signed as the exact bytes that are sent. */
export const Envelope = z.strictObject({
  payloadType: z.string().max(100),
  payload: z.base64().max(16_384),
  signatures: z
    .array(z.strictObject({ keyid: z.string().max(100), sig: z.base64().max(200) }))
    .min(1)
    .max(4),
});
export type Envelope = z.infer<typeof Envelope>;

/** The daemon's proof that a connector may serve an instance: certificate of the operational key, and what that key signed. */
export const Delegation = z.strictObject({ certificate: Envelope, delegation: Envelope });
export type Delegation = z.infer<typeof Delegation>;

/** Checkouts made ahead of need, and how checkouts are provisioned. */
const WorkspacesStatus = z.object({
  folders_per_instance: z.number().int(),
  pool_bytes: z.number().int(),
  pool_budget_bytes: z.number().int(),
  instances: z.array(
    z.object({
      instance_id: InstanceId,
      label: z.string(),
      ready: z.number().int().describe('Checkouts that are ready'),
      bytes: z.number().int(),
      held_back: z.enum(['budget', 'disk']).nullable().describe('Why no more are made: the budget, or too little room on the disk'),
      provisioned: z
        .object({ copied: z.array(z.string()), mounted_read_only: z.array(z.string()), post_create: z.boolean() })
        .nullable()
        .describe('As the last checkout since the start of the daemon; null: there was none that is provisioned'),
    }),
  ),
});

/** Operations of the daemon for its owner alone, with the operator's token. None of them can be asked through a relay. */
export const daemonAdminOperations = {
  daemon_status: operation({
    name: 'daemon_status',
    title: 'Status of the daemon',
    description: 'What the daemon serves, what runs and waits, its sandbox, the checkouts it holds ready, and how much space it uses.',
    route: 'GET /status',
    input: z.strictObject({}),
    output: z.object({
      version: z.string(),
      started_at: Time,
      machine: z.string(),
      confinement: z.string(),
      confinement_detail: z.string(),
      halted: z.boolean(),
      instances: z.number().int(),
      steps: z.object({ queued: z.number().int(), active: z.number().int(), needs_approval: z.number().int() }),
      parallelism: z.number().int(),
      ledger_bytes: z.number().int(),
      artifact_bytes: z.number().int(),
      process: ProcessHealth,
      workspaces: WorkspacesStatus,
    }),
    scope: 'admin:read',
  }),
  add_instance: operation({
    name: 'add_instance',
    title: 'Register a repository',
    description: 'Registers a git repository as an instance. Nothing is shared by this.',
    route: 'POST /instances',
    input: z.strictObject({
      path: z.string().min(1).max(4096),
      label: z.string().min(1).max(100).optional(),
      target: z.string().max(500).optional().describe('Full branch name; default: the branch that is checked out'),
      policy_ref: z.string().max(500).optional().describe('Where project policy is read from; default: the target'),
      listed_branches: z
        .array(z.string().max(500))
        .max(LIMITS.list.value)
        .default([])
        .describe('Branches from which a remote base may come; the target always is'),
      default_executor: ExecutorId.default('patch'),
      unconfined: z.boolean().default(false).describe('Allows work without a sandbox for this instance; every record then says so'),
    }),
    output: Instance,
    scope: 'admin:write',
    effect: 'write',
    deadline: 'slow',
  }),
  remove_instance: operation({
    name: 'remove_instance',
    title: 'Unregister a repository',
    description: 'Withdraws all grants and serves the instance no more. The repository is not touched and the evidence stays.',
    route: 'DELETE /instances/:instance_id',
    input: z.strictObject({ instance_id: InstanceId }),
    output: z.object({ removed: z.literal(true), instance_id: InstanceId }),
    scope: 'admin:write',
    effect: 'write',
  }),
  create_grant: operation({
    name: 'create_grant',
    title: 'Share an instance',
    description:
      "Grants one connector, at one relay, named operations on an instance, with a budget and an end; answers the delegation and the connector's own credential.",
    route: 'POST /instances/:instance_id/grants',
    input: z.strictObject({
      instance_id: InstanceId,
      connector_key: PublicKey,
      relay_key: PublicKey,
      operations: z.array(z.string().max(64)).max(100).optional().describe('Default: reads and writes that decide nothing'),
      executors: z.array(ExecutorId).max(100).nullable().default(null),
      validations: z.array(z.string().max(64)).max(100).nullable().default(null),
      steps: z.number().int().positive().nullable().default(null),
      wall_ms: z.number().int().positive().nullable().default(null),
      days: z.number().int().positive().max(3650).default(LIMITS.grant_days.value),
      accept_relay_decisions: z.boolean().default(false),
    }),
    output: z.object({ grant: Grant, delegation: Delegation, connector_token: z.string() }),
    scope: 'admin:write',
    effect: 'write',
  }),
  list_grants: operation({
    name: 'list_grants',
    title: 'List grants',
    description: 'What is shared, with whom, how much of it is spent and when it ends.',
    route: 'GET /grants',
    input: z.strictObject({ instance_id: InstanceId.optional() }),
    output: z.object({ items: z.array(Grant) }),
    scope: 'admin:read',
  }),
  revoke_grant: operation({
    name: 'revoke_grant',
    title: 'Withdraw a grant',
    description: "Ends a grant at once. The connector's credential for it stops working.",
    route: 'POST /grants/:grant_id/revoke',
    input: z.strictObject({ grant_id: GrantId }),
    output: Grant,
    scope: 'admin:write',
    effect: 'write',
  }),
  move_grant: operation({
    name: 'move_grant',
    title: 'Move a grant to another key',
    description:
      "Gives a connector's grant to the key that took the place of its old one: with the same operations, the same end and what was spent. The old grant and its credential end.",
    route: 'POST /grants/:grant_id/move',
    input: z.strictObject({ grant_id: GrantId, connector_key: PublicKey }),
    output: z.object({ grant: Grant, delegation: Delegation, connector_token: z.string() }),
    scope: 'admin:write',
    effect: 'write',
  }),
  get_config: operation({
    name: 'get_config',
    title: 'Configuration of the daemon',
    description: 'Each setting in force, and where its value came from. Secrets are not shown.',
    route: 'GET /config',
    input: z.strictObject({}),
    output: z.object({ items: z.array(z.object({ key: z.string(), value: z.unknown(), source: z.string() })) }),
    scope: 'admin:read',
  }),
  halt: operation({
    name: 'halt',
    title: 'Halt everything',
    description: 'Ends what runs and refuses everything until resume, whoever controls the relay.',
    route: 'POST /halt',
    input: z.strictObject({}),
    output: z.object({ halted: z.boolean(), stopped_steps: z.number().int() }),
    scope: 'admin:write',
    effect: 'write',
    deadline: 'slow',
  }),
  resume: operation({
    name: 'resume',
    title: 'Resume after a halt',
    description: 'Takes work again after halt.',
    route: 'POST /resume',
    input: z.strictObject({}),
    output: z.object({ halted: z.boolean() }),
    scope: 'admin:write',
    effect: 'write',
  }),
};

/** Asked by a connector, with its own credential, about itself. */
export const connectorOperations = {
  get_delegation: operation({
    name: 'get_delegation',
    title: 'Renew a delegation',
    description: 'The grant as the daemon holds it and a fresh delegation, for the connector that it was given to.',
    route: 'GET /delegations/:instance_id',
    input: z.strictObject({ instance_id: InstanceId }),
    output: z.object({
      grant: Grant,
      delegation: Delegation,
      label: z.string(),
      machine: z.string(),
      default_branch: z.string(),
      executors: z.array(z.string()),
      origin_digest: z.string().nullable(),
    }),
    scope: 'none',
    surface: 'connector',
  }),
};
