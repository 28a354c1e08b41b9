import type { Command } from 'commander';
import { resolve } from 'node:path';
import { addCommand, many, type Streams } from '../context.ts';
import { instanceText } from '../shown/instances.ts';

interface AddOptions {
  readonly label?: string;
  readonly target?: string;
  readonly policyRef?: string;
  readonly branch?: string[];
  readonly executor?: string;
  readonly unconfined?: boolean;
}

const fullName = (branch: string): string => (branch.startsWith('refs/') ? branch : `refs/heads/${branch}`);

export const addInstanceCommand = (program: Command, streams: Streams): Command =>
  addCommand<AddOptions>(
    program,
    streams,
    { use: 'add <path>', text: 'Register a git repository; nothing is shared by this' },
    async ({ ask, out }, [path], options) => {
      const instance = await ask('add_instance', {
        path: resolve(path!),
        ...(options.label !== undefined && { label: options.label }),
        ...(options.target !== undefined && { target: fullName(options.target) }),
        ...(options.policyRef !== undefined && { policy_ref: options.policyRef }),
        ...(options.branch && { listed_branches: options.branch.map(fullName) }),
        ...(options.executor !== undefined && { default_executor: options.executor }),
        unconfined: options.unconfined ?? false,
      });
      out.result(instance, () => instanceText(instance));
      if (options.unconfined) out.note(out.colour('yellow', 'Work on this instance may run without a sandbox; every record will say so.'));
    },
  )
    .option('--label <text>', 'what planners see; default: the name of the folder')
    .option('--target <branch>', 'the branch that runs are for; default: the one checked out')
    .option('--policy-ref <ref>', 'where .fairlead/project.yaml is read from; default: the target')
    .option('--branch <branch>', 'a further branch from which a base may come; may be repeated', many)
    .option('--executor <id>', 'the executor of tasks that name none; default: patch')
    .option('--unconfined', 'allow work without a sandbox for this instance');
