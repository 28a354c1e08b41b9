// Everything that `npm test` checks: types, lint, format, unused code, then every test, and one line that counts it all.
// A static check counts as one. Arguments go to vitest and leave the static checks out: `npm test -- daemon/src/core`.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const say = (text) => process.stdout.write(`${text}\n`);

const STATIC_CHECKS = [
  { name: 'types', command: ['tsc', '--noEmit'] },
  { name: 'lint', command: ['oxlint', '--type-aware', '--deny-warnings'] },
  { name: 'format', command: ['oxfmt', '--check'] },
  { name: 'unused code', command: ['knip'] },
];

const run = ([name, ...args], { env = {}, show = false }) =>
  new Promise((resolve) => {
    const child = spawn(join(root, 'node_modules', '.bin', name), args, {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ['ignore', show ? 'inherit' : 'pipe', show ? 'inherit' : 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (output += chunk));
    child.on('error', (error) => resolve({ code: 127, output: error.message }));
    child.on('close', (code) => resolve({ code: code ?? 1, output }));
  });

const staticCheck = async ({ name, command }) => {
  const started = Date.now();
  const { code, output } = await run(command, {});
  say(`${code === 0 ? 'ok  ' : 'FAIL'} ${name} (${((Date.now() - started) / 1000).toFixed(1)} s)`);
  if (code !== 0) say(output.trimEnd());
  return code === 0;
};

const tests = async (args) => {
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-test-'));
  const file = join(folder, 'report.json');
  try {
    const { code } = await run(['vitest', 'run', '--reporter=default', '--reporter=./scripts/test-report.mjs', ...args], {
      env: { FAIRLEAD_TEST_REPORT: file },
      show: true,
    });
    const report = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : { passed: 0, failed: 0, skipped: [], failures: [] };
    // A run that ends badly without a failed test (no test found, a worker that died) is a failure all the same.
    if (code !== 0 && report.failed === 0) report.failed = 1;
    return report;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

const main = async () => {
  const args = process.argv.slice(2);
  const checked = [];
  for (const check of args.length > 0 ? [] : STATIC_CHECKS) checked.push({ name: check.name, ok: await staticCheck(check) });
  const report = await tests(args);
  const broken = checked.filter(({ ok }) => !ok);
  const failed = report.failed + broken.length;
  if (report.skipped.length > 0)
    say(`\nSkipped, because this machine lacks what they need:\n${report.skipped.map((line) => `  - ${line}`).join('\n')}`);
  if (failed > 0) say(`\nFailed:\n${[...broken.map(({ name }) => name), ...report.failures].map((line) => `  - ${line}`).join('\n')}`);
  say(`\n${report.passed + checked.length - broken.length} passed, ${failed} failed, ${report.skipped.length} skipped`);
  return failed === 0 ? 0 : 1;
};

process.exitCode = await main();
