import type { Json } from '../../base/schema.ts';
import { EMPTY_DATE, EMPTY_REF, type OnecLocal } from '../../domain/onec.ts';
import type { OnecEntity } from './api.ts';

/**
 * 1C's values, read one property at a time and by hand: the names come from the mapping, so that no schema can be written down.
 * Absent, null and 1C's own empty values are the same here.
 */

const GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Trimmed: codes and numbers of fixed length are filled with blanks on the right (seen in Alfa-Auto 6.1). */
export function textOf(row: OnecEntity, name: string | undefined): string {
  const value = name === undefined ? undefined : row[name];
  if (typeof value === 'string') return value.trim();
  return typeof value === 'number' ? String(value) : '';
}

/** A number as JSON, or as text: 1C gives Int64, and numbers of composite type, as text. */
export function numberOf(row: OnecEntity, name: string | undefined): number | undefined {
  const value = name === undefined ? undefined : row[name];
  if (typeof value === 'number') return value;
  if (typeof value !== 'string' || value.trim() === '') return undefined;
  const number = Number(value);
  return Number.isFinite(number) ? number : undefined;
}

export function flagOf(row: OnecEntity, name: string): boolean {
  return row[name] === true || row[name] === 'true';
}

/** A reference as a lower-case guid; undefined where it is empty or is none. */
export function refOf(row: OnecEntity, name: string | undefined): string | undefined {
  const value = name === undefined ? undefined : row[name];
  return typeof value === 'string' ? refFromText(value) : undefined;
}

export function refFromText(text: string): string | undefined {
  const ref = text.trim().toLowerCase();
  return GUID.test(ref) && ref !== EMPTY_REF ? ref : undefined;
}

/** A local date-time to the second; undefined where it is empty or is none. */
export function dateOf(row: OnecEntity, name: string | undefined): OnecLocal | undefined {
  return name === undefined ? undefined : dateFromJson(row[name]);
}

export function dateFromJson(value: Json | undefined): OnecLocal | undefined {
  const [date] = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/.exec(typeof value === 'string' ? value : '') ?? [];
  return date === undefined || date === EMPTY_DATE ? undefined : date;
}

/** An id of amoCRM as 1C keeps it: a number, or text that people see with blanks between thousands. */
export function idFromJson(value: Json | undefined): number | undefined {
  const text = typeof value === 'number' ? String(value) : typeof value === 'string' ? value.replace(/\s/g, '') : '';
  const [, digits] = /^(\d{1,15})(?:[.,]0+)?$/.exec(text) ?? [];
  const id = Number(digits);
  return Number.isSafeInteger(id) && id > 0 ? id : undefined;
}

/** The set that a composite reference points into: `StandardODATA.Document_X` is `Document_X`. */
export function typeOf(row: OnecEntity, name: string): string {
  return textOf(row, `${name}_Type`).replace(/^StandardODATA\./, '');
}

/** Rows of a table part; none where it is absent. */
export function rowsOf(row: OnecEntity, name: string | undefined): OnecEntity[] {
  const value = name === undefined ? undefined : row[name];
  if (!Array.isArray(value)) return [];
  return value.filter((one): one is OnecEntity => typeof one === 'object' && one !== null && !Array.isArray(one));
}
