/** Wider than any change of clocks that was ever made. */
export const NEARBY_MS = 26 * 3_600_000;

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

/** Epoch ms of the whole second that an instant lies in: local times here have no fractions. */
export function wholeSecond(instant: Date): number {
  return Math.floor(instant.getTime() / 1000) * 1000;
}

/** By how much an IANA zone's clock is ahead of UTC at an instant, in milliseconds. Throws on an unknown zone. */
export function offsetMs(instant: Date, zone: string): number {
  const parts: Record<string, string> = {};
  for (const { type, value } of formatOf(zone).formatToParts(instant)) parts[type] = value;
  const year = parts.era?.startsWith('B') ? 1 - Number(parts.year) : Number(parts.year);
  const wall = new Date(0);
  // Date.UTC takes years below 100 for those of the twentieth century; the setters do not.
  wall.setUTCFullYear(year, Number(parts.month) - 1, Number(parts.day));
  wall.setUTCHours(Number(parts.hour), Number(parts.minute), Number(parts.second));
  return wall.getTime() - wholeSecond(instant);
}

/** `2026-11-22T09:05:00` as a clock of the zone shows the instant; fractions of a second are cut. For the years 1 to 9999. */
export function localText(instant: Date, zone: string): string {
  return localTextOf(wholeSecond(instant) + offsetMs(instant, zone));
}

/** What a clock shows, as text: `wallMs` is the reading taken as if it were UTC. */
export function localTextOf(wallMs: number): string {
  return new Date(wallMs).toISOString().slice(0, 19);
}

/**
 * Epoch ms of a clock's reading (as if it were UTC) in an IANA zone. Of the two instants of an hour that came twice the earlier
 * one; a time that the clocks have skipped is moved forward by what was skipped. NaN stays NaN.
 */
export function instantOf(wallMs: number, zone: string): number {
  if (Number.isNaN(wallMs)) return wallMs;
  const offsets = [wallMs - NEARBY_MS, wallMs + NEARBY_MS].map((at) => offsetMs(new Date(at), zone));
  const instants = offsets.map((offset) => wallMs - offset);
  const exact = instants.filter((at) => at + offsetMs(new Date(at), zone) === wallMs);
  return exact.length > 0 ? Math.min(...exact) : Math.max(...instants);
}

/** Whether this Node.js knows the zone. */
export function isZone(name: string): boolean {
  try {
    formatOf(name);
    return true;
  } catch {
    return false;
  }
}
