import type { Clock } from '@fairlead/shared/kit/clock';
import { describeInstance, type InstanceParts } from '../api/instance-reads.ts';
import { servedInstance } from '../api/found.ts';
import type { Commands } from '../api/writes.ts';
import { createCommands } from '../commands/commands.ts';
import type { Settings } from '../config/settings.ts';
import type { WorkingParts } from './working-parts.ts';
import type { Identity } from './identity.ts';

export interface CommandParts {
  readonly clock: Clock;
  readonly settings: Settings;
  readonly identity: Identity;
  readonly working: WorkingParts;
  /** What shows an instance, as `add_instance` answers it. */
  readonly shown: InstanceParts;
}

/** Every operation that changes something, from the commands and from delivery. */
export const createAllCommands = ({ clock, settings, identity, working, shown }: CommandParts): Commands => {
  const { ledger } = shown;
  const { grounds, workspaces, delivery } = working;
  const commands = createCommands({
    ledger,
    clock,
    artifacts: working.artifacts,
    repositories: working.repositories,
    executors: working.executorsOf,
    confinement: working.confinement,
    settings: { allow_local_argv: settings.allow_local_argv, machine: settings.machine },
    newInstanceId: identity.newInstanceId,
    delegate: identity.delegate,
    showInstance: (id, asker) => describeInstance(shown, servedInstance(ledger.read, id), asker),
    renewGate: working.renewGate,
  });
  return {
    ...commands,
    async remove_instance(input, asker) {
      const removed = await commands.remove_instance(input, asker);
      grounds.forget(input.instance_id);
      workspaces.discard(grounds.storeFolder(input.instance_id));
      return removed;
    },
    async halt(input, asker) {
      const halted = await commands.halt(input, asker);
      workspaces.discard();
      return halted;
    },
    integrate_change: (input, asker) => delivery.integrate(input, asker),
    discard_change: (input, asker) => delivery.discard(input, asker),
  };
};
