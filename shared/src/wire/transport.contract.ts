import { afterEach, describe, expect, it } from 'vitest';
import { LOW_WATER, type Transport, type TransportEnd } from './transport.ts';

/** Two joined transports, and how to take them down. */
export interface JoinedTransports {
  readonly left: Transport;
  readonly right: Transport;
  dispose(): Promise<void>;
}

const ended = (transport: Transport): Promise<TransportEnd> => new Promise((resolve) => transport.onEnd(resolve));

/** What every transport owes to the channels above it. */
export const transportContract = (name: string, join: () => Promise<JoinedTransports>): void => {
  describe(`transport contract: ${name}`, () => {
    const open: JoinedTransports[] = [];
    const joined = async () => {
      const pair = await join();
      open.push(pair);
      return pair;
    };
    afterEach(async () => {
      for (const pair of open.splice(0)) await pair.dispose();
    });

    const messages = (transport: Transport, count: number) =>
      new Promise<{ text: string; binary: boolean }[]>((resolve) => {
        const got: { text: string; binary: boolean }[] = [];
        transport.receive((data, binary) => {
          got.push({ text: data.toString('utf8'), binary });
          if (got.length === count) resolve(got);
        });
      });

    it('carries text and bytes whole and in order, both ways', async () => {
      const { left, right } = await joined();
      const there = messages(right, 4);
      const back = messages(left, 1);
      left.sendText('one');
      left.sendBytes(Buffer.from('two'));
      left.sendText(Buffer.from('drei ü'));
      left.sendText('x'.repeat(300_000));
      right.sendText('back');
      expect(await there).toEqual([
        { text: 'one', binary: false },
        { text: 'two', binary: true },
        { text: 'drei ü', binary: false },
        { text: 'x'.repeat(300_000), binary: false },
      ]);
      expect(await back).toEqual([{ text: 'back', binary: false }]);
    });

    it('keeps messages until somebody takes them, and hands over from one reader to the next without losing one', async () => {
      const { left, right } = await joined();
      for (let index = 0; index < 20; index++) left.sendText(String(index));
      await new Promise((resolve) => setTimeout(resolve, 20));
      const first = await new Promise<string>((resolve) => {
        right.receive((data) => {
          right.receive(undefined);
          resolve(data.toString());
        });
      });
      expect(first).toBe('0');
      await new Promise((resolve) => setTimeout(resolve, 5));
      const rest = await messages(right, 19);
      expect(rest.map(({ text }) => text)).toEqual(Array.from({ length: 19 }, (_, index) => String(index + 1)));
    });

    it('delivers what was sent before a close, then tells both sides its code and reason', async () => {
      const { left, right } = await joined();
      const there = messages(right, 2);
      left.sendText('a');
      left.sendText('b');
      left.close(4001, 'refused');
      left.sendText('too late');
      expect((await there).map(({ text }) => text)).toEqual(['a', 'b']);
      expect(await ended(right)).toEqual({ code: 4001, reason: 'refused' });
      await ended(left);
    });

    it('tells an end to those who ask later, and takes sends after it in silence', async () => {
      const { left, right } = await joined();
      left.destroy();
      await ended(right);
      await ended(left);
      expect((await ended(right)).code).toBe(1006);
      left.sendText('nobody');
      right.sendBytes(Buffer.from('nobody'));
      left.close(1000, 'again');
      left.destroy();
    });

    it('says how much is buffered and when it has drained', async () => {
      const { left, right } = await joined();
      let received = 0;
      const drained = new Promise<void>((resolve) => left.onDrain(resolve));
      const block = Buffer.alloc(4 * 1024 * 1024);
      left.sendBytes(block);
      left.sendBytes(block);
      left.sendBytes(block);
      expect(left.buffered).toBeGreaterThan(0);
      right.receive((data) => {
        received += data.length;
      });
      await drained;
      expect(left.buffered).toBeLessThanOrEqual(LOW_WATER);
      while (received < 3 * block.length) await new Promise((resolve) => setTimeout(resolve, 5));
    });
  });
};
