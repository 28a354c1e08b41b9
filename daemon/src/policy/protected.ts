import { compilePatterns, type Matcher } from './glob.ts';

/** Protected whatever the policy says: who could change it could change what judges them. No setting takes these out. */
const ALWAYS_PROTECTED = ['.fairlead/**'] as const;

/**
 * Protected by default: what makes tools on the owner's machine or their forge run things, and what tells agents what to do.
 * Written in lower case and compared with the lower-cased path, because on many systems `.GitHub` is `.github`.
 */
export const PROTECTED_BY_DEFAULT = [
  ...ALWAYS_PROTECTED,
  // git, hooks, forges and their pipelines
  '**/.gitattributes', '**/.gitmodules', '**/.gitignore', '**/.gitconfig', '**/.husky/**', '**/.githooks/**', '.github/**', '.gitlab/**', '**/.gitlab-ci.yml', '.circleci/**',
  '.buildkite/**', '.woodpecker/**', '.woodpecker.yml', '.travis.yml', 'azure-pipelines.yml', 'jenkinsfile', '**/.pre-commit-config.yaml', '**/lefthook.yml', '**/lefthook.yaml',
  // editors and shells
  '**/.vscode/**', '**/.idea/**', '**/.devcontainer/**', '**/.envrc', '**/.env', '**/.env.*', '**/.editorconfig', '**/.tool-versions', '**/mise.toml', '**/.mise.toml',
  // package managers' own settings, which may name programs and registries
  '**/.npmrc', '**/.yarnrc', '**/.yarnrc.yml', '**/.yarn/**', '**/.pnpmfile.cjs', '**/pnpm-workspace.yaml', '**/bunfig.toml', '**/.cargo/**', '**/pip.conf', '**/conftest.py', '**/sitecustomize.py',
  // package scripts and build scripts
  '**/package.json', '**/build.rs', '**/setup.py', '**/binding.gyp', '**/makefile', '**/gnumakefile', '**/justfile', '**/taskfile.yml', '**/rakefile', '**/dockerfile', '**/dockerfile.*', '**/docker-compose*.yml', '**/compose*.yaml',
  // agents: their settings, tools and instructions
  '**/.mcp.json', '**/.claude/**', '**/.codex/**', '**/.gemini/**', '**/.qwen/**', '**/.opencode/**', '**/opencode.json', '**/.cursor/**', '**/.cursorrules', '**/.windsurf/**', '**/.windsurfrules', '**/.aider*',
  '**/claude.md', '**/claude.local.md', '**/agents.md', '**/agents.override.md', '**/gemini.md', '**/qwen.md', '**/codex.md', '**/.clinerules', '**/.clinerules/**', '**/.roo/**', '**/.continue/**', '**/copilot-instructions.md',
] as const;

/** What says which foreign code is run: manifests and lock files. */
export const DEPENDENCY_FILES = [
  '**/package.json', '**/package-lock.json', '**/npm-shrinkwrap.json', '**/yarn.lock', '**/pnpm-lock.yaml', '**/pnpm-workspace.yaml', '**/bun.lock', '**/bun.lockb', '**/deno.json', '**/deno.jsonc', '**/deno.lock',
  '**/go.mod', '**/go.sum', '**/go.work', '**/go.work.sum', '**/vendor/modules.txt', '**/cargo.toml', '**/cargo.lock',
  '**/requirements*.txt', '**/requirements/**', '**/constraints*.txt', '**/pyproject.toml', '**/poetry.lock', '**/uv.lock', '**/pdm.lock', '**/pipfile', '**/pipfile.lock', '**/setup.py', '**/setup.cfg', '**/environment.yml',
  '**/gemfile', '**/gemfile.lock', '**/*.gemspec', '**/composer.json', '**/composer.lock', '**/pom.xml', '**/build.gradle', '**/build.gradle.kts', '**/settings.gradle', '**/settings.gradle.kts', '**/gradle.lockfile', '**/gradle/wrapper/**', '**/libs.versions.toml',
  '**/*.csproj', '**/*.fsproj', '**/packages.lock.json', '**/directory.packages.props', '**/nuget.config', '**/mix.exs', '**/mix.lock', '**/pubspec.yaml', '**/pubspec.lock', '**/package.swift', '**/package.resolved', '**/podfile', '**/podfile.lock',
  '**/flake.nix', '**/flake.lock', '**/conanfile.*', '**/vcpkg.json', '**/cabal.project', '**/*.cabal', '**/stack.yaml', '**/stack.yaml.lock',
] as const;

/** What changes data that cannot be taken back by reverting a commit. */
export const MIGRATION_FILES = ['**/migrations/**', '**/migration/**', '**/migrate/**', '**/alembic/versions/**', '**/flyway/**', '**/liquibase/**', '**/schema.sql', '**/structure.sql', '**/schema.rb', '**/schema.prisma'] as const;

const lowered = (patterns: readonly string[]): Matcher => {
  const matches = compilePatterns(patterns);
  return (path) => matches(path.toLowerCase());
};

export const isAlwaysProtected = lowered(ALWAYS_PROTECTED);
export const isProtectedByDefault = lowered(PROTECTED_BY_DEFAULT);
export const isDependencyFile = lowered(DEPENDENCY_FILES);
export const isMigration = lowered(MIGRATION_FILES);
