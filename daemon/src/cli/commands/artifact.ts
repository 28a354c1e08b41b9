import { FairleadError } from '@fairlead/shared/contract/errors';
import { printable } from '@fairlead/shared/kit/printable';
import type { Command } from 'commander';
import { addCommand, type Streams } from '../context.ts';
import { bytes, fields } from '../layout.ts';
import { artifactTable } from '../shown/changes.ts';

export const artifactCommand = (program: Command, streams: Streams): Command => {
  const artifact = program.command('artifact').description('List, show and save the evidence files of a step');
  addCommand(artifact, streams, { use: 'list <step>', text: 'List the evidence files of a step' }, async ({ ask, out }, [id]) => {
    const list = await ask('list_artifacts', { step_id: id! });
    out.result(list, () => artifactTable(list.items));
  });
  addCommand(
    artifact,
    streams,
    { use: 'get <artifact>', text: 'Show name, kind, size and digest of one evidence file' },
    async ({ ask, out }, [id]) => {
      const found = await ask('get_artifact', { artifact_id: id! });
      const rows = [
        ['kind', found.kind],
        ['name', found.name],
        ['type', found.media_type],
        ['size', bytes(found.size)],
        ['sha256', found.sha256],
        [
          'redacted',
          Object.entries(found.redactions)
            .map(([kind, count]) => `${count} ${kind}`)
            .join(', '),
        ],
        ['made', found.created_at],
      ] as const;
      out.result(found, () => `Artifact ${found.id}\n${fields(rows)}`);
    },
  );
  addCommand(
    artifact,
    streams,
    { use: 'show <artifact>', text: 'Print one evidence file; untrusted text, control characters made visible' },
    async (context, [id]) => {
      const { readArtifact } = await import('../artifact-bytes.ts');
      const content = await readArtifact(context, id!);
      context.out.result({ artifact_id: id, encoding: 'base64', content: content.toString('base64') }, () =>
        printable(content.toString('utf8').trimEnd(), { multiline: true }),
      );
    },
  );
  addCommand(
    artifact,
    streams,
    { use: 'save <artifact> <file>', text: 'Save the bytes of one evidence file; a file that is there is not replaced' },
    async (context, [id, file]) => {
      const [{ openArtifact }, { createWriteStream }, { pipeline }] = await Promise.all([
        import('../artifact-bytes.ts'),
        import('node:fs'),
        import('node:stream/promises'),
      ]);
      const content = await openArtifact(context, id!);
      try {
        const saved = createWriteStream(file!, { flags: 'wx', mode: 0o600 });
        await pipeline(content, saved);
        context.out.result(
          { artifact_id: id, file, size: saved.bytesWritten },
          () => `Saved ${bytes(saved.bytesWritten)} to ${printable(file!)}`,
        );
      } catch (cause) {
        const { code = '', message } = cause as NodeJS.ErrnoException;
        if (code === 'ENOSPC' || code === 'EDQUOT') throw new FairleadError('disk_full', { cause });
        if (code === 'EEXIST' || code === 'ENOENT' || code === 'EACCES' || code === 'EISDIR')
          throw new FairleadError('invalid_input', {
            field: 'file',
            rule: 'must be a new file in a folder that you can write',
            detail: `file: ${message}`,
            cause,
          });
        throw cause;
      }
    },
  );
  return artifact;
};
