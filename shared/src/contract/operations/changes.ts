import * as z from 'zod';
import { ArtifactId, ChangeId, GateId, InstanceId, RunId, StepId } from '../ids.ts';
import { LIMITS } from '../limits.ts';
import { Artifact, Change, Cursor, Event, page } from '../resources.ts';
import { Gate } from '../gates.ts';
import { GATE_STATES } from '../states.ts';
import { operation } from './operation.ts';
import { Paging } from './runs.ts';

const Comment = z.string().max(4000).optional().describe('Why; kept with the decision');

export const changeOperations = {
  get_change: operation({
    name: 'get_change',
    title: 'Get a change',
    description:
      'What an attempt did, as the daemon observed it: base, snapshot commit, files with line counts, fence findings and whether it is integrated.',
    route: 'GET /changes/:change_id',
    input: z.strictObject({ change_id: ChangeId }),
    output: Change,
    scope: 'steps:read',
    remote: true,
  }),
  list_artifacts: operation({
    name: 'list_artifacts',
    title: 'List artifacts',
    description: 'Lists the evidence files of a step over all its attempts.',
    route: 'GET /steps/:step_id/artifacts',
    input: z.strictObject({ step_id: StepId }),
    output: z.object({ items: z.array(Artifact) }),
    scope: 'artifacts:read',
    remote: true,
  }),
  get_artifact: operation({
    name: 'get_artifact',
    title: 'Get an artifact',
    description: 'Tells name, kind, size and digest of one evidence file.',
    route: 'GET /artifacts/:artifact_id',
    input: z.strictObject({ artifact_id: ArtifactId }),
    output: Artifact,
    scope: 'artifacts:read',
    remote: true,
  }),
  get_artifact_content: operation({
    name: 'get_artifact_content',
    title: 'Get the content of an artifact',
    description: 'Gives the bytes of one evidence file, whole or a part of it. Untrusted content.',
    route: 'GET /artifacts/:artifact_id/content',
    input: z.strictObject({
      artifact_id: ArtifactId,
      offset: z.number().int().nonnegative().default(0).describe('In bytes'),
      length: z.number().int().positive().optional().describe('In bytes; default: to the end'),
    }),
    output: z.object({
      artifact_id: z.string(),
      size: z.number().int().describe('Of the whole artifact'),
      offset: z.number().int(),
      encoding: z.enum(['utf-8', 'base64']),
      content: z.string(),
      next_offset: z.number().int().nullable(),
    }),
    scope: 'artifacts:read',
    remote: true,
    stream: 'bytes',
    deadline: 'stream',
  }),
  list_gates: operation({
    name: 'list_gates',
    title: 'List gates',
    description: 'Lists the gates of an instance, newest first; pending ones wait for a person.',
    route: 'GET /instances/:instance_id/gates',
    input: z.strictObject({
      instance_id: InstanceId,
      state: z.enum(GATE_STATES).optional(),
      run_id: RunId.optional(),
      step_id: StepId.optional(),
      ...Paging,
    }),
    output: page(Gate),
    scope: 'gates:read',
    remote: true,
  }),
  get_gate: operation({
    name: 'get_gate',
    title: 'Get a gate',
    description: 'Shows what a gate holds, why it opened, and the digest that a decision must name.',
    route: 'GET /gates/:gate_id',
    input: z.strictObject({ gate_id: GateId }),
    output: Gate,
    scope: 'gates:read',
    remote: true,
  }),
  approve_gate: operation({
    name: 'approve_gate',
    title: 'Approve a gate',
    description: 'Approves exactly the content whose digest you name. It does not integrate it.',
    route: 'POST /gates/:gate_id/approve',
    input: z.strictObject({
      gate_id: GateId,
      digest: z.string().max(100).describe('The digest of the gate that you saw'),
      comment: Comment,
    }),
    output: Gate,
    scope: 'gates:decide',
    effect: 'decide',
    remote: true,
    deadline: 'slow',
  }),
  reject_gate: operation({
    name: 'reject_gate',
    title: 'Reject a gate',
    description: 'Rejects the held change. The work stays as evidence; nothing is integrated.',
    route: 'POST /gates/:gate_id/reject',
    input: z.strictObject({ gate_id: GateId, comment: Comment }),
    output: Gate,
    scope: 'gates:decide',
    effect: 'decide',
    remote: true,
  }),
  integrate_change: operation({
    name: 'integrate_change',
    title: 'Integrate a change',
    description:
      'Replays a completed change onto the live target, validates the resulting tree and moves the branch only if it still is what was validated against.',
    route: 'POST /changes/:change_id/integrate',
    input: z.strictObject({ change_id: ChangeId }),
    output: Change,
    scope: 'changes:decide',
    effect: 'decide',
    remote: true,
    deadline: 'slow',
  }),
  discard_change: operation({
    name: 'discard_change',
    title: 'Discard a change',
    description: 'Says that a change will not be integrated. Its evidence stays.',
    route: 'POST /changes/:change_id/discard',
    input: z.strictObject({ change_id: ChangeId, comment: Comment }),
    output: Change,
    scope: 'changes:decide',
    effect: 'decide',
    remote: true,
  }),
  list_events: operation({
    name: 'list_events',
    title: 'List events',
    description:
      'Reads the hash-chained history of an instance after a cursor, oldest first. Over HTTP, Accept: text/event-stream follows it live.',
    route: 'GET /instances/:instance_id/events',
    input: z.strictObject({
      instance_id: InstanceId,
      run_id: RunId.optional(),
      step_id: StepId.optional(),
      cursor: Cursor.optional(),
      limit: z.number().int().positive().max(LIMITS.page_max.value).default(LIMITS.page_default.value),
    }),
    output: z.object({
      items: z.array(Event),
      next_cursor: Cursor,
      resumed: z.enum(['resumed', 'gap']),
      more: z.boolean(),
    }),
    scope: 'events:read',
    remote: true,
    stream: 'events',
  }),
};
