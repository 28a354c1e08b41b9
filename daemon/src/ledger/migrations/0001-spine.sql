-- Times are epoch milliseconds, flags 0 or 1, and columns that hold lists or records are canonical or plain JSON text.
-- A column named "state" is written by the ledger's move alone.

create table settings (
  name text primary key,
  value text not null
) strict, without rowid;

create table instances (
  id text primary key,
  -- Its place among all instances, in the order in which they were added: the upper half of the positions of its lines of history.
  number integer not null unique,
  prefix text not null unique,
  label text not null,
  repository text not null,
  target text not null,
  policy_ref text not null,
  listed_branches text not null,
  default_executor text not null,
  unconfined integer not null,
  nonce text not null,
  origin_digest text,
  added_at integer not null,
  removed_at integer
) strict, without rowid;
create unique index instances_by_repository on instances (repository) where removed_at is null;

create table runs (
  id text primary key,
  instance_id text not null references instances,
  title text not null,
  target text not null,
  state text not null,
  steps integer not null,
  submitted_by text not null,
  authority text not null,
  created_at integer not null,
  ended_at integer
) strict, without rowid;
create index runs_by_instance on runs (instance_id, id);

create table steps (
  id text primary key,
  run_id text not null references runs,
  instance_id text not null,
  number integer not null,
  title text not null,
  state text not null,
  reason text,
  warnings text not null,
  executor_requested text not null,
  executor_used text,
  simulated integer not null,
  confinement text,
  base text not null,
  base_commit text,
  attempts integer not null,
  attempt_id text,
  change_id text,
  gate_id text,
  stop_requested_at integer,
  stop_why text,
  queue_order integer not null,
  resume_at integer,
  resumes text,
  instructions text,
  timeout_ms integer not null,
  remote integer not null,
  grant_id text,
  submitted_by text not null,
  authority text not null,
  asked_by text not null,
  created_at integer not null,
  updated_at integer not null,
  ended_at integer,
  unique (run_id, number)
) strict, without rowid;
create index steps_queued on steps (queue_order) where state = 'queued';
-- Ended steps are many and never looked for by state; the others are few. The state is not in it, so that a move leaves it alone.
create index steps_open on steps (queue_order) where ended_at is null;

create table tasks (
  step_id text primary key references steps,
  spec text not null
) strict;

create table policies (
  digest text primary key,
  body text not null
) strict;

create table attempts (
  id text primary key,
  step_id text not null references steps,
  run_id text not null,
  instance_id text not null,
  number integer not null,
  state text not null,
  executor text not null,
  simulated integer not null,
  confinement text,
  base_commit text,
  policy_digest text,
  policy_commit text,
  reason text,
  exit_code integer,
  signal text,
  pid integer,
  pid_started text,
  tree text,
  session text,
  resumed_from text,
  instructions text,
  usage text,
  started_at integer not null,
  ended_at integer,
  unique (step_id, number)
) strict, without rowid;
create index attempts_active on attempts (id) where state = 'active';

create table changes (
  id text primary key,
  step_id text not null references steps,
  attempt_id text not null references attempts,
  run_id text not null,
  instance_id text not null,
  state text not null,
  base_commit text not null,
  snapshot_commit text not null,
  tree text not null,
  digest text not null,
  files text not null,
  added integer not null,
  removed integer not null,
  findings text not null,
  patch_artifact_id text not null,
  integrated text,
  reason text,
  created_at integer not null
) strict;
create index changes_by_step on changes (step_id, id);
create index changes_integrating on changes (state) where state = 'integrating';

create table validations (
  id text primary key,
  step_id text not null references steps,
  attempt_id text not null references attempts,
  run_id text not null,
  instance_id text not null,
  name text not null,
  phase text not null,
  required integer not null,
  passed integer not null,
  argv text not null,
  exit_code integer,
  signal text,
  timed_out integer not null,
  duration_ms integer not null,
  confinement text not null,
  tree text not null,
  output_artifact_id text,
  output_tail text not null,
  started_at integer not null
) strict;
create index validations_by_step on validations (step_id, id);

create table gates (
  id text primary key,
  kind text not null,
  instance_id text not null,
  run_id text not null,
  step_id text not null references steps,
  attempt_id text,
  change_id text references changes,
  state text not null,
  reasons text not null,
  digest text not null,
  binding text,
  permission text,
  opened_at integer not null,
  expires_at integer not null,
  decided_at integer,
  decided_by text,
  authority text,
  comment text,
  check ((kind = 'change') = (change_id is not null)),
  check ((kind = 'permission') = (permission is not null))
) strict;
create index gates_by_instance on gates (instance_id, id);
create index gates_by_step on gates (step_id, id);
create index gates_pending on gates (expires_at) where state = 'pending';

create table artifacts (
  id text primary key,
  instance_id text not null,
  run_id text not null,
  step_id text not null references steps,
  attempt_id text,
  kind text not null,
  name text not null,
  media_type text not null,
  size integer not null,
  sha256 text not null,
  redactions text not null,
  created_at integer not null
) strict;
create index artifacts_by_step on artifacts (step_id, id);

create table grants (
  id text primary key,
  instance_id text not null references instances,
  connector_key text not null,
  relay_key text not null,
  operations text not null,
  executors text,
  validations text,
  budget text not null,
  spent text not null,
  accept_relay_decisions integer not null,
  sequence integer not null unique,
  created_at integer not null,
  expires_at integer not null,
  revoked_at integer,
  digest text not null
) strict;
create index grants_by_connector on grants (connector_key, instance_id, sequence);

create table credentials (
  hash text primary key,
  kind text not null,
  connector_key text,
  grant_id text references grants,
  created_at integer not null,
  revoked_at integer
) strict;

create table git_effects (
  id integer primary key,
  kind text not null,
  instance_id text not null,
  run_id text not null,
  step_id text not null,
  change_id text not null references changes,
  state text not null,
  ref text not null,
  "from" text not null,
  "to" text not null,
  planned_at integer not null,
  updated_at integer not null
) strict;
create index git_effects_open on git_effects (state) where state in ('planned', 'applied');

create table idempotency (
  instance_id text not null,
  subject text not null,
  key text not null,
  operation text not null,
  digest text not null,
  run_id text,
  answer text not null,
  at integer not null,
  primary key (instance_id, subject, key)
) strict, without rowid;

-- A line's position is (number of its instance << 32) + (its sequence number there), and is the key that SQLite orders the table by:
-- appending needs no index beside it. One hash covers the line and the two before it, in its instance and in its chain. The first
-- of those is the line at the position before; the other is "back" positions before, null for the first of its chain.
create table events (
  position integer primary key,
  run_id text,
  run_seq integer,
  step_id text,
  type text not null,
  at integer not null,
  principal text not null,
  authority text not null,
  data text not null,
  back integer,
  hash blob not null
) strict;
-- Every 64th line of a run only, because an index that holds every line costs as much as the lines do: reading starts at one of
-- these and follows "back".
create index events_by_run on events (run_id) where run_seq % 64 = 0;

-- The heads of the chains: an instance's (all its lines), an instance's own (lines of no run), and each run's. How many lines it has,
-- and the position and hash of the last.
create table heads (
  chain text primary key,
  seq integer not null,
  position integer not null,
  hash blob not null
) strict, without rowid;
