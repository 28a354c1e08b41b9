import type { Handler } from './handler.ts';
import { listed, takeApart, valuesOf } from './options.ts';
import { knownValue } from './words.ts';

/** Tools that test, build, check and format a project. */
export const DEV =
  'tsc tsx ts-node swc esbuild rollup rolldown vite vitest jest mocha ava tap c8 nyc playwright cypress eslint oxlint oxfmt prettier biome stylelint knip madge depcheck dependency-cruiser depcruise webpack parcel turbo nx lerna next nuxt astro svelte-check ng vue-tsc tsup microbundle typedoc standard xo rimraf publint attw size-limit changeset pytest py.test tox nox mypy pyright ruff black isort flake8 pylint bandit coverage pyflakes autopep8 yapf pre-commit sphinx-build mkdocs behave hypothesis rustc rustfmt clippy-driver cargo-clippy gofmt goimports golangci-lint staticcheck gcc g++ cc c++ clang clang++ clang-format clang-tidy ld ar ranlib cmake ctest ninja meson javac java kotlinc kotlin scalac sbt mvn mvnw gradle gradlew ant dotnet msbuild rspec rubocop rake minitest phpunit phpstan psalm ghc stack cabal hlint elixirc dialyzer swiftc xcodebuild swiftlint make gmake just task bazel bazelisk buck2 shellcheck shfmt hadolint yamllint markdownlint markdownlint-cli2 actionlint terraform-fmt protoc buf flow lint-staged tsd vitepress storybook wasm-pack as nasm deadcode dune ocamlc zig nim crystal dart flutter';

/** Files that a tool of the project executes or is steered by, of which any may be there. */
const STEERED: Readonly<Record<string, readonly string[]>> = {
  make: ['GNUmakefile', 'makefile', 'Makefile'],
  gmake: ['GNUmakefile', 'makefile', 'Makefile'],
  just: ['justfile', 'Justfile', '.justfile'],
  task: ['Taskfile.yml', 'Taskfile.yaml'],
  rake: ['Rakefile', 'rakefile'],
  tox: ['tox.ini', 'pyproject.toml', 'setup.cfg'],
  nox: ['noxfile.py'],
  pytest: ['conftest.py', 'pyproject.toml', 'pytest.ini', 'tox.ini', 'setup.cfg'],
  'py.test': ['conftest.py', 'pyproject.toml', 'pytest.ini', 'tox.ini', 'setup.cfg'],
  mvn: ['pom.xml'],
  gradle: ['build.gradle', 'build.gradle.kts', 'settings.gradle', 'settings.gradle.kts'],
  cmake: ['CMakeLists.txt'],
  ninja: ['build.ninja'],
  meson: ['meson.build'],
  ant: ['build.xml'],
  vitest: ['vitest.config.ts', 'vitest.config.js', 'vite.config.ts', 'vite.config.js', 'package.json'],
  vite: ['vite.config.ts', 'vite.config.js', 'package.json'],
  jest: ['jest.config.ts', 'jest.config.js', 'package.json'],
  eslint: ['eslint.config.js', 'eslint.config.mjs', 'eslint.config.ts', 'package.json'],
  sbt: ['build.sbt'],
  bazel: ['WORKSPACE', 'MODULE.bazel', 'BUILD', 'BUILD.bazel'],
  'pre-commit': ['.pre-commit-config.yaml'],
};

/** Names of scripts and targets that say that something leaves the machine. */
export const RELEASES = /(?:^|[:_-])(?:release|publish|deploy|ship|push|upload)(?:$|[:_-])/i;

/** A tool of the project: it executes code of the workspace. Paths that leave it are noted, and targets with telling names. */
export const develops =
  (name: string): Handler =>
  (args, notes) => {
    const taken = takeApart(args, { short: 'fCI', long: ['--file', '--directory', '--makefile'] });
    if (args.length > 0 && args.every(({ value }) => /^(--version|-version|version|--help|-V)$/.test(value ?? ''))) {
      notes.rule('fs.read');
      return;
    }
    notes.rule('dev.run');
    if (taken.operands.some(({ value }) => value !== null && RELEASES.test(value) && !value.includes('/') && !value.includes('.')))
      notes.rule('release.run');
    const folders = name === 'make' || name === 'gmake' ? valuesOf(taken, '-C', '--directory') : [];
    const files = name === 'make' || name === 'gmake' || name === 'just' ? valuesOf(taken, '-f', '--file', '--makefile') : [];
    const folder = knownValue(folders[0]);
    const base = folder === undefined ? '' : `${folder.replace(/\/+$/, '')}/`;
    if (files.length > 0) notes.touch('execute', ...files);
    else notes.executes(...(STEERED[name] ?? []).map((file) => `${base}${file}`));
    notes.touch('read', ...folders, ...taken.operands.filter(({ prefix }) => /^[/~]|^\.\.(?:\/|$)/.test(prefix)));
    notes.touch(
      'write',
      ...valuesOf(taken, ...listed('-o --out --outDir --outFile --output --outfile --outdir')).filter(
        ({ value }) => value !== null && value !== '',
      ),
    );
  };
