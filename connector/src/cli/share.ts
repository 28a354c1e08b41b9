import { FairleadError } from '@fairlead/shared/contract/errors';
import { EXIT } from '@fairlead/shared/contract/states';
import { CommandEnd, parseDuration } from '@fairlead/shared/kit/cli';
import { systemClock } from '@fairlead/shared/kit/clock';
import { printable } from '@fairlead/shared/kit/printable';
import type { Command } from 'commander';
import { requireIdentity } from '../identity/identity.ts';
import { chosenInstance, type Choice } from '../share/chosen-instance.ts';
import { daemonAccess, type DaemonAccess } from '../share/daemon-access.ts';
import { goingSteps } from '../share/going-steps.ts';
import { RELAY_DECISIONS, formerShare, inPlainWords, stepsGoOn } from '../share/plain-words.ts';
import { readShares } from '../share/share-file.ts';
import { shareInstance, unshareInstance } from '../share/share-instance.ts';
import { addCommand, many, type Streams } from './context.ts';
import { namingFlags } from './flag-names.ts';
import { positive } from './numbers.ts';

interface ShareOptions extends Choice {
  readonly allow?: string[];
  readonly executor?: string[];
  readonly validation?: string[];
  readonly steps?: string;
  readonly wall?: string;
  readonly days?: string;
  readonly acceptRelayDecisions?: boolean;
}

/** The flags behind the fields that the daemon may refuse. */
const FLAGS = {
  allow: '--allow',
  operations: '--allow',
  executors: '--executor',
  validations: '--validation',
  steps: '--steps',
  wall_ms: '--wall',
  days: '--days',
  accept_relay_decisions: '--accept-relay-decisions',
  instance_id: '--instance',
};

/** Lists may be given by repeating an option or with commas. */
const names = (given: readonly string[] | undefined): string[] | undefined =>
  given
    ?.flatMap((text) => text.split(','))
    .map((name) => name.trim())
    .filter(Boolean);

export const shareCommand = (program: Command, streams: Streams): void => {
  addCommand(
    program,
    streams,
    { use: 'share', text: 'let planners of the relay work on an instance, as far as you say' },
    async ({ files, settings, out }, command) => {
      const options = command.opts<ShareOptions>();
      const identity = await requireIdentity(files);
      const daemon = await daemonAccess(settings);
      const instance = await chosenInstance(options, daemon.operator);
      const acceptDecisions = options.acceptRelayDecisions === true;
      const order = {
        instance,
        allow: names(options.allow) ?? [],
        executors: names(options.executor) ?? null,
        validations: names(options.validation) ?? null,
        steps: positive(options.steps, '--steps') ?? null,
        wallMs: options.wall === undefined ? null : parseDuration(options.wall, '--wall'),
        days: positive(options.days, '--days'),
        acceptDecisions,
      };
      if (acceptDecisions) out.note(RELAY_DECISIONS);
      const former = (await readShares(files)).find((share) => share.instance_id === instance);
      const { grant, descriptor } = await namingFlags(FLAGS, () => shareInstance(order, { files, identity, daemon, clock: systemClock }));
      if (former) out.note(formerShare(former.grant));
      out.result({ instance_id: instance, label: descriptor.label, relay: identity.origin, grant }, () =>
        printable(inPlainWords(grant, descriptor.label, identity.origin), { multiline: true }),
      );
    },
  )
    .option('--instance <id>', 'the instance, as fairlead list prints it')
    .option('--repo <path>', 'or the path of its repository')
    .option('--allow <operation>', 'exactly these operations, instead of the default ones; "default" names those; may be repeated', many)
    .option('--executor <id>', 'only these executors; may be repeated', many)
    .option('--validation <name>', 'only these optional validations; may be repeated', many)
    .option('--steps <n>', 'how many steps may be submitted or retried')
    .option('--wall <duration>', 'how much time the limits of those steps may sum up to, such as 10h')
    .option('--days <n>', 'how long the share lasts; default: 30')
    .option('--accept-relay-decisions', 'let planners approve, reject, integrate and discard: all of it, or what --allow names');
};

const idGiven = ({ instance }: Choice): string => {
  if (instance !== undefined) return instance;
  throw new FairleadError('invalid_input', {
    field: '--instance',
    rule: 'exactly one of --instance and --repo',
    detail: 'Give either --instance or --repo',
  });
};

/** An id needs no daemon to be understood; a path does, and one that still has the repository. */
const instanceToUnshare = async (choice: Choice, access: () => Promise<DaemonAccess>): Promise<string> => {
  if (choice.repo === undefined) return idGiven(choice);
  try {
    return await chosenInstance(choice, (await access()).operator);
  } catch (error) {
    if (!(error instanceof FairleadError) || (error.code !== 'not_found' && error.code !== 'daemon_not_running')) throw error;
    throw new FairleadError(error.code, {
      ...error.context,
      hint: 'Name it by its id: fairlead-connector list prints it, fairlead-connector unshare --instance ID takes it back.',
      cause: error,
    });
  }
};

export const unshareCommand = (program: Command, streams: Streams): void => {
  addCommand(program, streams, { use: 'unshare', text: 'take an instance back' }, async ({ files, settings, out }, command) => {
    const options = command.opts<Choice>();
    await requireIdentity(files);
    const access = () => daemonAccess(settings);
    const instance = await instanceToUnshare(options, access);
    const { grantId, revoked } = await unshareInstance(files, instance, access);
    const going = revoked ? await goingSteps((await access()).operator, instance).catch(() => null) : null;
    if (!revoked)
      out.note(
        'The daemon could not be asked to end the grant too. Its credential has been thrown away, so nobody can use it; it ends by itself at its time.',
      );
    out.result({ instance_id: instance, grant_id: grantId, unshared: true, revoked, going_steps: going }, () =>
      [`${instance} is shared no more.`, ...(going && going.length > 0 ? [stepsGoOn(going)] : [])].join('\n'),
    );
    if (!revoked) throw new CommandEnd(EXIT.attention);
  })
    .option('--instance <id>', 'the instance, as fairlead-connector list prints it')
    .option('--repo <path>', 'or the path of its repository');
};
