import type { Database } from '@fairlead/shared/kit/sqlite';

export interface EnrollmentRow {
  readonly id: string;
  readonly label: string;
  readonly hash: string;
  readonly created_at: number;
  readonly expires_at: number;
  readonly used_at: number | null;
  readonly revoked_at: number | null;
  /** Who enrolled with it. */
  readonly connector_id: string | null;
}

/** One-time enrolment tokens. */
export const enrollmentRows = (db: Database) => {
  const insert = db.prepare<[EnrollmentRow]>(
    'INSERT INTO enrollment_tokens VALUES (@id, @label, @hash, @created_at, @expires_at, @used_at, @revoked_at, @connector_id)',
  );
  const byHash = db.prepare<[string], EnrollmentRow>('SELECT * FROM enrollment_tokens WHERE hash = ?');
  const byId = db.prepare<[string], EnrollmentRow>('SELECT * FROM enrollment_tokens WHERE id = ?');
  const all = db.prepare<[], EnrollmentRow>('SELECT * FROM enrollment_tokens ORDER BY id');
  const revoke = db.prepare<[number, string]>('UPDATE enrollment_tokens SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL');
  const use = db.prepare<[number, string, string]>(
    'UPDATE enrollment_tokens SET used_at = ?, connector_id = ? WHERE id = ? AND used_at IS NULL',
  );
  return {
    add: (row: EnrollmentRow): void => void insert.run(row),
    byHash: (hash: string): EnrollmentRow | undefined => byHash.get(hash),
    byId: (id: string): EnrollmentRow | undefined => byId.get(id),
    all: (): EnrollmentRow[] => all.all(),
    revoke: (id: string, at: number): void => void revoke.run(at, id),
    use: (id: string, at: number, connectorId: string): void => void use.run(at, connectorId, id),
  };
};
export type EnrollmentRows = ReturnType<typeof enrollmentRows>;
