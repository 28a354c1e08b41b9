import { objectOf, textOf, type Json } from '../conversation.ts';
import { DUMMY_KEY, type Decision, type Driver } from './driver.ts';

const asks = (message: Json): boolean =>
  message['type'] === 'control_request' && objectOf(message['request'])['subtype'] === 'can_use_tool';

const answerTo = (request: Json, decide: Decision): Json =>
  decide === 'allow'
    ? { behavior: 'allow', updatedInput: request['input'] }
    : { behavior: 'deny', message: 'Denied by rule command.network.', ...(decide === 'deny_and_stop' && { interrupt: true }) };

const FLAGS = [
  '-p',
  '--input-format',
  'stream-json',
  '--output-format',
  'stream-json',
  '--verbose',
  '--permission-prompt-tool',
  'stdio',
  '--permission-mode',
  'manual',
  '--setting-sources',
  '',
  '--strict-mcp-config',
  '--model',
  'claude-sonnet-4-5',
];

/** Claude Code: stream-json both ways, with its control protocol. */
export const claude: Driver = {
  agent: 'claude',
  argv: ({ resume }) => ['/opt/agent/node_modules/.bin/claude', ...FLAGS, ...(resume === undefined ? [] : ['--resume', resume])],
  env: (url) => ({
    ANTHROPIC_BASE_URL: url,
    ANTHROPIC_API_KEY: DUMMY_KEY,
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
    DISABLE_AUTOUPDATER: '1',
    // Ten retries, as it does by itself, take minutes.
    CLAUDE_CODE_MAX_RETRIES: '3',
  }),
  files: () => ({}),
  asks,
  open: async (peer, { resume, decide }) => {
    let count = 0;
    const control = (request: Json) => {
      count += 1;
      peer.send({ type: 'control_request', request_id: `client-${count}`, request });
      return `client-${count}`;
    };
    peer.onMessage((message) => {
      if (!asks(message) || decide === 'hold') return;
      const response = answerTo(objectOf(message['request']), decide);
      peer.send({ type: 'control_response', response: { subtype: 'success', request_id: message['request_id'], response } });
    });
    const opening = control({ subtype: 'initialize', hooks: {} });
    await peer.until(
      'the answer to initialize',
      (message) => message['type'] === 'control_response' && objectOf(message['response'])['request_id'] === opening,
    );
    let id = resume ?? '';
    peer.onMessage((message) => (id = textOf(message['session_id']) || id));
    return {
      get id() {
        return id;
      },
      prompt: async (text) => {
        peer.send({ type: 'user', message: { role: 'user', content: [{ type: 'text', text }] } });
        return peer.until('the result', (message) => message['type'] === 'result', 100_000);
      },
      cancel: () => control({ subtype: 'interrupt' }),
    };
  },
};
