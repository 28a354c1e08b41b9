import type { Played } from './play.ts';

/** A table of scenario and agent, for people: `ok`, `FAIL` or `n/a`, with the seconds that it took. */
export const tableOf = (played: readonly Played[]): string => {
  const agents = [...new Set(played.map(({ agent }) => agent))];
  const scenarios = [...new Set(played.map(({ scenario }) => scenario))];
  const width = Math.max(...scenarios.map((name) => name.length), 'scenario'.length) + 2;
  const cell = (agent: string, scenario: string): string => {
    const found = played.find((one) => one.agent === agent && one.scenario === scenario);
    if (!found) return '';
    return found.result === 'n/a' ? 'n/a' : `${found.result} ${(found.duration_ms / 1000).toFixed(1)} s`;
  };
  const row = (first: string, cells: readonly string[]): string =>
    [first.padEnd(width), ...cells.map((text) => text.padEnd(13))].join('').trimEnd();
  return [
    row('scenario', agents),
    ...scenarios.map((scenario) =>
      row(
        scenario,
        agents.map((agent) => cell(agent, scenario)),
      ),
    ),
  ].join('\n');
};
