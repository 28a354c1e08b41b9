import type { InstalledAgent } from '../install.ts';
import { createModelServer, type ModelServer } from '../model-server.ts';
import { play, type Played } from './play.ts';
import type { AgentScenario } from './scenario.ts';
import { raiseStage, type Stage } from './stage.ts';
import { SUBJECTS, type Subject } from './subjects.ts';

export interface SuiteOptions {
  readonly agents: readonly InstalledAgent[];
  readonly scenarios: readonly AgentScenario[];
  /** Told each result as it comes. */
  readonly tell: (played: Played) => void;
  /** Ends the suite early: what is under way is taken down. */
  readonly signal: AbortSignal;
}

/** Two at a time: each has a daemon, a relay, a connector and the agent itself. */
const AT_ONCE = 2;

const failed = (agent: string, why: string): Played => ({ agent, scenario: 'stage', result: 'FAIL', why, facts: [], duration_ms: 0 });

const playAll = async (subject: Subject, agent: InstalledAgent, model: ModelServer, options: SuiteOptions): Promise<Played[]> => {
  const { scenarios, tell, signal } = options;
  let stage: Stage;
  try {
    stage = await raiseStage(subject, agent, model);
  } catch (error) {
    const one = failed(subject.name, (error as Error).message);
    tell(one);
    return [one];
  }
  const played: Played[] = [];
  const close = () => void stage.close();
  signal.addEventListener('abort', close, { once: true });
  try {
    for (const scenario of scenarios) {
      if (signal.aborted) break;
      const one = await play(scenario, stage);
      tell(one);
      played.push(one);
    }
  } finally {
    signal.removeEventListener('abort', close);
    await stage.close();
  }
  return played;
};

/** Plays every scenario with every agent, two agents at a time, each against parts of its own. */
export const runSuite = async (options: SuiteOptions): Promise<Played[]> => {
  const model = await createModelServer();
  const waiting = SUBJECTS.flatMap((subject) => {
    const agent = options.agents.find(({ name }) => name === subject.name);
    return agent ? [{ subject, agent }] : [];
  });
  const played: Played[] = [];
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next && !options.signal.aborted; next = waiting.shift())
      played.push(...(await playAll(next.subject, next.agent, model, options)));
  };
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, work));
  } finally {
    await model.close();
  }
  return played;
};
