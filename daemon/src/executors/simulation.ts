import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Clock } from '@fairlead/shared/kit/clock';
import type { Executor, ExecutorOrder, ExecutorReport, ExecutorResult } from './executor.ts';
import { stoppedOutcome } from './executor.ts';

/** How long `simulation.slow` works when nobody stops it. */
const SLOW_MS = 60_000;
/** What `simulation.large_output` prints, in all. */
const LARGE_OUTPUT = 8 * 1024 * 1024;

/** When the limit of `simulation.quota` resets. */
const QUOTA_MS = 60_000;

interface Stage {
  readonly order: ExecutorOrder;
  readonly report: ExecutorReport;
  readonly clock: Clock;
}

const put = async ({ order }: Stage, path: string, text: string): Promise<void> => {
  const file = join(order.place!.folder, path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text);
};

const say = ({ report }: Stage, text: string): void => report.output(Buffer.from(`${text}\n`), 'stdout');

const FINISHED: ExecutorResult = { outcome: 'finished', exit_code: 0, signal: null };

/** Writes one file and finishes. The content depends on the task alone, so that a repeated attempt does the same. */
const edit =
  (path: string) =>
  async (stage: Stage): Promise<ExecutorResult> => {
    await put(stage, path, `Simulated work: ${stage.order.task.title ?? stage.order.task.goal ?? 'no goal'}\n`);
    say(stage, `wrote ${path}`);
    return FINISHED;
  };

const answer = (result: ExecutorResult) => async (): Promise<ExecutorResult> => result;

const slow = async (stage: Stage): Promise<ExecutorResult> => {
  say(stage, 'working slowly');
  try {
    await stage.clock.sleep(SLOW_MS, stage.order.signal);
  } catch {
    // The sleep ends early when the attempt is stopped; the check below says so.
  }
  return stage.order.signal.aborted ? { outcome: stoppedOutcome(stage.order.signal), stopped: 'confirmed' } : edit('simulated.txt')(stage);
};

const largeOutput = async (stage: Stage): Promise<ExecutorResult> => {
  const line = Buffer.from(`${'x'.repeat(1023)}\n`);
  for (let written = 0; written < LARGE_OUTPUT && !stage.order.signal.aborted; written += line.length) {
    stage.report.output(line, 'stdout');
    // A turn of the event loop every 256 KiB, as a process's pipe would give.
    if (written % (256 * 1024) === 0) await new Promise((resolve) => void setImmediate(resolve));
  }
  return stage.order.signal.aborted ? { outcome: stoppedOutcome(stage.order.signal) } : edit('simulated.txt')(stage);
};

const escapingLink = async (stage: Stage): Promise<ExecutorResult> => {
  await symlink('../../outside', join(stage.order.place!.folder, 'simulated-link'));
  return FINISHED;
};

const outFile = async (stage: Stage): Promise<ExecutorResult> => {
  await writeFile(join(stage.order.place!.out, 'report.txt'), 'Simulated report\n');
  return edit('simulated.txt')(stage);
};

interface Script {
  readonly description: string;
  readonly play: (stage: Stage) => Promise<ExecutorResult>;
}

const failure = (code: string, message: string) => ({ code, message });

/** Each outcome by its name. A new way in which work can end gets a row here, so that every surface can be shown to carry it. */
const SCRIPTS = {
  finished: { description: 'edits one file and finishes', play: edit('simulated.txt') },
  no_change: { description: 'finishes without a change', play: answer(FINISHED) },
  refused: {
    description: 'refuses the task',
    play: answer({ outcome: 'refused', reason: failure('simulated_refusal', 'The simulation refuses') }),
  },
  timed_out: { description: 'passes its time limit', play: answer({ outcome: 'timed_out', stopped: 'confirmed' }) },
  cancelled: { description: 'ends as if it had been stopped on request', play: answer({ outcome: 'cancelled', stopped: 'confirmed' }) },
  crashed: {
    description: 'ends with exit code 70',
    play: answer({ outcome: 'crashed', exit_code: 70, signal: null, reason: failure('simulated_crash', 'The simulation crashed') }),
  },
  quota: {
    description: 'reaches a usage limit',
    play: answer({ outcome: 'quota', resets_in_ms: QUOTA_MS, reason: failure('simulated_quota', 'The simulated limit is reached') }),
  },
  stop_unconfirmed: {
    description: 'is stopped, but leaves something running',
    play: answer({ outcome: 'cancelled', stopped: 'unconfirmed' }),
  },
  slow: { description: 'works for a minute unless it is stopped', play: slow },
  fence_broken: { description: 'adds a link that leaves the tree', play: escapingLink },
  protected_path: { description: 'edits a protected file', play: edit('.github/workflows/simulated.yml') },
  judge_changed: { description: 'edits what the checks judge by', play: edit('test/simulated.test.txt') },
  large_output: { description: 'prints 8 MiB', play: largeOutput },
  out_file: { description: 'edits one file and leaves another as an artifact', play: outFile },
} as const satisfies Record<string, Script>;

export const SIMULATIONS = Object.keys(SCRIPTS) as (keyof typeof SCRIPTS)[];

/** Deterministic work for tests and demos. Every record of it says `simulated: true`. It writes files itself and runs no program. */
export const simulationExecutor = (name: keyof typeof SCRIPTS, clock: Clock): Executor => {
  const script: Script = SCRIPTS[name];
  return {
    id: `simulation.${name}`,
    kind: 'simulation',
    description: `Simulation: ${script.description}`,
    needs: 'workspace',
    runs_code: false,
    replayable: true,
    simulated: true,
    prompted: false,
    unavailable: () => undefined,
    checked: 'built in',
    execute: async (order, report) =>
      order.signal.aborted ? { outcome: stoppedOutcome(order.signal) } : script.play({ order, report, clock }),
  };
};
