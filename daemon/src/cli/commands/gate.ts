import { FairleadError } from '@fairlead/shared/contract/errors';
import type { Gate } from '@fairlead/shared/contract/gates';
import type { Command } from 'commander';
import { addCommand, type Streams } from '../context.ts';
import { gateTable, gateText } from '../shown/changes.ts';

interface GateOptions {
  readonly instance?: string;
  readonly all?: boolean;
  readonly digest?: string;
  readonly comment?: string;
  readonly integrate?: boolean;
}

/** How to see what a gate holds. */
const lookAt = ({ id, change_id }: Gate): string =>
  change_id === null ? `Look at what is asked for: fairlead gate get ${id}` : `Look at the change: fairlead change diff ${change_id}`;

export const gateCommand = (program: Command, streams: Streams): Command => {
  const gate = program.command('gate').description('Show gates and decide on them');
  addCommand<GateOptions>(
    gate,
    streams,
    { use: 'list', text: 'List the gates that wait for a person' },
    async (context, _, { instance, all }) => {
      const { addressedInstance } = await import('../addressed.ts');
      const ids =
        instance === undefined
          ? (await context.ask('list_instances', {})).items.map((one) => one.id)
          : [(await addressedInstance(context, instance)).id];
      const lists = await Promise.all(
        ids.map((id) => context.ask('list_gates', { instance_id: id, limit: 200, ...(!all && { state: 'pending' as const }) })),
      );
      const items: Gate[] = lists.flatMap((list) => list.items).sort((a, b) => (a.opened_at < b.opened_at ? 1 : -1));
      context.out.result({ items }, () => (items.length === 0 && !all ? 'No gate waits for a person.' : gateTable(items)));
    },
  )
    .option('--instance <instance>', 'id, label or path; default: all')
    .option('--all', 'also those that are decided');
  addCommand(gate, streams, { use: 'get <gate>', text: 'Show what a gate holds and why it opened' }, async ({ ask, out }, [id]) => {
    const found = await ask('get_gate', { gate_id: id! });
    out.result(found, () => gateText(found));
    if (found.state === 'pending') out.note(lookAt(found));
  });
  addCommand<GateOptions>(
    gate,
    streams,
    { use: 'approve <gate>', text: 'Approve exactly the content whose digest you name' },
    async ({ ask, out }, [id], { digest, comment, integrate }) => {
      if (digest === undefined) {
        const shown = await ask('get_gate', { gate_id: id! });
        throw new FairleadError('invalid_input', {
          field: '--digest',
          rule: 'must be the digest that you saw',
          detail: '--digest is missing; it binds your decision to the content that you saw',
          hint: `${lookAt(shown)}, then give --digest ${shown.digest}`,
        });
      }
      const approved = await ask('approve_gate', { gate_id: id!, digest, ...(comment !== undefined && { comment }) });
      if (approved.change_id === null) return out.result(approved, () => gateText(approved));
      if (!integrate) {
        out.result(approved, () => gateText(approved));
        return out.note(`It is not integrated yet: fairlead change integrate ${approved.change_id}`);
      }
      const change = await ask('integrate_change', { change_id: approved.change_id });
      out.result({ gate: approved, change }, () => `${gateText(approved)}\n  landed as ${change.integrated?.to ?? change.state}`);
    },
  )
    .option('--digest <digest>', 'the digest that fairlead gate get shows')
    .option('--comment <text>', 'why; kept with the decision')
    .option('--integrate', 'integrate the change at once');
  addCommand<GateOptions>(
    gate,
    streams,
    { use: 'reject <gate>', text: 'Reject what a gate holds: a change (its evidence stays), or what an agent asks for' },
    async ({ ask, out }, [id], { comment }) => {
      const rejected = await ask('reject_gate', { gate_id: id!, ...(comment !== undefined && { comment }) });
      out.result(rejected, () => gateText(rejected));
    },
  ).option('--comment <text>', 'why; kept with the decision');
  return gate;
};
