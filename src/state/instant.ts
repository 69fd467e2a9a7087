import { assert } from '../base/errors.ts';
import type { InstantText } from './tables.ts';

/** A `Date`, or ISO text of any zone and precision. */
export type Instant = Date | string;

/** As it is stored: UTC, milliseconds, fixed width; so that text order is time order. */
export function instantText(instant: Instant): InstantText {
  const date = typeof instant === 'string' ? new Date(instant) : instant;
  assert(!Number.isNaN(date.getTime()), 'an instant to be stored is not a time');
  return date.toISOString();
}
