import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LIMITS } from '@fairlead/shared/contract/limits';
import { manualClock } from '@fairlead/shared/kit/clock';
import { afterAll, describe, expect, it } from 'vitest';
import { openArtifactFiles } from '../ledger/artifact-files.ts';
import { createRedactor } from '../process/redactor.ts';
import { openActivity } from './activity-log.ts';

const folder = mkdtempSync(join(tmpdir(), 'fairlead-activity-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const SECRET = 'hunter2-hunter2';

const opened = async () => {
  const artifacts = await openArtifactFiles(folder);
  const log = openActivity(artifacts, manualClock(), createRedactor([SECRET]));
  const items = async () => {
    const stored = await log.finish();
    const text = stored ? (await artifacts.read(stored.sha256)).toString('utf8') : '';
    const lines = text.split('\n').filter(Boolean);
    return { stored, items: lines.map((line) => JSON.parse(line) as { seq: number; kind: string } & Record<string, unknown>) };
  };
  return { log, items };
};

describe('the activity of an attempt', () => {
  it('is numbered, timed and kept in its order', async () => {
    const { log, items } = await opened();
    log.push({ kind: 'text', text: 'one' });
    log.output(Buffer.from('printed\n'), 'stderr');
    log.push({ kind: 'raw', value: { newer: ['thing'] } });
    const { items: kept } = await items();
    expect(kept.map(({ seq, kind }) => [seq, kind])).toEqual([
      [1, 'text'],
      [2, 'output'],
      [3, 'raw'],
    ]);
    expect(kept[0]).toMatchObject({ at: '2026-01-01T00:00:00.000Z', text: 'one' });
    expect(kept[2]).toMatchObject({ value: { newer: ['thing'] } });
  });

  it('masks secrets wherever they stand, in printed text also across pieces, and counts them by kind', async () => {
    const { log, items } = await opened();
    log.push({
      kind: 'tool_call',
      call_id: '1',
      tool: 'Bash',
      tool_kind: 'execute',
      title: `echo ${SECRET}`,
      input: { deep: [{ [SECRET]: SECRET }] },
    });
    for (const piece of ['hunter2-', 'hunter', '2 and more\n']) log.output(Buffer.from(piece), 'stdout');
    const { stored, items: kept } = await items();
    expect(JSON.stringify(kept)).not.toContain('hunter2-hunter2');
    expect(
      kept
        .filter(({ kind }) => kind === 'output')
        .map(({ text }) => text)
        .join(''),
    ).toBe('[redacted] and more\n');
    expect(stored!.redactions).toEqual({ known_value: 4 });
  });

  it('cuts what is longer than anybody reads, and says so', async () => {
    const { log, items } = await opened();
    log.push({ kind: 'text', text: 'x'.repeat(LIMITS.activity_text.value + 5) });
    const [item] = (await items()).items;
    expect(item!['text']).toMatch(/^x+… \(5 characters cut\)$/);
  });

  it('does not split a character that comes in two pieces', async () => {
    const { log, items } = await opened();
    const bytes = Buffer.from('grüße 🙂\n');
    for (const byte of bytes) log.output(Buffer.from([byte]), 'stdout');
    expect((await items()).items.map(({ text }) => text).join('')).toBe('grüße 🙂\n');
  });

  it('tells those who follow when there is more, and leaves nothing where nothing was said', async () => {
    const { log, items } = await opened();
    let grown = 0;
    const deaf = log.onGrowth(() => (grown += 1));
    log.push({ kind: 'text', text: 'a' });
    log.push({ kind: 'text', text: 'b' });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(grown).toBe(1);
    expect((await log.file!.read(0, 10_000)).toString().split('\n')).toHaveLength(3);
    deaf();
    await items();
    expect(grown).toBe(1);
    expect((await (await opened()).items()).stored).toBeUndefined();
  });
});
