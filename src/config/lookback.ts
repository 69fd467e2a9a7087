import { usageError } from '../base/errors.ts';
import type { Parser } from './variables.ts';

const DAY_MS = 86_400_000;
/** Ten years: a longer window is a slip of the finger, and would be read slice by slice for hours. */
const LONGEST_MS = 3660 * DAY_MS;
const expects = 'a look-back depth: 0 (since 00:00 today), a number of days such as 3, or 90m, 6h, 3d';

/**
 * The start of the window that a pass looks back over, whatever its cursor says. `0` = 00:00 today in `zone` (IANA name),
 * `N` = the last N × 24 hours, `Nm`, `Nh`, `Nd` = minutes, hours, days of 24 hours. Other text is a usageError (64):
 * what comes from a variable was checked with the settings.
 */
export function parseLookback(text: string, now: Date, zone: string): Date {
  const depth = depthOf(text);
  if (depth === undefined) {
    throw usageError(`"${text.slice(0, 20)}" is not ${expects}`, 'Give --lookback 1 for the last 24 hours.');
  }
  return depth === 'today' ? startOfDay(now, zone) : new Date(now.getTime() - depth);
}

/** The same text as a setting; it stays text until a run knows its `now`. */
export function lookback(): Parser<string> {
  return { expects, parse: (text) => (depthOf(text) === undefined ? undefined : text) };
}

function depthOf(text: string): 'today' | number | undefined {
  const [, count, unit = 'd'] = /^(\d{1,7})([mhd])?$/i.exec(text.trim()) ?? [];
  if (count === undefined) {
    return undefined;
  }
  const unitMs = { m: 60_000, h: 3_600_000, d: DAY_MS }[unit.toLowerCase()] ?? DAY_MS;
  const depthMs = Number(count) * unitMs;
  if (depthMs === 0) {
    return 'today';
  }
  return depthMs <= LONGEST_MS ? depthMs : undefined;
}

/**
 * The first moment of `now`'s calendar day in the zone. Found by halving, not by subtracting the hour: where clocks
 * change at midnight a day begins at 01:00, or has its 00:00 twice, and some offsets are not whole hours.
 */
function startOfDay(now: Date, zone: string): Date {
  const days = new Intl.DateTimeFormat('en-CA', { timeZone: zone, calendar: 'gregory', dateStyle: 'short' });
  const today = days.format(now);
  let inToday = now.getTime();
  // No day is longer than 26 hours (Antarctica/Troll puts its clocks back by two).
  let before = inToday - 28 * 3_600_000;
  while (inToday - before > 1) {
    const middle = Math.floor((before + inToday) / 2);
    if (days.format(middle) === today) {
      inToday = middle;
    } else {
      before = middle;
    }
  }
  return new Date(inToday);
}
