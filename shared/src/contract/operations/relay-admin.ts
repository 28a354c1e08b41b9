import * as z from 'zod';
import { ConnectorId, EnrollmentTokenId, InstanceId, TokenId } from '../ids.ts';
import { LIMITS } from '../limits.ts';
import { InstanceSummary } from '../resources.ts';
import { ProcessHealth, Time } from '../values.ts';
import { PublicKey } from './daemon-admin.ts';
import { SCOPES, operation } from './operation.ts';
import { Paging } from './runs.ts';

const Label = z
  .string()
  .min(1)
  .max(100)
  .regex(/^[^\p{Cc}]*$/u, { error: 'must be one line without control characters' });

const Signature = z.string().max(200).describe("Signature of the connector's key over the document of the request (wire/handshake)");

const Connector = z.object({
  id: ConnectorId,
  label: z.string(),
  key: PublicKey,
  state: z.enum(['enabled', 'disabled', 'revoked']),
  online: z.boolean(),
  instances: z.array(z.string()),
  last_seen_at: Time.nullable(),
  enrolled_at: Time,
});

const PlannerToken = z.object({
  id: TokenId,
  name: z.string(),
  scopes: z.array(z.enum(SCOPES)),
  instances: z.array(InstanceId).nullable().describe('null is every instance'),
  created_at: Time,
  expires_at: Time.nullable(),
  revoked_at: Time.nullable(),
  last_used_at: Time.nullable(),
});

const EnrollmentToken = z.object({
  id: EnrollmentTokenId,
  label: z.string(),
  created_at: Time,
  expires_at: Time,
  used_at: Time.nullable(),
  revoked_at: Time.nullable(),
});

export const AuditEntry = z.object({
  id: z.number().int(),
  at: Time,
  actor: z.string().describe('Token, connector, admin or anonymous'),
  action: z.string().describe('An operation, or what the relay did by itself'),
  effect: z.enum(['read', 'write', 'decide', 'session', 'gap']),
  outcome: z.string().describe('ok, or an error code'),
  instance_id: z.string().nullable(),
  resource_id: z.string().nullable(),
  request_id: z.string().nullable(),
  address: z.string().nullable(),
  detail: z.record(z.string(), z.unknown()),
});
export type AuditEntry = z.infer<typeof AuditEntry>;

const admin = { surface: 'relay_admin' } as const;

/** Operations of a relay for its operator, with the admin token; and enrolment, which carries its own one-time token. */
export const relayAdminOperations = {
  relay_status: operation({
    ...admin,
    name: 'relay_status',
    title: 'Status of the relay',
    description: 'Version, what is connected, and how much is under way.',
    route: 'GET /admin/status',
    input: z.strictObject({}),
    output: z.object({
      version: z.string(),
      started_at: Time,
      origin: z.string(),
      key: PublicKey,
      draining: z.boolean(),
      connectors: z.number().int(),
      online_connectors: z.number().int(),
      instances: z.number().int(),
      pending: z.number().int(),
      process: ProcessHealth,
    }),
    scope: 'admin:read',
  }),
  list_connectors: operation({
    ...admin,
    name: 'list_connectors',
    title: 'List connectors',
    description: 'Every enrolled machine and what it shares.',
    route: 'GET /admin/connectors',
    input: z.strictObject({}),
    output: z.object({ items: z.array(Connector) }),
    scope: 'admin:read',
  }),
  set_connector_state: operation({
    ...admin,
    name: 'set_connector_state',
    title: 'Enable, disable or revoke a connector',
    description: 'Disabling or revoking closes its live socket at once. A revoked connector can only be enrolled anew.',
    route: 'POST /admin/connectors/:connector_id/state',
    input: z.strictObject({ connector_id: ConnectorId, state: z.enum(['enabled', 'disabled', 'revoked']) }),
    output: Connector,
    scope: 'admin:write',
    effect: 'write',
    repeatable: true,
  }),
  rename_connector: operation({
    ...admin,
    name: 'rename_connector',
    title: 'Rename a connector',
    description: 'Gives an enrolled machine another label in the lists of the relay. The machine itself is not told.',
    route: 'POST /admin/connectors/:connector_id/label',
    input: z.strictObject({ connector_id: ConnectorId, label: Label }),
    output: Connector,
    scope: 'admin:write',
    effect: 'write',
    repeatable: true,
  }),
  list_all_instances: operation({
    ...admin,
    name: 'list_all_instances',
    title: 'List all instances',
    description: 'Every instance that a connector has shared with this relay.',
    route: 'GET /admin/instances',
    input: z.strictObject({}),
    output: z.object({ items: z.array(InstanceSummary.extend({ connector_id: ConnectorId })) }),
    scope: 'admin:read',
  }),
  list_audit: operation({
    ...admin,
    name: 'list_audit',
    title: 'Read the audit',
    description: 'Who asked what and what came of it, newest first.',
    route: 'GET /admin/audit',
    input: z.strictObject({ ...Paging, action: z.string().max(64).optional(), outcome: z.string().max(64).optional() }),
    output: z.object({ items: z.array(AuditEntry), next_page: z.string().nullable() }),
    scope: 'admin:read',
  }),
  create_enrollment_token: operation({
    ...admin,
    name: 'create_enrollment_token',
    title: 'Make an enrolment token',
    description: 'A secret with which one connector may enrol once.',
    route: 'POST /admin/enrollment-tokens',
    input: z.strictObject({
      label: Label.default('machine'),
      expires_ms: z
        .number()
        .int()
        .positive()
        .max(30 * 86_400_000)
        .default(LIMITS.enrollment_token_life.value),
    }),
    output: EnrollmentToken.extend({ secret: z.string() }),
    scope: 'admin:write',
    effect: 'write',
  }),
  list_enrollment_tokens: operation({
    ...admin,
    name: 'list_enrollment_tokens',
    title: 'List enrolment tokens',
    description: 'Unused, used and revoked enrolment tokens, without their secrets.',
    route: 'GET /admin/enrollment-tokens',
    input: z.strictObject({}),
    output: z.object({ items: z.array(EnrollmentToken) }),
    scope: 'admin:read',
  }),
  revoke_enrollment_token: operation({
    ...admin,
    name: 'revoke_enrollment_token',
    title: 'Revoke an enrolment token',
    description: 'The token enrols nobody any more.',
    route: 'POST /admin/enrollment-tokens/:enrollment_token_id/revoke',
    input: z.strictObject({ enrollment_token_id: EnrollmentTokenId }),
    output: EnrollmentToken,
    scope: 'admin:write',
    effect: 'write',
    repeatable: true,
  }),
  create_planner_token: operation({
    ...admin,
    name: 'create_planner_token',
    title: 'Make a planner token',
    description: 'A secret for one planner, with scopes, instances and an end. It is shown once.',
    route: 'POST /admin/planner-tokens',
    input: z.strictObject({
      name: Label,
      scopes: z
        .array(z.enum(SCOPES))
        .min(1)
        .max(SCOPES.length)
        .optional()
        .describe('Default: every read and every write that decides nothing, without file reads'),
      instances: z.array(InstanceId).max(1000).nullable().default(null),
      expires_ms: z.number().int().positive().nullable().default(null),
    }),
    output: PlannerToken.extend({ secret: z.string() }),
    scope: 'admin:write',
    effect: 'write',
  }),
  list_planner_tokens: operation({
    ...admin,
    name: 'list_planner_tokens',
    title: 'List planner tokens',
    description: 'Every planner token, without its secret, with when it was last used.',
    route: 'GET /admin/planner-tokens',
    input: z.strictObject({}),
    output: z.object({ items: z.array(PlannerToken) }),
    scope: 'admin:read',
  }),
  revoke_planner_token: operation({
    ...admin,
    name: 'revoke_planner_token',
    title: 'Revoke a planner token',
    description: 'The token stops working at once, in waits and streams too.',
    route: 'POST /admin/planner-tokens/:token_id/revoke',
    input: z.strictObject({ token_id: TokenId }),
    output: PlannerToken,
    scope: 'admin:write',
    effect: 'write',
    repeatable: true,
  }),
  enroll: operation({
    ...admin,
    name: 'enroll',
    title: 'Enrol a connector',
    description: 'Exchanges a one-time enrolment token for an identity. The connector signs the request with its new key.',
    route: 'POST /enroll',
    input: z.strictObject({
      secret: z.string().min(20).max(200),
      key: PublicKey,
      label: Label,
      proof: z.string().max(200).describe("Signature of the connector's key over the enrolment document (wire/handshake)"),
    }),
    output: z.object({ connector_id: ConnectorId, relay_key: PublicKey, relay_origin: z.string() }),
    scope: 'none',
    effect: 'write',
    repeatable: true,
  }),
  rotate_connector_key: operation({
    ...admin,
    name: 'rotate_connector_key',
    title: 'Change the key of a connector',
    description:
      'Puts a new key in the place of the old one, for ever, and ends the session of the old. Both keys sign the request. Asking again with the same keys answers the same.',
    route: 'POST /rotate-key',
    input: z.strictObject({
      connector_id: ConnectorId,
      old_key: PublicKey,
      new_key: PublicKey,
      old_proof: Signature,
      new_proof: Signature,
    }),
    output: z.object({ connector_id: ConnectorId, key: PublicKey }),
    scope: 'none',
    effect: 'write',
    repeatable: true,
  }),
  unenroll: operation({
    ...admin,
    name: 'unenroll',
    title: 'Un-enrol a connector',
    description: 'Revokes the connector that signs the request, and withdraws what it shared. Asking again answers the same.',
    route: 'POST /unenroll',
    input: z.strictObject({ connector_id: ConnectorId, proof: Signature }),
    output: z.object({ connector_id: ConnectorId, state: z.literal('revoked') }),
    scope: 'none',
    effect: 'write',
    repeatable: true,
  }),
};
