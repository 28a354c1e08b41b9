import { describe, expect, it } from 'vitest';
import { SCENARIOS } from './scenarios/all.ts';
import { isAlive } from './rig/processes.ts';
import { raiseStack } from './rig/stack.ts';

describe('the whole of Fairlead, as real processes', () => {
  it.each(SCENARIOS.map((scenario) => [scenario.name, scenario.proves, scenario] as const))(
    '%s: %s',
    async (_name, _proves, scenario) => {
      const stack = await raiseStack(scenario.stack);
      const facts: string[] = [];
      try {
        await scenario.play(stack, (fact) => facts.push(fact));
      } catch (error) {
        const logs = Object.values(stack.parts).map((part) => `--- ${part.name}\n${part.log()}`);
        throw new Error([(error as Error).message, `Held so far: ${facts.join('; ')}`, ...logs].join('\n'), { cause: error });
      } finally {
        await stack.close();
      }
      expect(facts.length).toBeGreaterThan(2);
      expect(Object.values(stack.parts).filter(({ pid }) => isAlive(pid))).toEqual([]);
    },
    180_000,
  );
});
