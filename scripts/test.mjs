// Everything that `npm test` checks: types, lint, format, unused code, then every test, and one line that counts it all.
// A static check counts as one. Arguments go to vitest and leave the static checks out: `npm test -- daemon/src/core`.
import process from 'node:process';
import { conclude, run, runTests, say } from './test-run.mjs';

const STATIC_CHECKS = [
  { name: 'types', command: ['tsc', '--noEmit'] },
  { name: 'lint', command: ['oxlint', '--type-aware', '--deny-warnings'] },
  { name: 'format', command: ['oxfmt', '--check'] },
  { name: 'unused code', command: ['knip'] },
];

const staticCheck = async ({ name, command }) => {
  const started = Date.now();
  const { code, output } = await run(command, {});
  say(`${code === 0 ? 'ok  ' : 'FAIL'} ${name} (${((Date.now() - started) / 1000).toFixed(1)} s)`);
  if (code !== 0) say(output.trimEnd());
  return code === 0;
};

const args = process.argv.slice(2);
const checked = [];
for (const check of args.length > 0 ? [] : STATIC_CHECKS) checked.push({ name: check.name, ok: await staticCheck(check) });
const report = await runTests(args);
const broken = checked.filter(({ ok }) => !ok).map(({ name }) => name);
process.exitCode = conclude({
  ...report,
  passed: report.passed + checked.length - broken.length,
  failed: report.failed + broken.length,
  failures: [...broken, ...report.failures],
});
