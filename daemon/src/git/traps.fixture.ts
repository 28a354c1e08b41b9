import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const HOOKS = [
  'applypatch-msg',
  'pre-applypatch',
  'post-applypatch',
  'pre-commit',
  'pre-merge-commit',
  'prepare-commit-msg',
  'commit-msg',
  'post-commit',
  'pre-rebase',
  'post-checkout',
  'post-merge',
  'pre-push',
  'pre-receive',
  'update',
  'proc-receive',
  'post-receive',
  'post-update',
  'reference-transaction',
  'push-to-checkout',
  'pre-auto-gc',
  'post-rewrite',
  'post-index-change',
  'fsmonitor-watchman',
];

/** What of a repository is planted in: a scratch one or a test's. */
interface Planted {
  /** The folder that the repository's own lies in. */
  readonly folder: string;
  readonly path: string;
  git(...args: string[]): string;
}

/** Sets every trap by which a repository makes git run a program; each writes into the marker file. */
export const plant = (user: Planted, marker: string): void => {
  const program = join(user.folder, 'evil.sh');
  writeFileSync(program, `#!/bin/sh\necho "$0 $*" >> "${marker}"\ncat 2>/dev/null\n`, { mode: 0o755 });
  for (const folder of [join(user.path, '.git', 'hooks'), join(user.path, '.husky')]) {
    mkdirSync(folder, { recursive: true });
    for (const hook of HOOKS) {
      writeFileSync(join(folder, hook), readFileSync(program));
      chmodSync(join(folder, hook), 0o755);
    }
  }
  const settings: Record<string, string> = {
    'core.hooksPath': '.husky',
    'core.fsmonitor': program,
    'core.editor': program,
    'core.pager': program,
    'core.sshCommand': program,
    'core.askPass': program,
    'core.gitProxy': program,
    'core.alternateRefsCommand': program,
    'core.attributesFile': join(user.folder, 'attributes'),
    'core.excludesFile': join(user.folder, 'excludes'),
    'filter.evil.clean': program,
    'filter.evil.smudge': program,
    'filter.evil.process': program,
    'filter.evil.required': 'true',
    'diff.external': program,
    'diff.evil.command': program,
    'diff.evil.textconv': program,
    'merge.evil.driver': `${program} %A`,
    'merge.default': 'evil',
    'gpg.program': program,
    'commit.gpgSign': 'true',
    'tag.gpgSign': 'true',
    'credential.helper': program,
    'uploadpack.packObjectsHook': program,
    'pager.log': program,
    'pager.diff': program,
    'interactive.diffFilter': program,
    'sequence.editor': program,
    'gc.auto': '1',
    'submodule.recurse': 'true',
    'log.showSignature': 'true',
    'trailer.x.command': program,
    'alias.status': `!${program}`,
    'alias.update-ref': `!${program}`,
    'remote.origin.url': `ext::${program}`,
    'remote.origin.uploadpack': program,
  };
  for (const [key, value] of Object.entries(settings)) user.git('config', key, value);
  writeFileSync(join(user.folder, 'attributes'), '* filter=evil diff=evil merge=evil\n');
};

/** Every file of a folder with its content and mode, but for what may change. */
export const fingerprint = (folder: string, except: (path: string) => boolean, below = ''): Map<string, string> => {
  const found = new Map<string, string>();
  for (const entry of readdirSync(join(folder, below), { withFileTypes: true })) {
    const path = join(below, entry.name);
    if (except(path)) continue;
    if (entry.isDirectory()) for (const [name, value] of fingerprint(folder, except, path)) found.set(name, value);
    else
      found.set(
        path,
        `${statSync(join(folder, path)).mode} ${createHash('sha256')
          .update(readFileSync(join(folder, path)))
          .digest('hex')}`,
      );
  }
  return found;
};
