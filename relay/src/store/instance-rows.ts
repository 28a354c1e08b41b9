import type { Database } from '@fairlead/shared/kit/sqlite';

export interface InstanceRow {
  readonly id: string;
  readonly prefix: string;
  readonly connector_id: string;
  readonly sequence: number;
  readonly certificate_number: number;
  readonly not_after: number;
  /** Of the claim as it was verified: the same one needs no second verification. */
  readonly claim_digest: string;
  readonly label: string;
  readonly machine: string;
  readonly default_branch: string;
  readonly executors: readonly string[];
  readonly operations: readonly string[];
  readonly origin_digest: string | null;
  readonly last_seen_at: number;
  /** When its connector ceased to share it; null while it is shared, also by a connector that is away. */
  readonly withdrawn_at: number | null;
}

interface Stored extends Omit<InstanceRow, 'executors' | 'operations'> {
  readonly executors: string;
  readonly operations: string;
}

const read = (row: Stored): InstanceRow => ({
  ...row,
  executors: JSON.parse(row.executors) as string[],
  operations: JSON.parse(row.operations) as string[],
});

/** Shared instances, with the newest valid claim on each. */
export const instanceRows = (db: Database) => {
  const put = db.prepare<[Stored]>(
    `INSERT INTO instances (id, prefix, connector_id, sequence, certificate_number, not_after, claim_digest, label, machine, default_branch, executors, operations, origin_digest, last_seen_at, withdrawn_at)
     VALUES (@id, @prefix, @connector_id, @sequence, @certificate_number, @not_after, @claim_digest, @label, @machine, @default_branch, @executors, @operations, @origin_digest, @last_seen_at, @withdrawn_at)
     ON CONFLICT (id) DO UPDATE SET connector_id = excluded.connector_id, sequence = excluded.sequence, certificate_number = excluded.certificate_number,
       not_after = excluded.not_after, claim_digest = excluded.claim_digest, label = excluded.label, machine = excluded.machine, default_branch = excluded.default_branch,
       executors = excluded.executors, operations = excluded.operations, origin_digest = excluded.origin_digest,
       last_seen_at = excluded.last_seen_at, withdrawn_at = excluded.withdrawn_at`,
  );
  const all = db.prepare<[], Stored>('SELECT * FROM instances ORDER BY id');
  const seen = db.prepare<[number, string]>('UPDATE instances SET last_seen_at = ? WHERE id = ?');
  return {
    seen: (id: string, at: number): void => void seen.run(at, id),
    all: (): InstanceRow[] => all.all().map(read),
    put: (row: InstanceRow): void =>
      void put.run({ ...row, executors: JSON.stringify(row.executors), operations: JSON.stringify(row.operations) }),
  };
};
export type InstanceRows = ReturnType<typeof instanceRows>;
