import type { AgentPin } from '../pins.ts';

/** A real agent as the suite works with it. */
export interface Subject {
  readonly name: AgentPin['name'];
  /** How the scripted model sees the credential that Fairlead adds. */
  readonly scheme: 'bearer' | 'x-api-key' | 'x-goog-api-key';
}

/** Every agent that the suite knows how to set up. */
export const SUBJECTS: readonly Subject[] = [
  { name: 'claude', scheme: 'x-api-key' },
  { name: 'codex', scheme: 'bearer' },
  { name: 'gemini', scheme: 'x-goog-api-key' },
  { name: 'qwen', scheme: 'bearer' },
  { name: 'opencode', scheme: 'bearer' },
];
