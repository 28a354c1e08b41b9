-- Secrets that are only verified are kept as hashes. Times are epoch milliseconds. Lists are JSON texts.
CREATE TABLE planner_tokens (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  hash TEXT NOT NULL UNIQUE,
  scopes TEXT NOT NULL,
  instances TEXT,
  created_at INTEGER NOT NULL,
  expires_at INTEGER,
  revoked_at INTEGER,
  last_used_at INTEGER
) STRICT;

CREATE TABLE connectors (
  id TEXT PRIMARY KEY,
  label TEXT NOT NULL,
  key TEXT NOT NULL UNIQUE,
  state TEXT NOT NULL CHECK (state IN ('enabled', 'disabled', 'revoked')),
  enrolled_at INTEGER NOT NULL,
  last_seen_at INTEGER
) STRICT;

CREATE TABLE enrollment_tokens (
  id TEXT PRIMARY KEY,
  label TEXT NOT NULL,
  hash TEXT NOT NULL UNIQUE,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  used_at INTEGER,
  revoked_at INTEGER,
  connector_id TEXT REFERENCES connectors (id)
) STRICT;

-- The newest valid claim on each instance. A withdrawn one stays, so that an old delegation cannot come back.
CREATE TABLE instances (
  id TEXT PRIMARY KEY,
  prefix TEXT NOT NULL UNIQUE,
  connector_id TEXT NOT NULL REFERENCES connectors (id),
  sequence INTEGER NOT NULL,
  certificate_number INTEGER NOT NULL,
  not_after INTEGER NOT NULL,
  claim_digest TEXT NOT NULL,
  label TEXT NOT NULL,
  machine TEXT NOT NULL,
  default_branch TEXT NOT NULL,
  executors TEXT NOT NULL,
  operations TEXT NOT NULL,
  origin_digest TEXT,
  last_seen_at INTEGER NOT NULL,
  withdrawn_at INTEGER
) STRICT;
CREATE INDEX instances_by_connector ON instances (connector_id);

CREATE TABLE audit (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at INTEGER NOT NULL,
  actor TEXT NOT NULL,
  action TEXT NOT NULL,
  effect TEXT NOT NULL CHECK (effect IN ('read', 'write', 'decide', 'session', 'gap')),
  outcome TEXT NOT NULL,
  instance_id TEXT,
  resource_id TEXT,
  request_id TEXT,
  address TEXT,
  detail TEXT NOT NULL
) STRICT;
-- What was refused or failed is looked for most; an index over every read would cost more than the reads.
CREATE INDEX audit_not_ok ON audit (outcome, id) WHERE outcome <> 'ok';

-- One row while reads may have been answered that are not in the audit yet: since when that may be so.
CREATE TABLE audit_open_batch (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  since INTEGER NOT NULL
) STRICT;
