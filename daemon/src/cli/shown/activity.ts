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

const shown = (item: ActivityItem, { colour }: Ink): string => {
  switch (item.kind) {
    case 'text':
      return printable(item.text.trimEnd(), { multiline: true });
    case 'thought':
      return colour('dim', indented(item.text));
    case 'output':
      return indented(item.text);
    case 'tool_call':
      return `${colour('cyan', '>')} ${colour('bold', printable(item.title))}`;
    case 'tool_result': {
      const text = indented(item.text, RESULT_LINES);
      if (item.status === 'completed') return colour('dim', text);
      const how = item.status === 'denied' ? 'denied' : `failed${item.exit_code === null ? '' : ` (exit ${item.exit_code})`}`;
      return `${colour('red', `  ${how}`)}\n${text}`;
    }
    case 'file_change':
      return `${colour('green', '*')} ${item.change} ${printable(item.path)}`;
    case 'plan':
      return item.entries.map(({ text, status }) => `  ${MARKS[status]} ${printable(text)}`).join('\n');
    case 'usage':
      return colour('dim', `  ${printable(usageText(item.usage))}`);
    case 'notice':
      return colour(LEVELS[item.level], `! ${printable(item.text)}`);
    case 'raw':
      return '';
  }
};

/** One item for a person; empty for what only `--json` shows. Untrusted text is made inert. */
export const activityText = (activity: Activity, ink: Ink): string => {
  const known = Item.safeParse(activity);
  return known.success ? shown(known.data, ink) : '';
};
