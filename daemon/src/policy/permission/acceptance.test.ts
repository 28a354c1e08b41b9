import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ACCEPTANCE } from './acceptance.fixture.ts';
import { judgePermission } from './judge.ts';

const RECORD = join(import.meta.dirname, '../../../../docs/decisions/0010-permission-rules.md');
/** What an earlier verdict means here: what it passed on went to a person's prompt, what it blocked did not happen. */
const SAME: Readonly<Record<string, readonly string[]>> = { allow: ['allow'], deny: ['deny'], pass: ['allow', 'ask'], block: ['deny'] };

describe('the acceptance cases of an earlier hook', () => {
  it.each(ACCEPTANCE)('%s (%s there): %j in %s mode is %s by %s', (_id, _theirs, command, mode, decision, rule) => {
    const verdict = judgePermission(
      { tool: 'Bash', kind: 'execute', command, input: { command } },
      {
        mode,
        rules: { allow: [], deny: [] },
        workspace: '/workspace',
        scratch: ['/tmp'],
        fence: { allowed: [['**']], forbidden: [], protected: [] },
        network: 'open',
      },
    );
    expect(`${verdict.decision} ${verdict.rule}`).toBe(`${decision} ${rule}`);
  });

  it('differ exactly where the decision record says so', () => {
    const explained = [...readFileSync(RECORD, 'utf8').matchAll(/^\| (H\d{3}) \|/gm)].map(([, id]) => id!);
    const differing = ACCEPTANCE.filter(([, theirs, , , decision]) => !SAME[theirs]!.includes(decision)).map(([id]) => id);
    expect(explained.toSorted()).toEqual(differing.toSorted());
  });
});
