import { instantOf, localText, localTextOf, NEARBY_MS, offsetMs, wholeSecond } from '../../base/local-time.ts';
import { EMPTY_DATE, type OnecLocal } from '../../domain/onec.ts';
import type { Range } from '../../domain/range.ts';

/** An instant as 1C's clock shows it in an IANA zone; fractions of a second are cut. For the years 1 to 9999. */
export function toLocal(instant: Date, zone: string): OnecLocal {
  return localText(instant, zone);
}

/**
 * The instant of a local date-time in an IANA zone. Of the two instants of an hour that came twice the earlier one; a time
 * that the clocks have skipped is moved forward by what was skipped. An invalid Date for a text that is no date-time.
 */
export function fromLocal(local: OnecLocal, zone: string): Date {
  return new Date(instantOf(Date.parse(`${local.slice(0, 19)}Z`), zone));
}

/** Where clocks went back near an instant: when, and what they showed right before (`high`) and from then on (`low`). */
interface FallBack {
  at: number;
  high: OnecLocal;
  low: OnecLocal;
  byMs: number;
}

function fallBackNear(instant: Date, zone: string): FallBack | undefined {
  let [before, after] = [wholeSecond(instant) - NEARBY_MS, wholeSecond(instant) + NEARBY_MS];
  const [first, last] = [offsetMs(new Date(before), zone), offsetMs(new Date(after), zone)];
  if (last >= first) return undefined;
  while (after - before > 1000) {
    const middle = Math.floor((before + after) / 2000) * 1000;
    if (offsetMs(new Date(middle), zone) === first) before = middle;
    else after = middle;
  }
  return { at: after, high: localTextOf(after + first), low: localTextOf(after + last), byMs: first - last };
}

/**
 * Half-open bounds in local time that hold every second of the range. Where clocks go back inside it, local times repeat, so
 * the bounds are widened to both passes of the repeated time, and likewise where it begins within the second pass. What
 * lies outside the range and is read because of it costs a comparison; what is missed would be lost.
 */
export function localRange(range: Range, zone: string): { from: OnecLocal; to: OnecLocal } {
  const begins = wholeSecond(range.from);
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
