// A vitest reporter that writes what scripts/test.mjs needs: the counts, and why something was skipped.
import { writeFileSync } from 'node:fs';
import process from 'node:process';

/**
 * A suite that plays many cases in one test says how many: `await annotate('46 kills of the daemon', 'count')`. Equal words are
 * added up over all tests.
 */
const countInto = (counted, annotations) => {
  for (const { type, message } of annotations) {
    const [, number, what] = (type === 'count' && /^(\d+) (.+)$/.exec(message)) || [];
    if (what !== undefined) counted[what] = (counted[what] ?? 0) + Number(number);
  }
};

export default class TestReport {
  onTestRunEnd(modules, unhandledErrors) {
    const report = { passed: 0, failed: 0, skipped: [], failures: [], counted: {} };
    for (const module of modules) {
      const errors = module.errors();
      if (errors.length > 0) {
        report.failed += 1;
        report.failures.push(module.relativeModuleId);
      }
      for (const test of module.children.allTests()) {
        countInto(report.counted, test.annotations());
        const { state, note } = test.result();
        if (state === 'passed') report.passed += 1;
        else if (state === 'failed') {
          report.failed += 1;
          report.failures.push(`${module.relativeModuleId}: ${test.fullName}`);
        } else report.skipped.push(`${module.relativeModuleId}: ${test.fullName}${note ? ` (${note})` : ''}`);
      }
    }
    for (const error of unhandledErrors) {
      report.failed += 1;
      report.failures.push(`unhandled: ${error.message}`);
    }
    writeFileSync(process.env.FAIRLEAD_TEST_REPORT, JSON.stringify(report));
  }
}
