import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const GIT_ENV = {
  PATH: process.env['PATH'],
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_AUTHOR_NAME: 'Owner',
  GIT_AUTHOR_EMAIL: 'owner@example.invalid',
  GIT_COMMITTER_NAME: 'Owner',
  GIT_COMMITTER_EMAIL: 'owner@example.invalid',
};

/** Runs git as the owner of a repository would, without the configuration of this machine. */
export const git = (repository: string, ...args: string[]): string =>
  execFileSync('git', args, {
    cwd: repository,
    env: GIT_ENV,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 64 * 1024 * 1024,
  }).trim();

/** Writes files below a folder; names are relative, with forward slashes. */
export const writeFiles = (folder: string, files: Readonly<Record<string, string>>): void => {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
};

/** A new repository on branch main with one commit of the given files. Answers its path. */
export const makeRepository = (path: string, files: Readonly<Record<string, string>>): string => {
  mkdirSync(path, { recursive: true });
  git(path, 'init', '-q', '-b', 'main');
  writeFiles(path, files);
  git(path, 'add', '-A');
  git(path, 'commit', '-q', '-m', 'Start');
  return path;
};

const SHIPPING_JS = `/** Shipping cost in cents. Orders from 50.00 on are sent free of charge. */
export function shippingCost(totalCents) {
  const freeFrom = 5000;
  if (totalCents > freeFrom) {
    return 0;
  }
  return 495;
}
`;

const SHIPPING_TEST_JS = `import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shippingCost } from '../src/shipping.js';

test('a small order pays for shipping', () => {
  assert.equal(shippingCost(1999), 495);
});

test('an order of exactly 50.00 is sent free of charge', () => {
  assert.equal(shippingCost(5000), 0);
});
`;

const POLICY = `version: 1
validations:
  unit: { run: [node, --test], timeout: 2m, required: true }
fence: { forbidden: ['src/generated/**'] }
`;

/** A small real project with one failing test, and the policy of its owner. */
export const SAMPLE_PROJECT: Readonly<Record<string, string>> = {
  'package.json': `${JSON.stringify({ name: 'corner-shop', version: '1.0.0', private: true, type: 'module', scripts: { test: 'node --test' } }, null, 2)}\n`,
  'README.md': '# Corner shop\n\nRun the tests with `node --test`.\n',
  'src/shipping.js': SHIPPING_JS,
  'test/shipping.test.js': SHIPPING_TEST_JS,
  '.fairlead/project.yaml': POLICY,
};

/** The same project with its test passing. */
export const MENDED_PROJECT: Readonly<Record<string, string>> = {
  ...SAMPLE_PROJECT,
  'src/shipping.js': SHIPPING_JS.replace('> freeFrom', '>= freeFrom'),
};

/** The patch that mends the sample project, as a planner would send it. */
export const MENDING_PATCH = `diff --git a/src/shipping.js b/src/shipping.js
--- a/src/shipping.js
+++ b/src/shipping.js
@@ -1,7 +1,7 @@
 /** Shipping cost in cents. Orders from 50.00 on are sent free of charge. */
 export function shippingCost(totalCents) {
   const freeFrom = 5000;
-  if (totalCents > freeFrom) {
+  if (totalCents >= freeFrom) {
     return 0;
   }
   return 495;
`;

/** A patch that adds one small file. */
export const addFilePatch = (path: string, text: string): string => {
  const lines = text.replace(/\n$/, '').split('\n');
  const body = lines.map((line) => `+${line}`).join('\n');
  return `diff --git a/${path} b/${path}\nnew file mode 100644\n--- /dev/null\n+++ b/${path}\n@@ -0,0 +1,${lines.length} @@\n${body}\n`;
};
