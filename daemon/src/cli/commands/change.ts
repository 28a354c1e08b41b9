import type { Change } from '@fairlead/shared/contract/resources';
import { EXIT, type ExitCode } from '@fairlead/shared/contract/states';
import { CommandEnd } from '@fairlead/shared/kit/cli';
import { printable } from '@fairlead/shared/kit/printable';
import type { Command } from 'commander';
import { addCommand, type Streams } from '../context.ts';
import { changeText } from '../shown/changes.ts';

interface ChangeOptions {
  readonly raw?: boolean;
  readonly comment?: string;
}

/** What integrating ends with: a script must see that nothing landed, or that the work tree did not go along. */
const exitOf = ({ state, reason }: Pick<Change, 'state' | 'reason'>): ExitCode => {
  if (state === 'integrated') return reason === null ? EXIT.ok : EXIT.attention;
  return state === 'failed_validation' || state === 'conflict' ? EXIT.failed : EXIT.attention;
};

export const changeCommand = (program: Command, streams: Streams): Command => {
  const change = program.command('change').description('Show, integrate and discard changes');
  addCommand(change, streams, { use: 'get <change>', text: 'Show what an attempt did' }, async ({ ask, out }, [id]) => {
    const found = await ask('get_change', { change_id: id! });
    out.result(found, () => changeText(found));
  });
  addCommand<ChangeOptions>(
    change,
    streams,
    { use: 'diff <change>', text: 'Show the patch of a change' },
    async (context, [id], { raw }) => {
      const { readArtifact } = await import('../artifact-bytes.ts');
      const found = await context.ask('get_change', { change_id: id! });
      const patch = (await readArtifact(context, found.patch_artifact_id)).toString('utf8');
      context.out.result({ change_id: found.id, digest: found.digest, patch }, () =>
        raw ? patch.replace(/\n$/, '') : printable(patch.trimEnd(), { multiline: true }),
      );
    },
  ).option('--raw', 'print the bytes as they are, for git apply; control characters are not made visible');
  addCommand(
    change,
    streams,
    { use: 'integrate <change>', text: 'Land a change on its target, if the target still is what was validated' },
    async ({ ask, out }, [id]) => {
      const landed = await ask('integrate_change', { change_id: id! });
      out.result(landed, () => changeText(landed));
      const exit = exitOf(landed);
      if (exit !== EXIT.ok) throw new CommandEnd(exit);
    },
  );
  addCommand<ChangeOptions>(
    change,
    streams,
    { use: 'discard <change>', text: 'Say that a change will not be integrated' },
    async ({ ask, out }, [id], { comment }) => {
      const discarded = await ask('discard_change', { change_id: id!, ...(comment !== undefined && { comment }) });
      out.result(discarded, () => changeText(discarded));
    },
  ).option('--comment <text>', 'why; kept with the decision');
  return change;
};
