import { assert } from '../base/errors.ts';

/** Half-open span of time `[from, to)`, UTC. */
export interface Range {
  from: Date;
  to: Date;
}

export interface ReadRangeOptions {
  /** How far earlier passes have read; undefined for a job that never finished a slice. */
  cursor: Date | undefined;
  /** How much before the cursor is read again: above the source's own delay and clock skew. */
  overlapMs: number;
  /** The start of the look-back window. */
  windowStart: Date;
  /** The clock, read once at the start of the run. */
  now: Date;
}

/**
 * What a pass reads: from the older of cursor − overlap and the window's start, so that an outage longer than the
 * window loses nothing, to `now`. A cursor or window in the future (the clock was put back) gives an empty range.
 */
export function readRange({ cursor, overlapMs, windowStart, now }: ReadRangeOptions): Range {
  const resume = cursor === undefined ? windowStart.getTime() : cursor.getTime() - overlapMs;
  return { from: new Date(Math.min(resume, windowStart.getTime(), now.getTime())), to: now };
}

/** Cuts a range into slices of at most `maxMs` milliseconds, oldest first; an empty range has none. */
export function slicesOf(range: Range, maxMs: number): Range[] {
  assert(Number.isInteger(maxMs) && maxMs > 0, 'a slice must be a whole number of milliseconds above 0');
  const end = range.to.getTime();
  const slices: Range[] = [];
  for (let start = range.from.getTime(); start < end; start += maxMs) {
    slices.push({ from: new Date(start), to: new Date(Math.min(start + maxMs, end)) });
  }
  return slices;
}
