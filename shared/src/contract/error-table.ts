import { EXIT, type ExitCode } from './states.ts';

interface ErrorFacts {
  readonly status: number;
  /** Whether the same request may succeed later, unchanged. */
  readonly retryable: boolean;
  readonly exit: ExitCode;
  readonly title: string;
  /** The way out, for a person or a planner. */
  readonly hint: string;
}

const row = (status: number, exit: ExitCode, title: string, hint: string, retryable = false): ErrorFacts => ({
  status,
  retryable,
  exit,
  title,
  hint,
});

/**
 * Every error that any part of Fairlead gives, on every surface. HTTP answers are RFC 9457 problem documents whose `code`
 * is a key of this table; MCP tool errors and CLI `--json` errors carry the same document.
 */
export const ERRORS = {
  // What was asked is not well formed.
  malformed_json: row(
    400,
    EXIT.usage,
    'The body is not acceptable JSON',
    'Send one JSON document without duplicate keys, __proto__, lone surrogates, integers beyond 2^53 or nesting over 32.',
  ),
  invalid_input: row(
    400,
    EXIT.usage,
    'The input does not fit the schema',
    'Correct the named field: --help of the command and openapi.json of the API describe it.',
  ),
  payload_too_large: row(413, EXIT.usage, 'The input is larger than the limit', 'Send less, or put large data into the repository.'),
  method_not_allowed: row(
    405,
    EXIT.usage,
    'The method is not allowed here',
    'Use the method that openapi.json of the API names for this path.',
  ),
  operation_unknown: row(
    404,
    EXIT.usage,
    'There is no such operation',
    'openapi.json of the API lists the operations, and tools/list the tools.',
  ),
  idempotency_key_required: row(
    400,
    EXIT.usage,
    'A write needs an idempotency key',
    'Send an Idempotency-Key header of 1 to 200 printable ASCII characters, new for each new intent.',
  ),
  idempotency_conflict: row(
    409,
    EXIT.usage,
    'The idempotency key was used for a different request',
    'Use a new key for a new request, or send the first request again unchanged.',
  ),

  // Who asks, and whether they may.
  unauthenticated: row(
    401,
    EXIT.infrastructure,
    'No valid credential',
    'Give a current token: as Authorization: Bearer over HTTP, or with --token.',
  ),
  host_denied: row(
    403,
    EXIT.infrastructure,
    'The Host header is not one of ours',
    'Call the address that the server printed when it started, or add the name to its config.',
  ),
  origin_denied: row(
    403,
    EXIT.infrastructure,
    'The Origin is not allowed',
    'Browsers may call only from origins that the operator listed.',
  ),
  scope_denied: row(
    403,
    EXIT.attention,
    'The token lacks the scope for this operation',
    'Ask the relay operator for a token with the named scope.',
  ),
  local_only: row(403, EXIT.attention, 'This may be asked only on the machine itself', 'Ask the owner to do it with the fairlead command.'),
  authority_required: row(
    403,
    EXIT.attention,
    'Deciding needs local authority',
    'Decide on the machine (fairlead gate approve), or share with --accept-relay-decisions.',
  ),
  self_approval: row(
    403,
    EXIT.attention,
    'Nobody remote approves a step that they submitted or retried',
    'Let somebody else approve, or set gates.self_approval in the project policy.',
  ),
  grant_denied: row(403, EXIT.attention, 'The owner did not share this', 'Ask the owner to share it: fairlead-connector share.'),
  grant_expired: row(403, EXIT.attention, 'The grant has expired or was withdrawn', 'Ask the owner to share the instance again.'),
  grant_spent: row(403, EXIT.attention, 'The budget of the grant is used up', 'Ask the owner for a new grant: fairlead-connector share.'),
  grant_untrusted: row(
    403,
    EXIT.attention,
    "The copy of the grant does not match the daemon's",
    'Share the instance again; edits to the copy are never honoured.',
  ),
  instance_mismatch: row(
    403,
    EXIT.attention,
    'An id belongs to another instance than the one addressed',
    'Use ids of the addressed instance only.',
  ),
  not_found: row(404, EXIT.usage, 'There is no such thing, or it is not yours to see', 'Check the id; list operations show what there is.'),
  rate_limited: row(429, EXIT.infrastructure, 'Too many requests', 'Wait as long as Retry-After says.', true),

  // What a task names.
  executor_unknown: row(400, EXIT.usage, 'There is no such executor', 'Name one that list_executors prints.'),
  executor_unavailable: row(
    409,
    EXIT.infrastructure,
    'The executor cannot run on this machine',
    'list_executors says what is missing; fairlead doctor says how to cure it.',
  ),
  session_unavailable: row(
    409,
    EXIT.attention,
    'There is no session to go on with',
    'Retry without resume; list_attempts says which attempts are resumable.',
  ),
  patch_required: row(400, EXIT.usage, 'The patch executor needs a patch', 'Add task.patch (a unified diff), or name another executor.'),
  patch_unexpected: row(400, EXIT.usage, 'Only the patch executor takes a patch', 'Set executor to patch, or leave the patch out.'),
  patch_invalid: row(
    422,
    EXIT.usage,
    'The patch is not one well-formed diff',
    'Send the output of git diff against the base, with nothing around it.',
  ),
  patch_not_applicable: row(
    422,
    EXIT.failed,
    'The patch does not apply to the base',
    'Make the patch against the base commit that the step names, without fuzz, and submit a new step.',
  ),
  validation_unknown: row(400, EXIT.usage, 'The project declares no such validation', 'Name one that get_instance lists.'),
  argv_not_allowed: row(
    403,
    EXIT.attention,
    'A command line is not accepted here',
    'Name a validation of the project policy; local callers may send argv only if the daemon config sets allow_local_argv.',
  ),
  base_unknown: row(
    400,
    EXIT.usage,
    'The base names no commit',
    'Use "target", a step of the same run, or a full commit id that a listed branch reaches.',
  ),
  base_not_allowed: row(
    403,
    EXIT.attention,
    'The base is not reachable from a branch that the owner listed',
    'Use "target", or ask the owner to list the branch.',
  ),
  project_policy_invalid: row(
    422,
    EXIT.attention,
    'The project policy is not valid',
    'Correct .fairlead/project.yaml on the policy ref; a bad policy never means "no checks".',
  ),
  sandbox_unavailable: row(
    409,
    EXIT.infrastructure,
    'This machine has no sandbox',
    'Install bubblewrap (fairlead doctor says why nothing else works here), or let the owner say unconfined for this instance: fairlead add --unconfined.',
  ),

  // What the state of things refuses.
  transition_refused: row(
    409,
    EXIT.attention,
    'The record is not in a state that allows this',
    'Read the record again and act on its present state.',
  ),
  run_not_open: row(409, EXIT.usage, 'The run is not open', 'Start a new run.'),
  gate_outdated: row(
    409,
    EXIT.attention,
    'The gate no longer matches what would be integrated',
    'Read the gate that gate_id names, which replaced it, and decide on that; fairlead gate list shows the gates that wait.',
  ),
  digest_mismatch: row(
    409,
    EXIT.attention,
    'The digest is not the one the gate shows',
    'Read the gate again (get_gate, or fairlead gate get GATE) and name the digest that it shows.',
  ),
  change_not_approved: row(409, EXIT.attention, 'The change waits for its gate', 'Approve its gate first.'),
  base_not_integrated: row(
    409,
    EXIT.attention,
    'The change stands on one that is not integrated',
    'Integrate the change of the step it is based on first.',
  ),
  change_conflicts: row(409, EXIT.failed, 'The change does not replay onto the target', 'Submit a new step on the present target.'),
  already_in_target: row(
    409,
    EXIT.attention,
    'The target has the content of the change already',
    'There is nothing to integrate; discard the change.',
  ),
  fence_broken: row(
    409,
    EXIT.failed,
    'The change breaks the fence of the policy in force',
    'Submit a new step within the fence, or ask the owner to change the policy.',
  ),
  integration_failed_validation: row(
    409,
    EXIT.failed,
    'The integrated tree fails a required validation',
    'Submit a step that repairs it on the present target.',
  ),
  target_dirty: row(
    409,
    EXIT.attention,
    'The checked-out target has uncommitted changes',
    'Commit or stash them, then integrate again; nothing moved.',
  ),
  target_moved: row(409, EXIT.attention, 'The target moved while the change was being integrated', 'Integrate again; nothing moved.', true),
  effect_in_doubt: row(409, EXIT.attention, 'An effect may or may not have happened', 'Look at the repository, then retry locally.'),
  halted: row(503, EXIT.attention, 'The owner has halted this machine', 'Ask the owner to run fairlead resume.'),
  queue_full: row(429, EXIT.infrastructure, 'The queue is full', 'Wait until steps have ended, then submit again with the same key.', true),

  // Repositories.
  repository_invalid: row(
    422,
    EXIT.usage,
    'The path is not a usable git repository',
    'Give the path of a git repository that you can read.',
  ),
  repository_empty: row(422, EXIT.usage, 'The repository has no commit', 'Make a first commit, then add it again.'),
  repository_unsupported: row(
    422,
    EXIT.usage,
    'The repository needs something that Fairlead does not support',
    'Git LFS, filters and partial clones are unsupported, because a filter is a program that would run unseen.',
  ),
  repository_known: row(409, EXIT.usage, 'The repository is registered already', 'fairlead list shows it.'),

  // The machine and the parts.
  disk_full: row(
    507,
    EXIT.infrastructure,
    'The disk is full',
    'Free some space; nothing that was acknowledged is lost. fairlead status shows what Fairlead uses.',
    true,
  ),
  store_unwritable: row(
    503,
    EXIT.infrastructure,
    'The state cannot be written',
    'Check the permissions and the free space of FAIRLEAD_HOME.',
    true,
  ),
  artifact_corrupt: row(
    500,
    EXIT.infrastructure,
    'The stored bytes do not match their digest',
    'Restore the file from a backup; Fairlead does not serve altered evidence.',
  ),
  history_rolled_back: row(
    500,
    EXIT.attention,
    'The ledger is not the one that was signed last',
    'Put the newest ledger back. Only if it is lost for good: fairlead serve --accept-rollback, after a look at fairlead doctor.',
  ),
  schema_newer: row(500, EXIT.infrastructure, 'The database was written by a newer Fairlead', 'Run that version or a later one.'),
  port_in_use: row(500, EXIT.infrastructure, 'The port is in use', 'Stop what uses it, or choose another with --port.'),
  already_running: row(
    409,
    EXIT.infrastructure,
    'Another process serves this home already',
    'Stop it first, or use another FAIRLEAD_HOME.',
  ),
  daemon_not_running: row(503, EXIT.infrastructure, 'No daemon answers', 'Start it: fairlead serve.', true),
  relay_not_running: row(503, EXIT.infrastructure, 'No relay answers', 'Start it: fairlead-relay serve, or correct the address.', true),
  secret_exposed: row(
    500,
    EXIT.infrastructure,
    'A file that holds a secret can be read by others',
    'Run chmod 600 on the named file, and replace the secret if others may have read it.',
  ),
  config_invalid: row(500, EXIT.usage, 'The configuration is not valid', 'Correct the named field.'),
  requirement_missing: row(500, EXIT.infrastructure, 'This machine lacks something that is needed', 'fairlead doctor names the cure.'),

  // The line between planner and machine.
  connector_offline: row(503, EXIT.infrastructure, 'The machine is not connected', 'Ask again when its connector is online.', true),
  outcome_unknown: row(
    504,
    EXIT.infrastructure,
    'The line broke after the write was sent',
    'Send the same request with the same idempotency key: it is done once.',
    true,
  ),
  deadline_exceeded: row(504, EXIT.timeout, 'The answer did not come in time', 'Ask again.', true),
  draining: row(503, EXIT.infrastructure, 'The part is shutting down', 'Ask again in a moment.', true),
  protocol_unsupported: row(426, EXIT.infrastructure, 'The two sides share no protocol version', 'Upgrade the older part.'),
  handshake_failed: row(403, EXIT.infrastructure, 'The handshake was refused', 'Enrol again if the relay or the key changed on purpose.'),
  relay_untrusted: row(
    403,
    EXIT.infrastructure,
    'The relay is not the one that was enrolled with',
    'Check the address; enrol again only if the relay was replaced on purpose.',
  ),
  connector_disabled: row(403, EXIT.infrastructure, 'The relay operator has disabled or revoked this connector', 'Ask the relay operator.'),
  session_replaced: row(
    409,
    EXIT.infrastructure,
    'This identity runs elsewhere',
    'Stop the other connector, then start this one again; never copy a connector home.',
  ),
  key_rotated: row(
    409,
    EXIT.infrastructure,
    'A newer key took the place of this one',
    'If the change was begun on this machine, finish it: fairlead-connector rotate-key. Otherwise ask the relay operator to revoke the connector.',
  ),
  delegation_invalid: row(
    403,
    EXIT.attention,
    'The delegation does not prove the right to serve this instance',
    'Share the instance again.',
  ),
  signature_invalid: row(
    403,
    EXIT.attention,
    'A signature does not prove what it should',
    'Get the signed document again from where it was made; it was altered, or signed with another key.',
  ),
  instance_moved: row(
    409,
    EXIT.attention,
    'A newer delegation serves this instance through another connector',
    'Share it here again to move it back.',
  ),
  prefix_taken: row(
    409,
    EXIT.attention,
    'Another instance holds this id prefix at the relay',
    'Register the repository anew, so that it draws another id: fairlead remove, then fairlead add.',
  ),
  enrollment_invalid: row(
    401,
    EXIT.infrastructure,
    'The enrolment token is unknown, used or expired',
    'Make a new one: fairlead-relay enrollment-token create.',
  ),
  internal: row(
    500,
    EXIT.infrastructure,
    'Something went wrong in Fairlead',
    'The log of the part that answered has the details under the same request id.',
  ),
} as const satisfies Record<string, ErrorFacts>;

export type ErrorCode = keyof typeof ERRORS;
export const ERROR_CODES = Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]];
