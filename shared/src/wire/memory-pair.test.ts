import { describe, expect, it } from 'vitest';
import { memoryPair } from './memory-pair.ts';
import { transportContract } from './transport.contract.ts';

transportContract('memory pair', async () => {
  const pair = memoryPair();
  return { left: pair.left.transport, right: pair.right.transport, dispose: async () => pair.cut() };
});

describe('memoryPair', () => {
  const turn = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

  it('holds back what one side sends until its fence is lifted', async () => {
    const { left, right } = memoryPair();
    const got: string[] = [];
    right.transport.receive((data) => got.push(data.toString()));
    left.fence();
    left.transport.sendText('held');
    await turn();
    expect(got).toEqual([]);
    expect(left.sent.map(({ data }) => data.toString())).toEqual(['held']);
    left.lift();
    await turn();
    expect(got).toEqual(['held']);
  });

  it('loses what was held back when the line is cut', async () => {
    const pair = memoryPair();
    const got: string[] = [];
    pair.right.transport.receive((data) => got.push(data.toString()));
    pair.left.fence();
    pair.left.transport.sendText('lost');
    pair.cut();
    pair.left.lift();
    await turn();
    expect(got).toEqual([]);
  });
});
