import type { CustomField, FieldEnum, FieldOwner, FieldValue, FieldValues } from './model.ts';
import { type Reader, reader } from './reader.ts';
import { fieldsOf, type World } from './world.ts';

/** What a write does to the fields: new values, or null where a field is cleared. */
export type FieldChanges = ReadonlyMap<number, readonly FieldValue[] | null>;

const NUMERIC = new Set(['numeric', 'price', 'monetary']);
const CHOICE = new Set(['select', 'radiobutton', 'multiselect']);
const DATES = new Set(['date', 'date_time', 'birthday']);
const TEXT = new Set(['text', 'textarea', 'url', 'streetaddress', 'tracking_data', 'org_legal_name']);
const SEVERAL = new Set([
  'multiselect',
  'multitext',
  'smart_address',
  'items',
  'linked_entity',
  'file',
  'chained_list',
]);

/** Reads `custom_fields_values`; undefined where the key is absent. A null in its place changes nothing. */
export function parseFields(world: World, owner: FieldOwner, from: Reader): FieldChanges | undefined {
  const items = from.objects('custom_fields_values');
  if (!items) return undefined;
  const changes = new Map<number, readonly FieldValue[] | null>();
  for (const item of items) {
    item.only(['field_id', 'field_code', 'field_name', 'field_type', 'values']);
    const field = findField(world, owner, item);
    if (field) changes.set(field.id, parseValues(world, field, item));
  }
  return changes;
}

function findField(world: World, owner: FieldOwner, item: Reader): CustomField | undefined {
  const id = item.integer('field_id');
  const code = item.string('field_code');
  const found = fieldsOf(world, owner).find((field) => (id === undefined ? field.code === code : field.id === id));
  if (found && (id !== undefined || code !== undefined)) return found;
  item.fault(
    'NotSupportedChoice',
    id === undefined ? 'field_code' : 'field_id',
    'The value you selected is not a valid choice.',
  );
  return undefined;
}

function parseValues(world: World, field: CustomField, item: Reader): readonly FieldValue[] | null {
  if (item.raw('values') === null) return null;
  const values = item.objects('values');
  if (!values || values.length === 0) {
    item.fault('InvalidType', 'values', 'This collection should contain 1 element or more.');
    return null;
  }
  if (values.length > 1 && !SEVERAL.has(field.type)) {
    item.fault('InvalidType', 'values', 'This collection should contain exactly 1 element.');
    return null;
  }
  const parsed = values.flatMap((value) => parseValue(world, field, value) ?? []);
  // An empty text is what the card shows for a field that nobody filled in.
  const filled = parsed.filter((value) => value.value !== '');
  return filled.length > 0 ? filled : null;
}

function parseValue(world: World, field: CustomField, value: Reader): FieldValue | undefined {
  if (field.type === 'multitext') return parseMultitext(field, value);
  if (CHOICE.has(field.type)) return parseChoice(field, value);
  const raw = value.raw('value');
  if (TEXT.has(field.type)) {
    value.only(['value', 'enum_id', 'enum_code']);
    return typeof raw === 'string' ? { value: raw } : refuse(value, 'string');
  }
  if (NUMERIC.has(field.type)) {
    const number = typeof raw === 'string' ? Number(raw.trim() || Number.NaN) : raw;
    // Read back as a string: so the documented samples show numbers.
    return typeof number === 'number' && Number.isFinite(number) ? { value: String(number) } : refuse(value, 'numeric');
  }
  if (field.type === 'checkbox') return typeof raw === 'boolean' ? { value: raw } : refuse(value, 'bool');
  if (DATES.has(field.type)) return parseDate(world, field, value);
  return { value: raw };
}

function refuse(value: Reader, kind: string): undefined {
  value.fault('InvalidType', 'value', `This value should be of type ${kind}.`);
  return undefined;
}

function noChoice(value: Reader, key: string): undefined {
  value.fault('NotSupportedChoice', key, 'The value you selected is not a valid choice.');
  return undefined;
}

function parseMultitext(field: CustomField, value: Reader): FieldValue | undefined {
  value.only(['value', 'enum_id', 'enum_code']);
  const text = value.string('value');
  if (text === undefined) return refuse(value, 'string');
  const chosen = pickEnum(field, value) ?? (value.raw('enum_id') || value.raw('enum_code') ? null : field.enums[0]);
  if (!chosen) return noChoice(value, value.raw('enum_id') ? 'enum_id' : 'enum_code');
  return { value: text, enum_id: chosen.id, ...(chosen.code === undefined ? {} : { enum_code: chosen.code }) };
}

/** The enum that `enum_id` or `enum_code` names. */
function pickEnum(field: CustomField, value: Reader): FieldEnum | undefined {
  const id = value.integer('enum_id');
  if (id !== undefined) return field.enums.find((one) => one.id === id);
  const code = value.string('enum_code');
  return code === undefined ? undefined : field.enums.find((one) => one.code === code);
}

function parseChoice(field: CustomField, value: Reader): FieldValue | undefined {
  value.only(field.type === 'multiselect' ? ['value', 'enum_id'] : ['value', 'enum_id', 'enum_code']);
  const text = value.raw('value');
  const byId = value.raw('enum_id') !== undefined && value.raw('enum_id') !== null;
  const byCode = typeof value.raw('enum_code') === 'string';
  const chosen = byId || byCode ? pickEnum(field, value) : field.enums.find((one) => one.value === text);
  if (!chosen) return noChoice(value, byId ? 'enum_id' : byCode ? 'enum_code' : 'value');
  return { value: chosen.value, enum_id: chosen.id, ...(chosen.code === undefined ? {} : { enum_code: chosen.code }) };
}

function parseDate(world: World, field: CustomField, value: Reader): FieldValue | undefined {
  const raw = value.raw('value');
  const seconds = typeof raw === 'string' ? Math.floor(Date.parse(raw) / 1000) : raw;
  if (typeof seconds !== 'number' || !Number.isInteger(seconds)) return refuse(value, 'int');
  return { value: field.type === 'date_time' ? seconds : accountMidnight(seconds, world.options.timezone) };
}

/** The start of the account's day that holds the moment: 00:00 UTC becomes 21:00 of the day before at UTC+3, as integrators report. */
function accountMidnight(seconds: number, timezone: string): number {
  const parts = new Intl.DateTimeFormat('en-GB', {
    timeZone: timezone,
    hourCycle: 'h23',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  }).formatToParts(seconds * 1000);
  const part = (type: string) => Number(parts.find((one) => one.type === type)?.value ?? 0);
  return seconds - (part('hour') * 3600 + part('minute') * 60 + part('second'));
}

export function applyFields(before: FieldValues, changes: FieldChanges | undefined): FieldValues {
  if (!changes) return before;
  const after: Record<number, readonly FieldValue[]> = { ...before };
  for (const [id, values] of changes) {
    if (values === null) delete after[id];
    else after[id] = values;
  }
  return after;
}

/** `custom_fields_values` as read: null where nothing is filled in. */
export function renderFields(world: World, owner: FieldOwner, values: FieldValues): unknown[] | null {
  const shown = fieldsOf(world, owner).flatMap((field) => {
    const filled = values[field.id];
    if (!filled) return [];
    return [
      { field_id: field.id, field_name: field.name, field_code: field.code, field_type: field.type, values: filled },
    ];
  });
  return shown.length > 0 ? shown : null;
}

/** Fields in a person's words, `{ id: value or values or null }`, as the wire has them. */
export function wireFields(world: World, owner: FieldOwner, plain: Record<string, unknown>): unknown[] {
  return Object.entries(plain).map(([id, value]) => {
    const field = fieldsOf(world, owner).find((one) => one.id === Number(id));
    if (value === null) return { field_id: Number(id), values: null };
    const list = Array.isArray(value) ? value : [value];
    const textual = field !== undefined && TEXT.has(field.type);
    return { field_id: Number(id), values: list.map((one) => ({ value: textual ? String(one) : one })) };
  });
}

/** The reverse for snapshots: one value as it is, several as an array. */
export function plainFields(values: FieldValues): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(values).map(([id, list]) => [id, list.length === 1 ? list[0]?.value : list.map((one) => one.value)]),
  );
}

/** Parses fields given in a person's words; throws where they don't fit the account, for then the test is wrong. */
export function fieldsFromPlain(world: World, owner: FieldOwner, plain: Record<string, unknown>): FieldChanges {
  const issues: Parameters<typeof reader>[1] = [];
  const changes = parseFields(world, owner, reader({ custom_fields_values: wireFields(world, owner, plain) }, issues));
  const first = issues[0];
  if (first) throw new Error(`amoCRM stand-in: ${owner}: ${first.code} at ${first.path}`);
  return changes ?? new Map();
}
