import type { FairleadError } from '@fairlead/shared/contract/errors';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig } from './load-config.ts';
import { secretValues } from './secret-values.ts';

describe('loadConfig', () => {
  let folder: string;
  const load = (yaml: string | undefined, env: Record<string, string> = {}, flags: Record<string, string> = {}) => {
    const file = join(folder, 'config.yaml');
    if (yaml !== undefined) writeFileSync(file, yaml);
    return loadConfig({ file, env, flags });
  };
  const refusal = (run: () => unknown): FairleadError => {
    try {
      run();
    } catch (error) {
      return error as FairleadError;
    }
    throw new Error('was not refused');
  };
  beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'fairlead-config-'))));
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('works without a file', () => {
    const { settings, provenance } = load(undefined);
    expect(settings).toMatchObject({ host: '127.0.0.1', port: 8085, machine: 'machine', allow_local_argv: false });
    expect(provenance.every((row) => row.source === 'default')).toBe(true);
  });

  it('takes a flag over the environment over the file, and says so', () => {
    const file = 'port: 1\nhost: a.example\nmachine: desk\n';
    const { settings, provenance } = load(file, { FAIRLEAD_PORT: '2', FAIRLEAD_HOST: 'b.example' }, { port: '3' });
    expect(settings).toMatchObject({ port: 3, host: 'b.example', machine: 'desk' });
    const source = (key: string) => provenance.find((row) => row.key === key)!.source;
    expect(source('port')).toBe('flag --port');
    expect(source('host')).toBe('environment FAIRLEAD_HOST');
    expect(source('machine')).toBe(`file ${join(folder, 'config.yaml')}`);
    expect(source('parallelism')).toBe('default');
  });

  it('treats an empty variable as not set', () => {
    expect(load(undefined, { FAIRLEAD_PORT: '' }).settings.port).toBe(8085);
  });

  it.each([
    ['prot: 1', 'prot'],
    ['port: "1"', 'port'],
    ['port: 70000', 'port'],
    ['commands: { fmt: { run: "prettier ." } }', 'commands.fmt.run'],
    ['toolchain_folders: [bin]', 'toolchain_folders[0]'],
    ['instances: { here: {} }', 'instances.here'],
  ])('refuses %s and names the field', (yaml, field) => {
    const error = refusal(() => load(yaml));
    expect(error).toMatchObject({ code: 'config_invalid' });
    expect(error.context.field).toBe(field);
    expect(error.message).toContain('config.yaml');
  });

  it('refuses what is not one plain mapping', () => {
    expect(refusal(() => load('- 1')).code).toBe('config_invalid');
    expect(refusal(() => load('port: 1\nport: 2')).code).toBe('config_invalid');
    expect(refusal(() => load('a: &x [1]\nb: *x')).code).toBe('config_invalid');
    expect(refusal(() => load('port: [')).code).toBe('config_invalid');
  });

  it('names the variable that is wrong', () => {
    expect(refusal(() => load(undefined, { FAIRLEAD_PORT: 'http' })).message).toContain('environment FAIRLEAD_PORT');
  });

  it('reads secrets from variables and files, whole and by value', () => {
    const file = join(folder, '.env');
    writeFileSync(file, 'API_KEY="sk-123456"\nexport OTHER=abcdefgh\nX=1\n');
    const values = secretValues({ env: ['T', 'NONE'], files: [file] }, { T: 'token-value' });
    expect(values).toEqual(expect.arrayContaining(['token-value', 'sk-123456', 'abcdefgh']));
    expect(values).not.toContain('1');
    expect(refusal(() => secretValues({ env: [], files: [join(folder, 'none')] }, {})).code).toBe('config_invalid');
  });
});
