import { FairleadError } from '@fairlead/shared/contract/errors';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readTask, type TaskOptions } from './task-input.ts';

describe('readTask', () => {
  let folder: string;
  beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'fairlead-task-'))));
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const file = (name: string, text: string | Uint8Array): string => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };
  async function* stdin(text = ''): AsyncGenerator<Uint8Array> {
    if (text) yield Buffer.from(text);
  }
  const task = (options: TaskOptions, path?: string, input = '') => readTask(path, options, stdin(input));
  const original = (source: { original_base64?: string | undefined }) => Buffer.from(source.original_base64!, 'base64').toString('utf8');
  const refusal = async (run: Promise<unknown>): Promise<FairleadError> => {
    const error = await run.then(
      () => undefined,
      (caught: unknown) => caught,
    );
    expect(error).toBeInstanceOf(FairleadError);
    return error as FairleadError;
  };

  it('reads a goal and keeps it byte for byte', async () => {
    const read = await task({
      goal: 'Fix it\n\n  all of it\n',
      constraint: ['small'],
      allow: ['src/**'],
      timeout: '90',
      executor: 'command.fmt',
    });
    expect(read.task).toEqual({
      title: 'Fix it',
      goal: 'Fix it\n\n  all of it\n',
      constraints: ['small'],
      allowed_paths: ['src/**'],
      timeout: 90,
      executor: 'command.fmt',
    });
    expect(read.source.kind).toBe('goal');
    expect(original(read.source)).toBe('Fix it\n\n  all of it\n');
  });

  it("names a prompt file's task after it", async () => {
    const read = await task({ promptFile: file('add-tax.md', 'Do the tax\n') });
    expect(read).toMatchObject({ task: { title: 'add-tax', goal: 'Do the tax\n' }, source: { kind: 'prompt_file', name: 'add-tax.md' } });
  });

  it('reads standard input', async () => {
    expect((await task({ stdin: true }, undefined, 'From a pipe')).task).toMatchObject({ goal: 'From a pipe' });
    expect((await task({ taskJson: '-' }, undefined, '{"goal":"x"}')).task).toEqual({ goal: 'x' });
  });

  it('reads task files in YAML and JSON, unknown fields and all: the daemon judges them', async () => {
    expect((await task({}, file('t.yaml', 'goal: x\nprofile: y\n'))).task).toEqual({ goal: 'x', profile: 'y' });
    expect((await task({}, file('t.json', '{"goal":"x"}'))).task).toEqual({ goal: 'x' });
    expect((await refusal(task({}, file('d.json', '{"goal":"x","goal":"y"}')))).code).toBe('malformed_json');
    expect((await refusal(task({}, file('d.yaml', 'goal: x\ngoal: y\n')))).context.field).toBe('task file');
    expect((await refusal(task({}, file('a.yaml', 'goal: &x [1]\ncontext: *x\n')))).context.rule).toContain('aliases');
  });

  it('takes a patch by itself or with one of the forms', async () => {
    const patch = file('fix-sum.diff', 'diff --git a/a b/a\n');
    expect((await task({ patch })).task).toEqual({ title: 'fix-sum', patch: 'diff --git a/a b/a\n', executor: 'patch' });
    expect((await task({ patch, goal: 'why' })).task).toMatchObject({ goal: 'why', patch: 'diff --git a/a b/a\n' });
    expect((await task({ patch: file('bytes.diff', Buffer.from([0x2d, 0xff, 0x0a])) })).task).toMatchObject({ patch_base64: 'Lf8K' });
  });

  it.each([
    [{}, 'task'],
    [{ goal: 'a', stdin: true }, '--stdin'],
    [{ goal: ' \n' }, '--goal'],
    [{ stdin: true }, '--stdin'],
    [{ promptFile: '/nowhere/at/all' }, '--prompt-file'],
  ])('refuses %j and names %s', async (options, field) => {
    const error = await refusal(task(options));
    expect(error.code).toBe('invalid_input');
    expect(error.context.field).toBe(field);
  });

  it('refuses flags beside a whole task', async () => {
    expect((await refusal(task({ title: 'x' }, file('t.yaml', 'goal: x\n')))).context.field).toBe('title');
    expect((await refusal(task({ patch: file('p', 'x') }, file('t.yaml', 'patch: y\n')))).context.field).toBe('--patch');
  });

  it('refuses text that is not UTF-8', async () => {
    expect((await refusal(task({ promptFile: file('p.md', Buffer.from([0xff, 0xfe])) }))).context.rule).toBe('must be UTF-8');
  });
});
