import { LIMITS } from '@fairlead/shared/contract/limits';
import { readAll } from '@fairlead/shared/kit/http-client';
import type { CliContext } from './context.ts';

/** The bytes of one artifact as they come. */
export const openArtifact = async (context: CliContext, id: string): Promise<AsyncIterable<Uint8Array>> =>
  (await context.client()).stream('get_artifact_content', { artifact_id: id });

/** A whole artifact in memory, for those that are shown. @throws FairleadError `payload_too_large` */
export const readArtifact = async (context: CliContext, id: string): Promise<Buffer> =>
  readAll(await openArtifact(context, id), LIMITS.output_captured.value);
