import type { AgentPin } from '../pins.ts';

/** A real agent as the suite works with it. */
export interface Subject {
  readonly name: AgentPin['name'];
  /** Where its model is, as `base_url` of a profile, made of the address of the scripted model. */
  readonly base: (url: string) => string;
  /** How the scripted model sees the credential that Fairlead adds. */
  readonly scheme: 'bearer' | 'x-api-key' | 'x-goog-api-key';
}

/** Every agent that the suite knows how to set up. */
export const SUBJECTS: readonly Subject[] = [
  { name: 'claude', base: (url) => url, scheme: 'x-api-key' },
  { name: 'codex', base: (url) => `${url}/v1`, scheme: 'bearer' },
  { name: 'gemini', base: (url) => url, scheme: 'x-goog-api-key' },
  { name: 'qwen', base: (url) => `${url}/v1`, scheme: 'bearer' },
  { name: 'opencode', base: (url) => `${url}/v1`, scheme: 'bearer' },
];
