import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { doTask } from '@fairlead/e2e/rig/planner';
import { startServer } from '@fairlead/e2e/rig/processes';
import { script } from '@fairlead/e2e/rig/programs';
import { closeOnSignal, raiseStack } from '@fairlead/e2e/rig/stack';
import { figureOf, inPairs, type Figure } from './figures.ts';

const MIB = 256;
const ROUNDS = 7;

/** Makes a file of bytes that nothing compresses and no detector of secrets takes for text. */
const PROGRAM = `
const { createWriteStream } = require('node:fs');
const { randomFillSync } = require('node:crypto');
const out = createWriteStream(process.env.FAIRLEAD_OUT + '/big.bin');
const block = Buffer.alloc(1024 * 1024);
let left = ${MIB};
const write = () => { while (left-- > 0) if (!out.write(randomFillSync(Buffer.from(block)))) return out.once('drain', write); out.end(); };
write();
`;

interface Download {
  readonly perSecond: number;
  readonly sha256: string;
}

/** Reads a body to its end as it comes, in pieces of 64 KiB at most; answers MiB a second. */
const download = (url: string, headers: Readonly<Record<string, string>>, digest: boolean): Promise<Download> =>
  new Promise((resolve, reject) => {
    const hash = createHash('sha256');
    const began = performance.now();
    let size = 0;
    get(url, { headers, agent: false }, (response) => {
      if (response.statusCode !== 200) return reject(new Error(`${url} answered ${response.statusCode}`));
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (digest) hash.update(chunk);
      });
      response.on('error', reject);
      response.on('end', () => {
        if (size !== MIB * 1024 * 1024) return reject(new Error(`${size} bytes came`));
        resolve({ perSecond: MIB / ((performance.now() - began) / 1000), sha256: hash.digest('hex') });
      });
    }).on('error', reject);
  });

/** A large artifact through all parts, against the same file over bare loopback HTTP. */
export const measureArtifact = async (base: string): Promise<Figure[]> => {
  const stack = await raiseStack({ base, config: `commands:\n  big: { run: [node, -e, ${JSON.stringify(PROGRAM)}] }\n` });
  closeOnSignal(stack);
  try {
    const { step, ...result } = await doTask(stack.planner, stack.instances[0]!.id, { title: 'Big', executor: 'command.big' });
    const { items } = await stack.planner.call('list_artifacts', { step_id: step.id });
    const artifact = items.find(({ name }) => name.endsWith('big.bin'));
    if (!artifact) throw new Error(`The command left no artifact: ${JSON.stringify(result)}`);
    const file = join(stack.home, 'big.bin');
    const copied = createWriteStream(file);
    for await (const chunk of await stack.operator.stream('get_artifact_content', { artifact_id: artifact.id })) copied.write(chunk);
    await new Promise((resolve) => copied.end(resolve));
    const bare = await startServer({ name: 'file server', argv: [...script('bench-file-server'), file] });
    try {
      const url = `${stack.relayUrl}/api/v2/artifacts/${artifact.id}/content`;
      const headers = { authorization: `Bearer ${stack.plannerToken}`, accept: 'application/octet-stream' };
      const { sha256 } = await download(url, headers, true);
      if (`sha256:${sha256}` !== artifact.sha256 && sha256 !== artifact.sha256) throw new Error('Other bytes came than were kept');
      await download(bare.ready['url'] as string, {}, false);
      const pairs = await inPairs(
        ROUNDS,
        async () => (await download(url, headers, false)).perSecond,
        async () => (await download(bare.ready['url'] as string, {}, false)).perSecond,
      );
      return [figureOf(`download of a ${MIB} MiB artifact through all parts`, 'MiB per second', pairs, { atLeast: 0.3 })];
    } finally {
      await bare.stop();
    }
  } finally {
    await stack.close();
  }
};
