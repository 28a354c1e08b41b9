import { FairleadError } from '@fairlead/shared/contract/errors';
import { parseResourceId, type ResourceKind } from '@fairlead/shared/contract/ids';

/** A page is named by the id of the last row before it. @throws FairleadError `invalid_input` for anything else */
export const afterOf = (page: string | undefined, kind: ResourceKind): string | undefined => {
  if (page === undefined || parseResourceId(page)?.kind === kind) return page;
  throw new FairleadError('invalid_input', {
    field: 'page',
    rule: 'must be next_page of the answer before',
    detail: 'page must be next_page of the answer before',
  });
};

/** Cuts a list that was read with one row more than asked for. */
export const cutPage = <R extends { readonly id: string }, V>(
  rows: readonly R[],
  limit: number,
  view: (row: R) => V,
): { items: V[]; next_page: string | null } => {
  const items = rows.slice(0, limit);
  return { items: items.map(view), next_page: rows.length > limit ? items.at(-1)!.id : null };
};
