import type { Json } from '../conversation.ts';
import type { Peer } from './peer.ts';

/** What the client of a recording answers when the agent asks whether it may. */
export type Decision = 'allow' | 'deny' | 'deny_and_stop' | 'hold';

/** A conversation with an agent that is under way. */
export interface Session {
  readonly id: string;
  /** Gives the agent work; settles with the message that ends it. */
  readonly prompt: (text: string) => Promise<Json>;
  /** Tells the agent to stop what it is doing. */
  readonly cancel: () => void;
}

export interface Opening {
  /** The session to go on with. */
  readonly resume?: string;
  readonly decide: Decision;
}

/** How one agent is started and spoken to. */
export interface Driver {
  readonly agent: string;
  /** Below `/opt/agent`. */
  readonly argv: (opening: Opening) => readonly string[];
  /** Environment, where the model is at `url`. */
  readonly env: (url: string) => Readonly<Record<string, string>>;
  /** Files in the home, by path. */
  readonly files: (url: string) => Readonly<Record<string, string>>;
  /** Folders of the workspace that the agent must not see, because it runs what lies there without asking. */
  readonly hidden?: readonly string[];
  /** How long a session must have rested before it can be gone on with. */
  readonly restMs?: number;
  readonly open: (peer: Peer, opening: Opening) => Promise<Session>;
  /** The name of the agent's own tool for commands is not the same everywhere; nor is what a held request is called. */
  readonly asks: (message: Json) => boolean;
}

/** A key that is no one's. */
export const DUMMY_KEY = 'dummy-not-a-key';
