import * as z from 'zod';
import { describe, expect, it } from 'vitest';
import { ERRORS } from './error-table.ts';
import { operation } from './operations/operation.ts';
import { OPERATIONS, operationsOf } from './operations/table.ts';
import { referencePage } from './reference-page.ts';
import { referenceOf } from './reference.ts';

const HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(1)>';
const about = { title: `Fairlead ${HOSTILE}`, version: '1', prefix: '/api/v1' };

describe('the reference', () => {
  it.each(['daemon', 'relay'] as const)('has each operation of the %s in one chapter', (api) => {
    const rows = operationsOf(api);
    const names = referenceOf(rows).flatMap(({ entries }) => entries.map(({ row }) => row.name));
    expect(names.toSorted()).toEqual(rows.map(({ name }) => name).toSorted());
  });

  it('tells the fields of a task, which of them must be sent, and their bounds', () => {
    const entry = referenceOf([OPERATIONS.submit_task])[0]!.entries[0]!;
    const field = (name: string) => entry.takes.find((one) => one.name === name);
    expect([entry.method, entry.path]).toEqual(['POST', '/runs/:run_id/steps']);
    expect(field('run_id')).toMatchObject({ required: true });
    expect(field('task.title')).toMatchObject({ required: false, type: expect.stringMatching(/^string \(up to 200 characters\)/) });
    expect(field('task.allowed_paths')?.type).toMatch(/^list of string/);
  });
});

describe('the page', () => {
  it('shows every operation and error, holds no script, and allows its own style alone', async () => {
    const { html, headers } = await referencePage(operationsOf('daemon'), { ...about, title: 'Fairlead daemon' });
    for (const { name } of operationsOf('daemon')) expect(html).toContain(`<article id="${name}">`);
    for (const code of Object.keys(ERRORS)) expect(html).toContain(`<code>${code}</code>`);
    expect(html).not.toMatch(/<script|<link|<img|<iframe|\son[a-z]+\s*=|javascript:|https?:/i);
    const style = /<style>([^]*?)<\/style>/.exec(html)![1]!;
    const digest = Buffer.from(await crypto.subtle.digest('SHA-256', Buffer.from(style))).toString('base64');
    expect(headers['content-security-policy']).toBe(
      `default-src 'none'; style-src 'sha256-${digest}'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; sandbox`,
    );
  });

  it('keeps hostile text text', async () => {
    const row = operation({
      name: 'hostile',
      title: HOSTILE,
      description: HOSTILE,
      route: 'GET /hostile',
      input: z.strictObject({ field: z.enum([HOSTILE]).default(HOSTILE).describe(HOSTILE) }),
      output: z.object({}),
      scope: 'none',
    });
    const { html } = await referencePage([row], about);
    expect(html).not.toMatch(/<script|<img/i);
    expect(html.split('&lt;script&gt;').length - 1).toBeGreaterThanOrEqual(5);
  });
});
