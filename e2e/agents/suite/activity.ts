import type { Activity } from '@fairlead/shared/contract/activity';
import type { Seen } from './scenario.ts';

/** Items of one kind. */
export const ofKind = (activity: readonly Activity[], kind: string): readonly Activity[] => activity.filter((item) => item.kind === kind);

/** A field of an item as text; empty where it is none. */
export const field = (item: Activity | undefined, name: string): string => {
  const value = item?.[name];
  return typeof value === 'string' ? value : '';
};

/** All that the agent said, as one text. */
export const said = (activity: readonly Activity[]): string =>
  ofKind(activity, 'text')
    .map((item) => field(item, 'text'))
    .join('');

/** The notices with a code. */
export const notices = (activity: readonly Activity[], code: string): readonly string[] =>
  ofKind(activity, 'notice')
    .filter((item) => field(item, 'code') === code)
    .map((item) => field(item, 'text'));

/** The rules by which requests were denied, as the history has them. */
export const denials = ({ events }: Seen): readonly string[] =>
  events.filter(({ type }) => type === 'permission.denied').map(({ data }) => String(data['rule']));

/** Every result of a tool that went back to the model, as one text: what the agent itself has seen. */
export const shownToModel = ({ requests }: Seen): string => (requests.at(-1)?.toolResults ?? []).map(({ text }) => text).join('\n');
