/** What stands before the patch in git's combined output. */
export interface DiffFront {
  /** Raw entries: `:modes ids status` and the name, each ended by NUL. */
  readonly names: Buffer;
  /** `added removed name`, each ended by NUL. */
  readonly numstat: Buffer;
}

export interface DiffFrontReader {
  /** Takes a chunk; answers what of it belongs to the patch already. */
  push(chunk: Buffer): Buffer | undefined;
  /** The front, once everything was pushed. */
  end(): DiffFront;
}

const COLON = 0x3a;
const NOTHING = Buffer.alloc(0);

/** Where an entry's fields end, the counts begin and the front ends, found in one pass that goes on where it stopped. */
const scan = (all: Buffer, state: { at: number; stage: 'raw' | 'name' | 'counts'; counts: number }): number | undefined => {
  for (let end = all.indexOf(0, state.at); end !== -1; end = all.indexOf(0, state.at)) {
    const start = state.at;
    state.at = end + 1;
    if (state.stage === 'name') state.stage = 'raw';
    else if (state.stage === 'raw' && all[start] === COLON) state.stage = 'name';
    else {
      if (state.stage === 'raw') state.counts = start;
      state.stage = 'counts';
      // An empty field stands between the counts and the patch.
      if (end === start) return start;
    }
  }
  return undefined;
};

/** Takes the output of `diff-tree -z --raw --numstat -p` apart, so that one git process answers all three questions. */
export const readDiffFront = (): DiffFrontReader => {
  const state = { at: 0, stage: 'raw' as 'raw' | 'name' | 'counts', counts: 0 };
  let held: Buffer = NOTHING;
  let front: DiffFront | undefined;
  return {
    push(chunk) {
      if (front) return chunk;
      held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
      const end = scan(held, state);
      if (end === undefined) return undefined;
      front = { names: held.subarray(0, state.counts), numstat: held.subarray(state.counts, end) };
      return held.subarray(end + 1);
    },
    end() {
      if (front) return front;
      const counts = state.stage === 'counts' ? state.counts : held.length;
      return { names: held.subarray(0, counts), numstat: held.subarray(counts) };
    },
  };
};
