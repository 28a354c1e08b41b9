import { existsSync, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { dirname, join, sep } from 'node:path';
import { detectConfinement } from '../../process/detect.ts';
import { runProgram } from '../../process/run.ts';
import { atLeast, blocked, ok, warning, type Finding } from './finding.ts';

const NODE = '20.19';
const GIT = '2.38';

const nodeFinding = (): Finding =>
  atLeast(process.versions.node, NODE)
    ? ok('node', `Node ${process.versions.node}`)
    : blocked('node', `Node ${process.versions.node} is too old`, `Install Node ${NODE} or later, such as from https://nodejs.org`);

const gitCure =
  process.platform === 'darwin' ? 'Install it: brew install git' : "Install it: apt-get install git (or your system's package manager)";

const gitFinding = async (): Promise<Finding> => {
  try {
    const end = await runProgram({ file: 'git', args: ['--version'], cwd: tmpdir(), env: { LC_ALL: 'C' } });
    const version = /\d+\.\d+(\.\d+)?/.exec(end.stdout.toString('utf8'))?.[0] ?? '';
    if (version === '') return blocked('git', 'git does not tell its version', gitCure);
    return atLeast(version, GIT)
      ? ok('git', `git ${version}`)
      : blocked('git', `git ${version} is too old; ${GIT} is needed for merge-tree`, gitCure);
  } catch {
    return blocked('git', 'git was not found on PATH', gitCure);
  }
};

const sandboxFinding = async (toolchain: readonly string[]): Promise<Finding> => {
  const folder = await mkdtemp(join(tmpdir(), 'fairlead-doctor-'));
  try {
    const found = await detectConfinement({ folder, toolchain });
    if (found.sandbox) return ok('sandbox', found.sandbox.detail);
    return warning(
      'sandbox',
      `There is no sandbox: ${found.reason ?? 'none was found'}. The patch executor works; steps that run code, and validations, are refused unless the instance was added with --unconfined.`,
      found.cure ?? 'Install bubblewrap',
    );
  } catch (error) {
    return warning('sandbox', `The sandbox could not be tried: ${(error as Error).message}`, 'Install bubblewrap');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};

/** Where systems keep their programs; the sandbox shows these anyway. */
const SYSTEM = ['/usr', '/bin', '/sbin', '/lib', '/lib64', '/System'];
const isWithin = (path: string, folder: string): boolean =>
  path === folder || path.startsWith(folder.endsWith(sep) ? folder : `${folder}${sep}`);
const isFolder = (path: string): boolean => existsSync(path) && statSync(path).isDirectory();

/**
 * Folders of PATH that confined work cannot see and the owner has not listed. The folder above a `bin` is proposed, because a
 * toolchain's libraries lie beside it; never the home itself or anything above it, and of a folder right in the home only its `bin`,
 * because tools keep their sign-ins there (~/.cargo/credentials.toml).
 */
export const toolchainProposals = (path: readonly string[], listed: readonly string[], home: string): string[] => {
  const proposals = new Set<string>();
  for (const folder of path) {
    if (!folder.startsWith('/') || SYSTEM.some((system) => isWithin(folder, system)) || listed.some((one) => isWithin(folder, one)))
      continue;
    const above = folder.endsWith(`${sep}bin`) ? folder.slice(0, -4) : folder;
    const tooWide = above === '' || isWithin(home, above) || dirname(above) === home;
    proposals.add(tooWide ? folder : above);
  }
  const fitting = [...proposals].filter((folder) => folder !== '' && !isWithin(home, folder));
  return fitting.filter((folder) => !fitting.some((other) => other !== folder && isWithin(folder, other)));
};

const toolchainFindings = (path: readonly string[], listed: readonly string[], configFile: string): Finding[] => {
  const missing = listed.filter((folder) => !isFolder(folder));
  const proposals = toolchainProposals(path, listed, homedir()).filter(isFolder);
  const findings = missing.map((folder) =>
    warning('toolchain', `${folder} is listed in toolchain_folders and is no folder`, `Correct toolchain_folders in ${configFile}`),
  );
  if (proposals.length > 0) {
    findings.push(
      warning(
        'toolchain',
        `Programs in ${proposals.join(', ')} are on your PATH and cannot be seen by confined work`,
        `If validations need them, write toolchain_folders: [${proposals.join(', ')}] into ${configFile}`,
      ),
    );
  }
  return findings.length > 0
    ? findings
    : [
        ok(
          'toolchain',
          listed.length > 0 ? `Confined work also sees ${listed.join(', ')}` : 'Confined work sees the programs of the system',
        ),
      ];
};

/** What the machine has and lacks. */
export const machineFindings = async (options: {
  readonly path: readonly string[];
  readonly toolchain: readonly string[];
  readonly configFile: string;
}): Promise<Finding[]> => [
  nodeFinding(),
  await gitFinding(),
  await sandboxFinding(options.toolchain.filter(isFolder)),
  ...toolchainFindings(options.path, options.toolchain, options.configFile),
];
