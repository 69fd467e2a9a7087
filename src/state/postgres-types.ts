import { types } from 'pg';
import { assert } from '../base/errors.ts';

function numberFromInteger(text: string): number {
  const value = Number(text);
  assert(Number.isSafeInteger(value), 'a whole number from the database is too large to be exact');
  return value;
}

const TIMESTAMP = /^(\d{4}-\d{2}-\d{2}) (\d{2}:\d{2}:\d{2})(?:\.(\d{1,6}))?([+-]\d{2})(?::?(\d{2}))?$/;

/** `2026-05-01 15:00:00.5+05` → `2026-05-01T10:00:00.500Z`, whatever zone the session has; what is finer than a millisecond is cut off. */
export function instantFromPostgres(text: string): string {
  const [, day, time, fraction = '', hours, minutes = '00'] = TIMESTAMP.exec(text) ?? [];
  assert(day !== undefined, 'an instant from the database is not in ISO form (DateStyle must be ISO)');
  return new Date(`${day}T${time}.${fraction.padEnd(3, '0').slice(0, 3)}${hours}:${minutes}`).toISOString();
}

const asText = (text: string): string => text;

const { builtins } = types;
const PARSERS = new Map<number, (text: string) => unknown>([
  [builtins.INT8, numberFromInteger],
  // What sum() gives for bigint columns.
  [builtins.NUMERIC, Number],
  [builtins.TIMESTAMPTZ, instantFromPostgres],
  [builtins.DATE, asText],
]);

/** The same values as from SQLite: whole numbers as numbers, instants as ISO text in UTC with milliseconds, days as text. */
export const postgresTypes = {
  getTypeParser(oid: number, format?: 'text' | 'binary') {
    const own = format === 'binary' ? undefined : PARSERS.get(oid);
    return own ?? types.getTypeParser(oid, format ?? 'text');
  },
};
