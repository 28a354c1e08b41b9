-- Keys that connectors had before. A key is one identity for ever: none of these comes back, neither by rotation nor by enrolment.
CREATE TABLE retired_keys (
  key TEXT PRIMARY KEY,
  connector_id TEXT NOT NULL REFERENCES connectors (id),
  retired_at INTEGER NOT NULL
) STRICT;
