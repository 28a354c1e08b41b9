import type { AgentScenario } from '../scenario.ts';
import { budgets } from './budgets.ts';
import { escapes } from './escapes.ts';
import { fence } from './fence.ts';
import { kills } from './kills.ts';
import { modelFaults } from './model-faults.ts';
import { permission } from './permission.ts';
import { remote } from './remote.ts';
import { retry } from './retry.ts';
import { stops } from './stops.ts';
import { work } from './work.ts';

/** What must hold for every agent, in the order in which it is played. */
export const AGENT_SCENARIOS: readonly AgentScenario[] = [
  ...work,
  ...permission,
  ...fence,
  ...retry,
  ...stops,
  ...modelFaults,
  ...budgets,
  ...escapes,
  ...remote,
  ...kills,
];
