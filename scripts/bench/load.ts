import { Agent, request } from 'node:http';

export interface Load {
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly inFlight: number;
  readonly requests: number;
}

export interface Measured {
  readonly perSecond: number;
  readonly p50Ms: number;
}

const get = (url: URL, agent: Agent, headers: Readonly<Record<string, string>>): Promise<void> =>
  new Promise((resolve, reject) => {
    const sent = request({ hostname: url.hostname, port: url.port, path: url.pathname, agent, headers }, (response) => {
      response.resume();
      response.on('end', () =>
        response.statusCode === 200 ? resolve() : reject(new Error(`${url.pathname} answered ${response.statusCode}`)),
      );
      response.on('error', reject);
    });
    sent.on('error', reject);
    sent.end();
  });

/** The value in the middle. */
export const median = (values: readonly number[]): number => {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
};

/** Asks again and again over kept connections, with so many requests in flight at any time. */
export const load = async ({ url, headers = {}, inFlight, requests }: Load): Promise<Measured> => {
  const agent = new Agent({ keepAlive: true, maxSockets: inFlight });
  const address = new URL(url);
  const times: number[] = [];
  let left = requests;
  const worker = async (): Promise<void> => {
    while (left-- > 0) {
      const started = performance.now();
      await get(address, agent, headers);
      times.push(performance.now() - started);
    }
  };
  const started = performance.now();
  await Promise.all(Array.from({ length: inFlight }, worker));
  const perSecond = (times.length / (performance.now() - started)) * 1000;
  agent.destroy();
  return { perSecond, p50Ms: median(times) };
};
