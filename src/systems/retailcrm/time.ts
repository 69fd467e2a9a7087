import { instantOf, localText } from '../../base/local-time.ts';

/**
 * RetailCRM's date-times have no offset: `Y-m-d H:i:s` (API rules), in the account's zone (`timezone` of its settings; that
 * API dates are in it is inferred).
 */

/** `2026-11-22 09:05:00`, as the account's clock shows the instant; fractions of a second are cut. */
export function toAccount(instant: Date, zone: string): string {
  return localText(instant, zone).replace('T', ' ');
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
  return Number.isNaN(wall) ? undefined : new Date(instantOf(wall, zone));
}
