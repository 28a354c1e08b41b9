import type { Activity, ActivityItem, Usage } from '@fairlead/shared/contract/activity';
import { ActivityItem as Item } from '@fairlead/shared/contract/activity';
import type { Colour, Output } from '@fairlead/shared/kit/cli';
import { printable } from '@fairlead/shared/kit/printable';

type Ink = Pick<Output, 'colour'>;

/** Results of tools are long; their beginning says what it was. In lines. */
const RESULT_LINES = 12;

const indented = (text: string, most = Infinity): string => {
  const lines = printable(text.trimEnd(), { multiline: true }).split('\n');
  const more = lines.length - most;
  return [...lines.slice(0, most), ...(more > 0 ? [`(${more} more lines)`] : [])].map((line) => `    ${line}`).join('\n');
};

const number = (value: number | null): string => (value === null ? '?' : value.toLocaleString('en-US'));

const usageText = ({ model, input_tokens, output_tokens, cost_usd, turns }: Usage): string =>
  [
    model ?? 'model',
    `${number(input_tokens)} tokens in, ${number(output_tokens)} out`,
    ...(turns === null ? [] : [`${turns} turns`]),
    ...(cost_usd === null ? [] : [`$${cost_usd.toFixed(4)}`]),
  ].join(', ');

const MARKS = { pending: '[ ]', in_progress: '[~]', completed: '[x]' } as const;
const LEVELS: Readonly<Record<'info' | 'warning' | 'error', Colour>> = { info: 'dim', warning: 'yellow', error: 'red' };

type Shown = { readonly [K in ActivityItem['kind']]: (item: Extract<ActivityItem, { kind: K }>, ink: Ink) => string };

const resultText = ({ text, status, exit_code }: Extract<ActivityItem, { kind: 'tool_result' }>, { colour }: Ink): string => {
  const shown = indented(text, RESULT_LINES);
  if (status === 'completed') return colour('dim', shown);
  const how = status === 'denied' ? 'denied' : `failed${exit_code === null ? '' : ` (exit ${exit_code})`}`;
  return `${colour('red', `  ${how}`)}\n${shown}`;
};

/** How each kind looks; raw input is for `--json` alone. */
const SHOWN: Shown = {
  text: ({ text }) => printable(text.trimEnd(), { multiline: true }),
  thought: ({ text }, { colour }) => colour('dim', indented(text)),
  output: ({ text }) => indented(text),
  tool_call: ({ title }, { colour }) => `${colour('cyan', '>')} ${colour('bold', printable(title))}`,
  tool_result: resultText,
  file_change: ({ change, path }, { colour }) => `${colour('green', '*')} ${change} ${printable(path)}`,
  plan: ({ entries }) => entries.map(({ text, status }) => `  ${MARKS[status]} ${printable(text)}`).join('\n'),
  usage: ({ usage }, { colour }) => colour('dim', `  ${printable(usageText(usage))}`),
  notice: ({ level, text }, { colour }) => colour(LEVELS[level], `! ${printable(text)}`),
  raw: () => '',
};

/** One item for a person; empty for what only `--json` shows. Untrusted text is made inert. */
export const activityText = (activity: Activity, ink: Ink): string => {
  const known = Item.safeParse(activity);
  return known.success ? (SHOWN[known.data.kind] as (item: ActivityItem, ink: Ink) => string)(known.data, ink) : '';
};
