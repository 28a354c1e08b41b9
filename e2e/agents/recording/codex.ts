import { objectOf, textOf, type Json } from '../conversation.ts';
import { DUMMY_KEY, type Driver } from './driver.ts';
import type { Peer } from './peer.ts';

const DECISIONS = { allow: 'accept', deny: 'decline', deny_and_stop: 'cancel' } as const;

const asks = (message: Json): boolean => textOf(message['method']).endsWith('requestApproval') && message['id'] !== undefined;

const callerOf = (peer: Peer) => {
  let next = 0;
  return async (method: string, params: Json): Promise<Json> => {
    const id = next++;
    peer.send({ id, method, params });
    const answer = await peer.until(`the answer to ${method}`, (message) => message['id'] === id && message['method'] === undefined);
    if (answer['error'] !== undefined) throw new Error(`${method}: ${JSON.stringify(answer['error'])}`);
    return objectOf(answer['result']);
  };
};

const config = (url: string): string => `model = "gpt-5.5"
model_provider = "scripted"
check_for_update_on_startup = false
[projects."/workspace"]
trust_level = "untrusted"
[analytics]
enabled = false
[model_providers.scripted]
name = "scripted"
base_url = "${url}/v1"
wire_api = "responses"
env_key = "SCRIPTED_KEY"
supports_websockets = false
request_max_retries = 2
stream_max_retries = 2
`;

/** Codex: its app server over stdio. */
export const codex: Driver = {
  agent: 'codex',
  argv: () => ['/opt/agent/node_modules/.bin/codex', 'app-server'],
  env: () => ({ SCRIPTED_KEY: DUMMY_KEY }),
  files: (url) => ({ '.codex/config.toml': config(url) }),
  asks,
  open: async (peer, { resume, decide }) => {
    const call = callerOf(peer);
    peer.onMessage((message) => {
      if (asks(message) && decide !== 'hold') peer.send({ id: message['id'], result: { decision: DECISIONS[decide] } });
    });
    await call('initialize', { clientInfo: { name: 'fairlead', title: 'Fairlead', version: '0.1.0' }, capabilities: null });
    peer.send({ method: 'initialized' });
    const settings = { cwd: '/workspace', approvalPolicy: 'untrusted', sandbox: 'danger-full-access' };
    const started =
      resume === undefined ? await call('thread/start', settings) : await call('thread/resume', { threadId: resume, ...settings });
    const threadId = textOf(objectOf(started['thread'])['id']);
    let turnId = '';
    return {
      id: threadId,
      prompt: async (text) => {
        const { turn } = await call('turn/start', { threadId, input: [{ type: 'text', text, text_elements: [] }] });
        turnId = textOf(objectOf(turn)['id']);
        return peer.until('turn/completed', (message) => message['method'] === 'turn/completed', 100_000);
      },
      cancel: () => peer.send({ id: 1000, method: 'turn/interrupt', params: { threadId, turnId } }),
    };
  },
};
