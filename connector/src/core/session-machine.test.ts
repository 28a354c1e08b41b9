import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SESSION_EVENTS, SESSION_STATES, STATUS_OF, nextSession, type SessionEvent, type SessionState } from './session-machine.ts';

const walk = (events: readonly SessionEvent[], from: SessionState = 'idle'): SessionState[] =>
  events.reduce<SessionState[]>((states, event) => [...states, nextSession(states.at(-1)!, event) ?? states.at(-1)!], [from]);

const anyEvents = fc.array(fc.constantFrom(...SESSION_EVENTS), { maxLength: 60 });

describe('the life of a session', () => {
  it('goes through the handshake to service, and back after a break', () => {
    expect(walk(['dial', 'opened', 'welcomed', 'advertised', 'changed', 'advertised', 'lost', 'dial'])).toEqual([
      'idle',
      'dialling',
      'proving',
      'advertising',
      'serving',
      'advertising',
      'serving',
      'waiting',
      'dialling',
    ]);
  });

  it('is verified only after challenge, welcome and an acknowledged set, whatever happens', () => {
    fc.assert(
      fc.property(anyEvents, (events) => {
        walk(events).forEach((state, at, states) => {
          if (STATUS_OF[state] === 'verified' && STATUS_OF[states[at - 1]!] !== 'verified')
            expect([states[at - 1], events[at - 1]]).toEqual(['advertising', 'advertised']);
        });
      }),
    );
  });

  it('never leaves "elsewhere" but to stop, and never leaves "stopped"', () => {
    fc.assert(
      fc.property(anyEvents, (events) => {
        expect(['elsewhere', 'stopped']).toContain(walk(events, 'elsewhere').at(-1));
        expect(walk(events, 'stopped').at(-1)).toBe('stopped');
      }),
    );
  });

  it('gets to "elsewhere" only from a relay that has proved itself', () => {
    for (const state of SESSION_STATES) {
      if (nextSession(state, 'replaced') === 'elsewhere') expect(['advertising', 'serving']).toContain(state);
    }
  });

  it('can be stopped from every state, in two events at most', () => {
    for (const state of SESSION_STATES) expect(walk(['stop', 'drained'], state).at(-1)).toBe('stopped');
  });
});
