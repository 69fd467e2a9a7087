import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseLookback } from '../../src/config/lookback.ts';

const start = (text: string, now: string, zone = 'Asia/Almaty') =>
  parseLookback(text, new Date(now), zone).toISOString();

describe('parseLookback', () => {
  test.each([
    ['1', '2026-09-14T12:00:00.000Z'],
    ['3', '2026-09-12T12:00:00.000Z'],
    ['90m', '2026-09-15T10:30:00.000Z'],
    ['6h', '2026-09-15T06:00:00.000Z'],
    ['3d', '2026-09-12T12:00:00.000Z'],
    [' 2D ', '2026-09-13T12:00:00.000Z'],
  ])('%s', (text, expected) => {
    expect(start(text, '2026-09-15T12:00:00Z')).toBe(expected);
  });

  test.each([
    ['Asia/Almaty', '2026-09-15T18:59:59Z', '2026-09-14T19:00:00.000Z'],
    ['Asia/Almaty', '2026-09-15T19:00:00Z', '2026-09-15T19:00:00.000Z'],
    ['Asia/Kathmandu', '2026-09-15T12:00:00Z', '2026-09-14T18:15:00.000Z'],
    // Clocks go forward at 02:00: the day that has 23 hours still began at 00:00.
    ['Europe/Berlin', '2026-03-29T12:00:00Z', '2026-03-28T23:00:00.000Z'],
    ['Europe/Berlin', '2026-10-25T12:00:00Z', '2026-10-24T22:00:00.000Z'],
    // Clocks go forward at 00:00: the day begins at 01:00.
    ['America/Santiago', '2025-09-07T12:00:00Z', '2025-09-07T04:00:00.000Z'],
    // Clocks go back from 01:00 to 00:00: 00:00 comes twice, the day begins with the first.
    ['America/Havana', '2025-11-02T12:00:00Z', '2025-11-02T04:00:00.000Z'],
    ['Antarctica/Troll', '2025-10-26T20:00:00Z', '2025-10-25T22:00:00.000Z'],
    // The whole of 30 December 2011 does not exist there.
    ['Pacific/Apia', '2011-12-31T05:00:00Z', '2011-12-30T10:00:00.000Z'],
  ])('0 is the first moment of today in %s at %s', (zone, now, expected) => {
    expect(start('0', now, zone)).toBe(expected);
  });

  test('0: the same day from there to now, and another one a millisecond before', () => {
    const zones = [
      'Asia/Almaty',
      'America/St_Johns',
      'Australia/Lord_Howe',
      'Africa/Cairo',
      'Asia/Beirut',
      'Pacific/Chatham',
    ];
    const instants = fc.date({ min: new Date('2015-01-01'), max: new Date('2035-01-01'), noInvalidDate: true });
    fc.assert(
      fc.property(instants, fc.constantFrom(...zones), (now, zone) => {
        const day = (at: Date) => at.toLocaleDateString('en-CA', { timeZone: zone });
        const from = parseLookback('0', now, zone);
        expect(from.getTime()).toBeLessThanOrEqual(now.getTime());
        expect(day(from)).toBe(day(now));
        expect(day(new Date(from.getTime() - 1))).not.toBe(day(now));
      }),
      { numRuns: 300 },
    );
  });

  test.each(['', 'today', '-1', '1.5', '1w', '1 d', '99999', '9999999h', '1h30m'])(
    'refuses "%s" as wrong usage',
    (text) => {
      expect(() => start(text, '2026-09-15T12:00:00Z')).toThrow(expect.objectContaining({ exit: 64 }));
    },
  );
});
