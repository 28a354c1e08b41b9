import { spawn } from 'node:child_process';

/** Downloads the same again and again, `copies` at a time, until so many are done or its standard input ends. Prints their digests. */
const PROGRAM = `
const { createHash } = require('node:crypto');
const { get, Agent } = require('node:http');
const { URL_OF, TOKEN, COPIES, TIMES } = process.env;
let left = Number(TIMES);
process.stdin.on('end', () => (left = 0)).resume();
const agent = new Agent({ keepAlive: true });
const headers = { authorization: 'Bearer ' + TOKEN, accept: 'application/octet-stream' };
const once = () => new Promise((resolve, reject) => {
  get(URL_OF, { headers, agent }, (response) => {
    const hash = createHash('sha256');
    response.on('data', (chunk) => hash.update(chunk)).on('error', reject).on('end', () => resolve(hash.digest('hex')));
  }).on('error', reject);
});
const worker = async () => { while (left-- > 0) console.log(await once()); };
Promise.all(Array.from({ length: Number(COPIES) }, worker)).then(() => process.exit(0), (error) => { console.error(error); process.exit(1); });
`;

/** Downloads in a process of its own, as a planner on another machine would: they do not hold up whoever measures here. */
export interface Downloads {
  /** The SHA-256 of each, once all are done. @throws Error when one failed */
  readonly digests: Promise<readonly string[]>;
  /** Begins no more; those under way come to their end. */
  stop(): Promise<readonly string[]>;
}

/** @param options.times how many in all; default: until it is stopped */
export const downloadElsewhere = (
  url: string,
  token: string,
  { copies = 1, times = Infinity }: { readonly copies?: number; readonly times?: number } = {},
): Downloads => {
  const env = { PATH: process.env['PATH'], URL_OF: url, TOKEN: token, COPIES: String(copies), TIMES: String(times) };
  const child = spawn(process.execPath, ['-e', PROGRAM], { env, stdio: ['pipe', 'pipe', 'inherit'] });
  let printed = '';
  child.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()));
  const digests = new Promise<readonly string[]>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => (code === 0 ? resolve(printed.trim().split('\n')) : reject(new Error(`A download ended with ${code}`))));
  });
  return {
    digests,
    stop() {
      child.stdin.end();
      return digests;
    },
  };
};
