import type { Outcome } from '@fairlead/shared/contract/states';
import type { ConfinedEnd } from '../../process/confined.ts';
import type { ExecutorResult } from '../executor.ts';
import type { Conversation } from './dialect.ts';

/** All that is known about how an agent's work ended. */
export interface AgentFacts {
  readonly name: string;
  readonly conversation: Conversation;
  readonly end: ConfinedEnd;
  /** The attempt was asked to stop. */
  readonly stopped: 'cancelled' | 'timed_out' | undefined;
  /** A limit of the profile was passed, in words. */
  readonly over: { readonly code: string; readonly message: string } | undefined;
  /** The model said that a limit is reached, and in how many ms to come back. */
  readonly limited_ms: number | undefined;
  /** The last that the model answered was that the credential does not do. */
  readonly unauthorised: boolean;
  /** Whether we asked the program to end, after it had told how its work ended. */
  readonly ended_by_us: boolean;
}

const failure = (outcome: Outcome, code: string, message: string) => ({ outcome, reason: { code, message } });

const howItEnded = ({ exit_code, signal }: ConfinedEnd): string =>
  signal === null ? `exited with ${exit_code}` : `was ended by ${signal}`;

/** What ended the program itself, where that was not its own will. */
const ofProcess = ({ name, end }: AgentFacts): Pick<ExecutorResult, 'outcome' | 'reason'> | undefined => {
  if (end.exceeded)
    return failure('crashed', `limit_${end.exceeded}`, `${name} was stopped, because it used more ${end.exceeded} than it may`);
  if (end.killed_by === 'oom') return failure('crashed', 'out_of_memory', `${name} was ended by the system, because memory ran out`);
  if (end.killed_by === 'other') return failure('crashed', 'killed_externally', `${name} was killed by something else`);
  return undefined;
};

/** What each way in which an agent says that it ended means. Its own words are untrusted, and stand in the message alone. */
const ENDINGS: Readonly<Record<Conversation['ended'], (facts: AgentFacts) => Pick<ExecutorResult, 'outcome' | 'reason' | 'resets_in_ms'>>> =
  {
    success: ({ name, end, ended_by_us }) =>
      ended_by_us || end.exit_code === 0
        ? { outcome: 'finished' }
        : failure('crashed', 'agent_exit_status', `${name} says that it succeeded, but ${howItEnded(end)}`),
    quota: ({ name, conversation: { code, message, resets_in_ms } }) => ({
      ...failure('quota', code ?? 'quota_reached', message || `${name} has reached its limit`),
      ...(resets_in_ms !== undefined && { resets_in_ms }),
    }),
    refused: ({ name, conversation: { code, message } }) =>
      failure('refused', code ?? 'agent_refused', message || `${name} refused the task`),
    failed: ({ name, unauthorised, conversation: { code, message } }) =>
      failure('crashed', unauthorised ? 'agent_not_signed_in' : (code ?? 'agent_failed'), message || `${name} says that it failed`),
    interrupted: ({ name }) => failure('crashed', 'agent_interrupted', `${name} stopped without being asked to`),
    cut: ({ name, end, conversation: { code, message } }) =>
      failure('crashed', code ?? 'agent_ended_early', message || `${name} ${howItEnded(end)} before it said how its work ended`),
  };

/**
 * What an agent's work came to. It finished only if its terminal event says so **and** its exit status agrees: an exit code alone, or the
 * word success alone, has been wrong for every one of them.
 */
export const agentResult = (facts: AgentFacts): ExecutorResult => {
  const { conversation, end, stopped, over } = facts;
  const about = { exit_code: end.exit_code, signal: end.signal, stopped: end.stopped };
  if (stopped) return { outcome: stopped, ...about };
  if (over) return { ...failure(end.timed_out ? 'timed_out' : 'crashed', over.code, over.message), ...about };
  if (end.timed_out) return { outcome: 'timed_out', ...about };
  if (facts.limited_ms !== undefined && conversation.ended !== 'success') {
    const told = failure('quota', 'quota_reached', `The model of ${facts.name} says that a limit is reached`);
    return { ...told, resets_in_ms: conversation.resets_in_ms ?? facts.limited_ms, ...about };
  }
  const killed = ofProcess(facts);
  if (killed) return { ...killed, ...about };
  return { ...ENDINGS[conversation.ended](facts), ...about };
};
