import { FairleadError } from '@fairlead/shared/contract/errors';
import type { TextSink } from '@fairlead/shared/kit/cli';
import { printable } from '@fairlead/shared/kit/printable';

interface Streams {
  readonly stdout: TextSink;
  readonly stderr: TextSink;
}

/**
 * Runs a script to its exit code. What goes wrong is told as words on stderr, never as a stack; with `json` the problem document is also the
 * one document on stdout.
 */
export const endingWell = async (json: boolean, main: () => Promise<number>, { stdout, stderr }: Streams = process): Promise<number> => {
  try {
    return await main();
  } catch (error) {
    const known =
      error instanceof FairleadError ? error : new FairleadError('internal', { detail: (error as Error).message, cause: error });
    const problem = known.toProblem();
    if (json) stdout.write(`${JSON.stringify({ ok: false, error: problem })}\n`);
    stderr.write(
      [problem.title, problem.detail, problem.field && `field: ${problem.field}`, known.code === 'internal' ? undefined : problem.hint]
        .filter((line) => line !== undefined)
        .map((line) => `fairlead: ${printable(line, { multiline: true })}\n`)
        .join(''),
    );
    return known.exit;
  }
};
