import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, hostname, userInfo } from 'node:os';
import { join } from 'node:path';
import { newResourceId } from '@fairlead/shared/contract/ids';
import { readAll, requestRaw } from '@fairlead/shared/kit/http-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { codeOf } from './hostile-relay/stage.ts';
import { followStep, httpPlanner } from './rig/planner.ts';
import { until } from './rig/processes.ts';
import { addFilePatch, git } from './rig/repositories.ts';
import { raiseStack, type Stack } from './rig/stack.ts';

/** Attacks on the boundaries of a whole installation of real processes, each from the list of threats that shaped the design. */
const SECRET = 'canary-Secret-Value-9f8e7d6c5b';
const POLICY = `version: 1
validations:
  leak: { run: [node, leak.mjs], timeout: 60s, required: false }
provision: { copy: [.env] }
`;
/** Says a copied secret as it is, in base64, and in two pieces, and what the machine is called. */
const LEAK = `import { readFileSync } from 'node:fs';
import { homedir, hostname, userInfo } from 'node:os';
const env = readFileSync('.env', 'utf8');
const value = /=(.*)/.exec(env)[1];
console.log('CHECKED', value, Buffer.from('x' + value + 'y').toString('base64'), encodeURIComponent(value));
process.stdout.write(value.slice(0, 9));
setTimeout(() => { process.stdout.write(value.slice(9) + '\\n'); console.log(homedir(), hostname(), userInfo().username, process.cwd(), JSON.stringify(process.env)); }, 300);
`;
let stack: Stack;
let id: string;

beforeAll(async () => {
  stack = await raiseStack({ project: { 'a.txt': 'a\n', 'leak.mjs': LEAK, '.gitignore': '.env\n', '.fairlead/project.yaml': POLICY } });
  id = stack.instances[0]!.id;
}, 90_000);
afterAll(() => stack.close());

const exchange = async (url: string, token: string, body?: string, headers: Record<string, string> = {}) => {
  const answer = await requestRaw({
    method: body === undefined ? 'GET' : 'POST',
    url,
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...headers,
    },
    ...(body !== undefined && { body }),
  });
  return { status: answer.status, text: (await readAll(answer.body)).toString('utf8') };
};
const patch = (name: string) => ({ title: name, patch: addFilePatch(`notes/${name}.txt`, name), executor: 'patch' });
const newRun = async (): Promise<string> => (await stack.planner.call('start_run', { instance_id: id })).id;
const runs = async (): Promise<number> => (await stack.operator.call('list_runs', { instance_id: id, limit: 200 })).items.length;

const DEEP = `${'['.repeat(33)}${']'.repeat(33)}`;
/** Row 15: what two readers of a text may see differently. Strict at every boundary. */
const POISONS: readonly (readonly [name: string, json: string, task: string, policy: string])[] = [
  ['a name twice', '{"title":"a","title":"b"}', 'title: a\ntitle: b\n', 'fence: {}\nfence: {}\n'],
  ['a name twice, in two spellings', '{"title":"a","t\\u0069tle":"b"}', 'title: a\n"t\\u0069tle": b\n', 'fence: {}\n"f\\u0065nce": {}\n'],
  ['2^53 + 1', '{"title":9007199254740993}', 'title: 9007199254740993\n', 'fence: { files: 9007199254740993 }\n'],
  ['__proto__', '{"__proto__":{"remote":false}}', 'goal: x\n__proto__: { remote: false }\n', '__proto__: { fence: {} }\n'],
  ['depth 33', `{"title":${DEEP}}`, `title: ${DEEP}\n`, `fence: { allowed: ${DEEP} }\n`],
  ['half a surrogate pair', '{"title":"\\ud800"}', 'goal: "\\ud800"\n', 'fence: { forbidden: ["\\ud800"] }\n'],
];

describe.each(POISONS)('%s is refused (threats row 15)', (_, json, yaml, policy) => {
  it('by the HTTP API of the relay', async () => {
    const before = await runs();
    const { status, text } = await exchange(`${stack.relayUrl}/api/v2/instances/${id}/runs`, stack.plannerToken, json);
    expect([status, text]).toEqual([400, expect.stringContaining('malformed_json')]);
    expect(await runs()).toBe(before);
  });

  it('by the MCP endpoint of the relay', async () => {
    const before = await runs();
    const { status, text } = await exchange(
      stack.mcpUrl,
      stack.plannerToken,
      `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"start_run","arguments":${json.replace('{', `{"instance_id":"${id}",`)}}}`,
    );
    expect([status, text]).toEqual([400, expect.stringContaining('malformed_json')]);
    expect(await runs()).toBe(before);
  });

  it('by the HTTP API of the daemon', async () => {
    const before = await runs();
    const { status, text } = await exchange(`${stack.daemonUrl}/api/v1/instances/${id}/runs`, stack.daemonToken, json);
    expect([status, text]).toEqual([400, expect.stringContaining('malformed_json')]);
    expect(await runs()).toBe(before);
  });

  it('by the command line, in a task file', async () => {
    const before = await runs();
    writeFileSync(join(stack.home, 'task.yaml'), yaml);
    const { code, stdout } = await stack.run('fairlead', 'submit', join(stack.home, 'task.yaml'), '--instance', id, '--json');
    expect([code, JSON.parse(stdout)]).toEqual([1, expect.objectContaining({ code: 'invalid_input' })]);
    expect(await runs()).toBe(before);
  });

  it('in the project policy, which then refuses every task', async () => {
    const repo = stack.instances[0]!.repo;
    const good = git(repo, 'rev-parse', 'HEAD');
    writeFileSync(join(repo, '.fairlead/project.yaml'), `${POLICY}${policy}`);
    git(repo, 'commit', '-q', '-am', 'Poison');
    try {
      const runId = await newRun();
      expect(await codeOf(stack.planner.call('submit_task', { run_id: runId, task: patch('poisoned') }))).toBe('project_policy_invalid');
      expect((await stack.planner.call('list_steps', { run_id: runId })).items).toEqual([]);
    } finally {
      git(repo, 'reset', '-q', '--hard', good);
    }
  });
});

it('says how many poisons it tried at how many boundaries', ({ annotate }) =>
  annotate(`${POISONS.length * 5} poisoned texts at the boundaries`, 'count'));

describe('what a planner may learn of others (threats row 18)', () => {
  it('foreign, missing and unshared ids answer byte for byte alike, for every kind of id', async () => {
    const far = `ins_${'q'.repeat(26)}`;
    const bare = ({ status, text }: { status: number; text: string }) => [status, text.replace(/req_[\w-]+/g, 'req')];
    for (const [kind, path] of [
      ['run', 'runs'],
      ['step', 'steps'],
      ['chg', 'changes'],
      ['art', 'artifacts'],
      ['gate', 'gates'],
    ] as const) {
      const [missing, foreign] = await Promise.all(
        [id, far].map((of) => exchange(`${stack.relayUrl}/api/v2/${path}/${newResourceId(kind, of)}`, stack.plannerToken)),
      );
      expect(bare(missing!)).toEqual(bare(foreign!));
      expect(missing!.status).toBe(404);
    }
  });

  it('a wait ends within a second when their token is revoked, on the machine too', async () => {
    const { id: tokenId, secret } = await stack.admin.call('create_planner_token', { name: 'brief' }, { idempotencyKey: randomUUID() });
    const brief = httpPlanner(stack.relayUrl, secret);
    const runId = await newRun();
    const { id: stepId } = await stack.planner.call('submit_task', { run_id: runId, task: patch('held') });
    const { step } = await followStep(stack.planner, stepId);
    const { next_cursor: cursor } = await brief.call('wait_step', { step_id: step.id });
    const wait = codeOf(brief.call('wait_step', { step_id: step.id, cursor, timeout_ms: 20_000 }));
    await until('the wait is under way', async () => (await stack.admin.call('relay_status', {})).pending > 0);
    const since = performance.now();
    await stack.admin.call('revoke_planner_token', { token_id: tokenId }, { idempotencyKey: randomUUID() });
    expect(await wait).toBe('unauthenticated');
    expect(performance.now() - since).toBeLessThan(1000);
    await until('nothing waits any more', async () => (await stack.admin.call('relay_status', {})).pending === 0);
    expect(await codeOf(brief.call('list_instances', {}))).toBe('unauthenticated');
  }, 60_000);
});

describe('one key, whoever carries it (threats row 13)', () => {
  it('a token that was rotated between two sends: once; the old one with the same key: 401', async () => {
    const make = () => stack.admin.call('create_planner_token', { name: 'rotating' }, { idempotencyKey: randomUUID() });
    const [old, next] = [await make(), await make()];
    const runId = await newRun();
    const send = (secret: string) =>
      httpPlanner(stack.relayUrl, secret).call('submit_task', { run_id: runId, task: patch('rotated') }, 'the-key');
    const first = await send(old.secret);
    await stack.admin.call('revoke_planner_token', { token_id: old.id }, { idempotencyKey: randomUUID() });
    expect((await send(next.secret)).id).toBe(first.id);
    expect(await codeOf(send(old.secret))).toBe('unauthenticated');
    expect((await stack.planner.call('list_steps', { run_id: runId })).items.map((step) => step.id)).toEqual([first.id]);
    const { status } = await exchange(`${stack.relayUrl}/api/v2/instances`, old.secret);
    expect(status).toBe(401);
  });
});

/** Row 12: the copy of the grant that the connector holds is not what decides. */
describe('a grant that is edited while it is in use (threats row 12)', () => {
  it('is believed no more, serves nothing wider, and the status says so', async () => {
    const file = join(stack.home, 'connector', 'shares.json');
    const original = readFileSync(file, 'utf8');
    const edited = JSON.parse(original) as { shares: { grant: { operations: string[]; accept_relay_decisions: boolean } }[] };
    edited.shares[0]!.grant.operations.push('read_file', 'approve_gate', 'integrate_change');
    edited.shares[0]!.grant.accept_relay_decisions = true;
    const { secret } = await stack.admin.call(
      'create_planner_token',
      { name: 'reader', scopes: ['runs:read', 'files:read', 'instances:read'] as never },
      { idempotencyKey: randomUUID() },
    );
    const reader = httpPlanner(stack.relayUrl, secret);
    const read = () => codeOf(reader.call('read_file', { instance_id: id, path: 'a.txt' }));
    expect(await read()).toBe('grant_denied');
    writeFileSync(file, JSON.stringify(edited), { mode: 0o600 });
    try {
      await until(
        'the connector believes it no more',
        async () => (await codeOf(stack.planner.call('get_instance', { instance_id: id }))) === 'grant_untrusted',
      );
      expect(await read()).not.toBe('answered');
      const { stdout } = await stack.run('connector', 'status', '--json');
      expect(stdout).toContain('grant_untrusted');
    } finally {
      writeFileSync(file, original, { mode: 0o600 });
    }
    await until('it is believed again', async () => (await codeOf(stack.planner.call('get_instance', { instance_id: id }))) === 'answered');
    expect(await read()).toBe('grant_denied');
  }, 60_000);
});

/** Row 16: little leaves the machine. */
describe('what leaves the machine (threats row 16)', () => {
  it('no secret that was copied into a checkout, no name of the machine, no token: not in an answer, nor in the database of the relay', async () => {
    writeFileSync(join(stack.instances[0]!.repo, '.env'), `API_TOKEN=${SECRET}\n`);
    const runId = await newRun();
    const { id: stepId } = await stack.planner.call('submit_task', { run_id: runId, task: { ...patch('leaky'), validations: ['leak'] } });
    await followStep(stack.planner, stepId);
    const said: string[] = [];
    const note = async (answer: Promise<unknown>) => void said.push(JSON.stringify(await answer));
    await note(stack.planner.call('get_step_result', { step_id: stepId }));
    await note(stack.planner.call('get_step_logs', { step_id: stepId }));
    await note(stack.planner.call('list_validations', { step_id: stepId }));
    await note(stack.planner.call('list_events', { instance_id: id, run_id: runId }));
    const { items } = await stack.planner.call('list_artifacts', { step_id: stepId });
    for (const artifact of items) said.push((await stack.planner.content(artifact.id)).toString('latin1'));
    const heard = said.join('\n');
    expect(heard).toContain('CHECKED');
    expect(heard).toContain('[redacted]');

    const tokens = [stack.daemonToken, stack.adminToken, stack.plannerToken];
    const names = [homedir(), hostname(), userInfo().username].filter((name) => name.length > 5);
    const base64 = ['x', 'xx', 'xxx'].map((lead) => Buffer.from(`${lead}${SECRET}`).toString('base64').slice(6, -4));
    const canaries = [SECRET, ...base64, ...tokens, ...names, stack.home, stack.instances[0]!.repo];
    const folder = join(stack.home, 'relay');
    const database = readdirSync(folder)
      .filter((name) => /\.(db|sqlite)/.test(name))
      .map((name) => readFileSync(join(folder, name)).toString('latin1'))
      .join('');
    expect(database.length).toBeGreaterThan(10_000);
    for (const canary of canaries) {
      expect(heard.includes(canary), `${canary} was answered`).toBe(false);
      expect(database.includes(canary), `${canary} is in the database`).toBe(false);
    }
  }, 90_000);
});

/** The last one, since it takes the relay's memory away (row 13). */
it('a relay that lost its database between two sends: the key still finds what was done, once', async () => {
  const runId = await newRun();
  const send = (token: string) =>
    httpPlanner(stack.relayUrl, token).call('submit_task', { run_id: runId, task: patch('once') }, 'a-key-that-lasts');
  const first = await send(stack.plannerToken);
  await stack.parts.connector.stop();
  await stack.parts.relay.kill();
  for (const name of readdirSync(join(stack.home, 'relay'))) if (/\.(db|sqlite)/.test(name)) rmSync(join(stack.home, 'relay', name));
  await stack.start('relay');
  // The owner enrols anew and shares again; nothing of the former relay is believed by itself.
  expect(await codeOf(send(stack.plannerToken))).toBe('unauthenticated');
  const { secret: enrolment } = await stack.admin.call('create_enrollment_token', {}, { idempotencyKey: randomUUID() });
  await stack.json('connector', 'enroll', '--relay', stack.relayUrl, '--token', enrolment, '--label', 'machine', '--replace');
  await stack.json('connector', 'share', '--instance', id);
  await stack.start('connector');
  const { secret } = await stack.admin.call('create_planner_token', { name: 'planner' }, { idempotencyKey: randomUUID() });
  const again = await until('the machine is back', () => send(secret).catch(() => false as const), 45_000);
  expect(again.id).toBe(first.id);
  expect((await stack.operator.call('list_steps', { run_id: runId })).items).toHaveLength(1);
}, 90_000);
