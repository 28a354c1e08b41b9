import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Stack } from '../rig/stack.ts';

/** In no output, no evidence and no answer. */
export const CANARY = 'canary-8f2b1c';

export interface Theft {
  readonly name: string;
  /** Ends with 0 when it got what it wanted. */
  readonly script: string;
}

const connect = (url: string): string => {
  const { port } = new URL(url);
  return `node -e "require('net').connect(${port},'127.0.0.1').on('connect',()=>process.exit(0)).on('error',()=>process.exit(1))"`;
};

/** Plants what is worth stealing in the owner's home, and says how somebody who works there would take it. */
export const plantLoot = (stack: Stack): readonly Theft[] => {
  const { home } = stack;
  const ssh = join(home, 'user', '.ssh');
  mkdirSync(ssh, { recursive: true, mode: 0o700 });
  writeFileSync(join(ssh, 'id_ed25519'), `${CANARY}\n`, { mode: 0o600 });
  const daemon = join(home, 'daemon');
  return [
    { name: "read the owner's ssh key", script: `cat ${ssh}/id_ed25519` },
    { name: "read the operator's token", script: `cat ${daemon}/operator.token` },
    { name: 'read the ledger', script: `cat ${daemon}/ledger.db` },
    { name: 'read the root key', script: `cat ${daemon}/root.key` },
    { name: "read the relay's admin token", script: `cat ${home}/relay/admin.token` },
    { name: "read the connector's key", script: `cat ${home}/connector/connector.key` },
    { name: 'list the stores', script: `ls -A ${daemon}/stores | grep .` },
    { name: "read the owner's repository", script: `cat ${stack.instances[0]!.repo}/.git/HEAD` },
    { name: "connect to the daemon's port", script: connect(stack.daemonUrl) },
    { name: "connect to the relay's port", script: connect(stack.relayUrl) },
    { name: 'see the process of the daemon', script: `grep -q serve /proc/${stack.parts.daemon.pid}/cmdline` },
  ];
};

/** A script that tries each, says what it reached, and leaves a child in a session of its own. */
export const thief = (thefts: readonly Theft[], nap: string): string =>
  [
    ...thefts.map(({ name, script }) => `if ( ${script} ) 2>/dev/null; then echo "REACHED: ${name}"; else echo "held: ${name}"; fi`),
    `setsid sleep ${nap} </dev/null >/dev/null 2>&1 &`,
    'echo "left a child"',
  ].join('\n');

/** Whether a process with this argument runs anywhere on the machine. */
export const napping = (nap: string): boolean =>
  execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' })
    .split('\n')
    .some((line) => line.includes(`sleep ${nap}`));
