import { EXIT } from '@fairlead/shared/contract/states';
import { CommandEnd } from '@fairlead/shared/kit/cli';
import { printable } from '@fairlead/shared/kit/printable';
import type { Command } from 'commander';
import { environment, pathFolders } from '../../config/environment.ts';
import { addCommand, type CliContext, type Streams } from '../context.ts';
import type { Finding } from '../doctor/finding.ts';
import type { ExamineHistory } from '../doctor/history.ts';

const findAll = async (context: CliContext, version: string, examine: ExamineHistory): Promise<Finding[]> => {
  const [machine, home, history, daemon] = await Promise.all([
    import('../doctor/machine.ts'),
    import('../doctor/home.ts'),
    import('../doctor/history.ts'),
    import('../doctor/daemon.ts'),
  ]);
  const { config, findings } = home.configFindings(context.home, environment());
  return [
    ...(await machine.machineFindings({
      path: pathFolders(),
      toolchain: config?.settings.toolchain_folders ?? [],
      configFile: context.home.config,
    })),
    ...(await home.homeFindings(context.home)),
    ...findings,
    ...(await history.historyFindings(context.home, examine)),
    ...(await daemon.daemonFindings(context, config?.settings, version)),
  ];
};

const MARKS = { ok: ['green', 'ok     '], warning: ['yellow', 'warning'], blocked: ['red', 'BLOCKED'] } as const;

export const doctorCommand = (program: Command, streams: Streams, examine: ExamineHistory): Command =>
  addCommand(
    program,
    streams,
    { use: 'doctor', text: 'Explain what this machine lacks, and the cure for each; exits 0 unless something blocks' },
    async (context) => {
      const { out } = context;
      const checks = await findAll(context, program.version() ?? '', examine);
      const blocking = checks.filter((one) => one.state === 'blocked');
      out.result({ ok: blocking.length === 0, checks }, () =>
        [
          ...checks.flatMap((one) => {
            const [colour, mark] = MARKS[one.state];
            const line = `${out.colour(colour, mark)}  ${printable(one.about)}: ${printable(one.detail)}`;
            return one.cure === null ? [line] : [line, `         cure: ${printable(one.cure)}`];
          }),
          '',
          blocking.length === 0 ? 'Nothing blocks.' : `${blocking.length} of ${checks.length} checks block.`,
        ].join('\n'),
      );
      if (blocking.length > 0) throw new CommandEnd(EXIT.infrastructure);
    },
  );
