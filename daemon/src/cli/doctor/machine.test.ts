import { describe, expect, it } from 'vitest';
import { atLeast } from './finding.ts';
import { toolchainProposals } from './machine.ts';

describe('doctor', () => {
  it('compares versions by number', () => {
    expect(atLeast('2.39.5', '2.38')).toBe(true);
    expect(atLeast('2.9', '2.38')).toBe(false);
    expect(atLeast('20.19', '20.19')).toBe(true);
    expect(atLeast('3.0', '2.38')).toBe(true);
  });

  it('proposes toolchain folders and never the home', () => {
    const path = [
      '/usr/bin',
      '/home/ann/.nvm/versions/node/v20/bin',
      '/home/ann/bin',
      '/home/ann/.local/bin',
      '/opt/go/bin',
      '/home/ann/.cargo/bin',
      '/home/ann/.deno/bin',
      '/home/ann',
      '/',
    ];
    expect(toolchainProposals(path, ['/home/ann/.cargo'], '/home/ann')).toEqual([
      '/home/ann/.nvm/versions/node/v20',
      '/home/ann/bin',
      '/home/ann/.local/bin',
      '/opt/go',
      '/home/ann/.deno/bin',
    ]);
  });
});
