import { acpDialect } from './acp.ts';
import { keepGeminiSessions } from './gemini-sessions.ts';
import type { AgentDialect } from './dialect.ts';

/** In place of a credential, which the gateway has. */
const NO_KEY = 'held-by-fairlead';

const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

const GEMINI_POLICY = '.gemini/fairlead.toml';

/** What gemini does without asking by itself, although it reaches further than the workspace. */
const GEMINI_RULES = `[[rule]]
toolName = ["run_shell_command", "write_file", "replace", "web_fetch", "google_web_search", "activate_skill", "save_memory", "mcp_*"]
decision = "ask_user"
priority = 999
`;

/**
 * Gemini CLI. Reading and searching in the workspace run without a request; everything else asks. It does not tell the output of commands, and
 * tells what it used at the end alone.
 */
export const geminiDialect = (): AgentDialect =>
  acpDialect({
    argv: ({ model, places }) => [
      '--acp',
      '--approval-mode',
      'default',
      '--admin-policy',
      `${places.home}/${GEMINI_POLICY}`,
      ...(model === undefined ? [] : ['-m', model]),
    ],
    env: ({ gateway }) => ({
      // With its relauncher it does not heed a signal.
      GEMINI_CLI_NO_RELAUNCH: 'true',
      GEMINI_CLI_TRUST_WORKSPACE: 'false',
      ...(gateway !== undefined && { GOOGLE_GEMINI_BASE_URL: gateway, GEMINI_API_KEY: NO_KEY }),
    }),
    files: ({ gateway }) => ({
      [GEMINI_POLICY]: GEMINI_RULES,
      '.gemini/settings.json': json({
        security: { auth: { selectedType: gateway === undefined ? 'oauth-personal' : 'gemini-api-key' } },
        privacy: { usageStatisticsEnabled: false },
        telemetry: { enabled: false },
        general: { enableAutoUpdate: false, enableAutoUpdateNotification: false },
        experimental: { enableAgents: false },
      }),
    }),
    mode: 'default',
    resuming: keepGeminiSessions,
  });

const QWEN_SETTINGS = '.qwen/system-settings.json';

/**
 * Qwen Code. Reading and searching run without a request; every command and edit asks. It ends its turn, as if all were well, as soon as
 * something is denied. While its model says that a limit is reached it tries again by itself and tells nobody, until the attempt's time is over.
 */
export const qwenDialect = (): AgentDialect =>
  acpDialect({
    argv: () => ['--acp', '--auth-type', 'openai', '--approval-mode', 'default'],
    env: ({ gateway, model, places }) => ({
      QWEN_CODE_SYSTEM_SETTINGS_PATH: `${places.home}/${QWEN_SETTINGS}`,
      QWEN_CODE_NO_RELAUNCH: 'true',
      ...(model !== undefined && { OPENAI_MODEL: model }),
      ...(gateway !== undefined && {
        OPENAI_BASE_URL: `${gateway}/v1`,
        OPENAI_API_KEY: NO_KEY,
        OPENAI_MODEL: model ?? 'qwen3-coder-plus',
      }),
    }),
    files: () => ({
      [QWEN_SETTINGS]: json({
        privacy: { usageStatisticsEnabled: false },
        telemetry: { enabled: false },
        general: { enableAutoUpdate: false, disableAutoUpdate: true },
        security: { folderTrust: { enabled: true } },
        disableAllHooks: true,
        // Further calls of the model that it would make for itself when the work is done, in part with tools that ask nobody.
        ui: { enableFollowupSuggestions: false },
        memory: { enableManagedAutoMemory: false, enableManagedAutoDream: false, enableAutoSkill: false },
        // Of itself it runs commands that it holds for harmless without asking.
        permissions: { ask: ['run_shell_command', 'edit', 'write_file', 'web_fetch'] },
      }),
      '.qwen/trustedFolders.json': json({}),
    }),
    mode: 'default',
  });

const OPENCODE_ALLOWED = ['read', 'glob', 'grep', 'list', 'lsp', 'todoread', 'todowrite'];

/**
 * OpenCode. Its own default lets everything pass, so all but reading is set to ask; the config of the repository is left out, and so are the
 * programs in its `.opencode` folder, which it would run at its start whatever it is told. Without a sandbox they run.
 */
export const opencodeDialect = (): AgentDialect =>
  acpDialect({
    argv: () => ['acp'],
    hidden: ['.opencode'],
    env: ({ places }) => ({
      // With the config of the repository its instructions are left out too; those are wanted.
      OPENCODE_CONFIG_CONTENT: JSON.stringify({ instructions: [`${places.workspace}/AGENTS.md`, `${places.workspace}/CLAUDE.md`] }),
      OPENCODE_DISABLE_AUTOUPDATE: '1',
      OPENCODE_DISABLE_MODELS_FETCH: '1',
      OPENCODE_DISABLE_LSP_DOWNLOAD: '1',
      OPENCODE_DISABLE_PROJECT_CONFIG: '1',
      OPENCODE_PURE: '1',
    }),
    files: ({ model, gateway }) => {
      const id = model ?? 'big-pickle';
      const named = gateway === undefined ? model : `fairlead/${id}`;
      return {
        '.config/opencode/opencode.json': json({
          autoupdate: false,
          share: 'disabled',
          permission: { '*': 'ask', ...Object.fromEntries(OPENCODE_ALLOWED.map((tool) => [tool, 'allow'])) },
          // So that it hears of a no and goes on; otherwise it stops there.
          experimental: { continue_loop_on_deny: true },
          ...(named !== undefined && { model: named, small_model: named }),
          ...(gateway !== undefined && {
            enabled_providers: ['fairlead'],
            provider: {
              fairlead: {
                npm: '@ai-sdk/openai-compatible',
                name: 'Fairlead gateway',
                options: { baseURL: `${gateway}/v1`, apiKey: NO_KEY },
                models: { [id]: { name: id } },
              },
            },
          }),
        }),
      };
    },
  });

/** An agent of the operator's own that speaks the protocol when it is started so. Whether it asks before it acts is its own to say. */
export const ownDialect = (args: readonly string[]): AgentDialect => acpDialect({ argv: () => args, env: () => ({}), files: () => ({}) });
