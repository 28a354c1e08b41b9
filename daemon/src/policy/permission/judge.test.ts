import { PermissionRules } from '@fairlead/shared/contract/permission-rules';
import { LIMITS } from '@fairlead/shared/contract/limits';
import { describe, expect, it } from 'vitest';
import { judgePermission } from './judge.ts';
import type { PermissionPolicy, PermissionRequest } from './request.ts';
import type { Mode } from './rules.ts';

const policy = (more: Partial<PermissionPolicy> = {}, rules: Partial<PermissionRules> = {}): PermissionPolicy => ({
  mode: 'auto',
  rules: { allow: [], deny: [], ...rules },
  workspace: '/workspace',
  scratch: ['/tmp'],
  fence: { allowed: [['**']], forbidden: [], protected: [] },
  network: 'open',
  ...more,
});
const judge = (request: Partial<PermissionRequest>, under = policy()) =>
  judgePermission({ tool: 'x', kind: 'other', input: {}, ...request }, under);
const said = (request: Partial<PermissionRequest>, under = policy()) => {
  const { decision, rule } = judge(request, under);
  return `${decision} ${rule}`;
};
const shell = (command: string, under = policy()) => said({ tool: 'Bash', kind: 'execute', command, input: { command } }, under);
const edit = (path: string, under = policy()) => said({ tool: 'Edit', kind: 'edit', paths: [path] }, under);

describe('what cannot be judged is denied', () => {
  it.each([
    ['an input that is no object', { input: 'not an object' }],
    ['a list', { input: [] }],
    ['nothing', { input: null }],
    ['a function in it', { input: { a: () => 1 } }],
    ['a class in it', { input: { a: new Map() } }],
    ['a lone surrogate', { input: { a: '\ud800' } }],
    ['a lone surrogate in a path', { kind: 'edit', paths: ['\ud800'] }],
    ['a NUL in a command', { kind: 'execute', command: 'ls \0' }],
    ['a number for a command', { kind: 'execute', command: 3 }],
    ['a kind that there is not', { kind: 'sudo' }],
  ])('%s', (_what, request) => expect(said(request as never)).toBe('deny request.malformed'));

  it('a cycle', () => {
    const input: Record<string, unknown> = {};
    input['self'] = input;
    expect(said({ input })).toBe('deny request.malformed');
  });

  it.each(['', '   ', '\n', '# only a comment'])('the command %j', (command) => expect(shell(command)).toBe('deny request.empty'));
  it('no command at all', () => expect(said({ kind: 'execute' })).toBe('deny request.empty'));
  it('an empty argv', () => expect(said({ kind: 'execute', command: [] })).toBe('deny request.empty'));
  it('a command above the limit', () =>
    expect(shell(`echo ${'x'.repeat(LIMITS.permission_request.value)}`)).toBe('deny request.too_large'));
  it('nesting above the limit', () => expect(shell(`${'env '.repeat(40)}ls`)).toBe('deny shell.too_deep'));
  it.each(['echo "$("$("', '$(', '((', '${a:-', 'f() { '])('a tower of %j', (floor) =>
    expect(shell(floor.repeat(5000))).toBe('deny shell.too_deep'),
  );
  it('more commands than are judged', () => expect(shell('ls;'.repeat(2000))).toBe('deny shell.too_deep'));
});

describe('tools by path', () => {
  it.each([
    ['src/a.ts', 'allow fs.write'],
    ['/workspace/src/a.ts', 'allow fs.write'],
    ['/tmp/notes', 'allow fs.write'],
    ['../a', 'deny fs.outside_workspace'],
    ['/workspace2/a', 'deny fs.outside_workspace'],
    ['/workspace/../etc/x', 'deny fs.outside_workspace'],
    ['~/x', 'deny fs.outside_workspace'],
    ['C:\\x', 'deny fs.outside_workspace'],
    ['src\\..\\..\\x', 'deny fs.outside_workspace'],
    ['.git/hooks/pre-commit', 'deny fs.dot_git'],
    ['sub/.GIT/config', 'deny fs.dot_git'],
    ['.g\u200cit/config', 'deny fs.dot_git'],
    ['git~1/config', 'deny fs.dot_git'],
    ['.fairlead/project.yaml', 'deny fs.policy_files'],
    ['.Fairlead/project.yaml', 'deny fs.policy_files'],
    ['package.json', 'ask fs.protected'],
    ['.github/workflows/ci.yml', 'ask fs.protected'],
    ['CLAUDE.md', 'ask fs.protected'],
    ['~/.ssh/authorized_keys', 'deny fs.secrets'],
    ['/home/user/.fairlead/token', 'deny fs.secrets'],
    ['/run/docker.sock', 'deny fs.secrets'],
    ['src/\u202egnp.ts', 'ask request.hidden_characters'],
  ])('an edit of %j: %s', (path, verdict) => expect(edit(path)).toBe(verdict));

  it('knows the fence', () => {
    const under = policy({
      fence: { allowed: [['src/**'], ['src/a/**', 'docs/*']], forbidden: ['src/a/secret/**'], protected: ['src/a/core/**'] },
    });
    expect(edit('src/a/x.ts', under)).toBe('allow fs.write');
    expect(edit('src/b/x.ts', under)).toBe('deny fs.outside_allowed');
    expect(edit('docs/x', under)).toBe('deny fs.outside_allowed');
    expect(edit('src/a/secret/x', under)).toBe('deny fs.forbidden');
    expect(edit('src/a/core/x', under)).toBe('ask fs.protected');
    expect(shell('mkdir -p src/a/new', under)).toBe('allow fs.write');
    expect(shell('rm -r src/a/secret', under)).toBe('deny fs.forbidden');
    expect(shell('echo x > src/b/y', under)).toBe('deny fs.outside_allowed');
    expect(shell('rm src/a/*', under)).toBe('ask fs.dynamic_path');
  });

  it('asks where a writing tool does not say what it writes', () => {
    expect(said({ kind: 'edit' })).toBe('ask tool.paths_unknown');
    expect(said({ kind: 'edit', input: { file_path: '/etc/x' } })).toBe('deny fs.outside_workspace');
  });

  it.each([
    ['src/a.ts', 'allow fs.read'],
    ['.git/config', 'allow fs.read'],
    ['/usr/include/stdio.h', 'allow fs.read'],
    ['/x', 'ask fs.read_outside'],
    ['/etc/passwd', 'ask fs.read_outside'],
    ['/home/user/.aws/credentials', 'deny fs.secrets'],
    ['/proc/1/environ', 'deny fs.secrets'],
  ])('a read of %j: %s', (path, verdict) => expect(said({ tool: 'Read', kind: 'read', paths: [path] })).toBe(verdict));

  it('deletes and moves like a command', () => {
    expect(said({ kind: 'delete', paths: ['dist'] })).toBe('allow fs.delete');
    expect(said({ kind: 'delete', paths: ['.'] })).toBe('ask fs.delete_all');
    expect(said({ kind: 'move', paths: ['a', '../b'] })).toBe('deny fs.outside_workspace');
  });
});

describe('tools without paths', () => {
  it.each([
    [{ tool: 'mcp__x__y', kind: 'mcp' }, 'ask mcp.tool'],
    [{ tool: 'mcp__x__y', kind: 'read' }, 'ask mcp.tool'],
    [{ tool: 'mcp__fs__write', kind: 'mcp', paths: ['.git/config'] }, 'deny fs.dot_git'],
    [{ tool: 'Task', kind: 'agent' }, 'allow agent.spawn'],
    [{ tool: 'Think', kind: 'think' }, 'allow tool.think'],
    [{ tool: 'Whatever', kind: 'other' }, 'ask tool.unknown'],
    [{ tool: 'bash', kind: 'other', input: { command: 'git push' } }, 'deny git.push'],
    [{ tool: 'bash', kind: 'think', command: 'git push' }, 'deny git.push'],
    [{ tool: 'PowerShell', kind: 'execute', command: 'ls' }, 'deny shell.not_bash'],
    [{ tool: 'shell', kind: 'execute', command: ['bash', '-lc', 'git push'] }, 'deny git.push'],
    [{ tool: 'shell', kind: 'execute', command: ['echo', '$(git push)', '; git push'] }, 'allow shell.builtin'],
    [{ tool: 'shell', kind: 'execute', command: 'rm x', cwd: '/workspace/..' }, 'deny fs.outside_workspace'],
    [{ tool: 'WebFetch', kind: 'fetch' }, 'ask net.unknown_target'],
  ] as const)('%j: %s', (request, verdict) => expect(said(request)).toBe(verdict));

  it.each([
    ['https://example.com/a', 'allow net.fetch'],
    ['http://10.0.0.1/', 'deny net.private_range'],
    ['http://192.168.1.1', 'deny net.private_range'],
    ['http://[fe80::1]/', 'deny net.private_range'],
    ['http://[64:ff9b::7f00:1]/', 'deny net.private_range'],
    ['http://127.1/', 'deny net.private_range'],
    ['http://017700000001/', 'deny net.private_range'],
    ['http://intranet/', 'deny net.private_range'],
    ['http://db.internal/', 'deny net.private_range'],
    ['https://a:b@example.com/', 'deny net.credentials'],
    ['ftp://example.com/', 'deny net.scheme'],
    ['file:///etc/passwd', 'deny net.scheme'],
    ['javascript:alert(1)', 'deny net.scheme'],
    ['https://exa mple.com', 'deny net.scheme'],
    ['', 'deny net.scheme'],
  ])('a fetch of %j: %s', (url, verdict) => expect(said({ tool: 'WebFetch', kind: 'fetch', urls: [url] })).toBe(verdict));

  it('knows the network of the profile', () => {
    const fetch = (url: string, network: PermissionPolicy['network']) => said({ kind: 'fetch', urls: [url] }, policy({ network }));
    expect(fetch('https://example.com', 'none')).toBe('deny net.none');
    expect(fetch('https://example.com', { hosts: ['example.com'] })).toBe('allow net.fetch');
    expect(fetch('https://a.example.com', { hosts: ['example.com'] })).toBe('deny net.host_not_listed');
    expect(fetch('https://a.example.com', { hosts: ['*.example.com'] })).toBe('allow net.fetch');
    expect(fetch('https://evilexample.com', { hosts: ['*.example.com'] })).toBe('deny net.host_not_listed');
    expect(fetch('http://127.0.0.1', { hosts: ['127.0.0.1'] })).toBe('deny net.private_range');
    expect(shell('curl https://example.com', policy({ network: 'none' }))).toBe('deny net.none');
  });
});

describe('approval modes', () => {
  it.each([
    ['git status', 'allow', 'allow'],
    ['ls -la | head', 'allow', 'allow'],
    ['npm test', 'ask', 'deny'],
    ['echo x > y', 'ask', 'deny'],
    ['git commit -m x', 'ask', 'deny'],
    ['rm x', 'ask', 'deny'],
    ['foo', 'ask', 'deny'],
    ['git push', 'deny', 'deny'],
  ])('%j is %s in ask and %s in read_only', (command, ask, readOnly) => {
    const decision = (mode: Mode) => judge({ kind: 'execute', command }, policy({ mode })).decision;
    expect([decision('ask'), decision('read_only')]).toEqual([ask, readOnly]);
  });

  it('says in read_only that the mode is why', () =>
    expect(judge({ kind: 'edit', paths: ['a'] }, policy({ mode: 'read_only' })).reason).toContain('The profile allows reading only.'));
});

describe('rules of the owner', () => {
  const deny = (...rules: PermissionRules['deny']) => policy({}, { deny: rules });
  const allow = (...rules: PermissionRules['allow']) => policy({}, { allow: rules });

  it('deny over everything, however a command is wrapped or hidden', () => {
    const under = policy({}, { deny: [{ command: 'npm test', reason: 'Too slow here.' }], allow: [{ command: 'npm test' }] });
    expect(shell('npm run lint', under)).toBe('allow dev.run');
    for (const command of [
      'npm test',
      'npm test -- --watch',
      'cd a && "np"m test',
      'timeout 5 npm test',
      "bash -c 'npm test'",
      'npm $X',
      '/usr/bin/npm test',
    ])
      expect(shell(command, under)).toBe('deny owner.deny');
    expect(judge({ kind: 'execute', command: 'npm test' }, under).reason).toContain('Too slow here.');
    expect(shell('git log --all', deny({ command: 'git log *' }))).toBe('deny owner.deny');
    expect(said({ tool: 'mcp__a__b', kind: 'mcp' }, deny({ tool: 'mcp__a__*' }))).toBe('deny owner.deny');
    expect(edit('docs/a/b', deny({ path: 'docs/**' }))).toBe('deny owner.deny');
    expect(shell('echo x > docs/b', deny({ path: 'docs/**' }))).toBe('deny owner.deny');
    expect(said({ tool: 'Edit', kind: 'edit', paths: ['docs/x'] }, deny({ tool: 'Write', path: 'docs/**' }))).toBe('allow fs.write');
  });

  it('allow in the place of a person', () => {
    expect(shell('foo --bar', allow({ command: 'foo' }))).toBe('allow owner.allow');
    expect(shell('foobar', allow({ command: 'foo' }))).toBe('ask program.unknown');
    expect(shell('foo $X', allow({ command: 'foo' }))).toBe('ask program.unknown');
    expect(shell('foo; bar', allow({ command: 'foo' }))).toBe('ask program.unknown');
    expect(shell('./foo', policy({ mode: 'ask' }, { allow: [{ command: 'foo' }] }))).toBe('ask code.workspace');
    expect(shell('git stash', allow({ command: 'git stash' }))).toBe('allow owner.allow');
    expect(edit('package.json', allow({ path: 'package.json' }))).toBe('allow owner.allow');
    expect(said({ tool: 'mcp__docs__search', kind: 'mcp' }, allow({ tool: 'mcp__docs__*' }))).toBe('allow owner.allow');
    expect(shell('npm test', policy({ mode: 'ask' }, { allow: [{ command: 'npm test' }] }))).toBe('allow owner.allow');
  });

  it('never lift what is absolute, what the fence says, or what a redirect does', () => {
    const wide = allow({ command: 'foo' }, { command: 'git *' }, { command: 'rm' }, { command: 'cat' }, { tool: '*' }, { path: '**' });
    expect(shell('foo > .git/config', wide)).toBe('deny fs.dot_git');
    expect(shell('foo > "$X"', wide)).toBe('ask fs.dynamic_path');
    expect(shell('rm /etc/x', wide)).toBe('deny fs.outside_workspace');
    expect(shell('rm .fairlead/project.yaml', wide)).toBe('deny fs.policy_files');
    expect(shell('cat ~/.ssh/id_rsa', wide)).toBe('deny fs.secrets');
    expect(shell('git log --output=x', wide)).toBe('deny git.writes_file');
    expect(shell('foo "', wide)).toBe('deny shell.parse_error');
    expect(shell('$X', wide)).toBe('deny shell.dynamic_command');
    expect(edit('../x', wide)).toBe('deny fs.outside_workspace');
    expect(said({ kind: 'fetch', urls: ['http://10.0.0.1'] }, wide)).toBe('deny net.private_range');
    expect(edit('a', policy({ mode: 'read_only' }, { allow: wide.rules.allow }))).toBe('deny fs.write');
  });

  it('are checked strictly', () => {
    expect(PermissionRules.parse({})).toEqual({ allow: [], deny: [] });
    expect(PermissionRules.parse({ allow: [{ command: 'npm test' }], deny: [{ tool: 'mcp__*', path: 'src/**' }] }).allow).toHaveLength(1);
    const refused = (rule: unknown) => PermissionRules.safeParse({ allow: [rule] }).error?.issues[0]?.message;
    expect(refused({})).toMatch(/at least one of tool, command and path/);
    expect(refused({ comand: 'x' })).toMatch(/Unrecognized key/);
    expect(refused({ command: 'npm  test' })).toMatch(/one blank between/);
    expect(refused({ command: 'npm test; rm x' })).toMatch(/nothing that a shell would read/);
    expect(refused({ command: '* x' })).toMatch(/cannot be \* alone/);
    expect(refused({ path: '../x' })).toMatch(/relative path pattern/);
    expect(refused({ tool: 'a b' })).toMatch(/name of a tool/);
  });
});

describe('what a person is shown', () => {
  it('is every command with its place, what it executes, reads and writes', () => {
    const { parsed } = judge({
      tool: 'Bash',
      kind: 'execute',
      command: 'cd sub && CI=1 npm test > out.log && bash -c \'./x.sh "$1"\' && make -C lib && node a.js && cat \u202eb',
    });
    expect(parsed.commands.map(({ argv, depth, cwds, executes }) => ({ argv, depth, cwds, executes }))).toEqual([
      { argv: ['cd', 'sub'], depth: 0, cwds: ['.'], executes: [] },
      { argv: ['npm', 'test'], depth: 0, cwds: ['sub'], executes: ['sub/package.json'] },
      { argv: ['bash', '-c', './x.sh "$1"'], depth: 0, cwds: ['sub'], executes: [] },
      { argv: ['./x.sh', '"$1"'], depth: 1, cwds: ['sub'], executes: ['sub/x.sh'] },
      { argv: ['make', '-C', 'lib'], depth: 0, cwds: ['sub'], executes: ['sub/lib/GNUmakefile', 'sub/lib/Makefile', 'sub/lib/makefile'] },
      { argv: ['node', 'a.js'], depth: 0, cwds: ['sub'], executes: ['sub/a.js'] },
      { argv: ['cat', '\\u{202e}b'], depth: 0, cwds: ['sub'], executes: [] },
    ]);
    expect(parsed.commands[1]).toMatchObject({ assignments: ['CI=1'], redirects: ['> out.log'] });
    expect(parsed.writes).toEqual(['sub/out.log']);
    expect(parsed.executes).toContain('sub/x.sh');
  });
});
