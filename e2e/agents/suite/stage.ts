import { mkdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomBytes, randomUUID } from 'node:crypto';
import { OPERATIONS, type CallOf, type DaemonName, type OutputOf } from '@fairlead/shared/contract/operations/table';
import type { ExecutorInfo } from '@fairlead/shared/contract/executors';
import { makeRepository } from '../../rig/repositories.ts';
import { raiseStack, type Stack, type StackInstance } from '../../rig/stack.ts';
import type { InstalledAgent } from '../install.ts';
import type { ModelServer } from '../model-server.ts';
import { PROFILES } from './profiles.ts';
import { PROJECT } from './project.ts';
import type { Subject } from './subjects.ts';

/** Relay, connector and daemon for one agent, and the model that it speaks with. */
export interface Stage {
  readonly subject: Subject;
  readonly agent: InstalledAgent;
  readonly stack: Stack;
  readonly model: ModelServer;
  /** What the daemon holds for the agent, and the agent must never see. */
  readonly credential: string;
  /** What the daemon says of the agent's default profile. */
  readonly info: ExecutorInfo;
  /** Asks the daemon with the operator's authority; each write with a key of its own. */
  call<N extends DaemonName>(name: N, input: CallOf<N>): Promise<OutputOf<N>>;
  /** A new repository of the usual project, registered. */
  addInstance(name: string, files?: Readonly<Record<string, string>>): Promise<StackInstance>;
  close(): Promise<void>;
}

const configFor = (subject: Subject, agent: InstalledAgent, model: ModelServer, file: string): string => {
  const about = { base_url: model.url, credential: { file }, model: 'scripted' };
  const profiles = Object.fromEntries(Object.entries(PROFILES).map(([name, profile]) => [name, { ...about, ...profile }]));
  const agents = { [subject.name]: { program: agent.command, profiles } };
  return `agents: ${JSON.stringify(agents)}\nparallelism: 2\npool: { folders_per_instance: 0 }\n`;
};

/** The version is asked for beside the start, so a listing right after it may not know it yet. */
const infoOf = async (stack: Stack, name: string): Promise<ExecutorInfo> => {
  const { items } = await stack.operator.call('list_executors', { instance_id: stack.instances[0]!.id });
  const found = items.find(({ id }) => id === name);
  if (!found) throw new Error(`The daemon lists no executor ${name}`);
  if (!found.available) throw new Error(`The daemon says that ${name} cannot run: ${found.reason}`);
  return found;
};

/** Raises everything for one agent, in folders of its own. `close` takes it all away. */
export const raiseStage = async (subject: Subject, agent: InstalledAgent, model: ModelServer): Promise<Stage> => {
  const keys = await realpath(await mkdtemp(join(tmpdir(), 'fairlead-keys-')));
  const credential = `sk-suite-${randomBytes(16).toString('hex')}`;
  const file = join(keys, 'credential');
  writeFileSync(file, `${credential}\n`, { mode: 0o600 });
  const forget = () => rm(keys, { recursive: true, force: true });
  try {
    const stack = await raiseStack({ config: configFor(subject, agent, model, file), project: PROJECT });
    mkdirSync(join(stack.home, 'user', '.ssh'), { mode: 0o700 });
    writeFileSync(join(stack.home, 'user', '.ssh', 'id_ed25519'), `planted-${credential}\n`, { mode: 0o600 });
    const call: Stage['call'] = (name, input) =>
      stack.operator.call(name, input, OPERATIONS[name].effect === 'read' ? {} : { idempotencyKey: randomUUID() });
    const close = async () => {
      await stack.close();
      await forget();
    };
    try {
      return {
        subject,
        agent,
        stack,
        model,
        credential,
        info: await infoOf(stack, subject.name),
        call,
        async addInstance(name, files = {}) {
          const repo = makeRepository(join(stack.home, 'projects', name), { ...PROJECT, ...files });
          const { id } = await call('add_instance', { path: repo });
          return { id, repo };
        },
        close,
      };
    } catch (error) {
      await close();
      throw error;
    }
  } catch (error) {
    await forget();
    throw error;
  }
};
