import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { loadSettings, relayHome, type Home } from './settings.ts';

let base: string;
let home: Home;
beforeEach(async () => {
  base = await mkdtemp(path.join(os.tmpdir(), 'fairlead-settings-'));
  home = relayHome(base);
  await mkdir(home.folder, { recursive: true });
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(base, { recursive: true, force: true });
});

describe('the settings of the relay', () => {
  it('take a flag over the environment over the file over the default', async () => {
    expect(await loadSettings(home)).toMatchObject({ host: '127.0.0.1', port: 8090, audit_days: 400 });
    await writeFile(home.config, '{"port": 8001, "planner_rate": 7, "allowed_origins": ["https://a.example"]}');
    vi.stubEnv('FAIRLEAD_RELAY_PORT', '8002');
    expect(await loadSettings(home)).toMatchObject({ port: 8002, planner_rate: 7, allowed_origins: ['https://a.example'] });
    expect(await loadSettings(home, { port: 8003 })).toMatchObject({ port: 8003 });
  });

  it.each(['nonsense', '70000', '-1', '80.5'])('refuse a port of %s in the environment and name it', async (port) => {
    vi.stubEnv('FAIRLEAD_RELAY_PORT', port);
    await expect(loadSettings(home)).rejects.toMatchObject({ code: 'config_invalid', context: { field: 'port' } });
  });

  it('treat an empty variable as not set, and not as port 0', async () => {
    for (const name of ['HOST', 'PORT', 'ORIGIN', 'PLANNER_RATE']) vi.stubEnv(`FAIRLEAD_RELAY_${name}`, '');
    expect(await loadSettings(home)).toMatchObject({ host: '127.0.0.1', port: 8090 });
  });
});
