import type { TaskSpec } from '@fairlead/shared/contract/task';
import type { EffectivePolicy } from './effective.ts';

/** What an earlier attempt of the step came to, for an agent that goes on with it. */
export interface Earlier {
  /** A sentence of the daemon's. */
  readonly ended: string;
  /** Checks that failed, with the end of what they printed, redacted. */
  readonly failed: readonly { readonly name: string; readonly exit_code: number | null; readonly output: string }[];
  /** What the fence found. */
  readonly findings: readonly string[];
}

export interface PromptFacts {
  readonly task: Pick<TaskSpec, 'title' | 'goal' | 'context' | 'constraints' | 'acceptance' | 'stop_conditions' | 'expects'>;
  readonly effective: Pick<EffectivePolicy, 'fence' | 'validations'>;
  /** Where the files are, as the agent sees it. */
  readonly workspace: string;
  readonly out: string;
  readonly earlier: Earlier | undefined;
  /** What whoever retried the step had to say besides. */
  readonly instructions: string | undefined;
  /** The agent goes on in its own session, and knows the task already. */
  readonly resumed: boolean;
}

const section = (title: string, lines: readonly string[]): string[] => (lines.length === 0 ? [] : ['', `## ${title}`, ...lines]);
const items = (texts: readonly string[]): string[] => texts.map((text) => `- ${text.replaceAll('\n', '\n  ')}`);
const quoted = (patterns: readonly string[]): string => patterns.map((pattern) => `\`${pattern}\``).join(', ');

const fenceLines = ({ allowed, forbidden, files, lines }: EffectivePolicy['fence']): string[] =>
  items([
    ...allowed.filter((patterns) => !patterns.includes('**')).map((patterns) => `Change only what matches: ${quoted(patterns)}.`),
    ...(forbidden.length > 0 ? [`Never change: ${quoted(forbidden)}.`] : []),
    `Keep the change small: more than ${files} files or ${lines} lines need a person.`,
    'Do not change tests, check configurations, lock files or agent instructions unless the task asks for it: a person must then look.',
    'Never touch `.git` or `.fairlead`, add submodules, or make links that leave the folder.',
  ]);

const checkLines = (validations: EffectivePolicy['validations']): string[] =>
  items(validations.map(({ name, run, required }) => `${name}${required ? '' : ' (optional)'}: \`${run.join(' ')}\``));

const earlierLines = ({ ended, failed, findings }: Earlier): string[] => [
  ended,
  ...items(findings),
  ...failed.flatMap(({ name, exit_code, output }) => [
    `- The check ${name} failed (exit ${exit_code ?? 'by a signal'}). The end of what it printed:`,
    ...output.split('\n').map((line) => `      ${line}`),
  ]),
];

const taskLines = ({ task, effective, workspace, out }: PromptFacts): string[] => [
  `# ${task.title ?? 'Task'}`,
  ...(task.goal === undefined ? [] : ['', task.goal]),
  ...section('Context', task.context ? [task.context.summary] : []),
  ...section('Constraints', items(task.constraints)),
  ...section('Done means', items(task.acceptance)),
  ...section('Stop when', items(task.stop_conditions)),
  ...section('What you may change', task.expects === 'answer' ? ['Nothing: answer the question in words.'] : fenceLines(effective.fence)),
  ...section('What will judge it', [
    ...(effective.validations.length === 0
      ? ['No check is declared; a person reads the change.']
      : ['These checks are run on your change afterwards, elsewhere, in a clean checkout. Run them yourself where you can.']),
    ...checkLines(effective.validations),
  ]),
  ...section('How you work here', [
    ...items([
      `Your files are in \`${workspace}\`, a copy of the repository. Everything outside of it and of /tmp is read-only or not there.`,
      'Leave your work as files. You need not commit, and cannot push.',
      `A report or other evidence may be put into \`${out}\`.`,
      'Some tool calls wait for a person, or are refused by a rule: take another way then, and say so at the end if there is none.',
    ]),
  ]),
];

/**
 * What an agent is told. Made of the task and of the rules that will judge it, always in the same order; it names no place of the machine
 * but the workspace, and holds no secret. The task's own words are the planner's.
 */
export const buildPrompt = (facts: PromptFacts): string => {
  const { earlier, instructions, resumed } = facts;
  const lines = [
    ...(resumed ? ['Go on with your task. The same rules hold; your files are as you left them.'] : taskLines(facts)),
    ...(earlier ? section(resumed ? 'What came of it' : 'An earlier attempt', earlierLines(earlier)) : []),
    ...section('Besides', instructions === undefined ? [] : [instructions]),
  ];
  return `${lines.join('\n').trim()}\n`;
};
