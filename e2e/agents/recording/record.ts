import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createModelServer, type ModelServer } from '../model-server.ts';
import type { Driver } from './driver.ts';
import { peerOf, type Line, type Peer } from './peer.ts';
import { launchSandboxed } from './sandboxed.ts';
import type { Recording } from './scenarios.ts';

export interface Recorded {
  readonly lines: readonly Line[];
  /** The ending of each prompt. */
  readonly endings: readonly string[];
  readonly requests: number;
  readonly seconds: number;
  readonly problems: readonly string[];
  /** Files in the workspace afterwards. */
  readonly left: readonly string[];
  readonly home: readonly string[];
}

const PROMPT = 'Please do it.';

const filesBelow = (folder: string): string[] =>
  readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();

const until = async (holds: () => boolean, timeoutMs = 30_000): Promise<void> => {
  const end = Date.now() + timeoutMs;
  while (!holds() && Date.now() < end) await sleep(20);
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
  if (recording.stop.how === 'cancel') cancel();
  else peer.child.kill('SIGTERM');
};

/** Runs one agent through one scenario and answers all that was said. */
export const record = async (driver: Driver, installed: string, recording: Recording): Promise<Recorded> => {
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-record-'));
  const [workspace, home] = [join(folder, 'workspace'), join(folder, 'home')];
  const model = await createModelServer({ script: recording.turns, port: 8765 });
  for (const path of [workspace, home]) mkdirSync(path);
  writeFileSync(join(workspace, 'README.md'), '# Example\n\nA project.\n');
  for (const [path, text] of Object.entries(driver.files(model.url))) {
    mkdirSync(dirname(join(home, path)), { recursive: true });
    writeFileSync(join(home, path), text);
  }
  const started = Date.now();
  const lines: Line[] = [];
  const endings: string[] = [];
  let resume: string | undefined;
  try {
    for (const text of recording.resumed ? [PROMPT, 'What was it?'] : [PROMPT]) {
      const opening = { decide: recording.decide ?? 'allow', ...(resume !== undefined && { resume }) } as const;
      const peer = peerOf(launchSandboxed({ installed, workspace, home, argv: driver.argv(opening), env: driver.env(model.url) }));
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
      peer.child.stdin!.end();
      await peer.end(5000);
      lines.push(...peer.lines);
    }
    return {
      lines,
      endings,
      requests: model.requests().length,
      seconds: (Date.now() - started) / 1000,
      problems: [...model.problems(), ...model.others().map(({ method, path, status }) => `${method} ${path} ${status}`)],
      left: filesBelow(workspace),
      home: filesBelow(home),
    };
  } finally {
    await model.close();
    rmSync(folder, { recursive: true, force: true });
  }
};
