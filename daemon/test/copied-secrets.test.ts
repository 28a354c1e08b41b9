import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { ProjectPolicy } from '@fairlead/shared/contract/project-policy';
import { copiedValues } from '../src/runner/copied-secrets.ts';
import { openShop, settled, submit, type Shop } from './workshop.ts';

const CANARY = 'canary-Secret-Value-123456';
const KEY = 'MIIEvQIBADANBgkqhkiG9w0BAQEFAASC';
let shop: Shop | undefined;
afterEach(() => shop?.close());

const everything = async (of: Shop, stepId: string): Promise<string> => {
  const { artifacts, ledger } = of;
  const rows = ledger.read.artifacts({ step_id: stepId }).filter(({ kind }) => kind !== 'task' && kind !== 'task_original');
  const texts = await Promise.all(
    rows.map(async ({ sha256 }) => (await artifacts.read(sha256, { offset: 0, length: 100_000 })).toString()),
  );
  const tails = ledger.read.validations({ step_id: stepId }).map(({ output_tail }) => output_tail);
  return [...texts, ...tails].join('\n');
};

/** Threats row 16: what provisioning brings into a checkout is not for those who read what comes out of it. */
describe('values of copied files', () => {
  it('are masked in the output of checks, of the executor and of hooks, in $FAIRLEAD_OUT and in the patch', async () => {
    const policy = ProjectPolicy.parse({
      version: 1,
      provision: { copy: ['.env', 'keys'], post_create: ['cat', '.env'] },
      validations: { unit: { run: ['sh', '-c', 'cat .env keys/a.pem; cp .env "$FAIRLEAD_OUT/env.txt"'] } },
    });
    const commands = [{ name: 'leak', run: ['sh', '-c', 'cat .env; cp .env taken.txt; cp .env "$FAIRLEAD_OUT/too.txt"'], description: '' }];
    shop = await openShop({ 'a.txt': 'one\n', '.gitignore': '.env\nkeys\n' }, { policy: () => policy, commands });
    shop.repository.write({ '.env': `PORT=3000\nAPI_TOKEN=${CANARY}\n`, 'keys/a.pem': `-----BEGIN-----\n${KEY}\n` });
    const step = await settled(shop, (await submit(shop, shop.run.id, { title: 'Leak', executor: 'command.leak' })).id);
    const said = await everything(shop, step.id);
    expect(said).toContain('PORT=3000');
    expect(said).toContain('[redacted]');
    expect(said).not.toContain(CANARY);
    expect(said).not.toContain(KEY);
    const outputs = shop.ledger.read.artifacts({ step_id: step.id }).filter(({ kind }) => kind === 'validation_output' || kind === 'patch');
    expect(outputs.map(({ redactions }) => (redactions['known_value'] ?? 0) > 0)).toEqual(outputs.map(() => true));
    expect(await readFile(join(shop.repository.path, '.env'), 'utf8')).toContain(CANARY);
  });

  it('are what is assigned, and lines of keys, but no ordinary words', () => {
    const env = `# comment-that-is-long\nexport A="q1w2e3r4t5"\nNODE_ENV=production\nPORT=3000\nB: 'yaml-Value-9'\n  "token": "json-Value-9",\n{\n}\n${KEY}\n`;
    expect(copiedValues(env)).toEqual(['q1w2e3r4t5', 'yaml-Value-9', 'json-Value-9', KEY]);
  });
});
