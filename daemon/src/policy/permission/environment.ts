import type { ShellWord } from './words.ts';

/** Variables with which a program is made to load, run or trust something else. */
const STEERS =
  /^(?:PATH|LD_.*|DYLD_.*|BASH_ENV|ENV|BASH_FUNC_.*|PROMPT_COMMAND|PS[0-4]|IFS|SHELLOPTS|BASHOPTS|CDPATH|SHELL|HOME|GLOBIGNORE|EXECIGNORE|HISTFILE|FPATH|ZDOTDIR|GIT_.*|SSH_.*|GPG_.*|EDITOR|VISUAL|FCEDIT|SUDO_.*|BROWSER|.*PAGER|LESSOPEN|LESSCLOSE|LESS|NODE_OPTIONS|NODE_PATH|NODE_REPL_.*|PNPM_.*|YARN_.*|BUN_.*|PYTHONSTARTUP|PYTHONHOME|PYTHONINSPECT|PYTHONBREAKPOINT|PYTHONUSERBASE|PIP_.*|UV_.*|PERL5.*|PERLLIB|PERL_.*|RUBYOPT|RUBYLIB|GEM_.*|BUNDLE_.*|JAVA_TOOL_OPTIONS|_JAVA_OPTIONS|JDK_JAVA_OPTIONS|MAVEN_OPTS|GRADLE_OPTS|MAKEFLAGS|MFLAGS|GNUMAKEFLAGS|MAKEFILES|CARGO_.*|RUSTC.*|RUSTFLAGS|GOFLAGS|GOPROXY|GONOSUMDB|GONOSUMCHECK|GOINSECURE|GOTOOLCHAIN|CC|CXX|SSL_CERT_.*|CURL_.*|WGETRC|TAR_OPTIONS|GZIP|AWKPATH|AWKLIBPATH|TERMINFO.*|LOCPATH|GCONV_PATH|MALLOC_.*|OPENSSL_.*|DOCKER_.*|KUBECONFIG|AWS_.*|ANTHROPIC_.*|OPENAI_.*|GEMINI_.*|GOOGLE_.*|CLAUDE_.*|CODEX_.*|QWEN_.*|OPENCODE.*|FAIRLEAD_.*)$/;

/** Values that leave programs as they are. */
const HARMLESS: readonly RegExp[] = [
  /^NODE_OPTIONS=(?:--max-old-space-size=\d+|--experimental-vm-modules|--no-warnings|--enable-source-maps|--trace-warnings|\s)*$/,
  /^(?:\w*PAGER)=(?:cat)?$/,
  /^(?:GIT_EDITOR|EDITOR|VISUAL|GIT_SEQUENCE_EDITOR)=(?:true|:|cat)$/,
  /^GIT_TERMINAL_PROMPT=0$/,
  /^GIT_OPTIONAL_LOCKS=0$/,
  /^CARGO_(?:TERM_\w+|INCREMENTAL|TARGET_DIR)=[\w./-]*$/,
  /^(?:CC|CXX)=(?:gcc|g\+\+|clang|clang\+\+|cc|c\+\+)(?:-\d+)?$/,
  /^GIT_(?:AUTHOR|COMMITTER)_(?:NAME|EMAIL|DATE)=/,
  /^RUSTFLAGS=(?:-D ?warnings|-Dwarnings|\s)*$/,
  /^GOFLAGS=(?:-mod=(?:mod|readonly|vendor)|-count=1|\s)*$/,
  /^IFS=(?:[\s,:;|]*)$/,
];

/** Whether an assignment (`NAME=value`, `NAME+=value`) steers which code runs. */
export const steersPrograms = ({ value, prefix }: ShellWord): boolean => {
  const name = /^([A-Za-z_][A-Za-z0-9_]*)(?:\[[^\]]*\])?\+?(?:=|$)/.exec(prefix)?.[1];
  if (name === undefined || !(STEERS.test(name) || /^npm_config_|_proxy$/i.test(name))) return false;
  return value === null || !HARMLESS.some((harmless) => harmless.test(value));
};
