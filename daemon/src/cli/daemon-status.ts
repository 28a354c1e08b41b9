import { FairleadError, type Problem } from '@fairlead/shared/contract/errors';
import type { Operations, OutputOf } from '@fairlead/shared/contract/operations/table';
import { readAll, requestRaw } from '@fairlead/shared/kit/http-client';
import { remoteFrom } from '../config/environment.ts';
import type { CliContext } from './context.ts';
import { addressOf } from './endpoint.ts';

/** The compiler compares it with the table; loading the whole table would take longer than the answer. */
const ROUTE: Operations['daemon_status']['route'] = 'GET /status';

/** The status of the daemon, asked without the typed client: scripts and prompts ask it often, so it starts fast. */
export const askStatus = async ({ home, options }: CliContext): Promise<OutputOf<'daemon_status'>> => {
  const { url, token } = await addressOf(home, remoteFrom(options));
  const { status, body } = await requestRaw({
    method: 'GET',
    url: `${url}/api/v1${ROUTE.slice('GET '.length)}`,
    headers: { accept: 'application/json', authorization: `Bearer ${token}` },
  });
  const answer: unknown = JSON.parse((await readAll(body)).toString('utf8'));
  if (status >= 300) throw FairleadError.fromProblem(answer as Problem);
  return answer as OutputOf<'daemon_status'>;
};
