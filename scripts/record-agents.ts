import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { gemini, opencode, qwen } from '@fairlead/e2e/agents/recording/acp';
import { claude } from '@fairlead/e2e/agents/recording/claude';
import { codex } from '@fairlead/e2e/agents/recording/codex';
import { record } from '@fairlead/e2e/agents/recording/record';
import { RECORDINGS } from '@fairlead/e2e/agents/recording/scenarios';

const { values } = parseArgs({
  options: { agents: { type: 'string' }, only: { type: 'string' }, out: { type: 'string' }, installed: { type: 'string' } },
});
const drivers = [claude, codex, gemini, qwen, opencode].filter(({ agent }) => (values.agents ?? agent).split(',').includes(agent));
mkdirSync(values.out!, { recursive: true });
for (const driver of drivers)
  for (const one of RECORDINGS.filter(({ name }) => (values.only ?? name).split(',').includes(name))) {
    const got = await record(driver, join(values.installed!, driver.agent), one);
    writeFileSync(join(values.out!, `${driver.agent}-${one.name}.jsonl`), got.lines.map((l) => `${JSON.stringify(l)}\n`).join(''));
    const { lines, home, ...rest } = got;
    process.stdout.write(
      `${driver.agent} ${one.name} ${JSON.stringify(rest).slice(0, 1500)}\n   ${lines.length} lines, ${lines.reduce((n, l) => n + l.line.length, 0)} bytes, end ${lines
        .filter((l) => l.dir === 'end')
        .map((l) => l.line)
        .join()}\n`,
    );
    if (one.name === 'text') process.stdout.write(`   home ${home.join(' ')}\n`);
  }
