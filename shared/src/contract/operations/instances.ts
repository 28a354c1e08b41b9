import * as z from 'zod';
import { InstanceId } from '../ids.ts';
import { LIMITS } from '../limits.ts';
import { ExecutorInfo } from '../executors.ts';
import { Instance, InstanceSummary } from '../resources.ts';
import { operation } from './operation.ts';

const at = { instance_id: InstanceId };
const Path = z.string().max(4096).describe('Relative to the root of the repository, with forward slashes');
const Revision = z
  .string()
  .regex(/^(target|chg_[a-z2-7]{10}_[0-9a-f-]{36})$/, { error: 'must be "target" or a change id' })
  .default('target')
  .describe('"target", or a change id to see its snapshot');

export const instanceOperations = {
  list_instances: operation({
    name: 'list_instances',
    title: 'List instances',
    description: 'Lists the repositories that you may work on, and whether their machine is online. Start here.',
    route: 'GET /instances',
    input: z.strictObject({}),
    output: z.object({ items: z.array(InstanceSummary) }),
    scope: 'instances:read',
    remote: true,
    surface: 'each',
  }),
  get_instance: operation({
    name: 'get_instance',
    title: 'Get an instance',
    description:
      'Tells all you need to begin on one repository: default branch, validations, fence, gates, executors, what you may do here and the budget left.',
    route: 'GET /instances/:instance_id',
    input: z.strictObject(at),
    output: Instance,
    scope: 'instances:read',
    remote: true,
  }),
  list_executors: operation({
    name: 'list_executors',
    title: 'List executors',
    description: 'Lists what can perform a step on this machine now, with the reason where something cannot.',
    route: 'GET /instances/:instance_id/executors',
    input: z.strictObject(at),
    output: z.object({ items: z.array(ExecutorInfo) }),
    scope: 'instances:read',
    remote: true,
  }),
  list_files: operation({
    name: 'list_files',
    title: 'List files',
    description: 'Lists tracked files at the target or in the snapshot of a change. Shared only by name.',
    route: 'GET /instances/:instance_id/files',
    input: z.strictObject({
      ...at,
      revision: Revision,
      path: Path.default('').describe('List below this folder'),
      after: Path.optional().describe('Read on after this path'),
    }),
    output: z.object({
      commit: z.string(),
      items: z.array(z.object({ path: z.string(), kind: z.enum(['file', 'link', 'submodule']), size: z.number().int().nullable() })),
      next_after: z.string().nullable(),
    }),
    scope: 'files:read',
    remote: true,
  }),
  read_file: operation({
    name: 'read_file',
    title: 'Read a file',
    description: 'Reads one tracked file at the target or in the snapshot of a change. Shared only by name.',
    route: 'GET /instances/:instance_id/files/content',
    input: z.strictObject({
      ...at,
      revision: Revision,
      path: Path.min(1),
      offset: z.number().int().nonnegative().default(0).describe('In bytes'),
      length: z.number().int().positive().max(LIMITS.file_read.value).default(LIMITS.file_read.value).describe('In bytes'),
    }),
    output: z.object({
      commit: z.string(),
      path: z.string(),
      size: z.number().int(),
      encoding: z.enum(['utf-8', 'base64']),
      content: z.string(),
      next_offset: z.number().int().nullable(),
    }),
    scope: 'files:read',
    remote: true,
  }),
  search_files: operation({
    name: 'search_files',
    title: 'Search files',
    description: 'Finds a fixed string in tracked text files at the target or in the snapshot of a change. Shared only by name.',
    route: 'GET /instances/:instance_id/files/search',
    input: z.strictObject({
      ...at,
      revision: Revision,
      text: z.string().min(1).max(1000).describe('A fixed string on one line, not a pattern'),
      path: Path.default('').describe('Search below this folder'),
      ignore_case: z.boolean().default(false),
    }),
    output: z.object({
      commit: z.string(),
      matches: z.array(z.object({ path: z.string(), line: z.number().int(), text: z.string() })),
      truncated: z.boolean(),
    }),
    scope: 'files:read',
    remote: true,
    deadline: 'slow',
  }),
};
