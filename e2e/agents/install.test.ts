import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { agentCache, installAgents } from './install.ts';
import { AGENT_PINS } from './pins.ts';

let cache: string;
beforeEach(async () => {
  cache = await mkdtemp(join(tmpdir(), 'fairlead-agents-'));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(cache, { recursive: true, force: true });
});

const pin = AGENT_PINS.find(({ name }) => name === 'codex')!;

describe('the cache of agents', () => {
  it('is in the place for caches, outside of the checkout', () => {
    expect(agentCache({ XDG_CACHE_HOME: '/var/cache/me' })).toBe('/var/cache/me/fairlead/agents');
    expect(agentCache({ XDG_CACHE_HOME: 'relative' })).toMatch(/^\/.*\/\.cache\/fairlead\/agents$/);
    expect(agentCache({})).not.toContain(process.cwd());
  });

  it('gives what it holds without asking anyone', async () => {
    const bin = join(cache, `codex-${pin.version}`, 'node_modules', '.bin');
    await mkdir(bin, { recursive: true });
    await writeFile(join(bin, 'codex'), '#!/bin/sh\n', { mode: 0o755 });
    const told: string[] = [];
    const answer = await installAgents({ agents: ['codex'], cache, tell: (line) => told.push(line) });
    expect(answer).toEqual({
      installed: [{ name: 'codex', version: pin.version, folder: join(cache, `codex-${pin.version}`), command: join(bin, 'codex') }],
      missing: [],
    });
    expect(told).toEqual([]);
  });

  it('says what could not be had and why, and leaves nothing half done', async () => {
    // Nothing listens on port 1, and npm has no cache to take from.
    vi.stubEnv('npm_config_registry', 'http://127.0.0.1:1/');
    vi.stubEnv('npm_config_cache', join(cache, 'npm'));
    const { installed, missing } = await installAgents({ agents: ['codex'], cache: join(cache, 'agents') });
    expect(installed).toEqual([]);
    expect(missing).toEqual([
      { name: 'codex', version: pin.version, reason: expect.stringMatching(/npm install ended with \d+: .*ECONNREFUSED/) },
    ]);
    expect(await readdir(join(cache, 'agents'))).toEqual([]);
  });
});
