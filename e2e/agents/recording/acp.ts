import { objectOf, objectsOf, textOf, type Json } from '../conversation.ts';
import { DUMMY_KEY, type Decision, type Driver, type Opening, type Session } from './driver.ts';
import type { Peer } from './peer.ts';

const asks = (message: Json): boolean => message['method'] === 'session/request_permission';

const outcomeFor = (params: Json, decide: Decision): Json => {
  const kind = decide === 'allow' ? 'allow_once' : 'reject_once';
  const option = objectsOf(params['options']).find((one) => one['kind'] === kind);
  return option === undefined || decide === 'deny_and_stop'
    ? { outcome: 'cancelled' }
    : { outcome: 'selected', optionId: option['optionId'] };
};

interface Kind {
  readonly mode?: string;
  readonly authenticate?: string;
}

const openWith =
  ({ mode, authenticate }: Kind) =>
  async (peer: Peer, { resume, decide }: Opening): Promise<Session> => {
    let next = 0;
    const send = (message: Json) => peer.send({ jsonrpc: '2.0', ...message });
    const call = async (method: string, params: Json): Promise<Json> => {
      const id = next++;
      send({ id, method, params });
      const answer = await peer.until(
        `the answer to ${method}`,
        (message) => message['id'] === id && message['method'] === undefined,
        method === 'session/prompt' ? 100_000 : 60_000,
      );
      if (answer['error'] !== undefined && method !== 'session/prompt') throw new Error(`${method}: ${JSON.stringify(answer['error'])}`);
      return objectOf(answer['result'] ?? answer);
    };
    const held: Json[] = [];
    peer.onMessage((message) => {
      if (!asks(message)) {
        if (message['method'] !== undefined && message['id'] !== undefined)
          send({ id: message['id'], error: { code: -32601, message: 'Method not found' } });
        return;
      }
      if (decide === 'hold') held.push(message);
      else send({ id: message['id'], result: { outcome: outcomeFor(objectOf(message['params']), decide) } });
    });
    const hello = await call('initialize', {
      protocolVersion: 1,
      clientInfo: { name: 'fairlead', title: 'Fairlead', version: '0.1.0' },
      clientCapabilities: { fs: { readTextFile: false, writeTextFile: false }, terminal: false },
    });
    if (authenticate !== undefined) await call('authenticate', { methodId: authenticate });
    const can = objectOf(hello['agentCapabilities']);
    const resumes = objectOf(can['sessionCapabilities'])['resume'] !== undefined ? 'session/resume' : 'session/load';
    const place = { cwd: '/workspace', mcpServers: [] };
    const opened = await (resume === undefined ? call('session/new', place) : call(resumes, { sessionId: resume, ...place }));
    const sessionId = resume ?? textOf(opened['sessionId']);
    if (mode !== undefined) await call('session/set_mode', { sessionId, modeId: mode });
    return {
      id: sessionId,
      prompt: (text) => call('session/prompt', { sessionId, prompt: [{ type: 'text', text }] }),
      cancel: () => {
        send({ method: 'session/cancel', params: { sessionId } });
        for (const { id } of held.splice(0)) send({ id, result: { outcome: { outcome: 'cancelled' } } });
      },
    };
  };

const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

export const gemini: Driver = {
  agent: 'gemini',
  // Loading a session in the minute in which it began overwrites its file, which is named by the minute.
  restMs: 61_000,
  argv: () => ['/usr/bin/env', 'node', '/opt/agent/node_modules/.bin/gemini', '--acp', '-m', 'gemini-2.5-pro'],
  env: (url) => ({
    GEMINI_API_KEY: DUMMY_KEY,
    GOOGLE_GEMINI_BASE_URL: url,
    // Else the settings of the workspace decide what is allowed, and start servers of theirs.
    GEMINI_CLI_TRUST_WORKSPACE: 'false',
    GEMINI_CLI_NO_RELAUNCH: 'true',
  }),
  files: () => ({
    '.gemini/settings.json': json({
      security: { auth: { selectedType: 'gemini-api-key' } },
      privacy: { usageStatisticsEnabled: false },
      telemetry: { enabled: false },
      general: { enableAutoUpdate: false, enableAutoUpdateNotification: false },
    }),
  }),
  asks,
  open: openWith({ mode: 'default' }),
};

export const qwen: Driver = {
  agent: 'qwen',
  argv: () => ['/usr/bin/env', 'node', '/opt/agent/node_modules/.bin/qwen', '--acp', '--auth-type', 'openai'],
  env: (url) => ({ OPENAI_API_KEY: DUMMY_KEY, OPENAI_BASE_URL: `${url}/v1`, OPENAI_MODEL: 'scripted' }),
  files: () => ({
    '.qwen/settings.json': json({
      privacy: { usageStatisticsEnabled: false },
      telemetry: { enabled: false },
      general: { enableAutoUpdate: false },
      security: { folderTrust: { enabled: true } },
      // It would ask the model, with tools, what to remember, after every turn.
      memory: { enableManagedAutoMemory: false },
      // And what the user might say next.
      ui: { enableFollowupSuggestions: false },
    }),
    '.qwen/trustedFolders.json': json({ '/workspace': 'DO_NOT_TRUST' }),
  }),
  asks,
  open: openWith({ mode: 'default' }),
};

export const opencode: Driver = {
  agent: 'opencode',
  // It runs the plugins there in spite of OPENCODE_DISABLE_PROJECT_CONFIG and OPENCODE_PURE.
  hidden: ['.opencode'],
  argv: () => ['/opt/agent/node_modules/.bin/opencode', 'acp'],
  env: () => ({
    OPENCODE_DISABLE_AUTOUPDATE: '1',
    OPENCODE_DISABLE_MODELS_FETCH: '1',
    OPENCODE_DISABLE_PROJECT_CONFIG: '1',
    OPENCODE_PURE: '1',
  }),
  files: (url) => ({
    '.config/opencode/opencode.json': json({
      autoupdate: false,
      share: 'disabled',
      model: 'scripted/scripted',
      small_model: 'scripted/scripted',
      permission: { edit: 'ask', bash: 'ask', webfetch: 'ask' },
      provider: {
        scripted: {
          npm: '@ai-sdk/openai-compatible',
          name: 'scripted',
          options: { baseURL: `${url}/v1`, apiKey: DUMMY_KEY },
          models: { scripted: { name: 'scripted', limit: { context: 128000, output: 8000 } } },
        },
      },
    }),
  }),
  asks,
  open: openWith({}),
};
