import { FairleadError } from '@fairlead/shared/contract/errors';
import { describe, expect, it } from 'vitest';
import { namingFlags } from './flag-names.ts';

const refusal = (field?: string, detail?: string) =>
  namingFlags({ secret: '--token', executors: '--executor' }, () =>
    Promise.reject(new FairleadError('invalid_input', { ...(field && { field }), ...(detail && { detail }), hint: 'h' })),
  ).catch((error: unknown) => (error as FairleadError).context);

describe('namingFlags', () => {
  it('puts the flag in the place of the field', async () => {
    expect(await refusal('secret', 'secret: Too small')).toMatchObject({ field: '--token', detail: '--token: Too small', hint: 'h' });
    expect(await refusal('executors[0]', 'There is no such executor')).toMatchObject({
      field: '--executor',
      detail: 'There is no such executor',
    });
  });

  it('leaves alone what it does not know, and what is no refusal', async () => {
    expect(await refusal('key', 'key: bad')).toMatchObject({ field: 'key', detail: 'key: bad' });
    expect(await refusal(undefined, 'bad')).not.toHaveProperty('field');
    expect(await namingFlags({}, () => Promise.resolve(1))).toBe(1);
    await expect(namingFlags({}, () => Promise.reject(new Error('x')))).rejects.toThrow('x');
  });
});
