import { holds } from '../../../scenarios/scenario.ts';
import { until } from '../../../rig/processes.ts';
import { withArgument } from '../processes-with.ts';
import type { AgentScenario } from '../scenario.ts';

const agent: AgentScenario = {
  name: 'kill-agent',
  proves: 'an agent that something else has killed is told apart from one that failed, timed out or was cancelled',
  turns: ({ nap }) => [{ tool: 'shell', args: { command: `node tools/nap.mjs ${nap}` } }, { say: 'Slept.' }],
  async meanwhile(hands, report, { nap }) {
    await hands.napping(nap);
    const found = hands.agentProcesses();
    holds(found.length > 0, 'its process can be found', report);
    for (const { pid } of found) process.kill(pid, 'SIGKILL');
  },
  ends: 'failed_executor',
  reason: 'killed_externally',
};

const daemon: AgentScenario = {
  name: 'kill-daemon',
  proves: "when the daemon is killed, what it left is ended, and the step goes on in the agent's own session or says that it cannot know",
  turns: ({ nap }) => [
    { tool: 'write', args: { path: 'src/before.js', content: 'export const before = 1;\n' } },
    { tool: 'shell', args: { command: `node tools/nap.mjs ${nap}` } },
    { tool: 'write', args: { path: 'src/after.js', content: 'export const after = 1;\n' } },
    { say: 'Done.' },
  ],
  withinMs: 90_000,
  async meanwhile(hands, report, { nap }) {
    await hands.napping(nap);
    const { stack, info } = hands.stage;
    await stack.parts.daemon.kill();
    await stack.start('daemon');
    await until('what the dead daemon left is gone', async () => withArgument(nap).length === 0, 10_000);
    const step = await hands.untilStep('the step has ended', ({ ended }) => ended);
    const wanted = info.limits?.resumes === true ? 'completed' : 'indeterminate';
    holds(step.state === wanted, `the step is ${wanted}`, report, step);
  },
  holds(seen, report, { stage }) {
    if (stage.info.limits?.resumes !== true) return;
    holds(seen.attempts.length === 2 && seen.attempts[0]!.state === 'lost', 'the first attempt is lost', report, seen.attempts);
    holds(
      seen.change?.files.map(({ path }) => path).join() === 'src/after.js,src/before.js',
      'the work of both is in one change',
      report,
      seen.change,
    );
    const changes = seen.events.filter(({ type }) => type === 'change.recorded');
    holds(changes.length === 1, 'nothing was done twice', report, seen.events);
  },
};

export const kills: readonly AgentScenario[] = [agent, daemon];
