import type { Executor, ExecutorOrder, ExecutorReport, ExecutorResult } from './executor.ts';
import { stoppedOutcome } from './executor.ts';

/** A command that the machine's operator declared in the daemon's config. */
export interface DeclaredCommand {
  readonly name: string;
  /** argv; no shell reads it, and nothing of a task is put into it. */
  readonly run: readonly string[];
  readonly timeout_ms?: number;
  readonly description?: string;
}

/** What a command is told of its task: one JSON document on its standard input, because a command line is the operator's alone. */
const taskForCommand = ({ step_id, attempt_id, base_commit, task }: ExecutorOrder): string => {
  const { title, goal, context, constraints, acceptance, stop_conditions } = task;
  return `${JSON.stringify({ step_id, attempt_id, base_commit, title, goal, context, constraints, acceptance, stop_conditions })}\n`;
};

const run = async (command: DeclaredCommand, order: ExecutorOrder, report: ExecutorReport): Promise<ExecutorResult> => {
  const { place, sandbox, signal } = order;
  if (!place || !sandbox) throw new Error(`command.${command.name} was started without a workspace or a sandbox`);
  if (signal.aborted) return { outcome: stoppedOutcome(signal) };
  const child = await sandbox.start({
    argv: command.run,
    workspace: place.folder,
    out: place.out,
    readable: place.readable,
    env: { FAIRLEAD_STEP: order.step_id, FAIRLEAD_ATTEMPT: order.attempt_id },
    timeout_ms: Math.min(order.time_left_ms, command.timeout_ms ?? order.time_left_ms),
    stdin: Buffer.from(taskForCommand(order)),
    output: (chunk, from) => report.output(chunk, from),
  });
  await report.started({ pid: child.pid, started: child.started });
  const stop = (): void => void child.stop();
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  const end = await child.ended;
  signal.removeEventListener('abort', stop);
  const facts = { exit_code: end.exit_code, signal: end.signal, stopped: end.stopped };
  if (signal.aborted && end.stopped !== 'by_itself') return { outcome: stoppedOutcome(signal), ...facts };
  if (end.timed_out) return { outcome: 'timed_out', ...facts };
  if (end.exit_code === 0) return { outcome: 'finished', ...facts };
  const how = end.signal ? `was ended by ${end.signal}` : `exited with ${end.exit_code}`;
  return { outcome: 'crashed', reason: { code: 'command_failed', message: `command.${command.name} ${how}` }, ...facts };
};

/** Runs an operator-declared command in a confined workspace. It may act outside what the daemon can see, so it is not repeated by itself. */
export const commandExecutor = (command: DeclaredCommand): Executor => ({
  id: `command.${command.name}`,
  kind: 'command',
  description: command.description ?? 'A command that the operator of this machine declared',
  needs: 'workspace',
  runs_code: true,
  replayable: false,
  simulated: false,
  prompted: false,
  ...(command.timeout_ms !== undefined && { timeout_ms: command.timeout_ms }),
  unavailable: () => undefined,
  checked: 'declared in the config of the daemon',
  execute: (order, report) => run(command, order, report),
});
