import { EMPTY_DATE, type OnecLocal } from '../../domain/onec.ts';
import type { Range } from '../../domain/range.ts';

const HOUR_MS = 3_600_000;
/** Wider than any change of clocks that was ever made. */
const NEARBY_MS = 26 * HOUR_MS;

const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(zone: string): Intl.DateTimeFormat {
  const known = formats.get(zone);
  if (known !== undefined) return known;
  const made = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    hourCycle: 'h23',
    era: 'short',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  });
  formats.set(zone, made);
  return made;
}

/** Whole seconds: dates of 1C have no fractions. */
function floored(instant: Date): number {
  return Math.floor(instant.getTime() / 1000) * 1000;
}

/** By how much local time is ahead of UTC at an instant, in milliseconds. */
function offsetMs(instant: Date, zone: string): number {
  const parts: Record<string, string> = {};
  for (const { type, value } of formatOf(zone).formatToParts(instant)) parts[type] = value;
  const year = parts.era?.startsWith('B') ? 1 - Number(parts.year) : Number(parts.year);
  const wall = new Date(0);
  // Date.UTC takes years below 100 for those of the twentieth century; the setters do not.
  wall.setUTCFullYear(year, Number(parts.month) - 1, Number(parts.day));
  wall.setUTCHours(Number(parts.hour), Number(parts.minute), Number(parts.second));
  return wall.getTime() - floored(instant);
}

function textOf(wallMs: number): OnecLocal {
  return new Date(wallMs).toISOString().slice(0, 19);
}

function wallOf(local: OnecLocal): number {
  return Date.parse(`${local.slice(0, 19)}Z`);
}

/** An instant as 1C's clock shows it in an IANA zone; fractions of a second are cut. For the years 1 to 9999. */
export function toLocal(instant: Date, zone: string): OnecLocal {
  return textOf(floored(instant) + offsetMs(instant, zone));
}

/**
 * The instant of a local date-time in an IANA zone. Of the two instants of an hour that came twice the earlier one; a time
 * that the clocks have skipped is moved forward by what was skipped. An invalid Date for a text that is no date-time.
 */
export function fromLocal(local: OnecLocal, zone: string): Date {
  const wall = wallOf(local);
  if (Number.isNaN(wall)) return new Date(Number.NaN);
  const offsets = [wall - NEARBY_MS, wall + NEARBY_MS].map((at) => offsetMs(new Date(at), zone));
  const instants = offsets.map((offset) => wall - offset);
  const exact = instants.filter((at) => at + offsetMs(new Date(at), zone) === wall);
  return new Date(exact.length > 0 ? Math.min(...exact) : Math.max(...instants));
}

/** Where clocks went back near an instant: when, and what they showed right before (`high`) and from then on (`low`). */
interface FallBack {
  at: number;
  high: OnecLocal;
  low: OnecLocal;
  byMs: number;
}

function fallBackNear(instant: Date, zone: string): FallBack | undefined {
  let [before, after] = [floored(instant) - NEARBY_MS, floored(instant) + NEARBY_MS];
  const [first, last] = [offsetMs(new Date(before), zone), offsetMs(new Date(after), zone)];
  if (last >= first) return undefined;
  while (after - before > 1000) {
    const middle = Math.floor((before + after) / 2000) * 1000;
    if (offsetMs(new Date(middle), zone) === first) before = middle;
    else after = middle;
  }
  return { at: after, high: textOf(after + first), low: textOf(after + last), byMs: first - last };
}

/**
 * Half-open bounds in local time that hold every second of the range. Where clocks go back inside it, local times repeat, so
 * the bounds are widened to both passes of the repeated time, and likewise where it begins within the second pass. What
 * lies outside the range and is read because of it costs a comparison; what is missed would be lost.
 */
export function localRange(range: Range, zone: string): { from: OnecLocal; to: OnecLocal } {
  const begins = floored(range.from);
  // The end is excluded, yet the second that it cuts belongs to the range.
  const ends = Math.ceil(range.to.getTime() / 1000) * 1000;
  let from = toLocal(range.from, zone);
  let to = toLocal(new Date(ends), zone);
  const atFrom = fallBackNear(range.from, zone);
  if (atFrom && atFrom.at > begins - atFrom.byMs && atFrom.at <= ends && atFrom.low < from) from = atFrom.low;
  const atTo = fallBackNear(range.to, zone);
  if (atTo && atTo.at > begins && atTo.at <= ends && atTo.high > to) to = atTo.high;
  return { from, to };
}

/** 1C has no null: an empty date is the first day of year 1, with or without a time; null comes in some answers (1C developer's guide, 17.4). */
export function isEmptyDate(local: OnecLocal | null | undefined): boolean {
  return !local || local.startsWith(EMPTY_DATE.slice(0, 10));
}
