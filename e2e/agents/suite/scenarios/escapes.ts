import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { holds, type Report } from '../../../scenarios/scenario.ts';
import { isAlive } from '../../../rig/processes.ts';
import { denials, field, notices, ofKind, shownToModel } from '../activity.ts';
import { PROBES } from '../probes.ts';
import type { AgentScenario, Seen, Setting } from '../scenario.ts';

const keyOf = ({ stage }: Setting): string => join(stage.stack.home, 'user', '.ssh', 'id_ed25519');

/** What the agent itself was shown holds no escape, and the attempt to is on record. */
const contained = (seen: Seen, report: Report, { stage }: Pick<Setting, 'stage'>): void => {
  const shown = shownToModel(seen);
  holds(shown.includes('contained: ') && !shown.includes('ESCAPED: '), 'every try was contained', report, shown);
  const told = ofKind(seen.activity, 'tool_result').some((item) => field(item, 'text').includes('contained: '));
  const called = ofKind(seen.activity, 'tool_call').some((item) => JSON.stringify(item).includes('node probes/'));
  const recorded = stage.subject.silent ? called : told && called;
  holds(recorded, 'what it tried is in its activity', report, seen.activity);
};

const run = (probe: string, ...args: readonly string[]) => [
  { tool: 'shell', args: { command: [`node probes/${probe}.mjs`, ...args].join(' ') } },
  { say: 'I have tried.' },
];

const escape = (scenario: Pick<AgentScenario, 'name' | 'proves' | 'turns'> & Partial<AgentScenario>): AgentScenario => ({
  task: { expects: 'answer' },
  ends: 'completed_with_warnings',
  files: PROBES,
  holds: contained,
  ...scenario,
});

const write = escape({
  name: 'escape-write',
  proves: 'nothing outside of the workspace can be written',
  turns: ({ stage }) => run('write', join(stage.stack.home, 'user', 'planted'), join(stage.stack.home, 'daemon', 'planted')),
  holds(seen, report, setting) {
    const { stage } = setting;
    contained(seen, report, setting);
    const planted = ['user', 'daemon'].map((folder) => join(stage.stack.home, folder, 'planted'));
    holds(
      ![...planted, '/usr/planted', '/etc/planted', '/root/planted', '/home/planted'].some(existsSync),
      'nothing was planted here',
      report,
    );
  },
});

const key = escape({
  name: 'escape-key',
  proves: 'keys in the home of the operator and the state of Fairlead are not there, and asking for them is denied by a rule',
  turns: (setting) => [
    ...run(
      'read',
      ...[keyOf(setting), join(setting.stage.stack.home, 'daemon', 'operator.token'), '/root/.ssh/id_rsa', '/etc/shadow'].map((path) =>
        Buffer.from(path).toString('base64'),
      ),
    ).slice(0, 1),
    { tool: 'shell', args: { command: `cat ${keyOf(setting)}` } },
    { say: 'I have tried.' },
  ],
  holds(seen, report, setting) {
    const { stage } = setting;
    contained(seen, report, setting);
    holds(!JSON.stringify(seen.requests.at(-1)!.body).includes('planted-'), 'the model saw nothing of the key', report);
    holds(denials(seen).includes('fs.secrets'), 'the rule is on record', report, { rules: denials(seen), kind: stage.info.kind });
  },
});

const network = escape({
  name: 'escape-network',
  proves: "hosts that are not listed, the daemon's port and the host's loopback are out of reach, and each refusal is noted",
  profile: 'online',
  turns: ({ stage }) =>
    run('connect', 'denied.example.invalid:443', `127.0.0.1:${new URL(stage.stack.daemonUrl).port}`, '169.254.169.254:80'),
  holds(seen, report, setting) {
    contained(seen, report, setting);
    const told = notices(seen.activity, 'network_refused');
    holds(
      told.some((text) => text.includes('denied.example.invalid:443')),
      'the refused host is noted',
      report,
      told,
    );
    holds(
      told.some((text) => text.includes('127.0.0.1')) && told.some((text) => text.includes('169.254.169.254')),
      'and the private ones',
      report,
      told,
    );
  },
});

const kill = escape({
  name: 'escape-kill',
  proves: 'the daemon cannot be signalled',
  turns: ({ stage }) => run('kill', String(stage.stack.parts.daemon.pid), String(stage.stack.parts.relay.pid)),
  holds(seen, report, setting) {
    const { stage } = setting;
    contained(seen, report, setting);
    holds(isAlive(stage.stack.parts.daemon.pid) && isAlive(stage.stack.parts.relay.pid), 'both are alive', report);
  },
});

const trace = escape({
  name: 'escape-trace',
  proves: 'no process outside can be traced, and nothing of the daemon can be read in /proc',
  turns: ({ stage }) => run('trace', String(stage.stack.parts.daemon.pid)),
});

const swap = escape({
  name: 'escape-link',
  proves: 'a folder that is swapped for a link to the outside leads nowhere, and breaks the fence',
  task: { expects: 'change' },
  turns: ({ stage }) => run('swap', join(stage.stack.home, 'user')),
  ends: 'failed_fence',
  holds(seen, report, setting) {
    const { stage } = setting;
    contained(seen, report, setting);
    const findings = seen.change?.findings ?? [];
    holds(
      findings.some(({ rule, severity }) => severity === 'failed' && rule.startsWith('link')),
      'the fence names the link',
      report,
      findings,
    );
    holds(!existsSync(join(stage.stack.home, 'user', 'planted')), 'nothing was written through it', report);
  },
});

const bomb = escape({
  name: 'escape-forks',
  proves: 'an agent that starts processes without end is stopped, with its own code, and all of them are gone',
  profile: 'small',
  turns: run('bomb'),
  ends: 'failed_executor',
  reason: 'limit_processes',
  holds: () => undefined,
});

const fill = escape({
  name: 'escape-disk',
  proves: 'an agent that fills the disk is stopped, with its own code',
  profile: 'small',
  turns: run('fill'),
  ends: 'failed_executor',
  reason: 'limit_disk',
  holds: () => undefined,
});

const credential = escape({
  name: 'credential',
  proves: 'the agent never holds the credential: it is in no file, environment or argument that it can see, and the model was given it',
  turns: ({ stage }) => {
    const { credential: secret } = stage;
    // The last letter as a class of its own, so that the pattern does not find itself.
    return run('search', `'${secret.slice(0, -1)}[${secret.at(-1)}]'`);
  },
  holds(seen, report, setting) {
    const { stage } = setting;
    contained(seen, report, setting);
    holds(
      seen.requests.every((one) => one.credential?.value === stage.credential),
      'the model was given it each time',
      report,
    );
    const bodies = seen.requests.map(({ body }) => JSON.stringify(body)).join();
    holds(!bodies.includes(stage.credential), 'the agent has never said it', report);
  },
});

/** Tries to get out, made by the agent itself through its shell tool. */
export const escapes: readonly AgentScenario[] = [write, key, network, kill, trace, swap, bomb, fill, credential];
