import { FairleadError } from '@fairlead/shared/contract/errors';
import { EXIT, type ExitCode } from '@fairlead/shared/contract/states';
import { CommandEnd } from '@fairlead/shared/kit/cli';
import { printable } from '@fairlead/shared/kit/printable';
import type { Command } from 'commander';
import { readIdentity } from '../identity/identity.ts';
import { daemonAccess } from '../share/daemon-access.ts';
import { runningPid } from '../status/run-lock.ts';
import { readStatus, type StatusFile } from '../status/status-file.ts';
import { addCommand, type CliContext, type Streams } from './context.ts';

const MEANING: Readonly<Record<StatusFile['state'], string>> = {
  connecting: 'dialling the relay',
  connected: 'the relay proved itself; it has not yet taken what is shared',
  verified: 'connected; the relay has taken what is shared',
  error: 'not connected; will try again by itself',
  elsewhere: 'this identity runs elsewhere; stays down until it is started again',
  draining: 'finishing what is under way',
  stopped: 'not running',
};

const EXITS: Readonly<Record<StatusFile['state'], ExitCode>> = {
  connecting: EXIT.attention,
  connected: EXIT.ok,
  verified: EXIT.ok,
  error: EXIT.infrastructure,
  elsewhere: EXIT.attention,
  draining: EXIT.attention,
  stopped: EXIT.infrastructure,
};

/** Whether the daemon behind the shares answers: a line to the relay is of no use without it. Whatever it answers, it is there. */
const daemonAnswers = async (settings: CliContext['settings']): Promise<boolean> => {
  try {
    await (await daemonAccess(settings)).operator.call('daemon_status', {});
    return true;
  } catch (error) {
    return !(error instanceof FairleadError && error.code === 'daemon_not_running');
  }
};

/** What is so now. The file is what a connector said last; whether one runs at all is looked up. */
const statusNow = async ({ files, settings }: CliContext) => {
  const identity = await readIdentity(files);
  const [said, pid] = await Promise.all([readStatus(files), runningPid(files)]);
  const running = said !== undefined && pid === said.pid;
  return {
    state: running ? said.state : ('stopped' as const),
    enrolled: identity !== undefined,
    connector_id: identity?.connector_id ?? null,
    relay: identity?.origin ?? null,
    pid: pid ?? null,
    since: running ? said.since : null,
    session_id: running ? said.session_id : null,
    last_error: said?.last_error ?? null,
    next_try_ms: running ? said.next_try_ms : null,
    instances: running ? said.instances : [],
    daemon_answers: running && said.instances.length > 0 ? await daemonAnswers(settings) : null,
  };
};

export const statusCommand = (program: Command, streams: Streams): void => {
  addCommand(program, streams, { use: 'status', text: 'tell whether this machine is connected, and what it serves' }, async (context) => {
    const now = await statusNow(context);
    const { out } = context;
    out.result(now, () => {
      const lines = now.enrolled
        ? [`${now.state}: ${MEANING[now.state]}`, `relay      ${now.relay}`, `connector  ${now.connector_id}`]
        : ['This connector is not enrolled with a relay: fairlead-connector enroll.'];
      if (now.last_error) lines.push(`last error ${now.last_error.code}: ${now.last_error.message} (${now.last_error.at})`);
      if (now.next_try_ms !== null) lines.push(`tries again within ${Math.ceil(now.next_try_ms / 1000)} s of its last try`);
      if (now.daemon_answers === false) lines.push('the daemon does not answer, so nothing can be asked for: fairlead serve');
      for (const { instance_id, label, state, code } of now.instances)
        lines.push(`  ${state === 'served' ? 'served ' : 'refused'}  ${instance_id}  ${label}${code === null ? '' : `  ${code}`}`);
      return printable(lines.join('\n'), { multiline: true });
    });
    const exit = now.daemon_answers === false ? EXIT.infrastructure : EXITS[now.state];
    if (exit !== EXIT.ok) throw new CommandEnd(exit);
  });
};
