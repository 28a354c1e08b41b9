import type { Scope } from '@fairlead/shared/contract/operations/operation';
import type { Database } from '@fairlead/shared/kit/sqlite';

export interface PlannerTokenRow {
  readonly id: string;
  readonly name: string;
  readonly hash: string;
  readonly scopes: readonly Scope[];
  /** null is every instance. */
  readonly instances: readonly string[] | null;
  readonly created_at: number;
  readonly expires_at: number | null;
  readonly revoked_at: number | null;
  readonly last_used_at: number | null;
}

interface Stored extends Omit<PlannerTokenRow, 'scopes' | 'instances'> {
  readonly scopes: string;
  readonly instances: string | null;
}

const read = (row: Stored): PlannerTokenRow => ({
  ...row,
  scopes: JSON.parse(row.scopes) as Scope[],
  instances: row.instances === null ? null : (JSON.parse(row.instances) as string[]),
});

/** Planner tokens. Only the hash of a secret is stored. */
export const plannerTokenRows = (db: Database) => {
  const insert = db.prepare<[Stored]>(
    'INSERT INTO planner_tokens VALUES (@id, @name, @hash, @scopes, @instances, @created_at, @expires_at, @revoked_at, @last_used_at)',
  );
  const byHash = db.prepare<[string], Stored>('SELECT * FROM planner_tokens WHERE hash = ?');
  const byId = db.prepare<[string], Stored>('SELECT * FROM planner_tokens WHERE id = ?');
  const all = db.prepare<[], Stored>('SELECT * FROM planner_tokens ORDER BY id');
  const revoke = db.prepare<[number, string]>('UPDATE planner_tokens SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL');
  const use = db.prepare<[number, string]>('UPDATE planner_tokens SET last_used_at = ? WHERE id = ?');
  return {
    add: (row: PlannerTokenRow): void =>
      void insert.run({ ...row, scopes: JSON.stringify(row.scopes), instances: row.instances && JSON.stringify(row.instances) }),
    byHash: (hash: string): PlannerTokenRow | undefined => {
      const row = byHash.get(hash);
      return row && read(row);
    },
    byId: (id: string): PlannerTokenRow | undefined => {
      const row = byId.get(id);
      return row && read(row);
    },
    all: (): PlannerTokenRow[] => all.all().map(read),
    /** Keeps the first time when it is revoked twice. */
    revoke: (id: string, at: number): void => void revoke.run(at, id),
    used: (id: string, at: number): void => void use.run(at, id),
  };
};
export type PlannerTokenRows = ReturnType<typeof plannerTokenRows>;
