import { randomUUID } from 'node:crypto';
import { doTask } from '../rig/planner.ts';
import { addFilePatch, git, MENDED_PROJECT, writeFiles } from '../rig/repositories.ts';
import { holds, refused, type Scenario } from './scenario.ts';

const key = () => ({ idempotencyKey: randomUUID() });

/** The owner works on the same branch meanwhile. */
const byHand = (repo: string, name: string): void => {
  writeFiles(repo, { [`notes/by-hand-${name}.txt`]: name });
  git(repo, 'add', '-A');
  git(repo, 'commit', '-q', '-m', `By hand: ${name}`);
};

export const gate: Scenario = {
  name: 'gate',
  proves: 'a person decides, locally, on exactly the content that was seen; what moved meanwhile is never landed on',
  stack: { project: MENDED_PROJECT },
  async play(stack, report) {
    const { planner, operator } = stack;
    const { id, repo } = stack.instances[0]!;
    const work = (name: string) =>
      doTask(planner, id, { title: `Add ${name}`, patch: addFilePatch(`notes/${name}.txt`, name), executor: 'patch' });
    const start = git(repo, 'rev-parse', 'main');

    const first = await work('first');
    const held = first.gate!;
    await refused(['scope_denied', 'grant_denied', 'authority_required'], 'a planner cannot approve its own work', report, () =>
      planner.call('approve_gate', { gate_id: held.id, digest: held.digest }),
    );
    await refused('change_not_approved', 'a held change cannot be integrated', report, () =>
      operator.call('integrate_change', { change_id: first.change!.id }, key()),
    );
    await refused('digest_mismatch', 'an approval must name the digest that was seen', report, () =>
      operator.call('approve_gate', { gate_id: held.id, digest: `sha256:${'0'.repeat(64)}` }, key()),
    );
    holds(git(repo, 'rev-parse', 'main') === start, 'nothing has moved', report);
    const approved = await operator.call('approve_gate', { gate_id: held.id, digest: held.digest }, key());
    holds(approved.state === 'approved' && approved.authority === 'local', 'the operator approves with local authority', report, approved);
    const landed = await operator.call('integrate_change', { change_id: first.change!.id }, key());
    holds(
      git(repo, 'rev-parse', 'main') === landed.integrated?.to && landed.integrated.from === start,
      'the branch moved from what was approved to one new commit',
      report,
      landed,
    );
    holds(git(repo, 'status', '--porcelain') === '', 'the clean checkout was moved with it', report);
    holds(git(repo, 'log', '-1', '--format=%B').includes('Fairlead-Step: '), 'the commit names its step', report);

    const second = await work('second');
    const rejected = await operator.call('reject_gate', { gate_id: second.gate!.id, comment: 'Not this' }, key());
    const after = await planner.call('get_step', { step_id: second.step.id });
    holds(rejected.state === 'rejected' && after.state === 'rejected', 'a rejected change ends its step as rejected', report, after);

    const third = await work('third');
    const approve = (held: { id: string; digest: string }) =>
      operator.call('approve_gate', { gate_id: held.id, digest: held.digest }, key());
    const integrate = () => operator.call('integrate_change', { change_id: third.change!.id }, key());
    const pending = async () => (await planner.call('list_gates', { instance_id: id, step_id: third.step.id, state: 'pending' })).items[0]!;
    byHand(repo, 'one');
    await refused('gate_outdated', 'a target that moved before the approval makes the gate outdated', report, () => approve(third.gate!));
    const renewed = await pending();
    holds(renewed.id !== third.gate!.id, 'a new gate on the new content replaces it', report, renewed);
    await approve(renewed);
    byHand(repo, 'two');
    await refused('gate_outdated', 'so does one that moves between approval and integration', report, integrate);
    await approve(await pending());
    await integrate();
    const subjects = git(repo, 'log', '--format=%s').split('\n');
    holds(
      subjects[0] === 'Add third' && subjects.includes('By hand: one') && subjects.includes('By hand: two'),
      'the human commits are kept below the landed one',
      report,
      subjects,
    );

    writeFiles(repo, { 'notes/first.txt': 'dirty\n' });
    const fourth = await work('fourth');
    await operator.call('approve_gate', { gate_id: fourth.gate!.id, digest: fourth.gate!.digest }, key());
    await refused('target_dirty', 'a dirty checkout is refused and nothing moves', report, () =>
      operator.call('integrate_change', { change_id: fourth.change!.id }, key()),
    );
  },
};
