import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FairleadError } from '@fairlead/shared/contract/errors';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { addFilePatch, git } from '../rig/repositories.ts';
import type { ProgramName } from '../rig/programs.ts';
import type { Ended } from '../rig/processes.ts';
import type { PartName } from '../rig/stack.ts';
import { isSettled, layGround, type Ground } from './ground.ts';
import { fillDisk, makeReadOnly, putOnSmallDisk, whyNoDisks, type Cure } from './small-disk.ts';
import { truthHolds } from './truth.ts';

/** What a disk that takes nothing is called, wherever it is noticed. */
const STORAGE = ['disk_full', 'store_unwritable'];
const codeIn = ({ stdout, stderr }: Ended): string => {
  const line = `${stdout}\n${stderr}`.split('\n').find((text) => text.startsWith('{') && text.includes('"code"'));
  return line === undefined ? `${stdout}${stderr}` : (JSON.parse(line) as { code: string }).code;
};
const why = whyNoDisks();

/** DESIGN, promise 2: a disk that takes nothing loses nothing that was acknowledged, and what was not is asked again by its key. */
describe.skipIf(why !== '')(`a disk that takes nothing${why}`, () => {
  let ground: Ground;
  let cures: Cure[];
  let origin: string;
  let since: string;
  const folderOf = (...names: string[]) => join(ground.stack.home, ...names);
  const cureAll = () => {
    for (const cure of cures.splice(0).toReversed()) cure();
  };
  beforeEach(async () => {
    cures = [];
    ground = await layGround();
    origin = git(ground.repo, 'rev-parse', 'main');
    since = new Date().toISOString();
  });
  afterEach(async () => {
    for (const part of ['connector', 'relay', 'daemon'] as const) await ground.stack.parts[part].stop();
    cureAll();
    await ground.close();
  });

  /** Trouble with one folder of a part, which runs on meanwhile. */
  const TROUBLES: Readonly<Record<string, (part: PartName, folder: string) => Promise<void>>> = {
    full: async (part, folder) => {
      await ground.stack.parts[part].stop();
      cures.push(putOnSmallDisk(folder));
      await ground.restart(part);
      await ground.ask('get_instance', { instance_id: ground.instance });
      cures.push(fillDisk(folder));
    },
    'read-only': async (_, folder) => void cures.push(makeReadOnly(folder)),
  };
  /** Takes the trouble away, but leaves a small disk where it is: the part has files of it open. */
  const recover = (trouble: string) => (trouble === 'full' ? cures.pop()!() : cureAll());

  const submit = (run: string, name: string) => {
    const task = { title: name, patch: addFilePatch(`${name}.txt`, 'ok'.repeat(4_000)), executor: 'patch' };
    return ground.stack.planner.call('submit_task', { run_id: run, task }, name);
  };
  const codeOf = (asked: Promise<unknown>) =>
    asked.then(
      () => 'answered',
      (error: FairleadError) => error.code,
    );
  const begin = async () => (await ground.ask('start_run', { instance_id: ground.instance, title: 'Before' }, 'run')).id;

  const DAEMON = ['', 'artifacts', 'stores', 'workspaces'].flatMap(
    (folder) =>
      [
        [folder, 'full'],
        [folder, 'read-only'],
      ] as const,
  );
  // The ledger is open all the time, so that its folder can be full, but read-only only at a start.
  it.each(DAEMON.filter(([folder, trouble]) => folder !== '' || trouble === 'full'))(
    'daemon/%s is %s: a step says so, and the next one works',
    async (name, trouble) => {
      const folder = folderOf('daemon', name);
      const run = await begin();
      const before = await ground.ask(
        'submit_task',
        { run_id: run, task: { title: 'a', patch: addFilePatch('a.txt', 'ok'), executor: 'patch' } },
        'a',
      );
      await ground.follow(before.id, isSettled);
      await TROUBLES[trouble]!('daemon', folder);

      const fates: string[] = [];
      for (const key of ['b', 'c', 'd']) {
        const fate = await codeOf(submit(run, key));
        fates.push(fate);
        if (fate !== 'answered') expect(STORAGE).toContain(fate);
      }
      for (const { id } of (await ground.stack.operator.call('list_steps', { run_id: run, limit: 50 })).items) {
        const { step } = await ground.stack.operator.call('wait_step', { step_id: id, timeout_ms: 5_000 });
        if (!isSettled(step) || step.state === 'needs_approval') continue;
        expect(STORAGE, JSON.stringify(step.reason)).toContain(step.reason?.code);
      }
      recover(trouble);
      // What was refused is asked again with its key; what ended by the disk is retried, at the machine where its end was in doubt.
      for (const key of ['b', 'c', 'd']) {
        const task = { title: key, patch: addFilePatch(`${key}.txt`, 'ok'.repeat(4_000)), executor: 'patch' };
        const step = await ground.ask('submit_task', { run_id: run, task }, key);
        const end = await ground.follow(
          step.id,
          (seen) => isSettled(seen) || ['indeterminate', 'needs_manual_attention'].includes(seen.state),
        );
        if (end.state === 'needs_approval') continue;
        await ground.stack.operator.call('retry_step', { step_id: step.id, resume: false }, { idempotencyKey: `retry-${key}` });
        expect((await ground.follow(step.id, isSettled)).state).toBe('needs_approval');
      }
      expect((await ground.ask('get_step', { step_id: before.id })).state).toBe('needs_approval');
      await truthHolds(ground, { origin, since });
    },
  );

  it.each(['full'] as const)(
    'relay is %s: a write is refused with its code and nothing of it happens; then it is done once',
    async (trouble) => {
      const run = await begin();
      await TROUBLES[trouble]!('relay', folderOf('relay'));
      let refused = '';
      // The database has some room inside; writes go on until that is used up.
      for (let at = 0; at < 400 && !STORAGE.includes(refused); at++) refused = await codeOf(submit(run, `w${at}`.padEnd(6, 'x')));
      expect(STORAGE).toContain(refused);
      const { items: seen } = await ground.stack.operator.call('list_steps', { run_id: run, limit: 500 });
      expect(await codeOf(submit(run, 'last'))).toBe(refused);
      expect((await ground.stack.operator.call('list_steps', { run_id: run, limit: 500 })).items.length).toBe(seen.length);
      recover(trouble);
      const step = await submit(run, 'last');
      expect((await submit(run, 'last')).id).toBe(step.id);
      expect((await ground.follow(step.id, isSettled)).state).toBe('needs_approval');
    },
  );

  it.each(['full', 'read-only'] as const)('connector is %s: it serves on, a new share is refused and the old one kept', async (trouble) => {
    const run = await begin();
    const { stack, instance } = ground;
    await TROUBLES[trouble]!('connector', folderOf('connector'));
    const files = ['shares.json', 'config.json', 'connector.key'].map((name) => folderOf('connector', name));
    const before = files.map((file) => readFileSync(file, 'utf8'));
    const shared = await stack.run('connector', 'share', '--instance', instance, '--steps', '3', '--json');
    expect([shared.code, codeIn(shared)]).toEqual([5, expect.stringMatching(/^(disk_full|store_unwritable)$/)]);
    const { secret } = await stack.admin.call('create_enrollment_token', { label: 'again' }, { idempotencyKey: 'again' });
    const enrolled = await stack.run('connector', 'enroll', '--relay', ground.wire.url, '--token', secret, '--replace', '--json');
    expect([enrolled.code, codeIn(enrolled)]).toEqual([5, expect.stringMatching(/^(disk_full|store_unwritable)$/)]);
    expect(files.map((file) => readFileSync(file, 'utf8'))).toEqual(before);
    // The line breaks and comes back: that the status cannot be written stops nothing.
    await ground.restart('relay');
    const step = await ground.ask(
      'submit_task',
      { run_id: run, task: { title: 'b', patch: addFilePatch('b.txt', 'ok'), executor: 'patch' } },
      'b',
    );
    expect((await ground.follow(step.id, isSettled)).state).toBe('needs_approval');
    recover(trouble);
    await stack.json('connector', 'share', '--instance', instance, '--steps', '3');
    await truthHolds(ground, { origin, since });
  });

  const SERVES: readonly (readonly [PartName, ProgramName, readonly string[]])[] = [
    ['daemon', 'fairlead', ['serve', '--json', '--port', '0']],
    ['relay', 'relay', ['serve', '--json', '--port', '0']],
    ['connector', 'connector', ['run', '--json']],
  ];
  it.each(
    SERVES.flatMap(
      ([part, program, args]) =>
        [
          [part, 'full', program, args],
          [part, 'read-only', program, args],
        ] as const,
    ),
  )('%s is %s at its start: it says so, and starts when that is over', async (part, trouble, program, args) => {
    const run = await begin();
    await ground.stack.parts[part].stop();
    const folder = folderOf(part);
    if (trouble === 'full') cures.push(putOnSmallDisk(folder), fillDisk(folder));
    else cures.push(makeReadOnly(folder));
    const ended = await ground.stack.run(program, ...args);
    expect([ended.code, codeIn(ended)]).toEqual([5, expect.stringMatching(/^(disk_full|store_unwritable)$/)]);
    recover(trouble);
    await ground.restart(part);
    expect((await ground.ask('get_run', { run_id: run })).state).toBe('open');
  });
});
