import { FairleadError } from '@fairlead/shared/contract/errors';
import { printable } from '@fairlead/shared/kit/printable';
import type { Command } from 'commander';
import { environment } from '../../config/environment.ts';
import { addCommand, type CliContext, type Streams } from '../context.ts';
import { columns } from '../layout.ts';

interface Row {
  readonly key: string;
  readonly value: unknown;
  readonly source: string;
}

/** What is in force in the daemon that runs, or what the next one would take from the file and this environment. */
const settingsOf = async (context: CliContext): Promise<{ items: readonly Row[]; running: boolean }> => {
  try {
    return { items: (await context.ask('get_config', {})).items, running: true };
  } catch (error) {
    if (!(error instanceof FairleadError) || error.code !== 'daemon_not_running') throw error;
    const { loadConfig } = await import('../../config/load-config.ts');
    return { items: loadConfig({ file: context.home.config, env: environment(), flags: {} }).provenance, running: false };
  }
};

export const configCommand = (program: Command, streams: Streams): Command =>
  addCommand(
    program,
    streams,
    { use: 'config [key]', text: 'Show each setting in force and where its value came from' },
    async (context, [key]) => {
      const { items, running } = await settingsOf(context);
      const shown = key === undefined ? items : items.filter((row) => row.key === key);
      if (shown.length === 0)
        throw new FairleadError('invalid_input', {
          field: 'key',
          rule: 'must be a setting',
          detail: `There is no setting ${key}`,
          hint: `There are: ${items.map((row) => row.key).join(', ')}`,
        });
      context.out.result({ items: shown, running, file: context.home.config }, () =>
        columns(
          ['SETTING', 'VALUE', 'FROM'],
          shown.map((row) => [row.key, JSON.stringify(row.value), row.source]),
          '',
        ),
      );
      if (!running) context.out.note(`No daemon runs; this is what one would take from ${printable(context.home.config)}.`);
    },
  );
