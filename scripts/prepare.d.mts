export type System = 'macos' | 'debian' | 'fedora' | 'arch' | 'alpine' | 'suse' | 'other';
export type Need = 'node' | 'git' | 'python3' | 'make' | 'compiler' | 'bubblewrap';
export function systemOf(platform?: string, has?: (name: string) => boolean): System;
export function cureFor(needs: readonly Need[], system: System): string;
export function atLeast(version: string, floor: string): boolean;
export function missingNeeds(machine: {
  withBuildTools: boolean;
  nodeVersion?: string;
  git?: string | undefined;
  has?: (name: string) => boolean;
  cxx?: string | undefined;
}): { need: Need; text: string }[];
export function headersOf(execPath?: string, version?: string): string | undefined;
export function prepare(): Promise<boolean>;
