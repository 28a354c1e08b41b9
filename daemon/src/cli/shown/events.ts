import type { Event } from '@fairlead/shared/contract/resources';
import { STEP_STATES } from '@fairlead/shared/contract/states';
import { printable } from '@fairlead/shared/kit/printable';
import { duration } from '../layout.ts';

/** What of an event's data a person wants to see on one line; the rest is in --json. */
const SHOWN = [
  'title',
  'name',
  'executor',
  'outcome',
  'state',
  'passed',
  'exit_code',
  'files',
  'added',
  'removed',
  'reasons',
  'ref',
  'operation',
  'code',
  'why',
  'label',
  'target',
] as const;

const text = (value: unknown): string => (typeof value === 'string' ? value : (JSON.stringify(value) ?? ''));

const move = ({ from, to }: Event['data']): string =>
  typeof from === 'string' && typeof to === 'string' ? `${from.slice(0, 20)} -> ${to.slice(0, 40)}` : '';

/** One event on one line. */
export const eventLine = (event: Event): string => {
  const data = SHOWN.filter((name) => event.data[name] !== undefined && event.data[name] !== null).map(
    (name) => `${name}=${text(event.data[name]).slice(0, 60)}`,
  );
  const details = [move(event.data), ...data].filter(Boolean).join(' ');
  return printable(
    `${event.at}  ${event.type.padEnd(21)} ${event.principal.name.slice(0, 20).padEnd(9)} ${event.step_id ?? event.run_id ?? ''}  ${details}`,
  ).trimEnd();
};

const isState = (word: unknown): word is keyof typeof STEP_STATES => typeof word === 'string' && Object.hasOwn(STEP_STATES, word);

/** What an event means to somebody who waits, or undefined for what only the history needs. */
const news = ({ type, data }: Event): string | undefined => {
  if (type === 'validation.recorded')
    return `validation ${text(data['name'])} ${data['passed'] === true ? 'passed' : 'FAILED'} (${duration(Number(data['duration_ms'] ?? 0))})`;
  if (type === 'change.recorded') return `changed ${text(data['files'])} file(s), +${text(data['added'])} -${text(data['removed'])}`;
  if (type === 'gate.opened') return `a gate opened: ${text(data['reasons']).replace(/["[\]]/g, '')}`;
  if (type.startsWith('gate.')) return `the gate is ${type.slice(5)}`;
  if (type === 'step.stop_requested') return 'it was asked to stop';
  const to = data['to'];
  return isState(to) ? `${to}: ${STEP_STATES[to].meaning}` : undefined;
};

/** One line of progress for somebody who waits; undefined for what they need not see. */
export const progressLine = (event: Event): string | undefined => {
  const said = news(event);
  return said === undefined ? undefined : printable(`  ${event.at.slice(11, 19)}  ${said}`);
};
