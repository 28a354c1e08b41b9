import { describe, expect, it } from 'vitest';
import { createBackoff } from './backoff.ts';
import { isoTime, manualClock, randomUnit, systemClock } from './clock.ts';
import { printable } from './printable.ts';

describe('clocks', () => {
  it('the manual clock fires what falls due in order, and what that schedules', async () => {
    const clock = manualClock(0);
    const fired: string[] = [];
    clock.after(20, () => fired.push(`b${clock.now()}`));
    clock.after(10, () => {
      fired.push(`a${clock.now()}`);
      clock.after(5, () => fired.push(`c${clock.now()}`));
    });
    const cancel = clock.after(12, () => fired.push('never'));
    cancel();
    void clock.sleep(15).then(() => fired.push(`s${clock.now()}`));
    await clock.advance(30);
    expect(fired).toEqual(['a10', 's15', 'c15', 'b20']);
    expect(clock.now()).toBe(30);
  });

  it('a sleep ends with its signal, on both clocks, and leaves no timer', async () => {
    for (const clock of [manualClock(), systemClock]) {
      const controller = new AbortController();
      const sleeping = clock.sleep(60_000, controller.signal);
      controller.abort(new Error('stop'));
      await expect(sleeping).rejects.toThrow('stop');
      await expect(clock.sleep(1, controller.signal)).rejects.toThrow('stop');
    }
  });

  it('times are RFC 3339 in UTC with milliseconds', () => {
    expect(isoTime(0)).toBe('1970-01-01T00:00:00.000Z');
  });

  it('random units stay below one', () => {
    for (let index = 0; index < 1000; index++) {
      const unit = randomUnit();
      expect(unit >= 0 && unit < 1).toBe(true);
    }
  });
});

describe('createBackoff', () => {
  it('doubles to the cap, draws evenly below it, and starts over', () => {
    const most = createBackoff({ base: 500, cap: 30_000, random: () => 1 });
    expect(Array.from({ length: 8 }, () => most.next())).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
    most.reset();
    expect(most.next()).toBe(500);
    const half = createBackoff({ base: 100, cap: 1000, random: () => 0.5 });
    expect([half.next(), half.next()]).toEqual([50, 100]);
    for (let index = 0; index < 2000; index++) expect(half.next()).toBeLessThanOrEqual(1000);
  });
});

describe('printable', () => {
  it.each([
    ['\u001b[31mred', '␛[31mred'],
    ['\u001b]8;;http://evil\u0007x', '␛]8;;http://evil␇x'],
    ['\u009b31m', '\\u{9b}31m'],
    ['a\u202eb\u2066c', 'a\\u{202e}b\\u{2066}c'],
    ['a\u200bb\ufeffc\u00add', 'a\\u{200b}b\\u{feff}c\\u{ad}d'],
    ['one\rtwo\nthree\tfour\0', 'one␍two␊three␉four␀'],
    ['a\u2028b\u2029c', 'a\\u{2028}b\\u{2029}c'],
    ['\ud800x', '\\u{d800}x'],
    ['\u{e0041}\u{3164}', '\\u{e0041}\\u{3164}'],
    ['\u007f', '␡'],
    ['größe 日本 ✔️ 👍', 'größe 日本 ✔️ 👍'],
  ])('%j is shown as %j', (text, shown) => {
    expect(printable(text)).toBe(shown);
  });

  it('keeps lines and tabs of a block, and nothing else', () => {
    expect(printable('a\n\tb\r\n\u001b', { multiline: true })).toBe('a\n\tb␍\n␛');
  });

  it('leaves no character that a terminal acts on, over all of Unicode', () => {
    const left: string[] = [];
    for (let code = 0; code <= 0x10_ffff; code++) {
      const text = String.fromCodePoint(code);
      if (/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}]/u.test(printable(text))) left.push(code.toString(16));
    }
    expect(left).toEqual([]);
  });
});
