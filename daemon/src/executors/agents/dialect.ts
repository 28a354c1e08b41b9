import type { ActivityItem, Usage } from '@fairlead/shared/contract/activity';
import type { Places } from '../../process/confined.ts';
import type { AgentRequest, PermissionAnswer } from '../executor.ts';

/** One line that an agent printed: a JSON value, or text that is none. */
export type AgentLine = { readonly json: unknown } | { readonly text: string };

/** What an agent is started with. */
export interface AgentLaunch {
  readonly model: string | undefined;
  /** The session to go on with, in the agent's own words. */
  readonly resume: string | undefined;
  /** Where the agent finds things. */
  readonly places: Places;
  /** Where its model is reached through us, without the credential; undefined where it signs in by itself. */
  readonly gateway: string | undefined;
  /** Of the model's turns; undefined is no limit. */
  readonly turns: number | undefined;
}

/** One side of a conversation with an agent's program. */
export interface AgentTalk extends AgentLaunch {
  readonly prompt: string;
  /** Sends one JSON line; the answer settles when the program can take more. Never rejects. */
  send(message: unknown): Promise<void>;
  /** Says that no more will be sent. */
  endInput(): void;
  /** What the program prints, until it ends. Can be taken once. */
  readonly lines: AsyncIterable<AgentLine>;
  /** Tells what goes on. Texts are whole: an agent that sends pieces has them put together first, at least to the end of a line. */
  activity(item: ActivityItem): void;
  permission(request: AgentRequest): Promise<PermissionAnswer>;
  /** The agent's own name of its session. */
  session(id: string): void;
  /** Replaces what is known of the attempt's usage so far; fields that are left out stay. */
  usage(usage: Partial<Usage>): void;
  /** Aborted when the attempt is to stop: its processes are being ended, and what is asked of us from then on is refused. */
  readonly signal: AbortSignal;
}

/** How the agent itself says that its work ended. */
export interface Conversation {
  /** `cut`: the program ended, or said nothing more, before it told how its work ended. */
  readonly ended: 'success' | 'failed' | 'refused' | 'quota' | 'interrupted' | 'cut';
  /** A word of the vocabulary of `agent-outcome`, or one of the agent's. */
  readonly code?: string;
  /** Untrusted. */
  readonly message?: string;
  /** For `quota`: in how many ms the limit resets, when the agent knows. */
  readonly resets_in_ms?: number;
}

/** A way of speaking with one kind of agent program. */
export interface AgentDialect {
  /** What follows the program in its argv. */
  argv(launch: AgentLaunch): readonly string[];
  env(launch: AgentLaunch): Readonly<Record<string, string>>;
  /** Files for its home, by path relative to it, that switch off what does not belong here and say where the model is. */
  files(launch: Pick<AgentLaunch, 'model' | 'gateway'>): Readonly<Record<string, string>>;
  /** Makes a home that an earlier attempt left fit for a start that goes on with its session. */
  readonly resuming?: (home: string) => Promise<void>;
  /**
   * Folders of the repository that it would execute from at its start, whatever it is told: where the sandbox can, it sees them empty.
   */
  readonly hidden?: readonly string[];
  /**
   * Whether the program ends by itself once its input is closed, so that its exit status says something. A server is ended by us.
   */
  readonly ends: boolean;
  /** Holds the conversation to its end. Returns once the agent has said how its work ended, or when `lines` end; rejects for a fault of ours only. */
  converse(talk: AgentTalk): Promise<Conversation>;
}
