import * as z from 'zod';
import { ConnectorId, InstanceId } from '../contract/ids.ts';
import { Problem } from '../contract/errors.ts';
import { LIMITS } from '../contract/limits.ts';
import { Delegation, PublicKey } from '../contract/operations/daemon-admin.ts';
import { Principal } from '../contract/values.ts';
import { AUTHORITIES } from '../contract/states.ts';

/**
 * The frames between connector and relay. What is asked or signed is read strictly, so that a misspelt field is an error; what answers
 * is read tolerantly, because the two sides are upgraded apart. Unknown frame types are refused either way.
 */
export const SUBPROTOCOL = 'fairlead.v1';
/** The protocol versions that this code speaks. */
export const PROTOCOL = { min: 1, max: 1 } as const;
/** Where a relay takes connectors. */
export const CONNECT_PATH = '/connect';

const Nonce = z.string().regex(/^[A-Za-z0-9_-]{43}$/, { error: 'must be 32 bytes as base64url' });
const Signature = z.string().regex(/^[A-Za-z0-9_-]{86}$/, { error: 'must be an Ed25519 signature as base64url' });
const Origin = z.string().max(300);
const Protocol = z.number().int().positive();

/** Number of a request in its session, given by the relay. It is also the number of the stream that answers it. */
const RequestNumber = z.number().int().positive().max(0xffff_ffff);

/** What a relay knows of an instance while its machine is away. Nothing of the machine itself is in it. */
export const Descriptor = z.strictObject({
  instance_id: InstanceId,
  label: z.string().max(100),
  machine: z.string().max(100),
  default_branch: z.string().max(500),
  executors: z.array(z.string().max(100)).max(200),
  operations: z.array(z.string().max(64)).max(200),
  origin_digest: z.string().max(100).nullable(),
  delegation: Delegation,
});
export type Descriptor = z.infer<typeof Descriptor>;

export const Challenge = z.object({
  t: z.literal('challenge'),
  nonce: Nonce,
  origin: Origin,
  relay_key: PublicKey,
  protocol: z.object({ min: Protocol, max: Protocol }),
});
export type Challenge = z.infer<typeof Challenge>;

export const Prove = z.strictObject({
  t: z.literal('prove'),
  connector_id: ConnectorId,
  nonce: Nonce,
  protocol: Protocol,
  signature: Signature,
});
export type Prove = z.infer<typeof Prove>;

export const Welcome = z.object({
  t: z.literal('welcome'),
  session_id: z.string().max(100),
  protocol: Protocol,
  heartbeat_ms: z.number().int().positive(),
  limits: z.object({ frame: z.number(), inline: z.number(), credit: z.number(), pending: z.number() }),
  signature: Signature,
});
export type Welcome = z.infer<typeof Welcome>;

/**
 * The relay will not have this connector, in the handshake or later; the socket closes after it. A relay that drains says over how many
 * milliseconds its connectors are to come back.
 */
export const Refuse = z.object({
  t: z.literal('refuse'),
  code: z.string().max(100),
  detail: z.string().max(1000).optional(),
  spread_ms: z.number().int().min(0).max(LIMITS.reconnect_cap.value).optional(),
});
export type Refuse = z.infer<typeof Refuse>;

/** The authoritative full set of what is shared. */
export const Advertise = z.strictObject({ t: z.literal('advertise'), instances: z.array(Descriptor).max(1000) });
export type Advertise = z.infer<typeof Advertise>;

/** What became of the last advertise; sent again by itself when an instance is lost to a newer delegation. */
export const Advertised = z.object({
  t: z.literal('advertised'),
  accepted: z.array(z.string().max(100)),
  refused: z.array(z.object({ instance_id: z.string().max(100), code: z.string().max(100), detail: z.string().max(1000).optional() })),
});
export type Advertised = z.infer<typeof Advertised>;

export const Request = z.strictObject({
  t: z.literal('request'),
  id: RequestNumber,
  operation: z.string().max(64),
  instance_id: InstanceId,
  input: z.record(z.string(), z.unknown()),
  time_left_ms: z.number().int().nonnegative().max(LIMITS.stream_deadline.value),
  principal: Principal.strict(),
  authority: z.enum(AUTHORITIES),
  idempotency_key: z.string().min(1).max(200).optional(),
  accept: z.enum(['json', 'bytes', 'events']).optional(),
});
export type Request = z.infer<typeof Request>;

export const Cancel = z.strictObject({ t: z.literal('cancel'), id: RequestNumber });
export type Cancel = z.infer<typeof Cancel>;

/** Allows so many further bytes of a stream. */
export const Credit = z.strictObject({
  t: z.literal('credit'),
  id: RequestNumber,
  bytes: z.number().int().positive().max(LIMITS.wire_credit.value),
});
export type Credit = z.infer<typeof Credit>;

/** The daemon's signature over an answer; carried since the first version, made later. */
const Proof = z.string().max(16_384).optional();

/** The head of an answer. The body follows it in the same message, or as a stream of binary frames when `stream` is set. */
export const Response = z.object({
  t: z.literal('response'),
  id: RequestNumber,
  status: z.number().int().min(200).max(299),
  type: z.string().max(200).optional(),
  stream: z.literal(true).optional(),
  length: z.number().int().nonnegative().optional(),
  proof: Proof,
});
export type Response = z.infer<typeof Response>;

export const ErrorFrame = z.object({ t: z.literal('error'), id: RequestNumber, problem: Problem, proof: Proof });
export type ErrorFrame = z.infer<typeof ErrorFrame>;

/** The end of a stream; with a problem the bytes before it are not the whole. */
export const End = z.object({ t: z.literal('end'), id: RequestNumber, problem: Problem.optional() });
export type End = z.infer<typeof End>;

/** Something to tell about a request that is not answered yet, such as progress. */
export const EventFrame = z.object({ t: z.literal('event'), id: RequestNumber, data: z.record(z.string(), z.unknown()) });
export type EventFrame = z.infer<typeof EventFrame>;

/** Frames that a connector reads, and frames that a relay reads. */
export const RELAY_FRAMES = {
  challenge: Challenge,
  welcome: Welcome,
  refuse: Refuse,
  advertised: Advertised,
  request: Request,
  cancel: Cancel,
  credit: Credit,
} as const;
export const CONNECTOR_FRAMES = {
  prove: Prove,
  advertise: Advertise,
  response: Response,
  error: ErrorFrame,
  end: End,
  event: EventFrame,
} as const;

export type RelayFrame = Challenge | Welcome | Refuse | Advertised | Request | Cancel | Credit;
export type ConnectorFrame = Prove | Advertise | Response | ErrorFrame | End | EventFrame;

/** Frames that ask or are signed: they go through the strict parser. */
export const STRICT_FRAMES: ReadonlySet<string> = new Set(['prove', 'advertise', 'request', 'cancel', 'credit']);
