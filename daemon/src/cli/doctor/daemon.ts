import { FairleadError } from '@fairlead/shared/contract/errors';
import type { ExecutorInfo } from '@fairlead/shared/contract/executors';
import type { Instance, InstanceSummary } from '@fairlead/shared/contract/resources';
import { createApp, listen } from '@fairlead/shared/kit/http-server';
import { inspectRepository } from '../../git/repository.ts';
import type { CliContext } from '../context.ts';
import { readEndpoint } from '../endpoint.ts';
import { blocked, ok, warning, type Finding } from './finding.ts';

/** Whether the port is free for a daemon that is to be started. */
const portFinding = async (host: string, port: number): Promise<Finding> => {
  if (port === 0) return ok('port', 'Any free port will be taken');
  try {
    await (await listen(createApp({ mounts: [] }), { host, port })).close(0);
    return ok('port', `Port ${port} on ${host} is free`);
  } catch (error) {
    const taken = error instanceof FairleadError && error.code === 'port_in_use';
    return taken
      ? blocked(
          'port',
          `Port ${port} on ${host} is used by something else`,
          'Stop what uses it, or choose another: fairlead serve --port 8086',
        )
      : blocked('port', (error as Error).message, 'Correct host and port');
  }
};

const repositoryFinding = async (instance: InstanceSummary): Promise<Finding> => {
  const about = `repository ${instance.label}`;
  try {
    const found = await inspectRepository(instance.path!);
    const remarks = [
      found.dirty && 'has uncommitted changes, so integrating into the checked-out branch is refused until they are committed',
      found.shallow && 'is shallow',
      found.detached && 'has a detached HEAD',
    ].filter((text) => text !== false);
    return remarks.length === 0
      ? ok(about, `${instance.path} is in order`)
      : {
          ...ok(about, `${instance.path} ${remarks.join('; ')}`),
          state: found.dirty ? 'warning' : 'ok',
          cure: found.dirty ? 'Commit or stash them before you integrate' : null,
        };
  } catch (error) {
    if (!(error instanceof FairleadError)) throw error;
    return blocked(
      about,
      `${instance.path}: ${error.message}`,
      error.code === 'repository_invalid' ? `Bring it back, or fairlead remove ${instance.id}` : (error.context.hint ?? 'See the message'),
    );
  }
};

const policyFindings = (instance: Instance): Finding[] => {
  const about = `policy ${instance.label}`;
  if (instance.policy.problem !== null)
    return [
      blocked(
        about,
        `The project policy is invalid: ${instance.policy.problem}`,
        'Correct .fairlead/project.yaml on the policy ref, and commit it',
      ),
    ];
  if (instance.target_commit === null)
    return [
      blocked(
        about,
        `The target ${instance.target} does not exist any more`,
        `Make it again, or register anew: fairlead remove ${instance.id}`,
      ),
    ];
  if (instance.policy.source === 'none')
    return [
      warning(
        about,
        'There is no project policy: nothing is checked, and every change waits for a person',
        'Commit .fairlead/project.yaml with the validations that must pass',
      ),
    ];
  const needs =
    instance.policy.validations.length > 0 && instance.executors.every((one) => one.kind === 'patch' || one.confinement === null);
  return [
    needs
      ? warning(
          about,
          'Validations are declared and there is no sandbox to run them in',
          'Install a sandbox, or register the repository with --unconfined',
        )
      : ok(about, `${instance.policy.validations.length} validations are declared`),
  ];
};

/** The agents of this machine, each by its default profile. What is not installed is no fault, but said in one line. */
const agentFindings = (executors: readonly ExecutorInfo[]): Finding[] => {
  const agents = executors.filter(({ id, limits }) => limits !== null && !id.includes('.'));
  const absent = agents.filter(({ version, available }) => !available && version === null);
  const there = agents.filter((agent) => !absent.includes(agent));
  return [
    ...there.map(({ id, version, available, reason }) =>
      available
        ? ok(`agent ${id}`, `${version ?? 'its version is not known yet'}, ready`)
        : warning(`agent ${id}`, `${version ?? 'installed'}, not ready: ${reason}`, 'docs/executors.md says how each one is set up'),
    ),
    ...(there.length === 0
      ? [warning('agents', 'No coding agent is ready here; patches and declared commands work', 'Install one: docs/executors.md')]
      : absent.length > 0
        ? [ok('agents', `not installed: ${absent.map(({ id }) => id).join(', ')}`)]
        : []),
  ];
};

const instanceFindings = async (context: CliContext): Promise<Finding[]> => {
  const { items } = await context.ask('list_instances', {});
  if (items.length === 0) return [warning('repositories', 'None is registered', 'fairlead add PATH')];
  const findings: Finding[] = agentFindings((await context.ask('list_executors', { instance_id: items[0]!.id })).items);
  for (const item of items) {
    if (item.path !== undefined) findings.push(await repositoryFinding(item));
    findings.push(...policyFindings(await context.ask('get_instance', { instance_id: item.id })));
  }
  return findings;
};

/** Whether a daemon runs, whether it answers this user, and what it thinks of its repositories. */
export const daemonFindings = async (
  context: CliContext,
  settings: { readonly host: string; readonly port: number } | undefined,
  version: string,
): Promise<Finding[]> => {
  const endpoint = await readEndpoint(context.home);
  try {
    const status = await context.ask('daemon_status', {});
    const findings = [ok('daemon', `A daemon answers${endpoint ? ` at ${endpoint.url} (process ${endpoint.pid})` : ''}`)];
    if (status.version !== version)
      findings.push(warning('daemon', `The daemon is version ${status.version}, this command is ${version}`, 'Start the daemon again'));
    if (status.halted) findings.push(blocked('daemon', 'The daemon is halted', 'fairlead resume'));
    return [...findings, ...(await instanceFindings(context))];
  } catch (error) {
    if (!(error instanceof FairleadError)) throw error;
    if (error.code === 'unauthenticated')
      return [
        blocked(
          'daemon',
          'A daemon answers and refuses the token',
          `Remove ${context.home.operatorToken} and start the daemon again: it makes a new one`,
        ),
      ];
    if (error.code !== 'daemon_not_running') return [blocked('daemon', error.message, error.toProblem().hint ?? '')];
    const found = [warning('daemon', `No daemon runs: ${error.message}`, 'fairlead serve')];
    return settings ? [...found, await portFinding(settings.host, settings.port)] : found;
  }
};
