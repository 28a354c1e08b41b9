import type * as z from 'zod';
import { changeOperations } from './changes.ts';
import { connectorOperations, daemonAdminOperations } from './daemon-admin.ts';
import { instanceOperations } from './instances.ts';
import type { Operation } from './operation.ts';
import { relayAdminOperations } from './relay-admin.ts';
import { runOperations } from './runs.ts';

/** Every operation of Fairlead. The security boundary of the whole system can be read in these rows. */
export const OPERATIONS = {
  ...instanceOperations,
  ...runOperations,
  ...changeOperations,
  ...daemonAdminOperations,
  ...connectorOperations,
  ...relayAdminOperations,
} as const;

export type Operations = typeof OPERATIONS;
export type OperationName = keyof Operations;
type Named<N extends OperationName> = Operations[N];

/** What a handler gets: the input with every default filled in. */
export type InputOf<N extends OperationName> = z.output<Named<N>['input']>;
/** What a caller may leave out. */
export type CallOf<N extends OperationName> = z.input<Named<N>['input']>;
export type OutputOf<N extends OperationName> = z.output<Named<N>['output']>;

export type NamesWhere<K extends keyof Operation, V> = {
  [N in OperationName]: Named<N>[K] extends V ? N : never;
}[OperationName];

export type RemoteName = keyof typeof instanceOperations | keyof typeof runOperations | keyof typeof changeOperations;
export type DaemonName = RemoteName | keyof typeof daemonAdminOperations | keyof typeof connectorOperations;
export type RelayAdminName = keyof typeof relayAdminOperations;

/** A table of operations by name: the real one, or a test's. */
export type OperationTable = Readonly<Record<string, Operation>>;

/** The rows that one API serves. */
export const operationsOf = (api: 'daemon' | 'relay', table: OperationTable = OPERATIONS): Operation[] =>
  Object.values(table).filter((row) => (api === 'daemon' ? row.surface !== 'relay_admin' : row.surface === 'relay_admin' || row.remote));

/** What a grant allows unless the owner names operations: reads but of files, and writes that decide nothing. */
export const defaultGrantOperations = (table: OperationTable = OPERATIONS): string[] =>
  Object.values(table)
    .filter((row) => row.remote && row.effect !== 'decide' && row.scope !== 'files:read')
    .map((row) => row.name);
