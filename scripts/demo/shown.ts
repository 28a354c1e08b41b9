import type { Output } from '@fairlead/shared/kit/cli';
import { printable } from '@fairlead/shared/kit/printable';
import type { Story, Teller } from './story.ts';

/** Tells the story on stderr, who does what in front of each line; with `--json` it keeps quiet. */
export const tellerOf = (output: Output): Teller => {
  const line = (who: string, text: string) => output.note(`${output.colour('cyan', who.padEnd(9))} ${printable(text)}`);
  return {
    planner: (text) => line('planner', text),
    owner: (text) => line('owner', text),
    fairlead: (text) => line('fairlead', text),
    evidence: (heading, text) => output.note(`\n${output.colour('bold', heading)}\n${text}`),
  };
};

const indent = (text: string): string => text.replaceAll(/^(?=.)/gm, '  ');

const diffText = (output: Output, patch: string): string => {
  const colours = { '+': 'green', '-': 'red', '@': 'cyan' } as const;
  const shown = printable(patch.trimEnd(), { multiline: true }).split('\n');
  return shown
    .map((line) => (line[0] !== undefined && line[0] in colours ? output.colour(colours[line[0] as keyof typeof colours], line) : line))
    .join('\n');
};

const checksTable = (output: Output, { result }: Story): string => {
  if (result.validations.length === 0) return 'none are declared: put some into .fairlead/project.yaml';
  const rows = result.validations.map(({ name, phase, passed, exit_code, duration_ms, confinement, argv }) => [
    name,
    phase,
    passed ? 'passed' : 'FAILED',
    String(exit_code ?? '-'),
    `${duration_ms} ms`,
    confinement,
    argv.join(' '),
  ]);
  return output.table([['check', 'of', 'result', 'exit', 'took', 'confined by', 'argv'], ...rows]);
};

/** As much of a failed check's output as one reads before opening the whole. */
const COMPLAINT_LINES = 20;

const complaintsText = ({ complaints }: Story): string[] =>
  Object.entries(complaints).map(([name, text]) => {
    const lines = printable(text.trimEnd(), { multiline: true }).split('\n');
    const left = lines.length - COMPLAINT_LINES;
    const shown = lines.slice(-COMPLAINT_LINES).join('\n');
    return `${printable(name)} printed${left > 0 ? `, after ${left} lines more` : ''}:\n${indent(shown)}`;
  });

const timelineTable = (output: Output, { events }: Story): string => {
  const first = Date.parse(events[0]?.at ?? '');
  const rows = events.map(({ at, type, authority, principal }) => [
    `+${Date.parse(at) - first} ms`,
    type,
    `${principal.name} (${authority})`,
  ]);
  return output.table([['when', 'what', 'asked by'], ...rows]);
};

/** The evidence, for people. */
export const evidenceText = (output: Output, story: Story): string => {
  const { result, change, gate } = story;
  const heading = (text: string) => output.colour('bold', text);
  const parts = [
    `${heading('Diff, as the daemon observed it')}\n${indent(diffText(output, story.patch) || 'no change')}`,
    `${heading('Checks that the daemon ran on it')}\n${indent([checksTable(output, story), ...complaintsText(story)].join('\n\n'))}`,
    `${heading('Timeline, from the hash-chained history')}\n${indent(timelineTable(output, story))}`,
  ];
  const outcome = [`step        ${result.step.state}`, ...result.step.warnings.map((warning) => `warning     ${printable(warning)}`)];
  if (result.step.reason) outcome.push(`reason      ${printable(result.step.reason.message)}`);
  if (gate)
    outcome.push(
      `gate        ${gate.state}${gate.authority ? ` by ${printable(gate.decided_by?.name ?? '')}, authority ${gate.authority}` : ''}`,
    );
  if (change?.integrated)
    outcome.push(
      `integrated  ${printable(change.integrated.ref)}  ${change.integrated.from.slice(0, 12)} -> ${change.integrated.to.slice(0, 12)}`,
    );
  else if (change) outcome.push(`integrated  no: the branch did not move`);
  return `\n${parts.join('\n\n')}\n\n${heading('Outcome')}\n${indent(outcome.join('\n'))}`;
};
