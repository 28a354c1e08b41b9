import { FairleadError } from '@fairlead/shared/contract/errors';

/** A positive whole number of an option. @throws FairleadError `invalid_input` */
export const positive = (text: string | undefined, field: string): number | undefined => {
  if (text === undefined) return undefined;
  if (!/^[1-9][0-9]{0,8}$/.test(text))
    throw new FairleadError('invalid_input', {
      field,
      rule: 'must be a positive whole number',
      detail: `${field} must be a positive whole number`,
    });
  return Number(text);
};
