import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createModelServer, type ModelServer } from '../model-server.ts';
import type { Driver } from './driver.ts';
import { peerOf, type Line, type Peer } from './peer.ts';
import { below } from './inside.ts';
import { launchSandboxed } from './sandboxed.ts';
import type { Recording } from './scenarios.ts';

export interface Recorded {
  readonly lines: readonly Line[];
  /** The ending of each prompt. */
  readonly endings: readonly string[];
  /** What the model was asked, in short. */
  readonly requests: readonly string[];
  readonly seconds: number;
  readonly problems: readonly string[];
  /** Files in the workspace afterwards. */
  readonly workspace: readonly string[];
  /** Files in the home afterwards. */
  readonly home: readonly string[];
}

const PROMPT = 'Please do it.';

const filesBelow = (folder: string): string[] =>
  readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();

const writeFiles = (folder: string, files: Readonly<Record<string, string>>): void => {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
};

const until = async (holds: () => boolean, timeoutMs = 30_000): Promise<void> => {
  const end = Date.now() + timeoutMs;
  while (!holds() && Date.now() < end) await sleep(20);
};

/** One that has ended since it was seen is as well. */
const terminate = (pid: number): void => {
  try {
    process.kill(pid, 'SIGTERM');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
};

const stopAsTold = async (
  recording: Recording,
  { peer, driver, model, workspace, cancel }: { peer: Peer; driver: Driver; model: ModelServer; workspace: string; cancel: () => void },
): Promise<void> => {
  if (recording.stop === undefined) return;
  let asked = false;
  peer.onMessage((message) => (asked ||= driver.asks(message)));
  const due = {
    asked: () => asked,
    command_runs: () => existsSync(join(workspace, 'started')),
    model_asked: () => model.requests().length > 0,
  }[recording.stop.when];
  await until(due);
  await sleep(300);
  const tree = below(peer.child.pid!);
  peer.note(tree.map(({ command, leads }) => `${leads ? 'leads a session: ' : ''}${command.slice(0, 120)}`).join('\n'));
  if (recording.stop.how === 'cancel') cancel();
  // The first process is bubblewrap's own and would take all others with it at once; every one below it gets the signal, as Fairlead sends it.
  else for (const { pid } of tree.slice(1)) terminate(pid);
};

/** Runs one agent through one scenario and answers all that was said. */
export const record = async (driver: Driver, installed: string, recording: Recording): Promise<Recorded> => {
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-record-'));
  const [workspace, home] = [join(folder, 'workspace'), join(folder, 'home')];
  const model = await createModelServer({ script: recording.turns, port: 8765 });
  for (const path of [workspace, home]) mkdirSync(path);
  writeFiles(workspace, { 'README.md': '# Example\n\nA project.\n', ...recording.files });
  writeFiles(home, driver.files(model.url));
  const started = Date.now();
  const lines: Line[] = [];
  const endings: string[] = [];
  let resume: string | undefined;
  try {
    for (const text of recording.resumed ? [PROMPT, 'What was it?'] : [PROMPT]) {
      if (resume !== undefined) await sleep(driver.restMs ?? 0);
      const opening = { decide: recording.decide ?? 'allow', ...(resume !== undefined && { resume }) } as const;
      const peer = peerOf(
        launchSandboxed({
          installed,
          workspace,
          home,
          argv: driver.argv(opening),
          env: driver.env(model.url),
          hidden: driver.hidden ?? [],
        }),
      );
      try {
        const session = await driver.open(peer, opening);
        const ending = session.prompt(text);
        const stopped = stopAsTold(recording, { peer, driver, model, workspace, cancel: session.cancel });
        endings.push(JSON.stringify(await ending));
        await stopped;
        resume = session.id;
      } catch (error) {
        endings.push(String(error));
      }
      await sleep(200);
      const at = Date.now();
      const left = below(peer.child.pid!).slice(1);
      if (recording.stop !== undefined) peer.note(`left: ${left.map(({ command }) => command.slice(0, 120)).join(' | ')}`);
      peer.child.stdin!.end();
      await peer.end(5000);
      peer.note(`ended ${Date.now() - at} ms after its stdin`);
      lines.push(...peer.lines);
    }
    return {
      lines,
      endings,
      requests: [...model.requests(), ...model.sides()].map(
        ({ kind, tools, prompts }) => `${kind}, ${tools.length} tools: ${(prompts.at(-1) ?? '').slice(0, 60)}`,
      ),
      seconds: (Date.now() - started) / 1000,
      problems: [...model.problems(), ...model.others().map(({ method, path, status }) => `${method} ${path} ${status}`)],
      workspace: filesBelow(workspace),
      home: filesBelow(home),
    };
  } finally {
    await model.close();
    rmSync(folder, { recursive: true, force: true });
  }
};
