import { holds } from '../../../scenarios/scenario.ts';
import { git } from '../../../rig/repositories.ts';
import { denials, field, notices, ofKind, said, shownToModel } from '../activity.ts';
import type { Stage } from '../stage.ts';
import type { AgentScenario, Seen } from '../scenario.ts';

const paths = ({ change }: Seen): string => (change?.files ?? []).map(({ path }) => path).join(' ');

const text: AgentScenario = {
  name: 'text',
  proves: 'a question is answered in words, the prompt reaches the model as it is kept, and the model is called with the credential',
  task: { expects: 'answer', acceptance: ['The answer is a number'] },
  turns: [{ think: 'Six times seven.', say: 'It is forty-two.', usage: { input: 1200, output: 34, cached: 200 } }],
  ends: 'completed_with_warnings',
  async holds(seen, report, { stage }) {
    holds(said(seen.activity).includes('It is forty-two.'), 'the answer is in its activity', report, seen.activity);
    const prompt = seen.artifacts.find(({ kind }) => kind === 'prompt');
    const kept = prompt && (await stage.stack.planner.content(prompt.id).catch(() => undefined));
    const bytes = kept?.toString() ?? (await stage.call('get_artifact_content', { artifact_id: prompt!.id })).content;
    const asked = seen.requests[0]!;
    holds(
      asked.prompts.some((one) => one.includes(bytes.trim())),
      'the model was asked with the prompt that is kept',
      report,
      asked.prompts,
    );
    const { scheme, value } = asked.credential ?? {};
    holds(scheme === stage.subject.scheme && value === stage.credential, 'the model was given the credential', report, asked.credential);
    const usage = seen.attempts.at(-1)!.usage;
    holds(usage?.input_tokens === 1200 && usage.output_tokens === 34, 'its tokens are recorded', report, usage);
  },
};

const edit: AgentScenario = {
  name: 'edit',
  proves: 'a file is edited, and what is recorded is what git observes',
  turns: [
    { tool: 'read', args: { path: 'README.md' } },
    { tool: 'edit', args: { path: 'README.md', old: '# Corner shop', new: '# The corner shop' } },
    { say: 'Renamed.' },
  ],
  holds(seen, report) {
    holds(paths(seen) === 'README.md' && seen.change?.added === 1, 'one line of one file was changed', report, seen.change);
    holds(
      seen.validations.some(({ name, passed, exit_code }) => name === 'unit' && passed && exit_code === 0),
      'the check ran and passed',
      report,
      seen.validations,
    );
  },
};

const edits: AgentScenario = {
  name: 'edits',
  proves: 'several edits in one answer and in the next all count',
  turns: [
    { tool: 'read', args: { path: 'README.md' } },
    {
      calls: [
        { tool: 'edit', args: { path: 'README.md', old: '# Corner shop', new: '# Corner store' } },
        { tool: 'write', args: { path: 'src/open.js', content: 'export const open = true;\n' } },
      ],
    },
    { tool: 'edit', args: { path: 'src/open.js', old: 'export const open = true;', new: 'export const open = false;' } },
    { say: 'Done.' },
  ],
  holds(seen, report) {
    holds(paths(seen) === 'README.md src/open.js', 'both files were changed', report, seen.change);
    holds(
      seen.requests.at(-1)!.toolResults.length === 4,
      'the model saw the result of every call',
      report,
      seen.requests.at(-1)?.toolResults,
    );
  },
};

const command: AgentScenario = {
  name: 'command',
  proves: 'commands run, and their calls and results are in the activity, with the exit code where one failed',
  task: { expects: 'answer' },
  turns: [
    { tool: 'shell', args: { command: "printf '%s-%d\\n' one 42" } },
    { tool: 'shell', args: { command: 'cat not-there.txt; exit 3' } },
    { say: 'Ran.' },
  ],
  ends: 'completed_with_warnings',
  holds(seen, report, { stage }) {
    const calls = ofKind(seen.activity, 'tool_call');
    const results = ofKind(seen.activity, 'tool_result');
    holds(calls.length === 2 && calls.every((item) => item['tool_kind'] === 'execute'), 'both calls are told', report, calls);
    holds(
      results.length === 2 && results.every((item, at) => item['call_id'] === calls[at]!['call_id']),
      'each has its result',
      report,
      results,
    );
    if (stage.subject.silent) {
      holds(
        results.every((item) => item['exit_code'] === null),
        'no exit code is made up where the agent tells none',
        report,
        results,
      );
    } else {
      holds(field(results[0], 'text').includes('one-42'), 'the output of the first is there', report, results[0]);
      holds(results[1]!['exit_code'] === 3, 'the exit code of the second is there', report, results[1]);
    }
    holds(shownToModel(seen).includes('one-42'), 'the model saw the output', report);
  },
};

const noChange: AgentScenario = {
  name: 'no-change',
  proves: 'an agent that says it has done the work, and changed nothing, has failed',
  turns: [{ say: 'I have changed everything that was asked for.' }],
  ends: 'failed_executor',
  reason: 'no_change',
};

const unicode: AgentScenario = {
  name: 'unicode',
  proves: 'names and texts of every script go through unharmed, and what could deceive a terminal is inert in the CLI',
  turns: [
    {
      tool: 'write',
      args: { path: 'na\u00efve-\u65e5\u672c-\u{1F9EA}.md', content: 'cafe\u0301 \u202egnirts\u202c \u{1F468}\u200D\u{1F469}\n' },
    },
    { say: 'Wrote \u65e5\u672c\u8a9e \u{1F9EA} and \u202eesrever\u202c.' },
  ],
  // Where an agent writes through a command, its hidden characters are a reason to ask.
  meanwhile: (hands) => hands.approveAll(),
  async holds(seen, report, { stage }) {
    holds(seen.change?.files[0]?.path === 'na\u00efve-\u65e5\u672c-\u{1F9EA}.md', 'the name is whole', report, seen.change?.files);
    holds(
      said(seen.activity).includes('\u65e5\u672c\u8a9e \u{1F9EA} and \u202eesrever\u202c.'),
      'the text is whole',
      report,
      said(seen.activity),
    );
    const { code, stdout } = await stage.stack.run('fairlead', 'step', 'logs', seen.step.id);
    holds(
      code === 0 && stdout.includes('\u65e5\u672c\u8a9e') && !stdout.includes('\u202e') && stdout.includes('\\u{202e}'),
      'fairlead logs shows the bidi override as text',
      report,
      { code, stdout },
    );
  },
};

const MiB = 1024 * 1024;

const hugeMiB = ({ subject }: Stage): number => subject.hugeMiB ?? 8;

/** A text so long in which no line comes twice: agents take a model that repeats itself for one that is caught in a loop. */
const story = (size: number): string =>
  Array.from({ length: size / 32 }, (_, at) => `${`On day ${at} it rained.`.padEnd(31, ' ')}\n`).join('');

const huge: AgentScenario = {
  name: 'huge',
  proves: 'eight MiB of text and a command that prints twenty neither break nor stall anything',
  task: { expects: 'answer' },
  turns: ({ stage }) => [
    { tool: 'shell', args: { command: `head -c ${2.5 * hugeMiB(stage) * MiB} /dev/zero | tr '\\0' 'x'` } },
    { say: story(hugeMiB(stage) * MiB) },
  ],
  ends: 'completed_with_warnings',
  holds(seen, report) {
    const told = said(seen.activity).length;
    holds(told >= 60_000, 'its text is in the activity, cut where it is too long', report, told);
    const [artifact] = seen.artifacts.filter(({ kind }) => kind === 'activity');
    holds(artifact !== undefined && artifact.size < 64 * MiB, 'the activity is kept within its limit', report, artifact);
  },
};

const commits: AgentScenario = {
  name: 'commits',
  proves: "an agent's own commits are evidence, and what lands is one commit of the daemon",
  turns: [
    { tool: 'write', args: { path: 'src/one.js', content: 'export const one = 1;\n' } },
    { tool: 'shell', args: { command: 'git add src/one.js && git commit -m first' } },
    { tool: 'write', args: { path: 'src/two.js', content: 'export const two = 2;\n' } },
    { tool: 'shell', args: { command: 'git add src/two.js && git commit -m second' } },
    { say: 'Committed twice.' },
  ],
  async holds(seen, report, { stage, repo }) {
    holds(paths(seen) === 'src/one.js src/two.js', 'both files are in the change', report, { change: seen.change, denied: denials(seen) });
    holds(
      seen.artifacts.some(({ kind, size }) => kind === 'agent_commits' && size > 0),
      'its commits are kept as a bundle',
      report,
      { artifacts: seen.artifacts, shown: shownToModel(seen) },
    );
    const { state } = await stage.call('integrate_change', { change_id: seen.change!.id });
    holds(state === 'integrated', 'the change lands', report, state);
    const subjects = git(repo, 'log', '--format=%s', 'main').split('\n');
    holds(subjects.length === 2 && subjects[0] === seen.step.title, 'as one commit', report, subjects);
  },
};

const leavesBehind: AgentScenario = {
  name: 'leaves-behind',
  proves: 'a process that the agent has detached from everything is gone when the step has ended',
  task: { expects: 'answer' },
  turns: ({ nap }) => [
    { tool: 'shell', args: { command: `node tools/leave-behind.mjs ${nap}` } },
    { say: 'Left it running.', slow: 300 },
  ],
  async meanwhile(hands, report, { nap }) {
    const found = await hands.napping(nap);
    holds(found.length > 0, 'it was there while the agent worked', report);
  },
  ends: 'completed_with_warnings',
};

const ruleDeniesDaemon: AgentScenario = {
  name: 'rule-daemon',
  proves: 'a command that would leave a process behind is denied by its rule, and the agent goes on',
  task: { expects: 'answer' },
  turns: ({ nap }) => [{ tool: 'shell', args: { command: `setsid sleep ${nap}` } }, { say: 'It was refused.' }],
  ends: 'completed_with_warnings',
  holds(seen, report) {
    holds(denials(seen).join() === 'proc.daemonize', 'the denial is in the history', report, seen.events);
    holds(notices(seen.activity, 'permission_denied').length === 1, 'and in the activity', report, seen.activity);
  },
};

export const work: readonly AgentScenario[] = [
  text,
  edit,
  edits,
  command,
  noChange,
  unicode,
  huge,
  commits,
  leavesBehind,
  ruleDeniesDaemon,
];
