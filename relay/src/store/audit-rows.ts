import type { Database } from '@fairlead/shared/kit/sqlite';

export interface AuditRow {
  readonly at: number;
  readonly actor: string;
  readonly action: string;
  readonly effect: 'read' | 'write' | 'decide' | 'session' | 'gap';
  readonly outcome: string;
  readonly instance_id: string | null;
  readonly resource_id: string | null;
  readonly request_id: string | null;
  readonly address: string | null;
  readonly detail: Readonly<Record<string, unknown>>;
}

export interface StoredAuditRow extends AuditRow {
  readonly id: number;
}

interface Filter {
  /** Rows before this id, newest first. */
  readonly before: number;
  readonly limit: number;
  readonly action: string | null;
  readonly outcome: string | null;
}

type Stored = Omit<AuditRow, 'detail'> & { readonly detail: string };

/** The append-only audit. An outcome is set once, on the row that was written before a write was sent. */
export const auditRows = (db: Database) => {
  // By place and not by name: every request writes a row, and finding the names is a third of what one costs.
  const insert = db.prepare<(string | number | null)[]>(
    `INSERT INTO audit (at, actor, action, effect, outcome, instance_id, resource_id, request_id, address, detail)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const conclude = db.prepare<[string, string, number]>('UPDATE audit SET outcome = ?, detail = ? WHERE id = ?');
  const select = (also: string) =>
    db.prepare<[Filter], Stored & { readonly id: number }>(
      `SELECT * FROM audit WHERE id < @before AND (@action IS NULL OR action = @action) ${also} ORDER BY id DESC LIMIT @limit`,
    );
  const any = select('AND (@outcome IS NULL OR outcome = @outcome)');
  // Said twice, so that the partial index is seen to hold every row that is meant.
  const notOk = select("AND outcome = @outcome AND outcome <> 'ok'");
  // Rows are in the order of their time, so the oldest few tell whether there is anything to drop.
  const drop = db.prepare<[number, number]>(
    'DELETE FROM audit WHERE id IN (SELECT id FROM (SELECT id, at FROM audit ORDER BY id LIMIT ?) WHERE at < ?)',
  );
  const open = db.prepare<[number]>('INSERT OR REPLACE INTO audit_open_batch VALUES (1, ?)');
  const close = db.prepare('DELETE FROM audit_open_batch');
  const since = db.prepare<[], { since: number }>('SELECT since FROM audit_open_batch');
  return {
    add({ at, actor, action, effect, outcome, instance_id, resource_id, request_id, address, detail }: AuditRow): number {
      const { lastInsertRowid } = insert.run(
        at,
        actor,
        action,
        effect,
        outcome,
        instance_id,
        resource_id,
        request_id,
        address,
        JSON.stringify(detail),
      );
      return Number(lastInsertRowid);
    },
    conclude: (id: number, outcome: string, detail: AuditRow['detail']): void => void conclude.run(outcome, JSON.stringify(detail), id),
    page(filter: Filter): StoredAuditRow[] {
      const statement = filter.outcome === null || filter.outcome === 'ok' ? any : notOk;
      return statement.all(filter).map((row) => ({ ...row, detail: JSON.parse(row.detail) as Record<string, unknown> }));
    },
    /** Drops the oldest rows from before a time, at most so many. @returns how many there were */
    dropBefore: (at: number, most: number): number => drop.run(most, at).changes,
    openBatch: (at: number): void => void open.run(at),
    closeBatch: (): void => void close.run(),
    /** Since when answered reads may be missing, or undefined. */
    openSince: (): number | undefined => since.get()?.since,
  };
};
export type AuditRows = ReturnType<typeof auditRows>;
