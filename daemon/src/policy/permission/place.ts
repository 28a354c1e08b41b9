/** Where a path is, judged by its text alone. Links are not followed: the sandbox and the fence over the result see to those. */
export type Place =
  /** Relative to the workspace, normalised; `.` is the workspace itself. */
  | { readonly kind: 'workspace'; readonly path: string }
  | { readonly kind: 'scratch' | 'system' | 'sink' | 'device' | 'secret' | 'outside'; readonly path: string };

/** The two settings that say what belongs to an attempt. */
export interface Ground {
  readonly workspace: string;
  readonly scratch: readonly string[];
}

/** Folders of the system that hold programs and libraries, and nothing of a person. Reading them is as good as running a compiler. */
const SYSTEM = /^\/(?:(?:usr|bin|sbin|lib|lib32|lib64|libx32|opt)(?:\/|$)|etc\/(?:os-release|lsb-release|debian_version|alpine-release)$)/;
/** What may be written without any effect on files. */
const SINKS = new Set([
  '/dev/null',
  '/dev/zero',
  '/dev/full',
  '/dev/stdout',
  '/dev/stderr',
  '/dev/stdin',
  '/dev/tty',
  '/dev/random',
  '/dev/urandom',
]);
const SINK = /^\/(?:dev|proc\/self)\/fd\/\d+$/;
/** Settings and devices of the machine. */
const DEVICE = /^\/(?:dev|proc|sys|boot)(?:\/|$)/;
/** Names that hold credentials or the state of Fairlead, wherever they stand outside of the workspace. Lower case. */
const SECRET_NAMES =
  /(?:^|\/)(?:\.ssh|\.gnupg|\.aws|\.azure|\.kube|\.docker|\.netrc|_netrc|\.git-credentials|\.npmrc|\.pypirc|\.pgpass|\.my\.cnf|\.password-store|\.fairlead|\.claude|\.claude\.json|\.codex|\.gemini|\.qwen|\.mozilla|\.vault-token|\.cargo\/credentials(?:\.toml)?|\.config\/(?:gh|gcloud|hub|op|fairlead|google-chrome|chromium|opencode)|\.local\/share\/(?:keyrings|fairlead|opencode)|library\/keychains|id_(?:rsa|dsa|ecdsa|ed25519))(?:\/|$)/;
const SECRET_PATHS =
  /^\/(?:etc\/(?:shadow|gshadow|sudoers|ssh)|proc\/[^/]+\/(?:environ|mem|maps|fd|root|cwd)|proc\/kcore|run\/(?:docker|containerd|podman|secrets|user)|var\/run\/(?:docker|secrets))(?:[/.-]|$)/;

/** An absolute path without empty, `.` and `..` segments. */
export const normalise = (path: string): string => {
  const names: string[] = [];
  for (const name of path.split('/')) {
    if (name === '..') names.pop();
    else if (name !== '' && name !== '.') names.push(name);
  }
  return `/${names.join('/')}`;
};

const below = (path: string, folder: string): boolean => folder === '/' || path === folder || path.startsWith(`${folder}/`);

/** A home folder, by tilde, joined and normalised as if it were a folder `~` in the root. */
const inHome = (text: string): string => normalise(`/${text}`).slice(1);

/** The absolute path of a folder to go to, or one that begins with `~`. @param cwd absolute, or one that begins with `~` */
export const joined = (cwd: string, text: string): string => {
  if (text.startsWith('~')) return inHome(text);
  if (text.startsWith('/')) return normalise(text);
  return cwd.startsWith('~') ? inHome(`${cwd}/${text}`) : normalise(`${cwd}/${text}`);
};

/** Where the path is that a program which starts in `cwd` would reach. Separators and drives of other systems lead outside. */
export const placeOf = (cwd: string, text: string, { workspace, scratch }: Ground): Place => {
  const path = joined(cwd, text);
  const lower = path.toLowerCase();
  if (text.includes('\\') || /^[A-Za-z]:/.test(text)) return { kind: 'outside', path: text };
  if (path.startsWith('~') || !path.startsWith('/')) return { kind: SECRET_NAMES.test(lower) ? 'secret' : 'outside', path };
  if (below(path, workspace)) return { kind: 'workspace', path: path.slice(workspace === '/' ? 1 : workspace.length + 1) || '.' };
  if (SECRET_PATHS.test(lower) || SECRET_NAMES.test(lower)) return { kind: 'secret', path };
  if (scratch.some((folder) => below(path, folder))) return { kind: 'scratch', path };
  if (SINKS.has(path) || SINK.test(path)) return { kind: 'sink', path };
  if (DEVICE.test(path)) return { kind: 'device', path };
  return { kind: SYSTEM.test(path) ? 'system' : 'outside', path };
};
