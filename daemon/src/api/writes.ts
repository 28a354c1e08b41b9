import type { Command } from '../commands/command.ts';
import type { HandlersOf } from './asked.ts';

export type WriteName =
  | 'start_run'
  | 'cancel_run'
  | 'close_run'
  | 'submit_task'
  | 'retry_step'
  | 'cancel_step'
  | 'approve_gate'
  | 'reject_gate'
  | 'integrate_change'
  | 'discard_change'
  | 'add_instance'
  | 'remove_instance'
  | 'create_grant'
  | 'revoke_grant'
  | 'move_grant'
  | 'halt'
  | 'resume';

/** Every operation that changes something, as commands and delivery perform it. */
export type Commands = { readonly [N in WriteName]: Command<N> };

/** Writes go to their commands with who asks; the right to ask was checked before. */
export const writes = (commands: Commands): HandlersOf<WriteName> => ({
  start_run: (input, { asker }) => commands.start_run(input, asker),
  cancel_run: (input, { asker }) => commands.cancel_run(input, asker),
  close_run: (input, { asker }) => commands.close_run(input, asker),
  submit_task: (input, { asker }) => commands.submit_task(input, asker),
  retry_step: (input, { asker }) => commands.retry_step(input, asker),
  cancel_step: (input, { asker }) => commands.cancel_step(input, asker),
  approve_gate: (input, { asker }) => commands.approve_gate(input, asker),
  reject_gate: (input, { asker }) => commands.reject_gate(input, asker),
  integrate_change: (input, { asker }) => commands.integrate_change(input, asker),
  discard_change: (input, { asker }) => commands.discard_change(input, asker),
  add_instance: (input, { asker }) => commands.add_instance(input, asker),
  remove_instance: (input, { asker }) => commands.remove_instance(input, asker),
  create_grant: (input, { asker }) => commands.create_grant(input, asker),
  revoke_grant: (input, { asker }) => commands.revoke_grant(input, asker),
  move_grant: (input, { asker }) => commands.move_grant(input, asker),
  halt: (input, { asker }) => commands.halt(input, asker),
  resume: (input, { asker }) => commands.resume(input, asker),
});
