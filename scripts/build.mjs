// Bundles the three programs and the scripts with rolldown: one folder each, commands as chunks that load when needed.
// Skips what is built already. Files are written beside and renamed, and old chunks stay for an hour, because a
// running program may still load one.
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const HOUR = 3_600_000;
const say = (text) => process.stderr.write(`${text}\n`);

/** Files below a folder that a bundle may be made of. */
const sourcesOf = (folder) =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return ['node_modules', 'dist'].includes(entry.name) ? [] : sourcesOf(path);
    return /\.(ts|sql|mjs|program\.js)$|^package\.json$/.test(entry.name) && !/\.(test|hard)\.ts$/.test(entry.name) ? [path] : [];
  });

const target = (name, folders, inputs, executable) => ({ name, folders, inputs, executable, out: join(root, name, 'dist') });
const TARGETS = [
  target('daemon', ['shared', 'daemon'], ['daemon/src/main.ts'], true),
  target('connector', ['shared', 'connector'], ['connector/src/main.ts'], true),
  target('relay', ['shared', 'relay'], ['relay/src/main.ts'], true),
  target(
    'scripts',
    ['shared', 'daemon', 'connector', 'e2e', 'scripts'],
    [
      'demo',
      'stack',
      'smoke',
      'model-server',
      'agents',
      'test-agents',
      'record-agents',
      'bench',
      'docs',
      'bench/pipe',
      'bench/ledger',
      'bench/workspace',
      'bench/agent',
      'bench/stream',
      'bench/crowd',
      'bench/probe',
      'bench/file-server',
    ].map((name) => `scripts/${name}.ts`),
    false,
  ),
];

const digestOf = ({ folders, inputs }) => {
  const hash = createHash('sha256');
  const files = [
    ...folders.flatMap((folder) => sourcesOf(join(root, folder))),
    join(root, 'pnpm-lock.yaml'),
    fileURLToPath(import.meta.url),
  ];
  for (const file of files.sort()) hash.update(`\n${file.slice(root.length)}\n`).update(readFileSync(file));
  return hash.update(inputs.join()).digest('hex');
};

/** SQL, and programs that run somewhere else, are imported as text. */
const asText = {
  name: 'as-text',
  load: (id) =>
    /\.(sql|program\.js)$/.test(id) ? { code: `export default ${JSON.stringify(readFileSync(id, 'utf8'))};`, moduleType: 'js' } : undefined,
};

const SHEBANG = '#!/usr/bin/env node\n';

const writeFile = (path, code, executable) => {
  mkdirSync(dirname(path), { recursive: true });
  const beside = `${path}.${process.pid}.tmp`;
  writeFileSync(beside, code);
  if (executable) chmodSync(beside, 0o755);
  renameSync(beside, path);
};

const removeOld = (folder, written) => {
  for (const entry of readdirSync(folder)) {
    const path = join(folder, entry);
    if (!written.has(path) && entry !== 'stamp' && statSync(path).isFile() && Date.now() - statSync(path).mtimeMs > HOUR)
      rmSync(path, { force: true });
  }
};

const bundle = async (rolldown, entry) => {
  const { name, inputs, executable, out } = entry;
  const graph = await rolldown({
    cwd: root,
    input: Object.fromEntries(
      inputs.map((file) => [basename(dirname(file)) === 'bench' ? `bench-${basename(file, '.ts')}` : basename(file, '.ts'), file]),
    ),
    platform: 'node',
    external: ['better-sqlite3'],
    plugins: [asText],
    logLevel: 'silent',
    // What pino and others try to load only under a condition that never holds here.
    resolve: { conditionNames: ['import', 'node', 'default'] },
  });
  const { output } = await graph.generate({
    format: 'esm',
    entryFileNames: '[name].js',
    chunkFileNames: '[name]-[hash].js',
  });
  await graph.close();
  const written = new Set();
  for (const file of output) {
    const path = join(out, file.fileName);
    const runs = executable && file.isEntry;
    const code = file.type === 'chunk' ? file.code : file.source;
    writeFile(path, runs && !code.startsWith('#!') ? SHEBANG + code : code, runs);
    written.add(path);
  }
  removeOld(out, written);
  return name;
};

/** Builds what changed, or what is named of it. Answers false when something does not build. */
export const build = async (wanted = []) => {
  const started = performance.now();
  const due = [];
  for (const entry of TARGETS) {
    entry.inputs = entry.inputs.filter((file) => existsSync(join(root, file)));
    if (entry.inputs.length === 0 || (wanted.length > 0 && !wanted.includes(entry.name))) continue;
    entry.digest = digestOf(entry);
    const file = join(entry.out, 'stamp');
    if (!existsSync(file) || readFileSync(file, 'utf8') !== entry.digest) due.push(entry);
  }
  if (due.length === 0) return true;
  const { rolldown } = await import('rolldown');
  const results = await Promise.allSettled(due.map((entry) => bundle(rolldown, entry)));
  let built = true;
  for (const [at, result] of results.entries()) {
    if (result.status === 'fulfilled') writeFile(join(due[at].out, 'stamp'), due[at].digest);
    else {
      built = false;
      say(`fairlead: ${due[at].name} does not build\n${result.reason?.message ?? result.reason}`);
    }
  }
  if (built) say(`fairlead: built ${due.map((entry) => entry.name).join(', ')} in ${Math.round(performance.now() - started)} ms`);
  return built;
};

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = (await build(process.argv.slice(2))) ? 0 : 1;
