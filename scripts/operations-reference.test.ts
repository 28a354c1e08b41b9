import { readFileSync } from 'node:fs';
import { OPERATIONS } from '@fairlead/shared/contract/operations/table';
import { describe, expect, it } from 'vitest';
import { operationsText } from './operations-reference.ts';

describe('docs/operations.md', () => {
  it('is what the tables say; npm run docs makes it anew', () => {
    expect(readFileSync('docs/operations.md', 'utf8')).toBe(operationsText());
  });

  it('has every operation', () => {
    const text = operationsText();
    expect(Object.keys(OPERATIONS).filter((name) => !text.includes(`### ${name}\n`))).toEqual([]);
  });
});
