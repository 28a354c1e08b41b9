import { holds, refused } from '../../../scenarios/scenario.ts';
import { SAMPLE_PROJECT } from '../../../rig/repositories.ts';
import type { AgentScenario } from '../scenario.ts';

const wrong = { tool: 'edit', args: { path: 'src/shipping.js', old: '  if (totalCents > freeFrom) {', new: '  if (totalCents > 6000) {' } };
const right = {
  tool: 'edit',
  args: { path: 'src/shipping.js', old: '  if (totalCents > 6000) {', new: '  if (totalCents >= freeFrom) {' },
};

const repaired: AgentScenario = {
  name: 'repaired',
  proves: "a change that fails its check is mended in the agent's own session, on its own files, told which check failed",
  files: { 'src/shipping.js': SAMPLE_PROJECT['src/shipping.js']! },
  turns: [{ tool: 'read', args: { path: 'src/shipping.js' } }, wrong, { say: 'Mended, I believe.' }],
  withinMs: 90_000,
  async meanwhile(hands, report) {
    const failed = await hands.untilStep('the check fails', ({ ended }) => ended);
    holds(failed.state === 'failed_validation', 'the first attempt fails its check', report, failed);
    const [first] = (await hands.ask('list_attempts', { step_id: failed.id })).items;
    holds(first?.resumable === true, 'its session can be resumed', report, first);
    // Only now, because one agent asks its model once more after its turn, for what its user might say next.
    const { model, subject } = hands.stage;
    model.add(`${subject.name}.repaired`, { tool: 'read', args: { path: 'src/shipping.js' } }, right, { say: 'Mended now.' });
    await hands.ask('retry_step', { step_id: failed.id, resume: true, instructions: 'Look at the limit again.' });
    await hands.untilStep('the second attempt has begun', ({ ended, attempts }) => attempts === 2 && !ended, 10_000);
  },
  async holds(seen, report, { stage }) {
    holds(seen.attempts.length === 2 && seen.attempts[1]!.resumed_from === seen.attempts[0]!.id, 'the second resumed the first', report);
    const prompts = seen.artifacts.filter(({ kind }) => kind === 'prompt');
    const second = prompts.find(({ attempt_id }) => attempt_id === seen.attempts[1]!.id);
    const { content } = await stage.call('get_artifact_content', { artifact_id: second!.id });
    holds(
      content.includes('The check unit failed') && content.includes('Look at the limit again.'),
      'its prompt names the failed check and what was said besides',
      report,
      content,
    );
    const began = Date.parse(seen.attempts[1]!.started_at);
    const resumed = seen.requests.find(({ at }) => at >= began)!;
    holds(
      resumed.toolResults.length >= 2 && resumed.prompts.some((text) => text.includes('SCRIPT:')),
      'the model sees the conversation of before',
      report,
      { prompts: resumed.prompts, results: resumed.toolResults },
    );
    holds(seen.change?.files.map(({ path }) => path).join() === 'src/shipping.js', 'one change came of it', report, seen.change);
  },
  lacks: ({ info }) => (info.limits?.resumes === true ? undefined : 'it cannot resume a session'),
};

const notResumable: AgentScenario = {
  name: 'not-resumable',
  proves: 'a session that cannot be resumed is refused in plain words, and the step can be tried anew',
  turns: [{ say: 'Nothing.' }, { tool: 'write', args: { path: 'src/anew.js', content: 'export const anew = 1;\n' } }, { say: 'Done.' }],
  async meanwhile(hands, report) {
    const failed = await hands.untilStep('it fails', ({ ended }) => ended);
    await refused('session_unavailable', 'resuming is refused', report, () =>
      hands.ask('retry_step', { step_id: failed.id, resume: true }),
    );
    await hands.ask('retry_step', { step_id: failed.id });
    await hands.untilStep('the second attempt has begun', ({ ended, attempts }) => attempts === 2 && !ended, 10_000);
  },
  lacks: ({ info }) => (info.limits?.resumes === true ? 'it can resume, which repaired shows' : undefined),
};

export const retry: readonly AgentScenario[] = [repaired, notResumable];
