import type { Database } from '@fairlead/shared/kit/sqlite';

export type ConnectorState = 'enabled' | 'disabled' | 'revoked';

export interface ConnectorRow {
  readonly id: string;
  readonly label: string;
  readonly key: string;
  readonly state: ConnectorState;
  readonly enrolled_at: number;
  readonly last_seen_at: number | null;
}

/** Enrolled connectors, one for each key, and the keys that they had before. */
export const connectorRows = (db: Database) => {
  const insert = db.prepare<[ConnectorRow]>('INSERT INTO connectors VALUES (@id, @label, @key, @state, @enrolled_at, @last_seen_at)');
  const byId = db.prepare<[string], ConnectorRow>('SELECT * FROM connectors WHERE id = ?');
  const byKey = db.prepare<[string], ConnectorRow>('SELECT * FROM connectors WHERE key = ?');
  const all = db.prepare<[], ConnectorRow>('SELECT * FROM connectors ORDER BY id');
  const state = db.prepare<[ConnectorState, string]>('UPDATE connectors SET state = ? WHERE id = ?');
  const label = db.prepare<[string, string]>('UPDATE connectors SET label = ? WHERE id = ?');
  const seen = db.prepare<[number, string]>('UPDATE connectors SET last_seen_at = ? WHERE id = ?');
  const key = db.prepare<[string, string]>('UPDATE connectors SET key = ? WHERE id = ?');
  const retire = db.prepare<[string, string, number]>('INSERT INTO retired_keys VALUES (?, ?, ?)');
  const retired = db.prepare<[string], { connector_id: string }>('SELECT connector_id FROM retired_keys WHERE key = ?');
  return {
    add: (row: ConnectorRow): void => void insert.run(row),
    byId: (id: string): ConnectorRow | undefined => byId.get(id),
    byKey: (key: string): ConnectorRow | undefined => byKey.get(key),
    all: (): ConnectorRow[] => all.all(),
    setState: (id: string, to: ConnectorState): void => void state.run(to, id),
    rename: (id: string, to: string): void => void label.run(to, id),
    /** Puts a key in the place of another. To be called in a transaction. */
    setKey(row: ConnectorRow, to: string, at: number): void {
      retire.run(row.key, row.id, at);
      key.run(to, row.id);
    },
    /** The connector that once had this key. */
    retiredFrom: (oldKey: string): string | undefined => retired.get(oldKey)?.connector_id,
    seen: (id: string, at: number): void => void seen.run(at, id),
  };
};
export type ConnectorRows = ReturnType<typeof connectorRows>;
