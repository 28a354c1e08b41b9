import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ServedDaemon, codeOf, key } from './served.fixture.ts';

const GATED = 'version: 1\ngates: {when: [always]}\n';
const DECIDES = {
  operations: ['get_gate', 'approve_gate', 'get_step', 'start_run', 'submit_task', 'retry_step'],
  accept_relay_decisions: true,
};
let daemon: ServedDaemon;
beforeAll(async () => void (daemon = await new ServedDaemon().start()));
afterAll(() => daemon.remove());

/** Each relay names its planners itself: the same name at two relays is two planners. */
describe('planners of the same name at two relays', () => {
  it('have idempotency keys of their own', async () => {
    const instance = await daemon.instance('keys');
    const [one, other] = [await daemon.share(instance), await daemon.share(instance)];
    const input = { instance_id: instance, title: 'Same' };
    const first = await one.client.call('start_run', input, { idempotencyKey: 'the-same-key' });
    const second = await other.client.call('start_run', input, { idempotencyKey: 'the-same-key' });
    expect(second.id).not.toBe(first.id);
    expect((await one.client.call('start_run', input, { idempotencyKey: 'the-same-key' })).id).toBe(first.id);
    const third = other.client.call('start_run', { ...input, title: 'Other' }, { idempotencyKey: 'the-same-key' });
    expect(await codeOf(third)).toBe('idempotency_conflict');
  });

  it('keep their keys when the same relay is shared with anew', async () => {
    const instance = await daemon.instance('anew');
    const one = await daemon.share(instance);
    const input = { instance_id: instance };
    const first = await one.client.call('start_run', input, { idempotencyKey: 'kept' });
    const again = await daemon.share(instance, { relay_key: one.grant.relay_key });
    expect((await again.client.call('start_run', input, { idempotencyKey: 'kept' })).id).toBe(first.id);
  });

  it('are not taken for one who approves their own', async () => {
    const instance = await daemon.instance('approvals', GATED);
    const [one, other] = [await daemon.share(instance, DECIDES), await daemon.share(instance, DECIDES)];
    const { stepId } = await daemon.submitPatch(one.client, instance);
    expect(await daemon.settled(stepId)).toBe('needs_approval');
    const { gate_id } = await daemon.operator.call('get_step', { step_id: stepId });
    const { digest } = await daemon.operator.call('get_gate', { gate_id: gate_id! });
    const decision = { gate_id: gate_id!, digest };
    expect(await codeOf(one.client.call('approve_gate', decision, { idempotencyKey: key() }))).toBe('self_approval');
    expect(await codeOf(other.client.call('approve_gate', decision, { idempotencyKey: key() }))).toBeUndefined();
  });
});

describe('a retry from far away', () => {
  it('runs no optional validation that the grant does not share', async () => {
    const policy =
      'version: 1\nvalidations:\n  deep: {run: ["true"], required: false}\n  must: {run: ["false"], judges: ["judges/**"]}\ngates: {when: []}\n';
    const instance = await daemon.instance('retries', policy);
    const { stepId } = await daemon.submitPatch(daemon.operator, instance, { validations: ['deep'] });
    expect(await daemon.settled(stepId)).toBe('failed_validation');
    const narrow = await daemon.share(instance, { validations: [] });
    expect(await codeOf(narrow.client.call('retry_step', { step_id: stepId }, { idempotencyKey: key() }))).toBe('grant_denied');
    const wide = await daemon.share(instance, { validations: ['deep'] });
    expect(await codeOf(wide.client.call('retry_step', { step_id: stepId }, { idempotencyKey: key() }))).toBeUndefined();
    await daemon.settled(stepId);
  });
});
