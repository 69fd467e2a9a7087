/**
 * RetailCRM's date-times have no offset: `Y-m-d H:i:s` (API rules), in the account's zone (`timezone` of its settings; that
 * API dates are in it is inferred).
 */

/** Wider than any change of clocks that was ever made. */
const NEARBY_MS = 26 * 3_600_000;

const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(zone: string): Intl.DateTimeFormat {
  const known = formats.get(zone);
  if (known !== undefined) return known;
  // The Swedish way of writing dates is the one that sorts, with every part in two digits.
  const made = new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'medium' });
  formats.set(zone, made);
  return made;
}

/** `2026-11-22 09:05:00`, as the account's clock shows the instant; fractions of a second are cut. */
export function toAccount(instant: Date, zone: string): string {
  return formatOf(zone).format(instant);
}

/** The same without seconds, as tasks want it. */
export function toAccountMinute(instant: Date, zone: string): string {
  return toAccount(instant, zone).slice(0, 16);
}

/**
 * The instant of a date-time of the account. Of the two instants of an hour that came twice the earlier one; a time that the
 * clocks have skipped is moved forward by what was skipped. undefined where the text is no date-time.
 */
export function fromAccount(text: string | undefined, zone: string): Date | undefined {
  const match = /^(\d{4}-\d{2}-\d{2})[ T](\d{2}:\d{2}(?::\d{2})?)$/.exec(text ?? '');
  const wall = match === null ? Number.NaN : Date.parse(`${match[1]}T${match[2]}Z`);
  if (Number.isNaN(wall)) return undefined;
  const instants = [wall - NEARBY_MS, wall + NEARBY_MS].map((at) => wall - offsetMs(at, zone));
  const exact = instants.filter((at) => at + offsetMs(at, zone) === wall);
  return new Date(exact.length > 0 ? Math.min(...exact) : Math.max(...instants));
}

/** By how much the account's clock is ahead of UTC at an instant of whole seconds. */
function offsetMs(at: number, zone: string): number {
  return Date.parse(`${toAccount(new Date(at), zone).replace(' ', 'T')}Z`) - at;
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
