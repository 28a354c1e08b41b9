import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DEFAULT_LIMIT } from '../process/run.ts';
import { runGit } from './git.ts';
import { readGit, readText } from './reader.ts';
import { scratch, type Scratch } from './scratch.fixture.ts';
import { withoutFilters } from './settings.ts';

let repo: Scratch;
const path = process.env['PATH'];
beforeEach(() => {
  repo = scratch();
});
afterEach(() => {
  process.env['PATH'] = path;
  repo.remove();
});

/** Puts a program of ours in the place of git. */
const pretend = (script: string): void => {
  const folder = join(repo.folder, 'bin');
  mkdirSync(folder);
  writeFileSync(join(folder, 'git'), `#!/bin/sh\n${script}\n`);
  chmodSync(join(folder, 'git'), 0o755);
  process.env['PATH'] = `${folder}:${path}`;
};

const lines = (text: string): string[] =>
  text
    .split('\n')
    .filter((line) => line !== '' && !/^(_|SHLVL|OLDPWD)=/.test(line))
    .toSorted();

describe('reading through simple-git', () => {
  it('gives git the environment and the folder of the runner, and nothing else', async () => {
    pretend('env; pwd');
    process.env['GIT_DIR'] = '/leaked';
    process.env['EDITOR'] = '/leaked';
    const config = withoutFilters([{ key: 'filter.evil.clean', value: 'touch /tmp/evil' }]);
    for (const place of [{ git_dir: repo.folder, search: true } as const, { git_dir: repo.folder, work_tree: repo.path, config }]) {
      const ours = lines((await runGit({ ...place, args: ['status'] })).stdout.toString());
      const theirs = lines(await readText(place, 'status'));
      // simple-git's own, which makes git stricter.
      expect(theirs).toContain('GIT_TEST_DISALLOW_ABBREVIATED_OPTIONS=true');
      expect(theirs.filter((line) => !line.startsWith('GIT_TEST_'))).toEqual(ours);
      expect(ours.join('\n')).toContain('core.hooksPath');
      expect(ours.join('\n')).not.toContain('leaked');
    }
    delete process.env['GIT_DIR'];
    delete process.env['EDITOR'];
  });

  it('still refuses what nothing here needs', async () => {
    pretend('echo ran');
    await expect(readText({ git_dir: repo.path }, '-c', 'alias.x=!sh', 'x')).rejects.toThrow('allowUnsafeAlias');
    await expect(readText({ git_dir: repo.path, config: [['merge.x.driver', 'sh']] }, 'status')).rejects.toThrow('allowUnsafeMergeDriver');
    await expect(readText({ git_dir: repo.path }, 'fetch', '--upload-pack=sh')).rejects.toThrow('allowUnsafePack');
  });

  it('maps failures as the runner does', async () => {
    const place = { git_dir: join(repo.path, '.git') };
    const both = async (): Promise<unknown[]> => {
      const asError = (error: unknown) => error;
      const [a, b] = await Promise.all([
        runGit({ ...place, args: ['rev-parse', 'nothing-here'] }).catch(asError),
        readText(place, 'rev-parse', 'nothing-here').catch(asError),
      ]);
      const show = (error: unknown) => [(error as { code: string }).code, (error as Error).message];
      expect(show(b)).toEqual(show(a));
      return show(b);
    };
    expect(await both()).toEqual(['internal', expect.stringContaining('git rev-parse exited with 128: ')]);
    pretend('echo "fatal: write error: No space left on device" >&2; exit 128');
    expect((await both())[0]).toBe('disk_full');
    writeFileSync(join(repo.folder, 'bin', 'git'), '#!/bin/sh\necho "error: Permission denied" >&2; exit 1\n');
    expect((await both())[0]).toBe('store_unwritable');
    // A silent failure is one, too; so is a death by a signal.
    writeFileSync(join(repo.folder, 'bin', 'git'), '#!/bin/sh\necho half; exit 3\n');
    expect((await both())[0]).toBe('internal');
    writeFileSync(join(repo.folder, 'bin', 'git'), '#!/bin/sh\necho half; kill -9 $$\n');
    await expect(readText(place, 'status')).rejects.toMatchObject({ code: 'internal' });
    process.env['PATH'] = join(repo.folder, 'none');
    expect((await both())[0]).toBe('requirement_missing');
    await expect(readText({ git_dir: join(repo.folder, 'none') }, 'status')).rejects.toMatchObject({ code: 'requirement_missing' });
  });

  it('takes accepted codes for answers', async () => {
    const { code, words, answer } = await readGit({ git_dir: repo.folder, search: true, accept: [0, 128] }, (git) =>
      git.raw(['rev-parse', '--absolute-git-dir']),
    );
    expect({ code, answer }).toEqual({ code: 128, answer: '' });
    expect(words).toContain('not a git repository');
  });

  it('keeps the whole of a long answer, and ends one that is too long', async () => {
    pretend('head -c 3000000 /dev/zero; (sleep 0.2; echo late) &');
    const text = await readText({ git_dir: repo.path }, 'status');
    expect(text).toHaveLength(3_000_004);
    writeFileSync(join(repo.folder, 'bin', 'git'), `#!/bin/sh\nexec head -c ${2 * DEFAULT_LIMIT} /dev/zero\n`);
    await expect(readText({ git_dir: repo.path }, 'status')).rejects.toThrow('was ended (size limit)');
  });
});
