import { DEV, develops } from './dev-tools.ts';
import { chmod, copies, dd, find, link, tar } from './file-tools.ts';
import { judgeForge } from './forge.ts';
import { judgeGit } from './git.ts';
import { reads, say, touches, type Handler } from './handler.ts';
import { interpreter, node, perl, python, shell, source } from './interpreters.ts';
import { judgeManager } from './managers.ts';
import type { Notes } from './notes.ts';
import { hasOption, takeApart, valuesOf, type ValueOptions, listed } from './options.ts';
import { programName, type ShellCommand } from './shell.ts';
import { awk, sed } from './text-tools.ts';
import { curl, rsync, wget } from './transfers.ts';

const kill: Handler = (args, notes) => {
  const numbers = args.filter(({ prefix }) => !/^-[A-Z]|^-(9|15|2|1|3|s|n|l|L|0)$/.test(prefix));
  const every =
    args.some(({ value }, index) => index > 0 && value === '-1') ||
    numbers.some(({ value }) => value === '-1' || value === '0' || value === '1');
  notes.rule(every ? 'proc.kill' : 'shell.builtin');
};

const shopt: Handler = (args, notes) => {
  notes.rule(args.some(({ value }) => value === 'expand_aliases' || value === null) ? 'shell.redefines' : 'shell.builtin');
};

const READS =
  'ls dir vdir cat tac nl head tail wc zcat bzcat xzcat stat file du df cut paste join fold fmt expand unexpand pr cmp comm diff diff3 sdiff colordiff od hexdump strings base64 base32 cksum md5sum sha1sum sha224sum sha256sum sha384sum sha512sum b2sum sum basename dirname realpath readlink rev column tsort jq cloc tokei scc nm objdump readelf size addr2line namei tree';

const SILENT =
  'tr seq expr factor numfmt printenv cal whereis lsof ps pgrep pidof top uptime free vmstat nproc arch uname hostname whoami id groups users who w tty locale getconf echo printf true false : pwd test [ [[ cd pushd popd dirs type which sleep yes set shift return exit break continue read unset wait fg bg local export declare typeset readonly let getopts umask ulimit times history help logout caller fc date clear tput stty';

const WRAPPERS =
  'env nice ionice chrt taskset stdbuf unbuffer timeout gtimeout time caffeinate xvfb-run setarch busybox toybox command builtin exec eval trap xargs gxargs watch flock cross-env';

const each = (text: string, handler: (name: string) => Handler): [string, Handler][] =>
  text.split(' ').map((name) => [name, handler(name)]);

const GREP: ValueOptions = {
  short: 'efmABCdD',
  long: listed('--regexp --file --max-count --after-context --before-context --context --include --exclude --exclude-dir'),
};

/** What is known of each program, by its name in lower case. */
const PROGRAMS: ReadonlyMap<string, Handler> = new Map<string, Handler>([
  ...each(READS, () => reads()),
  ...each(SILENT, () => say('shell.builtin')),
  ...each(WRAPPERS, () => say('shell.builtin')),
  ...each(DEV, develops),
  ...each('grep egrep fgrep zgrep', () => (args, notes) => {
    const taken = takeApart(args, GREP);
    const patterns = hasOption(taken, '-e', '--regexp', '-f', '--file');
    notes.rule('fs.read');
    notes.touch('read', ...taken.operands.slice(patterns ? 0 : 1), ...valuesOf(taken, '-f', '--file'));
  }),
  [
    'rg',
    (args, notes) => {
      const taken = takeApart(args, {
        short: 'efgtTmABCjMEr',
        long: listed('--regexp --file --glob --iglob --type --type-not --max-count --context --replace --pre --hostname-bin --sort'),
      });
      notes.rule('fs.read');
      if (hasOption(taken, '--pre', '--hostname-bin')) notes.rule('proc.runs_program');
      if (taken.uncertain) notes.rule('shell.dynamic_argument');
      notes.touch('read', ...taken.operands.slice(hasOption(taken, '-e', '--regexp', '-f', '--file', '--files') ? 0 : 1));
    },
  ],
  ['date', (args, notes) => notes.rule(hasOption(takeApart(args, { short: 'drf' }), '-s', '--set') ? 'proc.escape' : 'shell.builtin')],
  [
    'sort',
    reads(
      { short: 'kotST', long: listed('--key --output --field-separator --compress-program --files0-from --temporary-directory') },
      { writes: ['-o', '--output'], runs: ['--compress-program'] },
    ),
  ],
  ['tree', reads({ short: 'LIPo' }, { writes: ['-o'] })],
  [
    'yq',
    (args, notes) => {
      const taken = takeApart(args);
      notes.rule('fs.read');
      if (hasOption(taken, '-i', '--in-place', '--inplace')) notes.touch('write', ...taken.operands.slice(-1));
      else notes.touch('read', ...taken.operands.slice(1));
      if (taken.uncertain) notes.rule('shell.dynamic_argument');
    },
  ],
  ...each('jq gojq', () => (args, notes) => {
    notes.rule('fs.read');
    notes.touch('read', ...takeApart(args, { short: 'fL' }).operands.slice(1));
  }),
  [
    'less',
    (args, notes, stdin) => {
      reads({ short: 'oOkp' }, { writes: ['-o', '-O', '--log-file', '--LOG-FILE'] })(args, notes, stdin);
      // `+!id` is a command that it begins with.
      if (args.some(({ prefix }) => prefix.startsWith('+'))) notes.rule('proc.runs_program');
    },
  ],
  ['more', reads()],
  ...each('ag ack bat delta', () => reads({ long: ['--pager'] }, { runs: ['--pager'] })),
  // They call a command for what they read, or in place of a job.
  ...each(
    'mapfile readarray',
    () => (args, notes) => notes.rule(hasOption(takeApart(args, { short: 'dnOsuCc' }), '-C') ? 'shell.dynamic_code' : 'shell.builtin'),
  ),
  ['jobs', (args, notes) => notes.rule(hasOption(takeApart(args), '-x') ? 'shell.dynamic_code' : 'shell.builtin')],
  [
    'uniq',
    (args, notes) => {
      const { operands } = takeApart(args, { short: 'fsw' });
      notes.rule('fs.read');
      notes.touch('read', ...operands.slice(0, 1));
      notes.touch('write', ...operands.slice(1));
    },
  ],
  [
    'xxd',
    (args, notes) => {
      const { operands } = takeApart(args, { short: 'clsogn' });
      notes.rule('fs.read');
      notes.touch('read', ...operands.slice(0, 1));
      notes.touch('write', ...operands.slice(1));
    },
  ],
  ...each('find gfind', () => find),
  ...each('fd fdfind', () => (args, notes) => {
    notes.rule('fs.read');
    notes.touch('read', ...takeApart(args, { short: 'eEtTdjcSo' }).operands.slice(1));
  }),
  ...each('sed gsed', () => sed),
  ...each('awk gawk mawk nawk', () => awk),
  ...each('rm unlink shred rmdir', () => touches('delete', { short: 'ns' })),
  ...each('touch truncate mkdir mkfifo', () => touches('write', { short: 'mdtrsZ', long: ['--mode', '--date', '--reference', '--size'] })),
  ['tee', touches('write')],
  ['sponge', touches('write')],
  ['cp', copies('read')],
  ['install', copies('read')],
  ['mv', copies('delete')],
  ['ln', link],
  ['dd', dd],
  ['chmod', chmod],
  ...each('chown chgrp chattr setfacl setcap', () => say('fs.set_id')),
  ...each('split csplit', () => (args, notes) => {
    const taken = takeApart(args, { short: 'abCnlrt', long: ['--filter'] });
    notes.rule('fs.write');
    if (hasOption(taken, '--filter')) notes.rule('proc.runs_program');
    notes.touch('read', ...taken.operands.slice(0, 1));
    notes.touch('write', ...taken.operands.slice(1));
  }),
  [
    'patch',
    (args, notes) => {
      const taken = takeApart(args, { short: 'dioBDFprVYzg', long: ['--directory', '--input', '--output'] });
      notes.rule('fs.write');
      // Which files it changes stands in the patch.
      notes.rule('tool.paths_unknown');
      notes.touch('write', ...taken.operands.slice(0, 1), ...valuesOf(taken, '-d', '--directory', '-o', '--output'));
    },
  ],
  ...each('tar gtar bsdtar', () => tar),
  [
    'unzip',
    (args, notes) => {
      const taken = takeApart(args, { short: 'dxP' });
      notes.rule(hasOption(taken, '-l', '-t', '-Z', '-p') ? 'fs.read' : 'fs.write');
      notes.touch('read', ...taken.operands.slice(0, 1));
      notes.touch('write', ...valuesOf(taken, '-d'));
    },
  ],
  [
    'zip',
    (args, notes) => {
      const taken = takeApart(args, { short: 'bnPti', long: ['--unzip-command'] });
      notes.rule('fs.write');
      if (taken.wild || hasOption(taken, '-T', '--test', '-TT', '--unzip-command')) notes.rule('proc.runs_program');
      notes.touch('write', ...taken.operands.slice(0, 1));
      notes.touch('read', ...taken.operands.slice(1));
    },
  ],
  ...each('gzip gunzip bzip2 bunzip2 xz unxz zstd unzstd', () => touches('write', { short: 'So' })),
  ['git', (args, notes) => judgeGit(args, notes)],
  ...each('gh glab hub tea', () => (args, notes) => judgeForge(args, notes)),
  ...each(
    'npm pnpm yarn bun npx pnpx bunx pip pip3 pipx uv uvx poetry pipenv hatch rye pdm conda mamba cargo go gem bundle composer mix swift pod deno brew apt apt-get aptitude dpkg yum dnf rpm apk pacman zypper snap flatpak nix nix-env port twine nuget choco winget scoop',
    (name) => (args, notes) => judgeManager(name, args, notes),
  ),
  ['curl', curl],
  ['wget', wget],
  ['rsync', rsync],
  ...each('nc ncat netcat socat telnet ftp tftp lftp nmap hping3 mosquitto_pub redis-cli mysql mongosh', () => say('net.raw_socket')),
  ...each(
    'ssh scp sftp mosh ssh-add ssh-agent ssh-keygen ssh-keyscan ssh-copy-id sshfs autossh rclone s3cmd aws gcloud az kubectl helm terraform ansible ansible-playbook pulumi flyctl vercel netlify heroku wrangler',
    () => say('net.remote_shell'),
  ),
  ...each('ping dig host nslookup traceroute whois', () => say('net.raw_socket')),
  ...each('python python2 python3 pypy pypy3 python3.9 python3.10 python3.11 python3.12 python3.13 python3.14 ipython', () => python),
  ...each('node nodejs', () => node),
  ...each('perl ruby', () => perl),
  ...each('php', () => interpreter(['-r', '--run', '-R', '-B', '-E'], { short: 'rRBEfdcSt', long: ['--run'] })),
  ...each('lua luajit', () => interpreter(['-e'], { short: 'el' })),
  ...each(
    'rscript r julia ghci runghc scala groovy jshell osascript tclsh wish expect guile racket sbcl clisp emacs vim vi nvim ex ed nano pico gdb lldb sqlite3 m4 gnuplot octave psql',
    () => say('code.inline'),
  ),
  ...each('bc dc', () => say('fs.read')),
  ...each('sh bash dash ash zsh ksh mksh rbash', () => shell),
  ...each('pwsh powershell cmd fish csh tcsh nu xonsh elvish', () => say('shell.not_bash')),
  ...each('source .', () => source),
  ...each(
    'alias unalias enable hash',
    () => (args, notes) => notes.rule(args.every(({ value }) => value === '-p' || value === '-r') ? 'shell.builtin' : 'shell.redefines'),
  ),
  ['shopt', shopt],
  ...each('sudo doas su pkexec runuser gosu su-exec setpriv newgrp sg login', () => say('proc.privilege')),
  ...each(
    'mount umount unshare nsenter chroot pivot_root bwrap systemctl service init telinit shutdown reboot halt poweroff mkfs fdisk parted losetup modprobe insmod rmmod sysctl iptables nft swapon swapoff useradd userdel usermod passwd chpasswd visudo capsh dbus-send gdbus busctl xdg-open open launchctl',
    () => say('proc.escape'),
  ),
  ...each('docker docker-compose podman buildah nerdctl ctr crictl lxc minikube kind vagrant', () => say('proc.container')),
  ...each(
    'setsid nohup disown daemonize daemon at batch crontab systemd-run screen tmux dtach abduco pm2 forever supervisord start-stop-daemon',
    () => say('proc.daemonize'),
  ),
  ['kill', kill],
  ...each('pkill killall killall5 skill', () => say('proc.kill')),
  ...each('strace ltrace perf bpftrace', () => say('code.inline')),
  ['script', touches('write', { short: 'cEoOIBTmt', long: ['--command'] })],
]);

/** Whether a name means something that the table judges, so that a function of that name would hide it. */
export const isKnownProgram = (name: string): boolean => PROGRAMS.has(programName(name));

/** Where programs of the system are. */
const SYSTEM_BIN = /^\/(?:usr\/(?:local\/)?)?s?bin\/[^/]+$/;
const PROJECT_BIN = /(?:^|\/)(?:node_modules\/\.bin|\.venv\/bin|venv\/bin|vendor\/bin)\/([^/]+)$/;

/** Judges one command by the table of programs. What the shell itself does, redirects and assignments, is not judged here. */
export const judgeProgram = ({ words, stdin }: Pick<ShellCommand, 'words' | 'stdin'>, notes: Notes): void => {
  const [name, ...args] = words;
  if (name === undefined || name.value === null || name.braces) return;
  if (/[^\x20-\x7e]/.test(name.value)) {
    notes.rule('shell.confusable', name.source);
    return;
  }
  const known = PROGRAMS.get(programName(name.value));
  if (!name.value.includes('/') || SYSTEM_BIN.test(name.value)) {
    if (known) known(args, notes, stdin);
    else {
      notes.rule('program.unknown');
      notes.touch('read', ...args.filter(({ prefix }) => /^[/~]|^\.\.?(?:\/|$)/.test(prefix)));
    }
    return;
  }
  notes.touch('execute', name);
  if (PROJECT_BIN.test(name.value) && known) known(args, notes, stdin);
  else notes.touch('read', ...args.filter(({ prefix }) => /^[/~]|^\.\.(?:\/|$)/.test(prefix)));
};
