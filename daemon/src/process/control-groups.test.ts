import { describe, expect, it } from 'vitest';
import { findControlGroups, oomKillsIn } from './control-groups.ts';
import { limitsOf } from './usage.ts';

const groups = await findControlGroups(limitsOf());
if (!groups) process.stderr.write('skipped in part: this machine lends no control groups with memory and pids\n');

describe('oomKillsIn', () => {
  it('reads memory.events as the kernel writes it', () => {
    expect(oomKillsIn('low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 1\n')).toBe(2);
    expect(oomKillsIn('low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\n')).toBe(0);
    expect(oomKillsIn('')).toBe(0);
  });
});

describe.runIf(groups)('control groups', () => {
  it('are made with their limits, and removed', async () => {
    const group = await groups!.make({ processes: 10, memory: 64 * 1024 * 1024, disk: 1 });
    expect(await group.outOfMemory()).toBe(false);
    await group.remove();
    expect(await group.outOfMemory()).toBe(false);
  });
});
