import { FairleadError } from '@fairlead/shared/contract/errors';
import { parseStrictJson } from '@fairlead/shared/contract/json';
import { LIMITS } from '@fairlead/shared/contract/limits';
import type { CallOf } from '@fairlead/shared/contract/operations/table';
import { readFile } from 'node:fs/promises';
import { basename, extname } from 'node:path';

type Submission = CallOf<'submit_task'>;
export type Task = Submission['task'];
export type Source = NonNullable<Submission['source']>;

/** How `submit` may be told what is to be done. */
export interface TaskOptions {
  readonly taskJson?: string;
  readonly promptFile?: string;
  readonly goal?: string;
  readonly stdin?: boolean;
  readonly patch?: string;
  readonly title?: string;
  readonly context?: string;
  readonly constraint?: string[];
  readonly allow?: string[];
  readonly forbid?: string[];
  readonly validation?: string[];
  readonly acceptance?: string[];
  readonly stopCondition?: string[];
  readonly base?: string;
  readonly executor?: string;
  readonly timeout?: string;
  readonly gate?: boolean;
}

const refuse = (field: string, rule: string, hint?: string): never => {
  throw new FairleadError('invalid_input', { field, rule, detail: `${field}: ${rule}`, ...(hint !== undefined && { hint }) });
};

const FORMS = 'a task file, --task-json, --prompt-file, --goal and --stdin, or --patch, alone or beside one of them';

const read = async (path: string, field: string): Promise<Buffer> => {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new FairleadError('invalid_input', {
      field,
      rule: 'must be a file that can be read',
      detail: `${field}: ${path} cannot be read (${(cause as NodeJS.ErrnoException).code})`,
      cause,
    });
  }
};

const readStdin = async (stdin: AsyncIterable<Uint8Array>, field: string): Promise<Buffer> => {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of stdin) {
    size += chunk.length;
    if (size > LIMITS.request_body.value) return refuse(field, `must be at most ${LIMITS.request_body.value} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
};

const textOf = (bytes: Buffer, field: string): string => {
  const text = bytes.toString('utf8');
  if (!Buffer.from(text, 'utf8').equals(bytes)) return refuse(field, 'must be UTF-8');
  if (text.trim() === '') return refuse(field, 'must not be empty');
  return text;
};

const mapping = (value: unknown, field: string): Task => {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return refuse(field, 'must hold one mapping with the fields of a task');
  return value;
};

const readYaml = async (text: string, field: string): Promise<unknown> => {
  // The parser is loaded when there is something to parse; most commands start without it.
  const { parseStrictYaml } = await import('@fairlead/shared/contract/yaml');
  try {
    return parseStrictYaml(text);
  } catch (error) {
    const { rule = 'must be YAML', detail = String(error) } = error instanceof FairleadError ? error.context : {};
    throw new FairleadError('invalid_input', { field, rule, detail: `${field}: ${detail}`, cause: error });
  }
};

/** What the flags say about a task that comes as prose or as a patch. */
const fromFlags = (options: TaskOptions): Partial<Task> => ({
  ...(options.title !== undefined && { title: options.title }),
  ...(options.context !== undefined && { context: { summary: options.context } }),
  ...(options.constraint && { constraints: options.constraint }),
  ...(options.allow && { allowed_paths: options.allow }),
  ...(options.forbid && { forbidden_paths: options.forbid }),
  ...(options.validation && { validations: options.validation }),
  ...(options.acceptance && { acceptance: options.acceptance }),
  ...(options.stopCondition && { stop_conditions: options.stopCondition }),
  ...(options.base !== undefined && { base: options.base }),
  ...(options.executor !== undefined && { executor: options.executor }),
  ...(options.timeout !== undefined && { timeout: /^\d+$/.test(options.timeout) ? Number(options.timeout) : options.timeout }),
  ...(options.gate && { gate: 'always' as const }),
});

/** The first line of a text, short enough for a title; control characters become spaces. */
const titleFrom = (text: string): string => {
  const line =
    text
      .split('\n')
      .map((one) => one.replace(/\p{Cc}+/gu, ' ').trim())
      .find(Boolean) ?? 'Task';
  return Array.from(line).slice(0, 100).join('');
};

const patchFields = (bytes: Buffer): Partial<Task> => {
  const text = bytes.toString('utf8');
  return Buffer.from(text, 'utf8').equals(bytes) ? { patch: text } : { patch_base64: bytes.toString('base64') };
};

interface Given {
  readonly source: Source['kind'];
  readonly field: string;
  readonly name?: string;
  readonly bytes: () => Promise<Buffer>;
}

/** The one form that was given, or undefined when there is only a patch. */
const formOf = (file: string | undefined, options: TaskOptions, stdin: AsyncIterable<Uint8Array>): Given | undefined => {
  const { taskJson, promptFile, goal } = options;
  const forms: Given[] = [];
  if (file !== undefined)
    forms.push({ source: 'task_file', field: 'task file', name: basename(file), bytes: () => read(file, 'task file') });
  if (taskJson !== undefined) {
    const bytes = () => (taskJson === '-' ? readStdin(stdin, '--task-json') : read(taskJson, '--task-json'));
    forms.push({ source: 'task_json', field: '--task-json', ...(taskJson !== '-' && { name: basename(taskJson) }), bytes });
  }
  if (promptFile !== undefined)
    forms.push({
      source: 'prompt_file',
      field: '--prompt-file',
      name: basename(promptFile),
      bytes: () => read(promptFile, '--prompt-file'),
    });
  if (goal !== undefined) forms.push({ source: 'goal', field: '--goal', bytes: () => Promise.resolve(Buffer.from(goal)) });
  if (options.stdin) forms.push({ source: 'stdin', field: '--stdin', bytes: () => readStdin(stdin, '--stdin') });
  if (forms.length > 1) return refuse(forms[1]!.field, `is given besides ${forms[0]!.field}; give only one of ${FORMS}`);
  if (forms.length === 0 && options.patch === undefined)
    return refuse('task', `is missing; give one of ${FORMS}`, 'Such as: fairlead submit --patch fix.diff --title "Fix the sum"');
  return forms[0];
};

/**
 * Reads a task in the one form that was given. The original input is kept byte for byte.
 * @throws FairleadError `invalid_input` that names the flag or field
 */
export const readTask = async (
  file: string | undefined,
  options: TaskOptions,
  stdin: AsyncIterable<Uint8Array>,
): Promise<{ task: Task; source: Source }> => {
  const form = formOf(file, options, stdin);
  const patch = options.patch === undefined ? undefined : await read(options.patch, '--patch');
  if (patch !== undefined && patch.length === 0) refuse('--patch', 'must not be empty');
  const flags = fromFlags(options);
  const isWhole = form?.source === 'task_file' || form?.source === 'task_json';
  if (isWhole && Object.keys(flags).length > 0)
    refuse(Object.keys(flags)[0]!, `cannot be given with ${form.field}; write it into the task`);
  const original = form ? await form.bytes() : patch!;
  const source: Source = {
    kind: form?.source ?? 'patch',
    ...(form ? form.name !== undefined && { name: form.name } : { name: basename(options.patch!) }),
    // A bare patch is in the task itself, so a large one is not sent twice.
    ...((form || original.length <= 512 * 1024) && { original_base64: original.toString('base64') }),
  };
  const added = patch ? { ...patchFields(patch), ...(options.executor === undefined && { executor: 'patch' }) } : {};
  if (!form) return { task: { title: titleFrom(basename(options.patch!, extname(options.patch!))), ...flags, ...added }, source };
  const text = textOf(original, form.field);
  if (isWhole) {
    const isJson = form.source === 'task_json' || file?.endsWith('.json');
    const task = mapping(isJson ? parseStrictJson(text) : await readYaml(text, form.field), form.field);
    if (patch && (task.patch !== undefined || task.patch_base64 !== undefined))
      refuse('--patch', `cannot be given with ${form.field} that holds a patch`);
    return { task: { ...task, ...(patch && patchFields(patch)) }, source };
  }
  const title = form.source === 'prompt_file' ? basename(form.name!, extname(form.name!)) : titleFrom(text);
  return { task: { title, goal: text, ...flags, ...added }, source };
};
