import { afterEach, expect, test } from 'vitest';
import { dateInUsualZone, usualZones } from '../../src/base/zone.ts';

const HOUR_MS = 3_600_000;
const own = process.env.TZ;

afterEach(() => {
  if (own === undefined) delete process.env.TZ;
  else process.env.TZ = own;
});

test.each([...usualZones])('dates in %s are those of the zone tables, also where the offset changed', (zone) => {
  const tables = new Intl.DateTimeFormat('en-CA', {
    timeZone: zone,
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
  });
  // Moscow changed in 2014, Almaty in 2024.
  for (let at = Date.UTC(2014, 0, 1); at < Date.UTC(2030, 0, 1); at += 19 * HOUR_MS) {
    const { year, month, day } = dateInUsualZone(zone, new Date(at));
    const text = `${year}-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}`;
    expect(text, new Date(at).toISOString()).toBe(tables.format(at));
  }
});

test.each([undefined, 'Pacific/Chatham'])("the process's own zone (%s) is as it was", (zone) => {
  if (zone === undefined) delete process.env.TZ;
  else process.env.TZ = zone;
  const before = new Date(2026, 4, 1).toISOString();
  dateInUsualZone('Asia/Almaty', new Date());
  expect(process.env.TZ).toBe(zone);
  expect(new Date(2026, 4, 1).toISOString()).toBe(before);
});
