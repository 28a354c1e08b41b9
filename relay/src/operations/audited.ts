import { FairleadError } from '@fairlead/shared/contract/errors';
import type { Operation } from '@fairlead/shared/contract/operations/operation';
import type { Audit } from '../audit/audit.ts';

/** Who asked for what, as the audit keeps it. */
export interface Asked {
  readonly actor: string;
  readonly action: string;
  readonly effect: Operation['effect'];
  readonly request_id: string;
  readonly address: string;
  readonly instance_id?: string | null;
  readonly resource_id?: string | null;
  readonly detail?: Readonly<Record<string, unknown>>;
}

const codeOf = (error: unknown): string => (error instanceof FairleadError ? error.code : 'internal');

/** Records a refusal and answers the error to throw; the row is on the disk by then. */
export const refusal = async (audit: Audit, asked: Asked, error: FairleadError, reason?: string): Promise<FairleadError> => {
  await audit.record({ ...asked, outcome: error.code, detail: { ...asked.detail, ...(reason !== undefined && { reason }) } });
  return error;
};

/**
 * Does work under audit. A write has its row on the disk before it is begun, saying `outcome_unknown` until it is known better; its
 * outcome and any failure are on the disk before this returns. A read that went well may follow a moment later.
 */
export const audited = async <T>(
  audit: Audit,
  asked: Asked,
  work: () => T | Promise<T>,
  learnt?: (result: T) => Readonly<Record<string, unknown>>,
): Promise<T> => {
  const row = asked.effect === 'read' ? undefined : await audit.record({ ...asked, outcome: 'outcome_unknown' });
  let result: T;
  try {
    result = await work();
  } catch (error) {
    if (row === undefined) await audit.record({ ...asked, outcome: codeOf(error) });
    else await audit.conclude(row, { ...asked, outcome: codeOf(error) });
    throw error;
  }
  if (row === undefined) audit.read({ ...asked, outcome: 'ok' });
  else await audit.conclude(row, { ...asked, outcome: 'ok', detail: { ...asked.detail, ...learnt?.(result) } });
  return result;
};
