import { lstat, mkdir, readlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { prepareBridge, type Bridge } from './bridge.ts';
import { INSIDE, type Forward } from './confined.ts';
import { isMissing } from './places.ts';

/** One thing that stands in every sandbox, whatever makes it. Made in the order of the list, so that later ones may lie in earlier ones. */
export type Fixture =
  | { readonly what: 'shown'; readonly from: string; readonly to: string }
  | { readonly what: 'link'; readonly target: string; readonly to: string }
  | { readonly what: 'memory' | 'folder' | 'proc' | 'dev'; readonly to: string };

/** What a sandbox shows of this machine, before anything of an order is added. */
export interface Room {
  readonly fixtures: readonly Fixture[];
  /** `PATH` inside. */
  readonly path: string;
  readonly bridgeTo: (forwards: readonly Forward[]) => Bridge;
}

const HOME = INSIDE.home;
const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** A private /tmp or home lives in memory, in bytes; this keeps one order from filling it. */
export const IN_MEMORY_BYTES = 2 * 1024 * 1024 * 1024;

const SYSTEM_FOLDERS = ['/usr', '/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32', '/nix/store', '/run/current-system'];

/** What programs need of /etc. Nothing here is a secret; the rest of /etc is absent, and passwd and group are our own. */
const ETC = [
  'ld.so.cache',
  'ld.so.conf',
  'ld.so.conf.d',
  'nsswitch.conf',
  'host.conf',
  'protocols',
  'services',
  'mime.types',
  'localtime',
  'timezone',
  'alternatives',
  'ssl/certs',
  'ssl/openssl.cnf',
  'ssl/cert.pem',
  'pki/tls/certs',
  'pki/ca-trust/extracted',
  'ca-certificates.conf',
  'crypto-policies',
  'fonts',
  'java',
  'maven',
  'perl',
  'python3',
  'magic',
  'terminfo',
  'debian_version',
  'os-release',
  'inputrc',
  'profile.d',
].map((name) => `/etc/${name}`);

const FILES = {
  passwd: `root:x:0:0:root:/:/usr/sbin/nologin\nfairlead:x:1000:1000:Fairlead:${HOME}:/bin/sh\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n`,
  group: 'root:x:0:\nfairlead:x:1000:\nnogroup:x:65534:\n',
  hosts: '127.0.0.1 localhost\n::1 localhost\n',
} as const;

/** System folders, read-only; where the system has a link such as /bin -> usr/bin, the same link. */
const systemFixtures = async (): Promise<Fixture[]> => {
  const fixtures: Fixture[] = [];
  for (const folder of SYSTEM_FOLDERS) {
    const found = await lstat(folder).catch(() => undefined);
    if (found?.isSymbolicLink()) fixtures.push({ what: 'link', target: await readlink(folder), to: folder });
    else if (found?.isDirectory()) fixtures.push(shown(folder));
  }
  for (const path of ETC) if (!(await isMissing(path))) fixtures.push(shown(path));
  return fixtures;
};

const shown = (path: string, from = path): Fixture => ({ what: 'shown', from, to: path });

/** The folders of a toolchain in which programs lie. */
const programFolders = async (toolchain: readonly string[]): Promise<string[]> => {
  const found: string[] = [];
  for (const folder of toolchain) {
    const below = join(folder, 'bin');
    found.push((await isMissing(below)) ? folder : below);
  }
  return found;
};

/**
 * @param folder private folder for the few files that are mounted over the system's; made when missing
 * @param toolchain folders that the owner listed
 */
export const prepareRoom = async (folder: string, toolchain: readonly string[]): Promise<Room> => {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const files: Fixture[] = [];
  for (const [name, content] of Object.entries(FILES)) {
    await writeFile(join(folder, name), content, { mode: 0o644 });
    files.push(shown(`/etc/${name}`, join(folder, name)));
  }
  const visible = [...SYSTEM_FOLDERS, ...toolchain];
  return {
    fixtures: [
      ...(await systemFixtures()),
      ...files,
      { what: 'proc', to: '/proc' },
      { what: 'dev', to: '/dev' },
      { what: 'memory', to: '/tmp' },
      { what: 'folder', to: '/var' },
      { what: 'link', target: '../tmp', to: '/var/tmp' },
      { what: 'folder', to: '/run' },
      { what: 'memory', to: HOME },
      { what: 'memory', to: '/dev/shm' },
      ...toolchain.map((tool) => shown(tool)),
    ],
    path: [...(await programFolders(toolchain)), SYSTEM_PATH].join(':'),
    bridgeTo: await prepareBridge(folder, (path) => visible.some((there) => path.startsWith(`${there}/`))),
  };
};
