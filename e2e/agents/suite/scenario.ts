import type { Activity } from '@fairlead/shared/contract/activity';
import type { Artifact, Attempt, Change, Event, Step, Validation } from '@fairlead/shared/contract/resources';
import type { Gate } from '@fairlead/shared/contract/gates';
import type { StepState } from '@fairlead/shared/contract/states';
import type { TaskInput } from '@fairlead/shared/contract/task';
import type { Report } from '../../scenarios/scenario.ts';
import type { ModelRequest } from '../recorded.ts';
import type { TurnInput } from '../script.ts';
import type { Hands } from './hands.ts';
import type { ProfileName } from './profiles.ts';
import type { Stage } from './stage.ts';

/** What scripts and assertions of one play may depend on. */
export interface Setting {
  readonly stage: Stage;
  /** The repository of the play's own instance. */
  readonly repo: string;
  /** A number of seconds that no other process of this machine sleeps: by it, what a play has started is found. */
  readonly nap: string;
}

/** All that can be seen of a step once it has ended. */
export interface Seen {
  readonly step: Step;
  readonly attempts: readonly Attempt[];
  readonly change: Change | null;
  readonly validations: readonly Validation[];
  readonly gates: readonly Gate[];
  readonly artifacts: readonly Artifact[];
  readonly events: readonly Event[];
  /** Of the latest attempt. */
  readonly activity: readonly Activity[];
  /** What the model was asked. */
  readonly requests: readonly ModelRequest[];
}

/** One idea that must hold for every agent. What is left out has the usual value. */
export interface AgentScenario {
  readonly name: string;
  /** What it proves, in a line. */
  readonly proves: string;
  /** Default: `default`, which lets ordinary work through. */
  readonly profile?: ProfileName;
  /** The task besides its goal, which names the script. */
  readonly task?: Omit<TaskInput, 'executor'>;
  /** Files of the repository, over those of the usual project. */
  readonly files?: Readonly<Record<string, string>>;
  /** What the model does. */
  readonly turns: readonly TurnInput[] | ((setting: Setting) => readonly TurnInput[]);
  /** What happens meanwhile: a person decides, something is killed. */
  readonly meanwhile?: (hands: Hands, report: Report, setting: Setting) => Promise<void>;
  /** Who submits: the operator here (the default), or a planner through relay and connector. */
  readonly by?: 'operator' | 'http' | 'mcp';
  /** The state in which the step must end. Default: `completed`. */
  readonly ends?: StepState;
  /** The code of the reason why. */
  readonly reason?: string | readonly string[];
  /** What must be so besides. */
  readonly holds?: (seen: Seen, report: Report, setting: Setting, hands: Hands) => void | Promise<void>;
  /** Why it cannot be played with an agent; undefined where it can. */
  readonly lacks?: (stage: Stage) => string | undefined;
  /** For the whole play, in ms. Default: two minutes. */
  readonly withinMs?: number;
}
