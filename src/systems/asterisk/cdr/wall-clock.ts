/**
 * Local times of a PBX. Its tables hold them without an offset, in the host's zone or in UTC, as the operator says (Asterisk's
 * cdr_csv.c, cdr_pgsql.c and cdr_adaptive_odbc.c: `usegmtime`, `timezone`).
 */
export interface WallClock {
  /** The instants that a local time may mean: two in the hour that comes twice, else one. Earliest first. */
  instantsOf(wallMs: number): readonly number[];
  /** No instant of this or of any later local time is earlier. */
  earliestFrom(wallMs: number): number;
  /** `YYYY-MM-DD HH:MM:SS`, fractions cut. */
  textOf(instantMs: number): string;
}

const DAY_MS = 86_400_000;
/** Wider than any change of clocks that was ever made. */
const NEARBY_MS = 26 * 3_600_000;

/** For an IANA zone; throws a RangeError where Node.js does not know it. */
export function wallClock(zone: string): WallClock {
  // The Swedish way of writing dates is the one that sorts, with every part in two digits.
  const format = new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'medium' });
  const textOf = (instantMs: number) => format.format(instantMs);
  const offsetAt = (instantMs: number) => {
    const whole = Math.floor(instantMs / 1000) * 1000;
    return Date.parse(`${textOf(whole).replace(' ', 'T')}Z`) - whole;
  };
  const days = new Map<number, readonly number[]>();

  /** The offsets about a day: one, or two where the clocks change. Asking Intl for every row would take most of a pass. */
  function offsetsOf(wallMs: number): readonly number[] {
    const day = Math.floor(wallMs / DAY_MS);
    const known = days.get(day);
    if (known !== undefined) return known;
    const around = [day * DAY_MS - NEARBY_MS, (day + 1) * DAY_MS + NEARBY_MS].map(offsetAt);
    const offsets = [...new Set(around)];
    days.set(day, offsets);
    return offsets;
  }

  return {
    textOf,
    earliestFrom: (wallMs) => wallMs - Math.max(...offsetsOf(wallMs)),
    instantsOf(wallMs) {
      const possible = offsetsOf(wallMs).map((offset) => wallMs - offset);
      if (possible.length === 1) return possible;
      const exact = possible.filter((instant) => instant + offsetAt(instant) === wallMs).sort((a, b) => a - b);
      // A time that the clocks have skipped is moved forward by what was skipped.
      return exact.length > 0 ? exact : [Math.max(...possible)];
    },
  };
}

const written = /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d)(:\d\d)?(?:[.,](\d{1,9}))?\s*(?:(Z)|([+-]\d\d)(?::?(\d\d))?)?$/;

/** A date-time as databases write it: ms since the epoch as if it were UTC, and an instant at once where an offset follows. */
export interface WrittenTime {
  wallMs: number;
  instantMs: number | undefined;
}

/** undefined where the text is no date-time: '', `0000-00-00 00:00:00` of MySQL, and the like. */
export function parseTime(text: string): WrittenTime | undefined {
  const match = written.exec(text.trim());
  if (match === null) return undefined;
  const [, date, minutes, seconds = ':00', fraction = '', utc, hours, rest = '00'] = match;
  const whole = Date.parse(`${date}T${minutes}${seconds}Z`);
  if (Number.isNaN(whole) || whole <= 0) return undefined;
  const wallMs = whole + Number(`${fraction}000`.slice(0, 3));
  if (utc === undefined && hours === undefined) return { wallMs, instantMs: undefined };
  const sign = hours?.startsWith('-') ? -1 : 1;
  const offsetMinutes = Math.abs(Number(hours ?? 0)) * 60 + Number(utc === undefined ? rest : 0);
  return { wallMs, instantMs: wallMs - sign * offsetMinutes * 60_000 };
}
