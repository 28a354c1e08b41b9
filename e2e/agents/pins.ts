/** A real agent at the one version that the tests run. */
export interface AgentPin {
  readonly name: 'claude' | 'codex' | 'gemini' | 'qwen' | 'opencode';
  readonly npmPackage: string;
  readonly version: string;
  /** The command, below `node_modules/.bin`. */
  readonly bin: string;
  /**
   * The script that puts the binary of this platform in place, relative to the package. We run it ourselves: npm from 11 on runs no install
   * scripts unless asked to, and older ones run those of every dependency.
   */
  readonly postinstall?: string;
  /** Whether the command is a script that needs a `node` beside it, or a program by itself. */
  readonly runsOn: 'node' | 'native';
  /** What the package says it needs. All five ran on Node 20 all the same, because an exact version is asked for. */
  readonly nodeEngine: string;
}

/** The agents that `npm run test:agents` runs. A new version is a changed line here and new recordings. */
export const AGENT_PINS: readonly AgentPin[] = [
  {
    name: 'claude',
    npmPackage: '@anthropic-ai/claude-code',
    version: '2.1.329',
    bin: 'claude',
    postinstall: 'install.cjs',
    runsOn: 'native',
    nodeEngine: '>=22',
  },
  { name: 'codex', npmPackage: '@openai/codex', version: '0.169.0', bin: 'codex', runsOn: 'node', nodeEngine: '>=16' },
  { name: 'gemini', npmPackage: '@google/gemini-cli', version: '0.61.0', bin: 'gemini', runsOn: 'node', nodeEngine: '>=20' },
  { name: 'qwen', npmPackage: '@qwen-code/qwen-code', version: '0.24.4', bin: 'qwen', runsOn: 'node', nodeEngine: '>=22' },
  {
    name: 'opencode',
    npmPackage: 'opencode-ai',
    version: '1.18.33',
    bin: 'opencode',
    postinstall: 'postinstall.mjs',
    runsOn: 'native',
    nodeEngine: '',
  },
];
