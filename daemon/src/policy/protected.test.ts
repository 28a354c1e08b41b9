import { describe, expect, it } from 'vitest';
import { isAlwaysProtected, isDependencyFile, isProtectedByDefault } from './protected.ts';

/** Names as people write them, with the near misses of each other. */
const PROTECTED = [
  ['.fairlead/project.yaml', '.FairLead/Project.yaml'],
  ['.gitattributes', 'sub/.gitmodules', '.husky/pre-commit', '.huskyrc', '.huskyrc.json', '.lintstagedrc', '.lintstagedrc.cjs'],
  ['lefthook.yml', '.lefthook.yml', 'lefthook.yaml', '.lefthook.toml', 'lefthook-local.yml', '.pre-commit-config.yaml'],
  ['.github/workflows/ci.yml', '.forgejo/workflows/a.yml', '.gitea/workflows/a.yml', 'Jenkinsfile', 'sub/Jenkinsfile'],
  ['docker-compose.yml', 'docker-compose.yaml', 'docker-compose.override.yaml', 'compose.yml', 'compose.yaml', 'sub/compose.prod.yml'],
  ['Dockerfile', 'Dockerfile.dev', 'Containerfile'],
  ['Taskfile.yml', 'Taskfile.yaml', 'taskfile.dist.yaml', 'justfile', '.justfile', 'Makefile', 'GNUmakefile', 'rules.mk', 'CMakeLists.txt'],
  ['gradlew', 'gradlew.bat', 'mvnw', 'mvnw.cmd', '.mvn/jvm.config', '.bazelrc', 'tox.ini', 'noxfile.py', 'build.rs', 'setup.py'],
  ['.pnpmfile.cjs', '.pnpmfile.mjs', '.npmrc', '.yarnrc.yml', 'package.json', 'sub/package.json'],
  ['conftest.py', 'sitecustomize.py', 'usercustomize.py', 'lib/evil.pth'],
  ['.vscode/tasks.json', '.zed/tasks.json', '.exrc', '.gdbinit', '.dir-locals.el', '.envrc', '.env', '.env.local'],
  ['mise.toml', '.mise.toml', 'mise.local.toml', '.mise.local.toml', '.tool-versions', '.config/mise/config.toml'],
  ['CLAUDE.md', 'sub/AGENTS.md', '.mcp.json', '.cursor/rules/a.mdc', '.kiro/hooks/a.json', '.junie/guidelines.md', '.roo/mcp.json'],
].flat();

const PLAIN = [
  'src/compose.ts',
  'src/composer.py',
  'docs/docker.md',
  'src/tasks.yaml',
  'src/mise.ts',
  'src/environment.ts',
  'lib/path.py',
  'README.md',
  'src/gradle.ts',
];

describe('what is protected by default', () => {
  it.each(PROTECTED)('%s', (path) => expect(isProtectedByDefault(path)).toBe(true));
  it.each(PLAIN)('not %s', (path) => expect(isProtectedByDefault(path)).toBe(false));

  it('whatever the policy says: only the policy itself', () => {
    expect(isAlwaysProtected('.fairlead/project.yaml')).toBe(true);
    expect(PLAIN.some(isAlwaysProtected)).toBe(false);
    expect(isDependencyFile('sub/package-lock.json')).toBe(true);
  });
});
