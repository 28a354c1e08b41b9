/** The approval mode of a profile. */
export type Mode = 'ask' | 'auto' | 'read_only';
export type Decision = 'allow' | 'ask' | 'deny';

interface RuleFacts {
  /** Decision per mode. */
  readonly decisions: Readonly<Record<Mode, Decision>>;
  /** No rule of the owner lifts it. */
  readonly absolute: boolean;
  /** What it matches and why it is decided so, in one sentence. */
  readonly reason: string;
}

const row = (auto: Decision, ask: Decision, read_only: Decision, reason: string): RuleFacts => ({
  decisions: { auto, ask, read_only },
  absolute: false,
  reason,
});
/** Denied in every mode, and an allow rule of the owner lifts it. */
const denied = (reason: string): RuleFacts => row('deny', 'deny', 'deny', reason);
/** Denied in every mode, whatever the owner's allow rules say. */
const never = (reason: string): RuleFacts => ({ ...denied(reason), absolute: true });
/** A person decides, except where nothing may be written at all. */
const asked = (reason: string): RuleFacts => row('ask', 'ask', 'deny', reason);
/** Reads: allowed in every mode. */
const free = (reason: string): RuleFacts => row('allow', 'allow', 'allow', reason);
/** Ordinary work inside of the workspace: allowed in `auto`, asked for in `ask`. */
const work = (reason: string): RuleFacts => row('allow', 'ask', 'deny', reason);

/**
 * Every rule, in order: of several that lead to the same decision the first one is named. Deny wins over ask, ask over allow.
 * What it stands on: beneath this table an attempt is confined, so the table decides what is sensible, the sandbox what is possible.
 */
export const RULES = {
  // The request itself.
  'request.malformed': never('The request is not an object of JSON values with well-formed texts, so nobody can tell what it asks for.'),
  'request.empty': never('The tool would execute a command, and the command is missing or blank.'),
  'request.too_large': never('The request is larger than what is judged.'),
  'owner.deny': never('A rule of the owner denies it.'),

  // Shell text whose meaning cannot be known before it runs.
  'shell.parse_error': never('The command is not shell text that can be parsed without error.'),
  'shell.not_bash': never('The tool runs another shell than a POSIX one, and its language cannot be judged.'),
  'shell.dynamic_command': never('The name of the program is computed when the command runs, so it cannot be known.'),
  'shell.dynamic_code': never('Code for a shell is computed when the command runs, so it cannot be known.'),
  'shell.piped_code': never('A shell would run what it reads from a pipe, a file descriptor or a computed text, so it cannot be known.'),
  'shell.hidden_evaluation': never('A literal text holds a command substitution that an arithmetic or test builtin would evaluate.'),
  'shell.redefines': never('It changes what names of programs or builtins mean.'),
  'shell.confusable': never('The name of the program has characters that look like others or like nothing.'),
  'shell.too_deep': never('Commands are nested deeper, or are more, than what is judged.'),

  // Files. What leaves the workspace or touches what judges it is never lifted.
  'fs.secrets': never('It names a place that holds credentials, keys or the state of Fairlead.'),
  'fs.outside_workspace': never('It would write outside of the workspace.'),
  'fs.devices': never('It would write to a device or to a setting of the system.'),
  'fs.dot_git': never('It would write into .git, whose hooks and settings run programs.'),
  'fs.policy_files': never('It would change the project policy, which judges the work itself.'),
  'fs.forbidden': never('The fence of the task forbids the path.'),
  'fs.outside_allowed': never('The path is outside of what the fence of the task allows.'),
  'fs.link_outside': never('The link would lead out of the workspace or into .git.'),
  'fs.set_id': never('It would let a file run with the rights of its owner or group.'),

  // Rights and life of processes.
  'proc.privilege': never('It asks for the rights of another user.'),
  'proc.escape': never('It would change namespaces, mounts or the machine itself.'),
  'proc.container': denied('It would start containers, which are outside of the sandbox.'),
  'proc.daemonize': denied('It would leave a process behind that outlives the attempt.'),
  'proc.runs_program': never('An option of the tool would start another program.'),
  'env.steers_programs': never('The variable makes programs load or run other code.'),

  // git. The repository of a workspace is a private copy: what counts is the tree that the daemon takes from the workspace.
  'git.push': denied('Publishing is up to Fairlead, after the change was verified and approved.'),
  'git.history_rewrite': denied('It rewrites or merges history; the change is what the workspace holds at the end.'),
  'git.discard': denied('It throws work away or replaces files of the workspace in bulk.'),
  'git.branch': denied('The name or form is not that of switching to, or creating, one plain branch.'),
  'git.pathspec': denied('The pathspec is missing, magic, or not plainly inside of the workspace.'),
  'git.config': denied('It changes settings of git, which can name programs.'),
  'git.other_repository': never('It points git at another repository or work tree.'),
  'git.writes_file': never('An option makes a reading command of git write a file.'),
  'git.remote_shape': denied('The form of fetch or pull can overwrite branches; git fetch and git pull --ff-only can be asked for.'),
  'git.verb': denied('The command of git is not one that an agent needs in its workspace.'),
  'gh.write': denied('It acts on a forge; publishing is up to Fairlead, after the change was verified and approved.'),

  // Network.
  'net.private_range': never('The address is of this machine or of a private network.'),
  'net.credentials': never('The URL carries credentials.'),
  'net.scheme': never('Only http and https URLs can be judged.'),
  'net.none': never('The profile has no network.'),
  'net.host_not_listed': never('The profile does not list the host.'),
  'net.raw_socket': denied('It opens connections that cannot be judged.'),
  'net.remote_shell': denied('It reaches other machines, for which a workspace has no credentials.'),

  // Foreign code.
  'pkg.publish': denied('Publishing packages is up to a person.'),
  'pkg.system': denied('It changes the packages of the system.'),

  // A person decides.
  'shell.function': asked('It defines functions, so what their names mean depends on the order of things.'),
  'shell.dynamic_argument': asked('An argument is computed when the command runs and could be an option that writes or runs something.'),
  'request.hidden_characters': asked('The text has control, bidirectional or zero-width characters; they are shown here.'),
  'fs.protected': asked('The path makes tools run things or tells agents what to do, or the project policy protects it.'),
  'fs.dynamic_path': asked('The path that would be written is computed when the command runs.'),
  'fs.delete_all': asked('It would delete all of the workspace or a whole pattern of it.'),
  'fs.read_outside': row('ask', 'ask', 'deny', 'It would read outside of the workspace and of the folders of the system.'),
  'net.upload': asked('It would send data to another machine.'),
  'net.unknown_target': asked('The address is computed when the command runs.'),
  'git.dynamic_argument': asked('An argument of git is computed when the command runs and could be an option.'),
  'git.remote_read': asked('It moves what the work is based on; the base of a step is fixed.'),
  'git.skip_hooks': asked('It skips the checks that the project runs on a commit.'),
  'pkg.install': asked('It brings in foreign code, which may run when it is installed.'),
  'pkg.foreign': asked('It may download and run a package that the project does not have.'),
  'release.run': asked('By its name the script releases, publishes or deploys.'),
  'code.inline': asked('The command carries a program in another language.'),
  'code.outside': asked('It would execute a file outside of the workspace and of the folders of the system.'),
  'proc.kill': asked('It ends processes by name or all at once.'),
  'program.unknown': asked('Nothing is known of the program.'),
  'mcp.tool': asked('The tool belongs to an MCP server, and only the server knows what it does.'),
  'agent.spawn': row('allow', 'ask', 'ask', 'It starts an agent of its own, whose tools are judged one by one.'),
  'tool.paths_unknown': asked('The tool writes, and the request does not say where.'),
  'tool.unknown': asked('Nothing is known of the tool.'),

  // Ordinary work, and reads.
  'net.fetch': row('allow', 'ask', 'allow', 'It fetches a URL that the network of the profile allows.'),
  'gh.read': row('allow', 'ask', 'allow', 'It reads from a forge.'),
  'dev.run': work('It runs tests, builds, checks or scripts of the project, which execute code of the workspace.'),
  'code.workspace': work('It executes a file of the workspace.'),
  'proc.background': work('It runs beside the commands that follow and ends with the attempt.'),
  'fs.delete': work('It deletes inside of the workspace.'),
  'fs.write': work('It writes inside of the workspace or to its scratch folders.'),
  'git.stage': work('It stages or commits in the private repository of the workspace.'),
  'git.switch': work('It switches to one plain branch in the private repository of the workspace.'),
  'owner.allow': free('A rule of the owner allows it.'),
  'git.read': free('It reads the repository.'),
  'fs.read': free('It reads.'),
  'shell.builtin': free('It changes nothing but the shell itself.'),
  'tool.think': free('It has no effect outside of the agent.'),
} as const satisfies Readonly<Record<string, RuleFacts>>;

export type RuleId = keyof typeof RULES;
export const RULE_IDS = Object.keys(RULES) as RuleId[];

/** The place of each rule in the table. */
export const RULE_ORDER: ReadonlyMap<RuleId, number> = new Map(RULE_IDS.map((id, index) => [id, index]));

/** Deny wins over ask, ask over allow. */
export const SEVERITY: Readonly<Record<Decision, number>> = { allow: 0, ask: 1, deny: 2 };
