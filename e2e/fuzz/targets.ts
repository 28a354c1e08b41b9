import * as fc from 'fast-check';
import type * as z from 'zod';
import { ERROR_CODES, ERRORS } from '@fairlead/shared/contract/error-table';
import { FairleadError } from '@fairlead/shared/contract/errors';
import { readInput } from '@fairlead/shared/contract/http';
import { canonicalJson, parseStrictJson } from '@fairlead/shared/contract/json';
import { OPERATIONS } from '@fairlead/shared/contract/operations/table';
import { ProjectPolicy } from '@fairlead/shared/contract/project-policy';
import { TaskSpec } from '@fairlead/shared/contract/task';
import { systemClock } from '@fairlead/shared/kit/clock';
import { createAnsweringChannel } from '@fairlead/shared/wire/answering-channel';
import { decodeFromConnector, decodeFromRelay } from '@fairlead/shared/wire/codec';
import { CONNECTOR_FRAMES, RELAY_FRAMES } from '@fairlead/shared/wire/frames';
import { memoryPair } from '@fairlead/shared/wire/memory-pair';
import { createRequestingChannel } from '@fairlead/shared/wire/requesting-channel';
import { readTask } from '../../daemon/src/cli/task-input.ts';
import { checkPatchForm } from '../../daemon/src/git/patch-form.ts';
import { compilePattern } from '../../daemon/src/policy/glob.ts';
import { parseProjectPolicy } from '../../daemon/src/policy/project-policy.ts';
import { generated } from '../../shared/test/generated-input.ts';
import { mutateText, mutateValue, type Dice } from './mutations.ts';

/** Something that reads what strangers write. */
export interface Target {
  readonly name: string;
  /** A share of all inputs; a slow target gets fewer. */
  readonly share: number;
  /** An input, generated from the schemas and mutated. */
  readonly make: (by: Dice) => string;
  /** Reads one input. What is refused is refused by a code of the table; anything else that is thrown is a fault. */
  readonly play: (input: string) => unknown;
}

const SAMPLES = 60;
/** Valid values of a schema, made once. */
const samples = (schema: z.ZodType, seed: number): unknown[] => fc.sample(generated(schema), { numRuns: SAMPLES, seed });
const lazily = <T>(make: () => T): (() => T) => {
  let made: T | undefined;
  return () => (made ??= make());
};

/** One sample in seven goes through as it is, so that the good way is walked too. */
const jsonFrom =
  (values: () => readonly unknown[]) =>
  (by: Dice): string => {
    const value = by.pick(values());
    if (by.roll(7) === 0) return JSON.stringify(value);
    const changed = by.roll(3) === 0 ? value : mutateValue(value, by);
    const text = JSON.stringify(changed) ?? 'null';
    return by.roll(3) === 0 ? mutateText(text, by) : text;
  };

const textFrom =
  (texts: readonly string[]) =>
  (by: Dice): string =>
    mutateText(by.pick(texts), by);

const framesOf = (table: Readonly<Record<string, z.ZodType>>) =>
  lazily(() =>
    Object.entries(table).flatMap(([t, schema], at) =>
      fc.sample(generated(schema), { numRuns: 25, seed: at }).map((value) => ({ t, ...(value as object) })),
    ),
  );

const HEAD = [
  'diff --git a/src/a.txt b/src/a.txt\n--- a/src/a.txt\n+++ b/src/a.txt\n@@ -1 +1 @@\n-one\n+two\n',
  'diff --git a/new.txt b/new.txt\nnew file mode 100644\n--- /dev/null\n+++ b/new.txt\n@@ -0,0 +1,2 @@\n+one\n+two\n\\ No newline at end of file\n',
  'diff --git a/old.txt b/new.txt\nsimilarity index 90%\nrename from old.txt\nrename to new.txt\n',
  'diff --git a/b.bin b/b.bin\nindex 0000000..1111111 100644\nGIT binary patch\nliteral 4\nLcmZQzWMT#Y01f~L\n\nliteral 0\nHcmV?d00001\n\n',
  'diff --git a/l b/l\nnew file mode 120000\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+../../x\n\\ No newline at end of file\n',
];
const POLICIES = [
  "version: 1\nvalidations:\n  unit: { run: [npm, test], timeout: 10m, required: true, judges: ['test/**', 'package.json'] }\nfence:  { allowed: ['src/**'], forbidden: ['src/generated/**'], protected: ['src/auth/**'], files: 40, lines: 1500 }\n",
  'version: 1\ngates: { when: [remote, protected, dependencies], self_approval: false, integrate_on_approval: false }\nprovision: { copy: [], post_create: [npm, ci], network: [registry.example] }\n',
  'version: 1\nvalidations: { a: &x { run: [a] }, b: *x }\n',
];
const PATTERNS = ['src/**', '**/*.ts', 'a?b*c', '**/test/**/x*', '*/*/*', 'docs/', 'a*a*a*a*b', '**/**/**/**/z', '***', 'é*'];
const PATHS = ['src/a/b.ts', 'aXbYc', 'a/b/test/c/x1', 'a/b/c', 'docs/x', 'a'.repeat(60), 'a/'.repeat(30), 'é1', '.git/config'];

/** What one glob match may take in ms. Measured again a few times before it counts: another program may have had the machine. */
const GLOB_MS = 5;

const matchInTime = (pattern: string, path: string): void => {
  for (let tries = 5; ; tries--) {
    const began = performance.now();
    compilePattern(pattern)(path);
    if (performance.now() - began < GLOB_MS) return;
    if (tries === 0) throw new Error(`The pattern ${JSON.stringify(pattern)} took over ${GLOB_MS} ms`);
  }
};

const REQUEST = {
  operation: 'get_step',
  instance_id: `ins_${'a'.repeat(26)}`,
  input: {},
  time_left_ms: 50,
  principal: { id: 'p', name: 'p' },
  authority: 'relay_asserted',
} as const;

/** Both channels hear what they never should: each ends by itself, and what it owed is settled. */
const throughChannels = async (input: string): Promise<void> => {
  const pair = memoryPair();
  let ends = 0;
  const relay = createRequestingChannel(pair.left.transport, systemClock, { onAdvertise: () => undefined, onEnd: () => void (ends += 1) });
  const asked = relay.request({ ...REQUEST }, { effect: 'read' }).then(
    () => 'answered',
    (error: unknown) => {
      if (!(error instanceof FairleadError)) throw error;
    },
  );
  for (const line of input.split('\u0001')) pair.right.transport.sendText(line);
  pair.cut();
  await asked;
  const other = memoryPair();
  createAnsweringChannel(other.right.transport, systemClock, {
    handle: async () => ({ status: 200, type: 'application/json', body: Buffer.from('{}') }),
    onAdvertised: () => undefined,
    onEnd: () => void (ends += 1),
  });
  for (const line of input.split('\u0001')) other.left.transport.sendText(line);
  await new Promise((resolve) => void setImmediate(resolve));
  other.cut();
  await new Promise((resolve) => void setImmediate(resolve));
  if (ends !== 2) throw new Error(`Only ${ends} of two channels ended`);
};

const fromRelay = framesOf(RELAY_FRAMES);
const fromConnector = framesOf(CONNECTOR_FRAMES);
const inputs = lazily(() =>
  Object.values(OPERATIONS).flatMap((row, at) => samples(row.input, at).map((value) => ({ name: row.name, value }))),
);
async function* typed(text: string): AsyncIterable<Uint8Array> {
  yield Buffer.from(text);
}

export const TARGETS: readonly Target[] = [
  { name: 'frames of a relay', share: 15, make: jsonFrom(fromRelay), play: (input) => decodeFromRelay(Buffer.from(input), false) },
  {
    name: 'frames of a connector',
    share: 15,
    make: jsonFrom(fromConnector),
    play: (input) => decodeFromConnector(Buffer.from(input), input.charCodeAt(0) === 0),
  },
  {
    name: 'channels',
    share: 1,
    make: (by) => Array.from({ length: 1 + by.roll(3) }, () => jsonFrom(by.roll(2) === 0 ? fromRelay : fromConnector)(by)).join('\u0001'),
    play: throughChannels,
  },
  {
    name: 'strict JSON',
    share: 12,
    make: jsonFrom(() => inputs().map(({ value }) => value)),
    play: (input) => {
      const value = parseStrictJson(input);
      if (canonicalJson(parseStrictJson(JSON.stringify(value))) !== canonicalJson(value)) throw new Error('It is read as another value');
    },
  },
  {
    name: 'inputs of operations',
    share: 8,
    make: (by) => {
      const { name, value } = by.pick(inputs());
      return `${name}\n${JSON.stringify(by.roll(7) === 0 ? value : mutateValue(value, by)) ?? 'null'}`;
    },
    play: (input) => {
      const at = input.indexOf('\n');
      return readInput(OPERATIONS[input.slice(0, at) as 'get_step'], parseStrictJson(input.slice(at + 1)));
    },
  },
  {
    name: 'task files',
    share: 3,
    make: jsonFrom(lazily(() => samples(TaskSpec, 7))),
    play: async (input) =>
      OPERATIONS.submit_task.input.shape.task.safeParse((await readTask(undefined, { taskJson: '-' }, typed(input))).task),
  },
  { name: 'project policies', share: 0.6, make: textFrom(POLICIES), play: parseProjectPolicy },
  { name: 'project policies as JSON', share: 0.4, make: jsonFrom(lazily(() => samples(ProjectPolicy, 3))), play: parseProjectPolicy },
  { name: 'patches', share: 15, make: textFrom(HEAD), play: (input) => checkPatchForm(Buffer.from(input)) },
  {
    name: 'glob pairs',
    share: 60,
    make: (by) => `${mutateText(by.pick(PATTERNS), by).slice(0, 512)}\n${mutateText(by.pick(PATHS), by).slice(0, 1024)}`,
    play: (input) => {
      const [pattern, path] = input.split('\n') as [string, string];
      matchInTime(pattern, path ?? '');
    },
  },
];

const CODES: ReadonlySet<string> = new Set(ERROR_CODES);

/** Whether an error is a refusal as the table has it: a code, a status below 500, and a field where the input is to blame. */
export const isRefusal = (error: unknown): boolean =>
  error instanceof FairleadError &&
  CODES.has(error.code) &&
  ERRORS[error.code].status < 500 &&
  (error.code !== 'invalid_input' || error.context.field !== undefined);
