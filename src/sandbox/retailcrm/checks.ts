import { asFields, type Fields } from './model.ts';
import type { Faults } from './wire.ts';
import type { World } from './world.ts';

/** What is wrong with a value, in words; undefined where nothing is. */
export type Check = (value: unknown, world: World) => string | undefined;

const INVALID = 'This value is not valid.';
const NO_CHOICE = 'The value you selected is not a valid choice.';
const BLANK = 'This value should not be blank.';

const unless = (fine: boolean, text = INVALID): string | undefined => (fine ? undefined : text);

export const text: Check = (value) => unless(typeof value === 'string');
export const filled: Check = (value) => unless(typeof value === 'string' && value.trim() !== '', BLANK);
export const yesNo: Check = (value) => unless(typeof value === 'boolean');
export const count: Check = (value) => unless(Number.isInteger(value) && Number(value) >= 0);
/** `[]` stands for an empty map here as it does in answers. */
export const map: Check = (value) =>
  unless(asFields(value) !== undefined || (Array.isArray(value) && value.length === 0));
export const list: Check = (value) => unless(Array.isArray(value));
export const texts: Check = (value) => unless(Array.isArray(value) && value.every((item) => typeof item === 'string'));
export const user: Check = (value, world) => unless(world.users.has(Number(value)), NO_CHOICE);

export function choice(...values: string[]): Check {
  return (value) => unless(typeof value === 'string' && values.includes(value), NO_CHOICE);
}

export const phones: Check = (value) =>
  unless(
    Array.isArray(value) &&
      value.every((item) => {
        const number = asFields(item)?.number;
        return typeof number === 'string' && number !== '';
      }),
  );

/** A moment that exists: `2025-02-30` does not. */
function moment(pattern: RegExp): Check {
  return (value) => {
    if (typeof value !== 'string' || !pattern.test(value)) return INVALID;
    const iso = `${value.replace(' ', 'T')}${value.length === 16 ? ':00' : ''}`;
    const at = Date.parse(`${iso}Z`);
    return unless(Number.isFinite(at) && new Date(at).toISOString().startsWith(iso));
  };
}

export const dateTime = moment(/^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}$/);
/** Tasks have no seconds. */
export const dateMinute = moment(/^\d{4}-\d{2}-\d{2} \d{2}:\d{2}$/);

/**
 * Faults of an entity, by field. A field that is not in the table is a fault too: whether the live system passes over it is
 * not known, and a misspelt name must not go unseen. Null clears a field and always passes, unless it is `required`.
 */
export function faultsOf(
  table: Readonly<Record<string, Check>>,
  given: Fields,
  world: World,
  required: readonly string[] = [],
): Faults {
  const faults: Faults = {};
  for (const [field, value] of Object.entries(given)) {
    const check = Object.hasOwn(table, field) ? table[field] : undefined;
    if (!check) faults[field] = 'This form should not contain extra fields.';
    else if (value !== null) {
      const fault = check(value, world);
      if (fault !== undefined) faults[field] = fault;
    }
  }
  for (const field of required) {
    if (given[field] === undefined || given[field] === null) faults[field] = BLANK;
  }
  return faults;
}
