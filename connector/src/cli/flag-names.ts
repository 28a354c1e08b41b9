import { FairleadError } from '@fairlead/shared/contract/errors';

/**
 * Does some work whose refusals are to name the flags that were typed, not the fields that the flags went into.
 * @param flags of the fields, such as `{ secret: '--token' }`
 */
export const namingFlags = async <T>(flags: Readonly<Record<string, string>>, work: () => Promise<T>): Promise<T> => {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof FairleadError) || error.context.field === undefined) throw error;
    const { field, detail } = error.context;
    const flag = flags[/^[a-z_]*/.exec(field)![0]];
    if (flag === undefined) throw error;
    const words = detail?.startsWith(field) ? `${flag}${detail.slice(field.length)}` : detail;
    throw new FairleadError(error.code, { ...error.context, field: flag, ...(words !== undefined && { detail: words }), cause: error });
  }
};
