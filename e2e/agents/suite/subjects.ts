import type { AgentPin } from '../pins.ts';

/** A real agent as the suite works with it. */
export interface Subject {
  readonly name: AgentPin['name'];
  /** How the scripted model sees the credential that Fairlead adds. */
  readonly scheme: 'bearer' | 'x-api-key' | 'x-goog-api-key';
  /** It tells neither what its commands print nor how they end: all that can be known of them is the call, and what its model is shown. */
  readonly silent?: true;
  /** It does not ask again when an answer breaks in the middle. */
  readonly brittle?: true;
  /** MiB of text in one answer that `huge` tries; 2.5 times that is printed by a command. Default: 8. Less for one that hands all of it to its model. */
  readonly hugeMiB?: number;
}

/** Every agent that the suite knows how to set up. */
export const SUBJECTS: readonly Subject[] = [
  { name: 'claude', scheme: 'x-api-key' },
  { name: 'codex', scheme: 'bearer' },
  { name: 'gemini', scheme: 'x-goog-api-key', silent: true, brittle: true, hugeMiB: 1 },
  { name: 'qwen', scheme: 'bearer' },
  { name: 'opencode', scheme: 'bearer' },
];
