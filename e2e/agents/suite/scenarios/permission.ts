import { holds, refused } from '../../../scenarios/scenario.ts';
import { denials, notices } from '../activity.ts';
import type { AgentScenario } from '../scenario.ts';

const MAKE = 'node tools/make.mjs';
const call = { tool: 'shell', args: { command: MAKE } };

const approved: AgentScenario = {
  name: 'approved',
  proves: 'what no rule settles waits for a person, who sees what will run; an approval is used once and holds for no second call',
  profile: 'careful',
  turns: [call, call, { say: 'Made it once.' }],
  async meanwhile(hands, report) {
    const gate = await hands.gate();
    const shown = gate.permission!;
    holds(
      shown.commands.some(({ argv }) => argv.join(' ') === MAKE) && shown.tool_kind === 'execute',
      'it shows the parsed command',
      report,
      shown,
    );
    const file = shown.files.find(({ path }) => path === 'tools/make.mjs');
    holds(file?.digest?.startsWith('sha256:') === true, 'it is bound to the file that would run', report, shown.files);
    await refused('digest_mismatch', 'an approval of something else is refused', report, () =>
      hands.approve({ ...gate, digest: `sha256:${'0'.repeat(64)}` }),
    );
    await hands.approve(gate);
    const second = await hands.gate();
    holds(second.id !== gate.id, 'the same call again asks again', report, second);
    holds((await hands.gateNow(gate.id)).state === 'used', 'the first approval is used up', report);
    await hands.reject(second);
  },
  holds(seen, report) {
    holds(seen.change?.files.map(({ path }) => path).join() === 'made.txt' && seen.change.added === 1, 'it ran once', report, seen.change);
    holds(denials(seen).join() === 'gate.rejected', 'the second call was denied by the person', report, seen.events);
  },
};

const denied: AgentScenario = {
  name: 'denied',
  proves: 'what a person has rejected does not run, and is not raised again',
  profile: 'careful',
  task: { expects: 'answer' },
  turns: [call, call, { say: 'I may not.' }],
  async meanwhile(hands) {
    await hands.reject(await hands.gate(), 'Not this.');
  },
  ends: 'completed_with_warnings',
  holds(seen, report, { stage }) {
    holds(seen.change === null, 'nothing ran', report, seen.change);
    holds(seen.gates.length === 1 && seen.gates[0]!.state === 'rejected', 'one gate was raised', report, seen.gates);
    // An agent that ends its turn with a denial never asks a second time.
    const asked = stage.model.left(`${stage.subject.name}.denied`) === 0 ? 2 : 1;
    holds(denials(seen).length === asked, 'each call was denied', report, denials(seen));
  },
};

const outOfTime: AgentScenario = {
  name: 'ask-timeout',
  proves: 'what nobody decides in time is denied',
  profile: 'hasty',
  task: { expects: 'answer' },
  turns: [call, { say: 'Nobody answered.' }],
  ends: 'completed_with_warnings',
  holds(seen, report) {
    holds(seen.gates.length === 1 && seen.gates[0]!.state === 'expired', 'the gate has expired', report, seen.gates);
    holds(denials(seen).join() === 'gate.expired', 'the call was denied for it', report, denials(seen));
    holds(seen.change === null, 'nothing ran', report, seen.change);
    holds(notices(seen.activity, 'permission_asked').length === 1, 'the activity says that it waited', report);
  },
};

const editAsked: AgentScenario = {
  name: 'edit-asked',
  proves: 'an edit that waits for a person shows what it would change, with hidden characters made visible',
  profile: 'careful',
  turns: [{ tool: 'write', args: { path: 'src/sign.js', content: 'export const sign = "\u202eneb\u202c";\n' } }, { say: 'Wrote it.' }],
  async meanwhile(hands, report) {
    const gate = await hands.gate();
    const shown = gate.permission!;
    holds(shown.writes.join() === 'src/sign.js', 'it shows the path', report, shown);
    const text = `${shown.diff ?? ''}${shown.input}`;
    holds(text.includes('export const sign') && !text.includes('\u202e') && text.includes('\\u{202e}'), 'it shows the text', report, shown);
    await hands.approve(gate);
  },
  holds(seen, report) {
    holds(seen.change?.files.map(({ path }) => path).join() === 'src/sign.js', 'the file was written', report, seen.change);
  },
};

export const permission: readonly AgentScenario[] = [approved, denied, outOfTime, editAsked];
