/** What doctor found out about one thing. `blocked`: the daemon or a step cannot work until it is cured. */
export interface Finding {
  readonly about: string;
  readonly state: 'ok' | 'warning' | 'blocked';
  /** What is the case, in a sentence. */
  readonly detail: string;
  /** What to do about it, as a command where one helps. */
  readonly cure: string | null;
}

export const ok = (about: string, detail: string): Finding => ({ about, state: 'ok', detail, cure: null });
export const warning = (about: string, detail: string, cure: string): Finding => ({ about, state: 'warning', detail, cure });
export const blocked = (about: string, detail: string, cure: string): Finding => ({ about, state: 'blocked', detail, cure });

/** Whether a dotted version is at least another one. */
export const atLeast = (version: string, wanted: string): boolean => {
  const [have, want] = [version, wanted].map((text) => text.split('.').map((part) => Number.parseInt(part, 10) || 0));
  for (const [at, number] of want!.entries()) {
    if ((have![at] ?? 0) !== number) return (have![at] ?? 0) > number;
  }
  return true;
};
