import { describe, expect, it } from 'vitest';
import type { ConfinedEnd } from '../../process/confined.ts';
import { agentResult, type AgentFacts } from './agent-outcome.ts';

const END: ConfinedEnd = {
  exit_code: 0,
  signal: null,
  timed_out: false,
  stopped: 'by_itself',
  dropped: 0,
  exceeded: null,
  killed_by: null,
};

const facts = (more: Omit<Partial<AgentFacts>, 'end'> & { readonly end?: Partial<ConfinedEnd> }): AgentFacts => ({
  name: 'agent',
  conversation: { ended: 'success' },
  stopped: undefined,
  over: undefined,
  limited_ms: undefined,
  unauthorised: false,
  ended_by_us: false,
  ...more,
  end: { ...END, ...more.end },
});

const by = (ended: AgentFacts['conversation']['ended'], more: object = {}) => ({ conversation: { ended, ...more } });

describe('what an agent came to', () => {
  it.each<readonly [string, Parameters<typeof facts>[0], object]>([
    ['its word and its exit status agree', {}, { outcome: 'finished' }],
    [
      'we ended it after its word',
      { ended_by_us: true, end: { exit_code: 143, signal: 'SIGTERM', stopped: 'confirmed' } },
      { outcome: 'finished' },
    ],
    ['it says success and exits with 1', { end: { exit_code: 1 } }, { outcome: 'crashed', reason: { code: 'agent_exit_status' } }],
    [
      'it exits with 0 and says nothing',
      by('cut'),
      { outcome: 'crashed', reason: { code: 'agent_ended_early', message: expect.stringContaining('exited with 0') } },
    ],
    [
      'it ends by a signal and says nothing',
      { ...by('cut'), end: { exit_code: null, signal: 'SIGSEGV' } },
      { reason: { message: expect.stringContaining('SIGSEGV') } },
    ],
    [
      'it failed',
      by('failed', { code: 'model_error', message: 'no' }),
      { outcome: 'crashed', reason: { code: 'model_error', message: 'no' } },
    ],
    [
      'it failed without words',
      by('failed'),
      { outcome: 'crashed', reason: { code: 'agent_failed', message: 'agent says that it failed' } },
    ],
    ['it refused', by('refused'), { outcome: 'refused', reason: { code: 'agent_refused' } }],
    [
      'a limit was reached',
      by('quota', { resets_in_ms: 5000 }),
      { outcome: 'quota', resets_in_ms: 5000, reason: { code: 'quota_reached' } },
    ],
    ['a limit was reached without an end', by('quota'), { outcome: 'quota' }],
    ['it stopped without being asked', by('interrupted'), { outcome: 'crashed', reason: { code: 'agent_interrupted' } }],
    ['it was cancelled, whatever it says', { stopped: 'cancelled', ...by('failed') }, { outcome: 'cancelled' }],
    ['its time was over', { stopped: 'timed_out' }, { outcome: 'timed_out' }],
    ['the time of its process was over', { ...by('cut'), end: { timed_out: true } }, { outcome: 'timed_out' }],
    [
      'a budget was used up',
      { over: { code: 'budget_tokens', message: 'too many' }, ...by('cut') },
      { outcome: 'crashed', reason: { code: 'budget_tokens', message: 'too many' } },
    ],
    ['memory ran out', { ...by('cut'), end: { killed_by: 'oom' } }, { outcome: 'crashed', reason: { code: 'out_of_memory' } }],
    [
      'its model said that a limit is reached',
      { ...by('cut'), limited_ms: 60_000, end: { exit_code: 143, killed_by: 'fairlead', stopped: 'confirmed' } },
      { outcome: 'quota', reason: { code: 'quota_reached' }, resets_in_ms: 60_000 },
    ],
    ['it finished in spite of a limit', { limited_ms: 60_000 }, { outcome: 'finished' }],
    [
      'its model refused the credential, and it does not say so',
      { ...by('failed', { code: 'model_error' }), unauthorised: true },
      { outcome: 'crashed', reason: { code: 'agent_not_signed_in' } },
    ],
    [
      'something else killed it',
      { ...by('cut'), end: { killed_by: 'other' } },
      { outcome: 'crashed', reason: { code: 'killed_externally' } },
    ],
    [
      'it used more than it may',
      { ...by('cut'), end: { exceeded: 'disk', killed_by: 'fairlead' } },
      { outcome: 'crashed', reason: { code: 'limit_disk' } },
    ],
  ])('when %s', (_, given, expected) => {
    const result = agentResult(facts(given));
    expect(result).toMatchObject(expected);
    expect(result).toMatchObject({ stopped: given.end?.stopped ?? 'by_itself' });
  });

  it('names no time for a limit where the agent knows none', () => {
    expect(agentResult(facts(by('quota')))).not.toHaveProperty('resets_in_ms');
  });
});
