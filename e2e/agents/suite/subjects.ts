import type { AgentPin } from '../pins.ts';

/** A real agent as the suite works with it. */
export interface Subject {
  readonly name: AgentPin['name'];
  /** How the scripted model sees the credential that Fairlead adds. */
  readonly scheme: 'bearer' | 'x-api-key' | 'x-goog-api-key';
  /** It tells neither what its commands print nor how they end: all that can be known of them is the call, and what its model is shown. */
  readonly silent?: true;
  /** MiB of text in one answer beyond which it guesses that the context of its model is full, and ends its turn. Default: more than is tried. */
  readonly longest?: number;
}

/** Every agent that the suite knows how to set up. */
export const SUBJECTS: readonly Subject[] = [
  { name: 'claude', scheme: 'x-api-key' },
  { name: 'codex', scheme: 'bearer' },
  { name: 'gemini', scheme: 'x-goog-api-key', silent: true, longest: 2 },
  { name: 'qwen', scheme: 'bearer' },
  { name: 'opencode', scheme: 'bearer' },
];
