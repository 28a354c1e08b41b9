import { addInstance } from './add-instance.ts';
import { cancelStep } from './cancel-step.ts';
import type { CommandDeps } from './command.ts';
import { approveGate, rejectGate } from './decide-gate.ts';
import { cancelRun, closeRun } from './end-run.ts';
import { createGrant, moveGrant, revokeGrant } from './grants.ts';
import { halt, resume } from './halt.ts';
import { removeInstance } from './remove-instance.ts';
import { retryStep } from './retry-step.ts';
import { startRun } from './start-run.ts';
import { submitTask } from './submit-task.ts';

/** Every write operation but those of delivery, under its name. */
export const createCommands = (deps: CommandDeps) => ({
  start_run: startRun(deps),
  submit_task: submitTask(deps),
  cancel_run: cancelRun(deps),
  close_run: closeRun(deps),
  retry_step: retryStep(deps),
  cancel_step: cancelStep(deps),
  approve_gate: approveGate(deps),
  reject_gate: rejectGate(deps),
  add_instance: addInstance(deps),
  remove_instance: removeInstance(deps),
  create_grant: createGrant(deps),
  revoke_grant: revokeGrant(deps),
  move_grant: moveGrant(deps),
  halt: halt(deps),
  resume: resume(deps),
});
