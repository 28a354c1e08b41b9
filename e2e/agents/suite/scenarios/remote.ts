import { createClient } from '@fairlead/shared/contract/client';
import { nodeTransport } from '@fairlead/shared/kit/http-client';
import { holds, refused } from '../../../scenarios/scenario.ts';
import type { Hands } from '../hands.ts';
import type { AgentScenario } from '../scenario.ts';

interface Told {
  readonly event: string;
  readonly id: string | undefined;
  readonly data: string;
}

const lineOf = (block: string, name: string): string | undefined =>
  block
    .split('\n')
    .find((line) => line.startsWith(`${name}: `))
    ?.slice(name.length + 2);

/** Follows the log through the relay until `enough`. */
const follow = async (hands: Hands, cursor: string | undefined, enough: (told: readonly Told[]) => boolean): Promise<readonly Told[]> => {
  const { stack } = hands.stage;
  const client = createClient({ url: stack.relayUrl, prefix: '/api/v2', token: stack.plannerToken, transport: nodeTransport() });
  const away = new AbortController();
  const late = setTimeout(() => away.abort(), 20_000);
  const told: Told[] = [];
  let text = '';
  try {
    const stream = await client.stream(
      'get_step_logs',
      { step_id: hands.stepId, ...(cursor !== undefined && { cursor }) },
      { accept: 'text/event-stream', signal: away.signal },
    );
    for await (const chunk of stream) {
      text += Buffer.from(chunk).toString('utf8');
      const blocks = text.split('\n\n');
      text = blocks.pop()!;
      for (const block of blocks) {
        const event = lineOf(block, 'event');
        if (event !== undefined) told.push({ event, id: lineOf(block, 'id'), data: lineOf(block, 'data') ?? '' });
      }
      if (enough(told)) break;
    }
  } finally {
    clearTimeout(late);
    away.abort();
  }
  return told;
};

const seqs = (told: readonly Told[]): number[] =>
  told.filter(({ event }) => event === 'activity').map(({ data }) => (JSON.parse(data) as { seq: number }).seq);

const remotely = (by: 'http' | 'mcp'): AgentScenario => ({
  name: `remote-${by}`,
  proves: `the same through relay and connector over ${by === 'http' ? '/api/v2' : '/mcp'}: activity is followed, a request is shown but not decided from afar`,
  by,
  profile: 'careful',
  task: { expects: 'change' },
  turns: [
    { say: 'I begin.', tool: 'read', args: { path: 'README.md' } },
    { tool: 'write', args: { path: `src/${by}.js`, content: `export const way = '${by}';\n` } },
    { say: 'I have finished.' },
  ],
  ends: 'needs_approval',
  reason: 'gate',
  async meanwhile(hands, report) {
    const gate = await hands.gate();
    const waited = await hands.ask('wait_step', { step_id: hands.stepId, log_cursor: 'l1.0', timeout_ms: 0 });
    holds((waited.log?.items.length ?? 0) > 0, 'wait_step with a log cursor shows its activity', report, waited);
    const { items } = await hands.ask('list_gates', { instance_id: hands.instanceId, step_id: hands.stepId });
    const shown = items.find(({ id }) => id === gate.id);
    holds(shown?.permission?.writes.join() === `src/${by}.js`, 'the planner sees what the agent asks for', report, items);
    await refused(['scope_denied', 'authority_required'], 'and cannot decide it', report, () =>
      hands.ask('approve_gate', { gate_id: gate.id, digest: gate.digest }),
    );
    if (by === 'http') {
      const first = await follow(hands, undefined, (told) => told.some(({ id }) => id !== undefined));
      holds(first.length > 0, 'the stream of its log begins', report, first);
      const at = first.findLast(({ id }) => id !== undefined)!.id!;
      await hands.approve(gate);
      const rest = await follow(hands, at, (told) => told.some(({ data }) => data.includes('"kind":"usage"')));
      const all = [...seqs(first), ...seqs(rest)];
      holds(
        all.every((seq, index) => seq === index + 1) && seqs(rest).length > 0,
        'the stream of its log goes on from the cursor, without a gap or a repetition',
        report,
        { first: seqs(first), rest: seqs(rest), at },
      );
    } else await hands.approve(gate);
  },
  async holds(seen, report, _setting, hands) {
    holds(seen.step.authority === 'relay_asserted', 'it is on record that it came from afar', report, seen.step);
    holds(seen.change?.files.map(({ path }) => path).join() === `src/${by}.js`, 'the change is there', report, seen.change);
    const held = seen.gates.find(({ kind, state }) => kind === 'change' && state === 'pending');
    await hands.approve(held!);
    const { state } = await hands.step();
    holds(state === 'completed', 'a person here approves it, and it is completed', report, state);
  },
});

/** Through relay and connector. */
export const remote: readonly AgentScenario[] = [remotely('http'), remotely('mcp')];
