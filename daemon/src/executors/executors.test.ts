import { describe, expect, it } from 'vitest';
import { TaskSpec } from '@fairlead/shared/contract/task';
import { systemClock } from '@fairlead/shared/kit/clock';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { createStore, type Store } from '../git/store.ts';
import { inspectRepository } from '../git/repository.ts';
import { detectConfinement } from '../process/detect.ts';
import type { Sandbox } from '../process/confined.ts';
import { testRepository, type TestRepository } from '../../test/repository.ts';
import { executorContract } from './executor.contract.ts';
import type { Executor, ExecutorOrder } from './executor.ts';
import { createExecutors } from './registry.ts';

const registry = createExecutors({
  clock: systemClock,
  commands: [
    { name: 'works', run: ['sh', '-c', 'cat > task.json'] },
    { name: 'fails', run: ['sh', '-c', 'exit 4'] },
  ],
});

let root: string;
let repository: TestRepository;
let store: Store;
let base: string;
let patch: string;
let sandbox: Sandbox;
let count = 0;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'fairlead-executors-'));
  repository = testRepository({ 'a.txt': 'a\n' }, join(root, 'repository'));
  base = repository.tip();
  patch = repository.patch({ 'a.txt': 'b\n' });
  store = await createStore(join(root, 'store.git'), await inspectRepository(repository.path), ['refs/heads/main']);
  const confining = await detectConfinement({ folder: join(root, 'sandbox'), toolchain: [] });
  sandbox = confining.sandbox ?? confining.unconfined;
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const orderFor = async (executor: Executor, signal: AbortSignal): Promise<ExecutorOrder> => {
  const at = join(root, `place-${count++}`);
  const place = { folder: join(at, 'work'), out: join(at, 'out'), readable: [] };
  for (const folder of [place.folder, place.out]) mkdirSync(folder, { recursive: true });
  return {
    step_id: 'step_x',
    attempt_id: 'att_x',
    task: TaskSpec.parse({ goal: 'Do it' }),
    prompt: undefined,
    home: undefined,
    resume: undefined,
    patch: executor.id === 'patch' ? Buffer.from(patch) : undefined,
    base_commit: base,
    store,
    place: executor.needs === 'workspace' ? place : undefined,
    sandbox: executor.runs_code ? sandbox : undefined,
    time_left_ms: 20_000,
    signal,
  };
};

describe.each(registry.all.filter(({ id }) => id !== 'simulation.slow').map((executor) => [executor.id, executor] as const))(
  '%s',
  (_, executor) => {
    executorContract(async () => ({ executor, order: (signal) => orderFor(executor, signal) }));
  },
);

describe('the registry', () => {
  it('names those there are when one is unknown', () => {
    expect(() => registry.get('claude.default')).toThrow(
      expect.objectContaining({ code: 'executor_unknown', context: expect.objectContaining({ hint: expect.stringContaining('patch') }) }),
    );
  });

  it('says what is missing: without a sandbox, what runs code is not available, and the rest is', () => {
    const shown = new Map(registry.list({ confinement: undefined, default_executor: 'patch' }).map((info) => [info.id, info]));
    expect(shown.get('command.works')).toMatchObject({
      available: false,
      reason: expect.stringContaining('no sandbox'),
      confinement: null,
    });
    expect(shown.get('patch')).toMatchObject({ available: true, default: true, confinement: 'not_needed' });
    expect(registry.list({ confinement: 'unconfined', default_executor: 'patch' }).find(({ id }) => id === 'command.works')).toMatchObject({
      available: true,
      confinement: 'unconfined',
    });
  });
});
