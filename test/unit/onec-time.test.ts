import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EMPTY_DATE } from '../../src/domain/onec.ts';
import { fromLocal, isEmptyDate, localRange, toLocal } from '../../src/systems/onec/time.ts';

const HOUR = 3_600_000;
const ZONES = ['Europe/Berlin', 'Asia/Almaty', 'Europe/Moscow', 'America/St_Johns', 'UTC'] as const;

/** Instants of every kind, half of them close to a change of clocks, the last of them each zone's own. */
const CHANGES = ['2024-03-31T01:00:00Z', '2024-10-27T01:00:00Z', '2024-02-29T18:00:00Z', '2014-10-25T22:00:00Z'];
const zone = fc.constantFrom(...ZONES);
const anywhen = fc.date({ min: new Date('2010-01-01'), max: new Date('2035-01-01'), noInvalidDate: true });
const nearChange = fc
  .tuple(fc.constantFrom(...CHANGES), fc.integer({ min: -30 * 3600, max: 30 * 3600 }))
  .map(([at, seconds]) => new Date(Date.parse(at) + seconds * 1000));
const instant = fc.oneof(anywhen, nearChange);

describe('to and from local time', () => {
  test.each([
    ['Europe/Moscow', '2025-06-09T13:13:24.900Z', '2025-06-09T16:13:24'],
    ['Europe/Moscow', '2014-10-25T21:59:59Z', '2014-10-26T01:59:59'],
    ['Europe/Moscow', '2014-10-25T22:00:00Z', '2014-10-26T01:00:00'],
    ['Asia/Almaty', '2024-02-29T17:59:59Z', '2024-02-29T23:59:59'],
    ['Asia/Almaty', '2024-02-29T18:00:00Z', '2024-02-29T23:00:00'],
    ['Europe/Berlin', '2024-07-01T22:00:00Z', '2024-07-02T00:00:00'],
  ])('%s: %s is %s', (where, at, local) => {
    expect(toLocal(new Date(at), where)).toBe(local);
  });

  test.each([
    ['the earlier of two', 'Europe/Berlin', '2024-10-27T02:30:00', '2024-10-27T00:30:00.000Z'],
    ['forward in a gap', 'Europe/Berlin', '2024-03-31T02:30:00', '2024-03-31T01:30:00.000Z'],
    ['the earlier of two', 'Asia/Almaty', '2024-02-29T23:30:00', '2024-02-29T17:30:00.000Z'],
    ['the earlier of two', 'Europe/Moscow', '2014-10-26T01:30:00', '2014-10-25T21:30:00.000Z'],
    ['plain', 'Asia/Almaty', '2026-05-01T05:00:00', '2026-05-01T00:00:00.000Z'],
  ])('%s, %s: %s is %s', (_, where, local, at) => {
    expect(fromLocal(local, where).toISOString()).toBe(at);
  });

  test('an instant is found again, or the one an hour before it in a time that came twice', () => {
    fc.assert(
      fc.property(instant, zone, (at, where) => {
        const local = toLocal(at, where);
        const back = fromLocal(local, where);
        expect(toLocal(back, where)).toBe(local);
        const late = Math.floor(at.getTime() / 1000) * 1000 - back.getTime();
        expect(late === 0 || late === HOUR).toBe(true);
      }),
    );
  });

  test('the order of local texts is that of instants, outside the times that came twice', () => {
    fc.assert(
      fc.property(instant, instant, zone, (a, b, where) => {
        fc.pre(Math.abs(a.getTime() - b.getTime()) > 2 * HOUR);
        expect(toLocal(a, where) < toLocal(b, where)).toBe(a < b);
      }),
    );
  });

  test.each(ZONES)('the empty date of year 1 survives %s', (where) => {
    const at = fromLocal(EMPTY_DATE, where);
    expect(Number.isNaN(at.getTime())).toBe(false);
    expect(toLocal(at, where)).toBe(EMPTY_DATE);
  });

  test('what is no date-time is an invalid Date', () => {
    expect(Number.isNaN(fromLocal('yesterday', 'UTC').getTime())).toBe(true);
  });
});

describe('localRange', () => {
  const range = (from: string, to: string) => ({ from: new Date(from), to: new Date(to) });

  test.each([
    [
      'a plain day',
      'Europe/Moscow',
      '2025-06-08T21:00:00Z',
      '2025-06-09T21:00:00Z',
      '2025-06-09T00:00:00',
      '2025-06-10T00:00:00',
    ],
    [
      'begins in the first pass',
      'Europe/Berlin',
      '2024-10-27T00:30:00Z',
      '2024-10-27T03:00:00Z',
      '2024-10-27T02:00:00',
      '2024-10-27T04:00:00',
    ],
    [
      'ends in the second pass',
      'Europe/Berlin',
      '2024-10-26T22:00:00Z',
      '2024-10-27T01:10:00Z',
      '2024-10-27T00:00:00',
      '2024-10-27T03:00:00',
    ],
    [
      'begins in the second pass',
      'Europe/Berlin',
      '2024-10-27T01:30:00Z',
      '2024-10-27T03:00:00Z',
      '2024-10-27T02:00:00',
      '2024-10-27T04:00:00',
    ],
    [
      'ends as the clocks go back',
      'Asia/Almaty',
      '2024-02-29T12:00:00Z',
      '2024-02-29T18:00:00Z',
      '2024-02-29T18:00:00',
      '2024-03-01T00:00:00',
    ],
    [
      'spans a gap',
      'Europe/Berlin',
      '2024-03-31T00:30:00Z',
      '2024-03-31T01:30:00Z',
      '2024-03-31T01:30:00',
      '2024-03-31T03:30:00',
    ],
    [
      'spans years',
      'Europe/Berlin',
      '2014-06-01T00:00:00Z',
      '2024-06-01T00:00:00Z',
      '2014-06-01T02:00:00',
      '2024-06-01T02:00:00',
    ],
    [
      'ends within a second',
      'UTC',
      '2024-06-01T00:00:00.500Z',
      '2024-06-01T00:00:01.001Z',
      '2024-06-01T00:00:00',
      '2024-06-01T00:00:02',
    ],
  ])('%s', (_, where, from, to, localFrom, localTo) => {
    expect(localRange(range(from, to), where)).toEqual({ from: localFrom, to: localTo });
  });

  test('every second of the range lies in the bounds', () => {
    fc.assert(
      fc.property(
        instant,
        fc.integer({ min: 1, max: 3 * 86_400 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        zone,
        (from, seconds, part, where) => {
          const to = new Date(from.getTime() + seconds * 1000);
          const at = new Date(from.getTime() + Math.min(part * seconds, seconds - 0.001) * 1000);
          const local = toLocal(at, where);
          const bounds = localRange({ from, to }, where);
          expect(bounds.from <= local && local < bounds.to).toBe(true);
        },
      ),
      { numRuns: 500 },
    );
  });
});

test.each([
  [EMPTY_DATE, true],
  ['0001-01-01', true],
  ['', true],
  [null, true],
  [undefined, true],
  ['2025-06-09T16:13:24', false],
])('isEmptyDate(%j) is %s', (local, empty) => {
  expect(isEmptyDate(local)).toBe(empty);
});
