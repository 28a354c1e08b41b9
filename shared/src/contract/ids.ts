import { uuidv7 } from 'uuidv7';
import * as z from 'zod';

/**
 * Ids carry their owner. An instance id is `ins_` and 26 base32 characters derived from the daemon's root key
 * (`kit/signature` derives it); a resource id is `<kind>_<first 10 characters of its instance>_<UUIDv7>`, so that any part
 * can route a resource by reading its id. All ids are lower case, and safe as path segments and file names.
 */
export const RESOURCE_KINDS = ['run', 'step', 'att', 'chg', 'art', 'val', 'gate', 'grant'] as const;
export type ResourceKind = (typeof RESOURCE_KINDS)[number];

/** Ids of records that belong to a relay and to no instance. */
export const RELAY_KINDS = ['con', 'tok', 'enr'] as const;
export type RelayKind = (typeof RELAY_KINDS)[number];

/** How many characters of an instance's name part its resources carry. */
export const PREFIX_LENGTH = 10;

const UUID_V7 = '[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}';
const INSTANCE = /^ins_[a-z2-7]{26}$/;
const RESOURCE = new RegExp(`^(${RESOURCE_KINDS.join('|')})_([a-z2-7]{${PREFIX_LENGTH}})_(${UUID_V7})$`);

export const InstanceId = z
  .string()
  .regex(INSTANCE, { error: 'must be an instance id: ins_ and 26 characters, as list_instances prints it' });

/** The schema of one kind of resource id. */
const resourceId = (kind: ResourceKind) =>
  z.string().regex(new RegExp(`^${kind}_[a-z2-7]{${PREFIX_LENGTH}}_${UUID_V7}$`), {
    error: `must be a ${kind} id: ${kind}_<instance>_<uuid>, as Fairlead printed it`,
  });

export const RunId = resourceId('run');
export const StepId = resourceId('step');
export const AttemptId = resourceId('att');
export const ChangeId = resourceId('chg');
export const ArtifactId = resourceId('art');
export const ValidationId = resourceId('val');
export const GateId = resourceId('gate');
export const GrantId = resourceId('grant');

const relayId = (kind: RelayKind) =>
  z.string().regex(new RegExp(`^${kind}_${UUID_V7}$`), { error: `must be a ${kind} id, as the relay printed it` });

export const ConnectorId = relayId('con');
export const TokenId = relayId('tok');
export const EnrollmentTokenId = relayId('enr');

/** The part of an instance id that its resources carry and that relays route by. */
export const prefixOf = (instanceId: string): string => instanceId.slice(4, 4 + PREFIX_LENGTH);

/** A new resource id for an instance. Ids made later sort later. */
export const newResourceId = (kind: ResourceKind, instanceId: string): string => `${kind}_${prefixOf(instanceId)}_${uuidv7()}`;

/** A new id of a relay's own record. */
export const newRelayId = (kind: RelayKind): string => `${kind}_${uuidv7()}`;

/** Splits a resource id, or answers `undefined` for anything that is not one. */
export const parseResourceId = (id: string): { kind: ResourceKind; prefix: string; uuid: string } | undefined => {
  const match = RESOURCE.exec(id);
  return match ? { kind: match[1] as ResourceKind, prefix: match[2]!, uuid: match[3]! } : undefined;
};

/** The routing prefix of any id that has an owner: an instance's or a resource's. */
export const ownerPrefix = (id: string): string | undefined => (INSTANCE.test(id) ? prefixOf(id) : parseResourceId(id)?.prefix);
