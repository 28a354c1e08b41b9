import { FairleadError } from '@fairlead/shared/contract/errors';

export interface RelayAddress {
  /** As a browser would say it, such as `https://relay.example`; the relay must name exactly these bytes in its challenge. */
  readonly origin: string;
  readonly websocket: string;
}

const isLoopback = (host: string): boolean => host === 'localhost' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host);

const refuse = (rule: string): never => {
  throw new FairleadError('invalid_input', { field: 'relay', rule, detail: `The address of the relay ${rule}` });
};

/**
 * Reads the address of a relay. Plain `http:` (and so `ws:`) is accepted to this machine only, because everything that crosses the
 * line, and the enrolment token first of all, could be read and replaced on the way.
 * @throws FairleadError `invalid_input`
 */
export const relayAddress = (text: string): RelayAddress => {
  let url: URL;
  try {
    url = new URL(text.replace(/^ws(s?):/i, 'http$1:'));
  } catch {
    return refuse('must be a URL, such as https://relay.example');
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return refuse('must begin with https://');
  if (url.protocol === 'http:' && !isLoopback(url.hostname)) return refuse('must begin with https://; plain http is for this machine only');
  if (url.username !== '' || url.password !== '') return refuse('must not carry a name or password');
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '') return refuse('must have no path, query or fragment');
  return { origin: url.origin, websocket: `${url.origin.replace(/^http/, 'ws')}/connect` };
};
