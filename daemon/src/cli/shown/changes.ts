import type { Artifact, Change } from '@fairlead/shared/contract/resources';
import type { Gate } from '@fairlead/shared/contract/gates';
import { printable } from '@fairlead/shared/kit/printable';
import { permissionText } from './permission.ts';
import { bytes, columns, count, fields, short } from '../layout.ts';

const FILES_SHOWN = 60;

const NO_FILE = '000000';

/** What became of a file's mode, where the status does not say it: a program that can be run is another thing than a text. */
const modeText = ({ old_mode: from, new_mode: to }: Change['files'][number]): string => {
  if (from === to || to === NO_FILE) return '';
  if (from === NO_FILE) return to === '100644' ? '' : ` (mode ${to})`;
  return ` (mode ${from} -> ${to})`;
};

/** A change for a person. @param keptOnly its step failed, so nobody has to decide on it */
export const changeText = (change: Change, keptOnly = false): string => {
  const files = change.files.slice(0, FILES_SHOWN).map((file) => {
    const lines = file.added === null ? 'binary' : `+${file.added} -${file.removed ?? 0}`;
    return `  ${file.status.padEnd(12)} ${lines.padEnd(12)} ${printable(file.path)}${modeText(file)}`;
  });
  const more = change.files.length - files.length;
  return [
    `Change ${change.id}: ${keptOnly && change.state === 'held' ? 'kept as evidence' : change.state}, ${count(change.files.length, 'file')}, +${change.added} -${change.removed}`,
    fields([
      ['base', short(change.base_commit)],
      ['snapshot', short(change.snapshot_commit)],
      ['digest', change.digest],
      ['landed', change.integrated ? `${change.integrated.ref} ${short(change.integrated.from)} -> ${short(change.integrated.to)}` : null],
      ['because', change.reason?.message],
    ]),
    ...files,
    ...(more > 0 ? [`  and ${count(more, 'more file')}`] : []),
    ...change.findings.map((one) => `  ${one.severity === 'failed' ? 'refused' : 'needs a person'}: ${printable(one.message)}`),
  ].join('\n');
};

export const gateText = (gate: Gate): string =>
  [
    `Gate ${gate.id}: ${gate.state}`,
    fields([
      ['opened because', gate.reasons.join(', ')],
      ['step', gate.step_id],
      ['change', gate.change_id],
      ['lands on', gate.binding && `${gate.binding.target_ref} at ${short(gate.binding.target_commit)}`],
      ['as tree', gate.binding && short(gate.binding.resulting_tree)],
      ['digest', gate.digest],
      ['opened', gate.opened_at],
      ['expires', gate.state === 'pending' ? gate.expires_at : null],
      ['decided', gate.decided_at],
      ['by', gate.decided_by ? `${gate.decided_by.name} (${gate.authority})` : null],
      ['comment', gate.comment],
    ]),
    ...(gate.permission ? [permissionText(gate.permission)] : []),
  ].join('\n');

export const gateTable = (gates: readonly Gate[]): string =>
  columns(
    ['GATE', 'STATE', 'REASONS', 'STEP', 'OPENED'],
    gates.map((gate) => [gate.id, gate.state, gate.reasons.join(','), gate.step_id, gate.opened_at]),
    'No gates.',
  );

export const artifactTable = (artifacts: readonly Artifact[]): string =>
  columns(
    ['ARTIFACT', 'KIND', 'SIZE', 'NAME'],
    artifacts.map((one) => [one.id, one.kind, bytes(one.size), one.name]),
    'No artifacts.',
  );
