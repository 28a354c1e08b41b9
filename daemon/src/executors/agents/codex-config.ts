/** A basic string of TOML: JSON escapes all that it escapes but DEL. */
const quoted = (text: string): string => JSON.stringify(text.toWellFormed()).replaceAll('\u007F', '\\u007F');

/**
 * What codex may not do here. Things that would act outside of the workspace, or without a request for leave: searches and tools that run at
 * the vendor, plugins, apps and hooks, terminals into which more is typed after a command was judged.
 */
const OFF = [
  'apps',
  'browser_use',
  'computer_use',
  'hooks',
  'image_generation',
  'plugins',
  'remote_plugin',
  'shell_snapshot',
  'skill_mcp_dependency_install',
  'unified_exec_tty',
];

/** The whole config of one attempt. @param gateway where the model is reached through us; undefined where codex signs in by itself */
export const codexConfig = (model: string | undefined, gateway: string | undefined): string =>
  [
    ...(model === undefined ? [] : [`model = ${quoted(model)}`]),
    ...(gateway === undefined ? [] : ['model_provider = "fairlead"']),
    'sandbox_mode = "danger-full-access"',
    'web_search = "disabled"',
    'allow_login_shell = false',
    'check_for_update_on_startup = false',
    'cli_auth_credentials_store = "file"',
    '[analytics]',
    'enabled = false',
    '[feedback]',
    'enabled = false',
    '[history]',
    'persistence = "none"',
    '[features]',
    ...OFF.map((feature) => `${feature} = false`),
    ...(gateway === undefined
      ? []
      : [
          '[model_providers.fairlead]',
          'name = "Fairlead gateway"',
          `base_url = ${quoted(`${gateway}/v1`)}`,
          'wire_api = "responses"',
          'env_key = "FAIRLEAD_MODEL_KEY"',
          'supports_websockets = false',
          'request_max_retries = 2',
          'stream_max_retries = 2',
        ]),
    '',
  ].join('\n');
