import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { machineSecrets } from './machine-secrets.ts';

const home = mkdtempSync(join(tmpdir(), 'fairlead-secrets-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));

it('knows what the environment and the usual files call a secret, and nothing else', () => {
  mkdirSync(join(home, '.ssh'));
  mkdirSync(join(home, '.agent'));
  writeFileSync(join(home, '.ssh', 'id_test'), '-----BEGIN X-----\nAAAAkeyline1234567890\n-----END X-----\n');
  writeFileSync(join(home, '.ssh', 'id_test.pub'), 'ssh-ed25519 AAAApublicpartofthekey');
  writeFileSync(join(home, '.npmrc'), '//registry.example/:_authToken=npm-token-of-mine-1\n');
  writeFileSync(join(home, '.agent', 'login.json'), '{ "accessToken": "access-of-the-agent-1" }');
  const env = {
    SERVICE_TOKEN: 'token-of-a-service',
    SSH_AUTH_SOCK: '/tmp/agent.1',
    KEYBOARD: 'a-long-enough-value',
    API_KEY: 'short',
    HOME: home,
  };
  const found = machineSecrets(env, home, ['.agent/login.json']);
  for (const secret of ['token-of-a-service', 'AAAAkeyline1234567890', 'access-of-the-agent-1']) expect(found).toContain(secret);
  expect(found.some((value) => value.includes('npm-token-of-mine-1'))).toBe(true);
  for (const other of ['/tmp/agent.1', 'a-long-enough-value', 'short', 'ssh-ed25519 AAAApublicpartofthekey'])
    expect(found).not.toContain(other);
});
