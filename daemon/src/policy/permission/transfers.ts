import type { Handler } from './handler.ts';
import { hasOption, takeApart, valuesOf, listed } from './options.ts';

export const curl: Handler = (args, notes) => {
  const taken = takeApart(args, {
    short: 'AbcCdDeEFHhIKmoPQrtTuUwxXyYz',
    long: listed(
      '--data --data-raw --data-binary --data-urlencode --json --form --form-string --upload-file --request --output --output-dir --header --user --url --user-agent --referer --cookie --cookie-jar --dump-header --config --proxy --max-time --connect-timeout --retry --write-out --cacert --cert --key --resolve --connect-to --unix-socket --trace --trace-ascii --stderr --etag-save --hsts --alt-svc --libcurl --range',
    ),
  });
  const urls = [...taken.operands, ...valuesOf(taken, '--url')];
  if (
    hasOption(
      taken,
      ...listed(
        '-K --config -x --proxy --preproxy --socks5 --unix-socket --abstract-unix-socket --resolve --connect-to -E --cert --key --engine -n --netrc',
      ),
    )
  )
    notes.rule('net.raw_socket');
  if (
    hasOption(
      taken,
      ...listed(
        '-d --data --data-raw --data-binary --data-urlencode --json -F --form --form-string -T --upload-file -Q --quote -u --user --mail-from',
      ),
    )
  )
    notes.rule('net.upload');
  if (valuesOf(taken, '-X', '--request').some(({ value }) => value === null || !/^(GET|HEAD)$/i.test(value))) notes.rule('net.upload');
  notes.touch(
    'write',
    ...valuesOf(
      taken,
      ...listed(
        '-o --output -c --cookie-jar -D --dump-header --output-dir --trace --trace-ascii --stderr --etag-save --hsts --alt-svc --libcurl',
      ),
    ).filter(({ value }) => value !== '-'),
  );
  if (taken.uncertain || urls.length === 0) notes.rule('net.unknown_target');
  for (const url of urls) notes.url(url);
};

export const wget: Handler = (args, notes) => {
  const taken = takeApart(args, {
    short: 'OoaPUeitTwQAR',
    long: listed(
      '--output-document --output-file --append-output --directory-prefix --user-agent --execute --input-file --tries --timeout --header --post-data --post-file --body-data --body-file --method --config --use-askpass',
    ),
  });
  if (hasOption(taken, ...listed('-e --execute --config --use-askpass -i --input-file'))) notes.rule('proc.runs_program');
  if (hasOption(taken, ...listed('--post-data --post-file --body-data --body-file --method --user --password'))) notes.rule('net.upload');
  notes.touch(
    'write',
    ...valuesOf(taken, ...listed('-O --output-document -o --output-file -a --append-output -P --directory-prefix')).filter(
      ({ value }) => value !== '-',
    ),
  );
  if (taken.uncertain || taken.operands.length === 0) notes.rule('net.unknown_target');
  for (const url of taken.operands) notes.url(url);
};

export const rsync: Handler = (args, notes) => {
  const taken = takeApart(args, {
    short: 'efBTM',
    long: listed('--rsh --rsync-path --exclude --include --filter --files-from --backup-dir --log-file --temp-dir --partial-dir'),
  });
  if (hasOption(taken, '-e', '--rsh', '--rsync-path', '--daemon')) notes.rule('proc.runs_program');
  if (taken.operands.some(({ prefix }) => /^[^/]*:/.test(prefix))) notes.rule('net.remote_shell');
  if (taken.uncertain || taken.wild) notes.rule('shell.dynamic_argument');
  notes.rule('fs.write');
  notes.touch('read', ...taken.operands.slice(0, -1));
  notes.touch('write', ...taken.operands.slice(-1), ...valuesOf(taken, '--backup-dir', '--log-file', '--temp-dir', '--partial-dir'));
};
