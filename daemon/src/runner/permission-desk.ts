import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { FairleadError } from '@fairlead/shared/contract/errors';
import { newResourceId } from '@fairlead/shared/contract/ids';
import { canonicalJson } from '@fairlead/shared/contract/json';
import { LIMITS } from '@fairlead/shared/contract/limits';
import type { PermissionBinding } from '@fairlead/shared/contract/gates';
import { printable } from '@fairlead/shared/kit/printable';
import { gateDigest, sha256 } from '../core/digest.ts';
import { BY_DAEMON, type EventRecord, type GateRecord, type PermissionGate, type StepRecord } from '../core/records.ts';
import type { AgentProfile, AgentRequest, PermissionAnswer } from '../executors/executor.ts';
import type { Reads, Tx } from '../ledger/ledger.ts';
import { judgePermission } from '../policy/permission/judge.ts';
import type { PermissionVerdict } from '../policy/permission/request.ts';
import type { ActivityLog } from './activity-log.ts';
import type { PreparedScope } from './scope.ts';

/** Where the requests of one attempt are decided. */
export interface PermissionDesk {
  /** Settles once a rule or a person has decided, or the time for it is over. Never rejects. */
  decide(request: AgentRequest): Promise<PermissionAnswer>;
  /** Nobody asks any more: what still waits goes out of date. */
  close(): Promise<void>;
}

export interface DeskOptions {
  readonly scope: PreparedScope;
  readonly log: ActivityLog;
  readonly profile: AgentProfile;
  /** The workspace on the host, and as the agent sees it. */
  readonly folder: string;
  readonly seen_as: string;
  /** Folders beside it that belong to the attempt, as the agent sees them. */
  readonly scratch: readonly string[];
}

type FileFacts = PermissionBinding['files'][number];

/** Digest of a file of the workspace as it is now; null where there is none. Links are not followed: what they name is not in the folder. */
const fileFacts = async (folder: string, path: string): Promise<FileFacts> => {
  const hash = createHash('sha256');
  const file = await open(join(folder, path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(() => undefined);
  try {
    const facts = await file?.stat();
    if (!file || !facts?.isFile() || facts.size > LIMITS.permission_file.value) return { path, digest: null };
    for await (const chunk of file.createReadStream({ autoClose: false })) hash.update(chunk as Buffer);
    return { path, digest: `sha256:${hash.digest('hex')}` };
  } finally {
    await file?.close();
  }
};

const MOST_FILES = 50;

const sameFiles = (one: readonly FileFacts[], other: readonly FileFacts[]): boolean => canonicalJson(one) === canonicalJson(other);

const no = (rule: string, reason: string): PermissionAnswer => ({ allowed: false, rule, reason });

/** How a gate that is decided answers the agent; undefined while it waits. */
const answerOf = ({ state }: PermissionGate): PermissionAnswer | undefined => {
  switch (state) {
    case 'pending':
    case 'approved':
      return undefined;
    case 'rejected':
      return no('gate.rejected', 'A person said no; do not ask for the same again.');
    case 'expired':
      return no('gate.expired', 'Nobody decided in time.');
    default:
      return no('gate.outdated', 'What was asked for is no longer what a person saw.');
  }
};

/**
 * The desk of one attempt. What no rule settles becomes a gate: bound to the parsed request and to the workspace files that it would
 * execute, decided by a person, looked at again before the agent may go on, and used once. A gate outlives its attempt: an agent that
 * goes on in a later attempt and asks for the same takes up the decision, or waits for it further; what was rejected is not raised again.
 */
export const createPermissionDesk = ({ scope, log, profile, folder, seen_as, scratch }: DeskOptions): PermissionDesk => {
  const { deps, step, attempt, effective, executor, signal } = scope;
  const { ledger, clock } = deps;
  /** Gates that a call of this attempt waits on. */
  const waitedOn = new Set<string>();
  let raised = 0;
  const about = { instance_id: step.instance_id, run_id: step.run_id, step_id: step.id };

  const clean = (text: string): string => printable(deps.printed.text(text, {}), { multiline: true });

  const bindingOf = async (request: AgentRequest, { parsed, rule, reason }: PermissionVerdict): Promise<PermissionBinding> => {
    const input = JSON.stringify(request.input) ?? 'null';
    return {
      instance_id: step.instance_id,
      step_id: step.id,
      executor: executor.id,
      tool: clean(parsed.tool),
      tool_kind: parsed.kind,
      rule,
      reason,
      commands: parsed.commands.map(({ argv, assignments, redirects, cwds, executes }) => ({
        argv: argv.map(clean),
        assignments: assignments.map(clean),
        redirects: redirects.map(clean),
        cwd: cwds.length === 1 && cwds[0] === '.' ? null : cwds.map((one) => (one === null ? '(cannot be told)' : clean(one))).join(' or '),
        runs: executes.map(clean),
      })),
      reads: parsed.reads.map(clean),
      writes: parsed.writes.map(clean),
      urls: parsed.urls.map(clean),
      diff: request.diff === undefined ? null : clean(request.diff).slice(0, LIMITS.activity_text.value),
      input: clean(input).slice(0, LIMITS.activity_text.value),
      input_digest: sha256(input),
      files: await Promise.all(parsed.executes.slice(0, MOST_FILES).map((path) => fileFacts(folder, path))),
      policy_digest: effective.digest,
    };
  };

  const gateNow = (id: string): PermissionGate | undefined => {
    const gate = ledger.read.gate(id);
    return gate?.kind === 'permission' ? gate : undefined;
  };

  /** A gate of the step on exactly this, from an earlier call, that still has something to say. */
  const standing = (digest: string): PermissionGate | undefined =>
    ledger.read
      .gates({ instance_id: step.instance_id, step_id: step.id, limit: LIMITS.permission_requests.value })
      .filter((gate): gate is PermissionGate => gate.kind === 'permission' && gate.digest === digest)
      .find(
        ({ id, state, attempt_id }) =>
          state === 'rejected' ||
          (state === 'expired' ? attempt_id === attempt.id : (state === 'pending' || state === 'approved') && !waitedOn.has(id)),
      );

  const raise = (binding: PermissionBinding): Promise<PermissionGate> =>
    ledger.record((tx) =>
      tx.add.gate<PermissionGate>(
        {
          id: newResourceId('gate', step.instance_id),
          kind: 'permission',
          ...about,
          attempt_id: attempt.id,
          change_id: null,
          binding: null,
          permission: binding,
          reasons: ['permission'],
          digest: gateDigest(binding),
          expires_at: tx.at + profile.permission_ms,
        },
        BY_DAEMON,
      ),
    );

  /** Settles when the gate is decided, or the attempt is to stop. */
  const decided = (id: string): Promise<PermissionGate | undefined> =>
    new Promise((resolve) => {
      const look = (): void => {
        const gate = gateNow(id);
        if (!signal.aborted && gate?.state === 'pending') return;
        deaf();
        signal.removeEventListener('abort', look);
        cancel();
        resolve(signal.aborted ? undefined : gate);
      };
      const hear = (events: readonly EventRecord[]): void => {
        if (events.some(({ step_id, type }) => step_id === step.id && type.startsWith('gate.'))) look();
      };
      const deaf = ledger.onCommit(hear);
      signal.addEventListener('abort', look);
      const gate = gateNow(id);
      // The scheduler ends gates whose time is over; this looks again by itself, should that be late.
      const cancel = clock.after(Math.max(0, (gate?.expires_at ?? 0) - clock.now()) + 1000, () => void expire(id).then(look));
      look();
    });

  const expire = (id: string): Promise<void> =>
    ledger.record((tx) => {
      const gate = tx.read.gate(id);
      if (gate?.state === 'pending' && gate.expires_at <= tx.at) tx.move.gate(id, 'expired', {}, BY_DAEMON);
    });

  /** Gives an approved permission to the call, if the files that it would execute still are what the person saw. */
  const use = async ({ id, permission }: PermissionGate): Promise<PermissionAnswer> => {
    const files = await Promise.all(permission.files.map(({ path }) => fileFacts(folder, path)));
    const same = sameFiles(files, permission.files);
    return ledger.record((tx): PermissionAnswer => {
      const gate = tx.read.gate(id);
      if (gate?.state !== 'approved') return no('gate.outdated', 'The permission was used, or withdrawn.');
      tx.move.gate(id, same ? 'used' : 'outdated', {}, BY_DAEMON);
      return same
        ? { allowed: true, rule: 'gate.approved' }
        : no('gate.files_changed', 'Files that it would execute were changed since a person saw them; ask again.');
    });
  };

  const ask = async (request: AgentRequest, verdict: PermissionVerdict): Promise<PermissionAnswer> => {
    const binding = await bindingOf(request, verdict);
    const found = standing(gateDigest(binding));
    if (!found && (raised += 1) > LIMITS.permission_requests.value) return no('permission.too_many', 'The attempt has asked for too much.');
    const gate = found ?? (await raise(binding));
    waitedOn.add(gate.id);
    try {
      if (gate.state === 'pending')
        log.push({
          kind: 'notice',
          level: 'info',
          code: 'permission_asked',
          text: `Waits for a person: ${verdict.rule}: ${verdict.reason}`,
        });
      const now = gate.state === 'pending' ? await decided(gate.id) : gate;
      if (!now) return no('attempt.stopped', 'The attempt is being stopped.');
      return answerOf(now) ?? (await use(now));
    } finally {
      waitedOn.delete(gate.id);
    }
  };

  const recordDenial = (request: AgentRequest, answer: PermissionAnswer): Promise<void> | undefined => {
    if (answer.allowed) return undefined;
    const { rule, reason } = answer;
    log.push({ kind: 'notice', level: 'warning', code: 'permission_denied', text: `${rule}: ${reason}` });
    const data = { attempt_id: attempt.id, tool: clean(request.tool).slice(0, 200), rule, reason };
    return ledger.record((tx) => void tx.note({ type: 'permission.denied', ...about, ...BY_DAEMON, data }));
  };

  const settle = async (request: AgentRequest): Promise<PermissionAnswer> => {
    const verdict = judgePermission(request, {
      mode: profile.approval,
      rules: profile.rules,
      workspace: seen_as,
      scratch,
      fence: effective.fence,
      network: typeof profile.network === 'string' ? profile.network : { hosts: profile.network },
    });
    if (verdict.decision === 'allow') return { allowed: true, rule: verdict.rule };
    return verdict.decision === 'deny' ? no(verdict.rule, verdict.reason) : ask(request, verdict);
  };

  return {
    async decide(request) {
      try {
        const answer = await settle(request);
        await recordDenial(request, answer);
        return answer;
      } catch (error) {
        // Whatever goes wrong here, nothing is allowed by it.
        if (!(error instanceof FairleadError && error.code === 'draining'))
          deps.log.error({ err: error, step: step.id }, 'a request of an agent could not be decided');
        return no('permission.undecided', 'The daemon could not decide it.');
      }
    },
    close: async () => {
      if (pendingRequests(ledger.read, step).length > 0) await ledger.record((tx) => closeGates(tx, step));
    },
  };
};

const pendingRequests = (read: Reads, { instance_id, id }: StepRecord): GateRecord[] =>
  read
    .gates({ instance_id, step_id: id, state: 'pending', limit: LIMITS.permission_requests.value })
    .filter(({ kind }) => kind === 'permission');

/** Puts away the requests of a step that nobody waits for any more. */
const closeGates = (tx: Tx, step: StepRecord): void => {
  for (const gate of pendingRequests(tx.read, step)) tx.move.gate(gate.id, 'outdated', {}, BY_DAEMON);
};
