/** How something that is under way may end before it is done. */
export interface Ending {
  /** Why it has ended, or undefined while it goes on. */
  readonly why: Error | undefined;
  /** Calls `tell` once when it ends; at once where it has ended already. */
  onEnd(tell: (why: Error) => void): void;
}

/**
 * What an AbortSignal is elsewhere. Every request on the wire has one of these and hardly any is ever told, so it costs nothing until then;
 * a signal with its listeners is a twentieth of all that a connector does for a small read.
 */
export class EndingSource implements Ending {
  #why: Error | undefined;
  #listeners: ((why: Error) => void)[] | undefined;

  get why(): Error | undefined {
    return this.#why;
  }

  onEnd(tell: (why: Error) => void): void {
    if (this.#why) tell(this.#why);
    else (this.#listeners ??= []).push(tell);
  }

  /** Ends it; only the first reason counts. */
  end(why: Error): void {
    if (this.#why) return;
    this.#why = why;
    for (const tell of this.#listeners ?? []) tell(why);
    this.#listeners = undefined;
  }
}
