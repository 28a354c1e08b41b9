import { describe, expect, it } from 'vitest';
import { bytes, columns, duration, fields } from './layout.ts';

describe('layout', () => {
  it('aligns columns and makes cells inert', () => {
    expect(
      columns(
        ['A', 'BB'],
        [
          ['x\u001b[31m', null],
          ['longer', 1],
        ],
        'none',
      ),
    ).toBe('A       BB\nx␛[31m  -\nlonger  1');
    expect(columns(['A'], [], 'none')).toBe('none');
  });

  it('leaves out what is not there', () => {
    expect(
      fields([
        ['a', 'x'],
        ['bb', null],
        ['ccc', 0],
      ]),
    ).toBe('  a    x\n  ccc  0');
  });

  it('says times and sizes in words', () => {
    expect([duration(12), duration(1500), duration(61_000), duration(3_660_000)]).toEqual(['12 ms', '1.5 s', '1 min 1 s', '1 h 1 min']);
    expect([bytes(5), bytes(2048), bytes(3 * 1024 ** 2)]).toEqual(['5 B', '2.0 KiB', '3.0 MiB']);
  });
});
