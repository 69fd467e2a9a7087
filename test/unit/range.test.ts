import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readRange, slicesOf } from '../../src/domain/range.ts';

const instant = fc.date({ min: new Date('2020-01-01'), max: new Date('2035-01-01'), noInvalidDate: true });
const day = 86_400_000;

describe('slicesOf', () => {
  test('covers the range with no gap or overlap, in pieces that are not too wide, never past its end', () => {
    fc.assert(
      fc.property(
        instant,
        fc.integer({ min: 1, max: 400 * day }),
        fc.integer({ min: day, max: 20 * day }),
        (from, width, most) => {
          const to = new Date(from.getTime() + width);
          const slices = slicesOf({ from, to }, most);
          expect(slices[0]?.from).toEqual(from);
          expect(slices.at(-1)?.to).toEqual(to);
          for (const [index, slice] of slices.entries()) {
            const width = slice.to.getTime() - slice.from.getTime();
            expect(width).toBeGreaterThan(0);
            expect(width).toBeLessThanOrEqual(most);
            expect(slice.from).toEqual(index === 0 ? from : slices[index - 1]?.to);
          }
        },
      ),
    );
  });

  test('an empty or inverted range has no slices', () => {
    const now = new Date('2026-09-15T00:00:00Z');
    expect(slicesOf({ from: now, to: now }, day)).toEqual([]);
    expect(slicesOf({ from: new Date(now.getTime() + 1), to: now }, day)).toEqual([]);
  });

  test.each([0, -1, 0.5, Number.NaN])('a width of %s is a defect, not an endless loop', (width) => {
    expect(() => slicesOf({ from: new Date(0), to: new Date(1) }, width)).toThrow(
      expect.objectContaining({ exit: 70 }),
    );
  });
});

describe('readRange', () => {
  const now = new Date('2026-09-15T12:00:00Z');
  const ago = (ms: number) => new Date(now.getTime() - ms);

  test.each([
    ['no cursor: the window', undefined, ago(day), ago(day)],
    ['a fresh cursor: the window', ago(60_000), ago(day), ago(day)],
    ['an outage longer than the window: the cursor less the overlap', ago(5 * day), ago(day), ago(5 * day + 600_000)],
    ['a cursor in the future: the window', ago(-day), ago(day), ago(day)],
    ['cursor and window in the future: nothing', ago(-day), ago(-day), now],
  ])('%s', (_, cursor, windowStart, from) => {
    expect(readRange({ cursor, overlapMs: 600_000, windowStart, now })).toEqual({ from, to: now });
  });

  test('never begins after the window, after cursor − overlap, or after its end', () => {
    fc.assert(
      fc.property(
        fc.option(instant, { nil: undefined }),
        instant,
        instant,
        fc.nat(day),
        (cursor, windowStart, end, overlapMs) => {
          const { from, to } = readRange({ cursor, overlapMs, windowStart, now: end });
          expect(to).toEqual(end);
          expect(from.getTime()).toBeLessThanOrEqual(end.getTime());
          expect(from.getTime()).toBeLessThanOrEqual(windowStart.getTime());
          expect(from.getTime()).toBeLessThanOrEqual(
            (cursor?.getTime() ?? Infinity) - (cursor === undefined ? 0 : overlapMs),
          );
        },
      ),
    );
  });
});
