import type { About, Tx } from '../ledger/ledger.ts';
import { causeOf } from './asking.ts';
import type { Command, CommandDeps } from './command.ts';

/** Every instance's history says it, whichever is looked at. */
const noteAll = (tx: Tx, type: 'daemon.halted' | 'daemon.resumed', about: About): void => {
  for (const { id } of tx.read.instances()) tx.note({ type, instance_id: id, ...about });
};

/** Latches: steps that work are asked to stop, waiting ones stay in the queue, and nothing is taken until `resume`. */
export const halt =
  ({ ledger }: CommandDeps): Command<'halt'> =>
  async (_input, asker) =>
    ledger.record((tx) => {
      const about = causeOf(asker);
      if (!tx.read.halted()) {
        tx.setHalted(true);
        noteAll(tx, 'daemon.halted', about);
      }
      const working = tx.read
        .stepsIn(['preparing', 'running', 'collecting', 'validating'])
        .filter((step) => step.stop_requested_at === null);
      for (const step of working) tx.requestStop(step.id, 'halt', about);
      return { halted: true, stopped_steps: working.length };
    });

/** Takes work again. */
export const resume =
  ({ ledger }: CommandDeps): Command<'resume'> =>
  async (_input, asker) =>
    ledger.record((tx) => {
      if (tx.read.halted()) {
        tx.setHalted(false);
        noteAll(tx, 'daemon.resumed', causeOf(asker));
      }
      return { halted: false };
    });
