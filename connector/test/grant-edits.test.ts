import type { FairleadError } from '@fairlead/shared/contract/errors';
import { OPERATIONS } from '@fairlead/shared/contract/operations/table';
import { grantDigest } from '@fairlead/shared/kit/delegation';
import { generateKey } from '@fairlead/shared/kit/signature';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { askFor } from './relay-double.ts';
import { stand, until, type Stand } from './stand.ts';

let here: Stand;
afterEach(() => here.close());

const NARROW = ['get_instance', 'list_runs'];
type Shares = { shares: { grant: Record<string, unknown>; delegation: { delegation: { payload: string } } }[] };

const up = async () => {
  here = await stand();
  await here.share(here.instance, { operations: NARROW });
  await here.run();
  return here.session();
};

const edit = async (change: (file: Shares) => void) => {
  const file = JSON.parse(await readFile(here.files.shares, 'utf8')) as Shares;
  change(file);
  await writeFile(here.files.shares, JSON.stringify(file), { mode: 0o600 });
};

const ask = async (operation: string, more = {}): Promise<string> => {
  const { channel } = here.relay.sessions.at(-1)!;
  return channel.request(askFor(operation, here.instance, { instance_id: here.instance }, more), { effect: 'read' }).then(
    () => 'answered',
    (error: unknown) => (error as FairleadError).code,
  );
};

const codeShown = (code: string) => until(() => here.history.at(-1)?.instances[0]?.code === code);

describe('the copy of a grant, edited while the connector runs (threats row 12)', () => {
  it.each([
    ['more operations', (grant: Record<string, unknown>) => Object.assign(grant, { operations: Object.keys(OPERATIONS) })],
    ['decisions', (grant: Record<string, unknown>) => Object.assign(grant, { accept_relay_decisions: true })],
    ['a later end', (grant: Record<string, unknown>) => Object.assign(grant, { expires_at: '2099-01-01T00:00:00.000Z' })],
    ['another budget', (grant: Record<string, unknown>) => Object.assign(grant, { budget: { steps: 10 ** 6, wall_ms: null } })],
    [
      'a digest of its own',
      (grant: Record<string, unknown>) =>
        Object.assign(grant, { operations: ['submit_task'] }, { digest: grantDigest({ ...grant, operations: ['submit_task'] }) }),
    ],
    ['a member that nobody knows', (grant: Record<string, unknown>) => Object.assign(grant, { extra: 1 })],
  ])('%s: nothing is believed any more, and nothing wider is advertised', async (_, change) => {
    const session = await up();
    expect(await ask('list_runs')).toBe('answered');
    const before = here.daemon.seen.length;
    await edit(({ shares }) => void change(shares[0]!.grant));
    await codeShown('grant_untrusted');
    for (const name of [...NARROW, 'submit_task', 'approve_gate', 'start_run'])
      expect(await ask(name, { idempotency_key: 'k' })).toBe('grant_untrusted');
    expect(here.daemon.seen).toHaveLength(before);
    for (const set of session.sets) expect(set[0]!.operations).toEqual(NARROW);
  });

  it('is believed again once it is what the daemon signed', async () => {
    await up();
    const original = await readFile(here.files.shares, 'utf8');
    await edit(({ shares }) => void Object.assign(shares[0]!.grant, { operations: ['submit_task'] }));
    await codeShown('grant_untrusted');
    await writeFile(here.files.shares, original, { mode: 0o600 });
    await until(() => here.history.at(-1)?.instances[0]?.code === null);
    expect(await ask('list_runs')).toBe('answered');
  });

  it('does not become wider by a delegation that somebody else signed', async () => {
    await up();
    const other = await stand();
    const record = await other.share(other.instance, {
      operations: Object.keys(OPERATIONS),
      connector_key: here.identity.key,
      relay_key: here.identity.relay_key,
    });
    await other.close();
    await edit(
      ({ shares }) =>
        void Object.assign(shares[0]!, { grant: { ...record.grant, instance_id: here.instance }, delegation: record.delegation }),
    );
    await codeShown('delegation_invalid');
    expect(await ask('list_runs')).toBe('delegation_invalid');
  });

  it('serves no grant that was made for another connector or relay', async () => {
    here = await stand();
    await here.share(here.instance, { connector_key: generateKey().publicKey });
    await here.run();
    const session = await here.session();
    expect(session.sets[0]).toEqual([]);
    expect(await ask('list_runs')).toBe('delegation_invalid');
  });

  it('shares nothing while the file cannot be read as what it is', async () => {
    const session = await up();
    await writeFile(here.files.shares, '{"version":1,"shares":[', { mode: 0o600 });
    await until(() => session.sets.length === 2);
    expect(session.sets[1]).toEqual([]);
    expect(here.history.at(-1)!.last_error).toMatchObject({ code: 'config_invalid' });
    expect(await ask('list_runs')).toBe('not_found');
  });

  it('shares nothing while others can read the file', async () => {
    const session = await up();
    await chmod(here.files.shares, 0o644);
    await until(() => session.sets.at(-1)!.length === 0);
    expect(here.history.at(-1)!.last_error).toMatchObject({ code: 'secret_exposed' });
    await chmod(here.files.shares, 0o600);
    await until(() => session.sets.at(-1)!.length === 1);
  });

  it('ends at its time and when it was withdrawn', async () => {
    here = await stand();
    await here.share(here.instance, { expires_at: '2020-01-01T00:00:00.000Z' });
    await here.run();
    await here.session();
    expect(await ask('list_runs')).toBe('grant_expired');
    await here.share(here.instance);
    await until(() => here.history.at(-1)?.instances[0]?.code === null);
    here.daemon.answerWith((_, response) =>
      here.daemon.json(response, { type: 'x', title: 'No', status: 401, code: 'unauthenticated' }, 401),
    );
    expect(await ask('list_runs')).toBe('grant_expired');
  });
});
