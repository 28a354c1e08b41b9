import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { manualClock } from '@fairlead/shared/kit/clock';
import { createLog } from '@fairlead/shared/kit/log';
import { openStore, type Store } from '../store/store.ts';
import { openAudit } from './audit.ts';
import { keepFor } from './retention.ts';

const DAY = 86_400_000;
const log = createLog({ part: 'relay', level: 'silent' });

let folder: string;
let store: Store;
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'fairlead-audit-'));
  store = openStore(path.join(folder, 'relay.db'));
});
afterEach(async () => {
  store.close();
  await rm(folder, { recursive: true, force: true });
});

const rows = () => store.audit.page({ before: Number.MAX_SAFE_INTEGER, limit: 10_000, action: null, outcome: null });

describe('the audit', () => {
  it('keeps its rows for so many days, drops older ones, and says that it did', async () => {
    const clock = manualClock();
    const audit = openAudit({ store, clock });
    const note = (action: string) => audit.record({ actor: 'a', action, effect: 'write', outcome: 'ok' });
    await Promise.all(Array.from({ length: 2500 }, () => note('old')));
    await clock.advance(6 * DAY);
    await note('young');
    const stop = keepFor({ store, audit, clock, log, days: 10 });
    expect(rows()).toHaveLength(2501);
    await clock.advance(4 * DAY);
    expect(rows()).toHaveLength(2501);
    await clock.advance(DAY / 24);
    await note('new');
    expect(rows().map(({ action }) => action)).toEqual(expect.arrayContaining(['new', 'audit_dropped', 'young']));
    expect(rows()).toHaveLength(3);
    expect(rows().find(({ action }) => action === 'audit_dropped')).toMatchObject({
      effect: 'gap',
      actor: 'relay',
      detail: { rows: 2500, days: 10 },
    });
    stop();
    await clock.advance(20 * DAY);
    expect(rows()).toHaveLength(3);
    audit.close();
  });
});
