import { describe, expect, it } from 'vitest';
import { CHANGE_STATES, GATE_STATES, RUN_STATES, STEP_STATE_NAMES } from '@fairlead/shared/contract/states';
import { machine, type Machine } from '../src/core/machine.ts';
import { explore, type Space } from './model/explore.ts';
import { INVARIANTS } from './model/invariants.ts';
import { applied, CORE, type Machines } from './model/state-model.ts';

const brokenBy = (machines: Machines): string[] => {
  const space = explore(machines);
  return INVARIANTS.filter(({ broken }) => broken(space, machines).length > 0).map(({ name }) => name);
};

describe('the state tables, with the couplings of the code, over everything that can be reached', () => {
  const space: Space = explore();

  it.each(INVARIANTS.map((one) => [one.name, one] as const))('%s', (_, { broken }) => expect(broken(space, CORE).slice(0, 5)).toEqual([]));

  it('every state of every record is reached', async ({ annotate }) => {
    const seen = (of: 'run' | 'step' | 'change' | 'gate' | 'request') => new Set([...space.states.values()].map((now) => now[of]));
    expect([...seen('run')].toSorted()).toEqual([...RUN_STATES].toSorted());
    expect([...seen('step')].toSorted()).toEqual([...STEP_STATE_NAMES].toSorted());
    expect([...seen('change')].toSorted()).toEqual([...CHANGE_STATES, 'none'].toSorted());
    // A change that was approved is integrated, an agent's request is used.
    expect([...seen('gate')].toSorted()).toEqual([...GATE_STATES.filter((state) => state !== 'used'), 'none'].toSorted());
    expect([...seen('request')].toSorted()).toEqual([...GATE_STATES, 'none'].toSorted());
    await annotate(`${space.states.size} states of the model`, 'count');
    await annotate(`${space.edges.length} transitions of the model`, 'count');
  });

  it('a table has no arrow that the code never takes', () => {
    const used = new Set(
      space.edges.flatMap(({ from, word }) => {
        let now = from;
        return word.map((letter) => {
          const [record, event] = letter.split(':') as [keyof Machines | 'request', string];
          const arrow = `${record}: ${now[record]} ${event}`;
          now = applied(now, letter, CORE)!;
          return arrow;
        });
      }),
    );
    const arrows = Object.values(CORE as unknown as Record<string, Machine<string, string>>).flatMap(({ name, table }) =>
      Object.entries(table).flatMap(([state, row]) => Object.keys(row).map((event) => `${name}: ${state} ${event}`)),
    );
    expect(arrows.filter((arrow) => !used.has(arrow) && !used.has(arrow.replace(/^gate/, 'request')))).toEqual([]);
  });
});

type Arrow = readonly [of: keyof Machines, state: string, event: string, to: string | undefined];
/** One arrow removed (no target), added or led elsewhere. */
const mutated = ([of, state, event, to]: Arrow): Machines => {
  const { name, table } = CORE[of] as unknown as Machine<string, string>;
  const { [event]: _, ...rest } = table[state]!;
  return { ...CORE, [of]: machine(name, { ...table, [state]: to === undefined ? rest : { ...rest, [event]: to } }) };
};

const MUTATIONS: readonly (readonly [...Arrow, breaks: string])[] = [
  ['change', 'discarded', 'integrating', 'integrating', 'what landed or was discarded stays so'],
  ['change', 'integrated', 'discarded', 'discarded', 'a change that landed is left by nothing'],
  ['change', 'held', 'discarded', undefined, 'what the daemon does by itself is never refused by a table'],
  ['change', 'conflict', 'discarded', undefined, 'what the daemon does by itself is never refused by a table'],
  ['change', 'held', 'integrating', undefined, 'an approved change can land'],
  ['change', 'integrating', 'returned', 'discarded', 'an integration that did not land leaves the change as it was'],
  ['step', 'completed', 'retried', 'queued', 'an end has no way out but a retry, and that where the contract allows it'],
  ['step', 'timeout', 'retried', undefined, 'a step that has failed can still complete while its run is open'],
  ['step', 'needs_approval', 'rejected', 'completed', 'a no ends the step that was held, and stays a no'],
  [
    'step',
    'needs_approval',
    'cancelled',
    undefined,
    'a step that has not ended can always be cancelled, and its run while it is not cancelled',
  ],
  ['step', 'waiting_quota', 'resumed', undefined, 'every open step comes to an end or a decision by what the daemon does alone'],
  ['step', 'waiting_quota', 'resumed', 'running', 'a step begins to run only with an attempt that is active'],
  ['step', 'validating', 'held', 'completed', 'a gate that opens before a step has completed holds it'],
  ['step', 'preparing', 'requeued', 'running', 'a step begins to run only with an attempt that is active'],
  ['step', 'running', 'cancelled', 'queued', 'a stop that was asked for leaves nothing waiting'],
  ['run', 'closed', 'cancelled', undefined, 'a step that has not ended can always be cancelled, and its run while it is not cancelled'],
  ['run', 'cancelled', 'closed', 'closed', 'a cancelled run stays cancelled, and a closed one is not opened'],
  ['attempt', 'active', 'lost', undefined, 'what the daemon does by itself is never refused by a table'],
  ['attempt', 'active', 'lost', 'finished', 'a doubt is said only of an attempt whose outcome nobody recorded'],
  ['gate', 'pending', 'outdated', undefined, 'a step that has not ended can always be cancelled, and its run while it is not cancelled'],
  ['gate', 'pending', 'rejected', 'approved', 'a no ends the step that was held, and stays a no'],
  ['gate', 'pending', 'expired', undefined, 'what the daemon does by itself is never refused by a table'],
];

describe('a table that is wrong in one arrow breaks a promise by name', () => {
  it.each(MUTATIONS)('%s: %s %s -> %s breaks: ', (...mutation) => {
    const [of, state, event, to, breaks] = mutation;
    expect(brokenBy(mutated([of, state, event, to]))).toContain(breaks);
  });
});
