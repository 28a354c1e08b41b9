import type { Event } from '@fairlead/shared/contract/resources';
import { printable } from '@fairlead/shared/kit/printable';

const shown = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value) ?? '');

/** One event on one line. */
export const eventLine = (event: Event): string => {
  const data = Object.entries(event.data)
    .filter(([, value]) => value !== null && (typeof value !== 'object' || Array.isArray(value)))
    .map(([name, value]) => `${name}=${shown(value).slice(0, 80)}`)
    .join(' ');
  return printable(`${event.at}  ${event.type.padEnd(22)} ${event.step_id ?? event.run_id ?? ''}  ${event.principal.name}${data ? `  ${data}` : ''}`).trimEnd();
};
