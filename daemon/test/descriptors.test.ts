import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { isBuilt, startDaemonProcess, type DaemonProcess } from './daemon-process.ts';
import { testRepository, type TestRepository } from './repository.ts';

const why = process.platform !== 'linux' ? ' (skipped: needs /proc)' : isBuilt() ? '' : ' (skipped: the daemon is not built)';

/** Opens a file and a folder of the machine, as `flock` and shells do, and becomes the program that is named. */
const OPENING = 'exec 200<>"$1" 250<"$2"; shift 2; exec "$@"';

const CHECK = 'ls -1 /proc/self/fd; echo reached >&200; cat <&200; true';
const POLICY = `version: 1\nvalidations:\n  look: { run: [sh, -c, '${CHECK}'] }\ngates: { when: [] }\n`;

describe.skipIf(why !== '')(`what whoever started the daemon had open${why}`, () => {
  let folder: string;
  let daemon: DaemonProcess | undefined;
  let repository: TestRepository | undefined;

  afterEach(async () => {
    await daemon?.stop();
    repository?.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  it('is not open in what the daemon runs', async () => {
    folder = mkdtempSync(join(tmpdir(), 'fairlead-open-'));
    const file = join(folder, 'host.txt');
    writeFileSync(file, 'of the machine\n');
    mkdirSync(join(folder, 'home'));
    repository = testRepository({ 'a.txt': 'one\n', '.fairlead/project.yaml': POLICY });
    daemon = await startDaemonProcess(join(folder, 'home'), undefined, ['bash', '-c', OPENING, 'bash', file, folder]);
    const { client } = daemon;
    const instance = await client.call('add_instance', { path: repository.path, unconfined: true });
    const run = await client.call('start_run', { instance_id: instance.id, title: 'Look' });
    const task = { executor: 'patch', title: 'Edit', patch: repository.patch({ 'a.txt': 'two\n' }) };
    let step = await client.call('submit_task', { run_id: run.id, task });
    while (!step.ended) ({ step } = await client.call('wait_step', { step_id: step.id }));
    const result = await client.call('get_step_result', { step_id: step.id });
    const tail = result.validations.find(({ name }) => name === 'look')!.output_tail;
    // The fourth is the one through which ls reads the list.
    expect(tail.split('\n').filter((line) => /^\d+$/.test(line))).toEqual(['0', '1', '2', '3']);
    expect(tail).not.toContain('of the machine');
    expect(readFileSync(file, 'utf8')).toBe('of the machine\n');
  });
});
