// One run of vitest, and what came of it: shown as it goes, counted at the end.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

export const say = (text) => process.stdout.write(`${text}\n`);

/** Runs one of the installed programs in the checkout; its output is shown, or kept for the answer. */
export const run = ([name, ...args], { env = {}, show = false }) =>
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

const NOTHING = { passed: 0, failed: 0, skipped: [], failures: [], counted: {} };

/** Runs vitest with these arguments and answers its counts. */
export const runTests = async (args) => {
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-test-'));
  const file = join(folder, 'report.json');
  try {
    const { code } = await run(['vitest', 'run', '--reporter=default', '--reporter=./scripts/test-report.mjs', ...args], {
      env: { FAIRLEAD_TEST_REPORT: file },
      show: true,
    });
    const report = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : NOTHING;
    // A run that ends badly without a failed test (no test found, a worker that died) is a failure all the same.
    return code !== 0 && report.failed === 0 ? { ...report, failed: 1 } : report;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

/** Says what was counted, skipped and broken, then the one line that ends every run. Answers the exit code. */
export const conclude = ({ passed, failed, skipped, failures, counted }) => {
  const list = (title, lines) => lines.length > 0 && say(`\n${title}:\n${lines.map((line) => `  - ${line}`).join('\n')}`);
  list(
    'Counted',
    Object.entries(counted).map(([what, number]) => `${number} ${what}`),
  );
  list('Skipped, because this machine lacks what they need', skipped);
  list('Failed', failures);
  say(`\n${passed} passed, ${failed} failed, ${skipped.length} skipped`);
  return failed === 0 ? 0 : 1;
};
