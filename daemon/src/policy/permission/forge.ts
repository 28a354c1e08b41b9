import type { Notes } from './notes.ts';
import { hasOption, takeApart } from './options.ts';
import { knownValue, type ShellWord } from './words.ts';

/** What of the forge's command line only reads. */
const GH_READS: Readonly<Record<string, readonly string[]>> = {
  pr: ['view', 'list', 'checks', 'diff', 'status'],
  issue: ['view', 'list', 'status'],
  run: ['view', 'list', 'watch'],
  repo: ['view', 'list'],
  release: ['view', 'list'],
  workflow: ['view', 'list'],
  label: ['list'],
  search: ['repos', 'issues', 'prs', 'code', 'commits'],
  auth: ['status'],
  help: [],
  version: [],
};

/** Judges the command lines of forges: `gh`, and `glab`, `hub`, `tea`, which are like it. */
export const judgeForge = (args: readonly ShellWord[], notes: Notes): void => {
  const taken = takeApart(args, { short: 'R', long: ['--repo', '--hostname'] });
  const [topic, action] = taken.operands.map(knownValue);
  const reads =
    topic !== undefined &&
    Object.hasOwn(GH_READS, topic) &&
    (GH_READS[topic]!.length === 0 || (action !== undefined && GH_READS[topic]!.includes(action))) &&
    !taken.uncertain &&
    !hasOption(taken, '--show-token', '--web', '-w', '-t');
  const version = taken.operands.length === 0 && hasOption(taken, '--version', '--help', '-h');
  notes.rule(reads || version ? 'gh.read' : 'gh.write');
};
