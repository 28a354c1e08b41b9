import { describe, expect, it } from 'vitest';
import { sectionsOf } from './restore-judges.ts';

describe('sectionsOf', () => {
  it('cuts at headers and never inside content', () => {
    const one = 'diff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -1 +1 @@\n-diff --git a/x b/x\n+text diff --git y\n';
    const two = 'diff --git a/b b/b\nold mode 100644\nnew mode 100755\n';
    expect(sectionsOf(Buffer.from(one + two)).map(String)).toEqual([one, two]);
    expect(sectionsOf(Buffer.alloc(0))).toEqual([]);
  });
});
