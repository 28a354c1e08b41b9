import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient, type Client, type Transport } from '@fairlead/shared/contract/client';
import { newResourceId } from '@fairlead/shared/contract/ids';
import type { Grant } from '@fairlead/shared/contract/resources';
import { nodeTransport } from '@fairlead/shared/kit/http-client';
import { generateKey } from '@fairlead/shared/kit/signature';
import { daemonHome, type DaemonHome } from '../config/home.ts';
import { startDaemon, type Daemon } from '../daemon.ts';

/** The `execFileSync` in this fixture plays the owner at their own keyboard; the daemon under test has its own git. */
const git = (cwd: string, ...args: string[]): string =>
  execFileSync('git', ['-c', 'user.name=Ann', '-c', 'user.email=ann@example', '-c', 'init.defaultBranch=main', ...args], {
    cwd,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  }).trim();

/** A patch that adds a line to `src/sum.txt` of a fresh repository. */
export const PATCH = 'diff --git a/src/sum.txt b/src/sum.txt\n--- a/src/sum.txt\n+++ b/src/sum.txt\n@@ -1 +1,2 @@\n one\n+two\n';
/** The policy of a fresh repository: no gate for a local change, so that a patch completes. */
const POLICY = 'version: 1\nvalidations: {}\n';

export interface Asking {
  readonly token?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly json: Record<string, unknown>;
}

export interface Shared {
  readonly grant: Grant;
  readonly token: string;
  readonly client: Client;
  readonly headers: Readonly<Record<string, string>>;
}

let keys = 0;
/** A new idempotency key. */
export const key = (): string => `test-${++keys}`;

/** A real daemon in this process, over real HTTP, with a home and repositories of its own. */
export class ServedDaemon {
  readonly root = realpathSync(mkdtempSync(join(tmpdir(), 'fairlead-api-')));
  readonly home: DaemonHome = daemonHome(join(this.root, 'home'));
  #daemon: Daemon | undefined;

  get url(): string {
    return this.#daemon!.url;
  }

  get token(): string {
    return readFileSync(this.home.operatorToken, 'utf8').trim();
  }

  get operator(): Client {
    return createClient({ url: this.url, prefix: '/api/v1', token: this.token, transport: nodeTransport() });
  }

  async start(config = ''): Promise<this> {
    mkdirSync(this.home.folder, { recursive: true, mode: 0o700 });
    writeFileSync(this.home.config, `log: silent\n${config}`, { mode: 0o600 });
    this.#daemon = await startDaemon({ home: this.home, env: {}, flags: { port: '0' }, crashAt: undefined });
    return this;
  }

  async stop(): Promise<void> {
    await this.#daemon?.stop();
    this.#daemon = undefined;
  }

  async remove(): Promise<void> {
    await this.stop();
    rmSync(this.root, { recursive: true, force: true });
  }

  /** A fresh repository of the owner's. */
  repository(name: string, policy: string = POLICY): string {
    const folder = join(this.root, name);
    mkdirSync(join(folder, 'src'), { recursive: true });
    mkdirSync(join(folder, '.fairlead'));
    writeFileSync(join(folder, 'src', 'sum.txt'), 'one\n');
    writeFileSync(join(folder, '.fairlead', 'project.yaml'), policy);
    git(folder, 'init', '-q');
    git(folder, 'add', '.');
    git(folder, 'commit', '-q', '-m', 'First');
    return folder;
  }

  /** Registers a fresh repository and answers the instance's id. */
  async instance(name: string, policy?: string): Promise<string> {
    return (await this.operator.call('add_instance', { path: this.repository(name, policy), unconfined: true }, { idempotencyKey: key() }))
      .id;
  }

  /** Shares an instance with a connector that has a key of its own, and answers a client that asks as that connector. */
  async share(instanceId: string, more: Record<string, unknown> = {}, principal = { id: 'planner-1', name: 'Planner' }): Promise<Shared> {
    const input = { instance_id: instanceId, connector_key: generateKey().publicKey, relay_key: generateKey().publicKey, ...more };
    const { grant, connector_token: token } = await this.operator.call('create_grant', input, { idempotencyKey: key() });
    const headers = this.connectorHeaders(instanceId, principal);
    const send = nodeTransport();
    const transport: Transport = (request) => send({ ...request, headers: { ...request.headers, ...headers } });
    return { grant, token, headers, client: createClient({ url: this.url, prefix: '/api/v1', token, transport }) };
  }

  connectorHeaders(instanceId: string, principal = { id: 'planner-1', name: 'Planner' }): Record<string, string> {
    return { 'fairlead-instance': instanceId, 'fairlead-principal': Buffer.from(JSON.stringify(principal)).toString('base64url') };
  }

  /** One plain HTTP exchange. A token of undefined is the operator's; an empty one is none. */
  async ask(method: string, path: string, { token = this.token, headers = {}, body }: Asking = {}): Promise<Answer> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: {
        ...(token !== '' && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    return { status: response.status, headers: response.headers, json: (await response.json()) as Record<string, unknown> };
  }

  /** Starts a run and submits a patch in it; answers both ids. */
  async submitPatch(client: Client, instanceId: string, task: Record<string, unknown> = {}): Promise<{ runId: string; stepId: string }> {
    const run = await client.call('start_run', { instance_id: instanceId }, { idempotencyKey: key() });
    const step = await client.call(
      'submit_task',
      { run_id: run.id, task: { executor: 'patch', title: 'Add two', patch: PATCH, ...task } },
      { idempotencyKey: key() },
    );
    return { runId: run.id, stepId: step.id };
  }

  /** Waits for a step to end or to need a person. */
  async settled(stepId: string): Promise<string> {
    for (let cursor: string | undefined; ;) {
      const waited = await this.operator.call('wait_step', {
        step_id: stepId,
        timeout_ms: 10_000,
        ...(cursor !== undefined && { cursor }),
      });
      if (!waited.wait_again) return waited.step.state;
      cursor = waited.next_cursor;
    }
  }
}

/** An id of an instance that no daemon knows. */
export const FOREIGN_INSTANCE = `ins_${'z'.repeat(26)}`;
export const foreignId = (kind: Parameters<typeof newResourceId>[0]): string => newResourceId(kind, FOREIGN_INSTANCE);

/** The code of the error that a call fails with; undefined when it succeeds. */
export const codeOf = (call: Promise<unknown>): Promise<string | undefined> =>
  call.then(
    () => undefined,
    (error: { readonly code?: string }) => error.code ?? String(error),
  );
