import type { Command } from 'commander';
import { readIdentity } from '../identity/identity.ts';
import { addCommand, type Streams } from './context.ts';

export const configCommand = (program: Command, streams: Streams): void => {
  addCommand(
    program,
    streams,
    { use: 'config', text: 'show each setting and where it came from; secrets are left out' },
    async ({ files, settings, out }) => {
      const identity = await readIdentity(files);
      const enrolled = (['connector_id', 'label', 'relay', 'origin', 'relay_key', 'key', 'enrolled_at'] as const).map((key) => ({
        key,
        value: identity?.[key] ?? null,
        source: identity ? 'config.json' : 'not enrolled',
      }));
      const items = [...settings.told, ...enrolled];
      out.result({ items }, () =>
        out.table([['SETTING', 'VALUE', 'FROM'], ...items.map(({ key, value, source }) => [key, value ?? '-', source])]),
      );
    },
  );
};
