import type { Schema } from '../../base/schema.ts';

/**
 * Kaspi's wire shapes, parsed by hand: an idle pass runs every minute, and loading a schema library would cost it more
 * than its one request. Envelopes are checked here as a whole; orders and entries stay `unknown`, because one broken
 * order must not take its page with it: `convert.ts` reads each of them through `Fields`.
 */

/** Builds the error to throw for a field that does not fit. `expected` says what was wanted and found, never the value. */
export type Misfit = (path: string, expected: string) => Error;

/** Reads the fields of one JSON object. Absent and null are the same: Kaspi leaves empty fields out or sends null. */
export class Fields {
  readonly #object: Record<string, unknown>;
  readonly #path: string;
  readonly #misfit: Misfit;

  constructor(value: unknown, path: string, misfit: Misfit) {
    if (!isObject(value)) throw misfit(path || 'the record', `expected an object, got ${kindOf(value)}`);
    this.#object = value;
    this.#path = path;
    this.#misfit = misfit;
  }

  /** The error for a field of this object. */
  misfit(name: string, expected: string): Error {
    return this.#misfit(this.#at(name), expected);
  }

  object(name: string): Fields {
    return new Fields(this.#object[name], this.#at(name), this.#misfit);
  }

  /** An object that may be missing; whatever is not an object counts as missing. */
  optionalObject(name: string): Fields | undefined {
    return isObject(this.#object[name]) ? this.object(name) : undefined;
  }

  array(name: string): unknown[] {
    const value = this.#object[name];
    if (!Array.isArray(value)) throw this.misfit(name, `expected an array, got ${kindOf(value)}`);
    return value;
  }

  /** Text that must be there; trimmed, not empty. */
  text(name: string): string {
    const value = this.#object[name];
    if (typeof value !== 'string') throw this.misfit(name, `expected text, got ${kindOf(value)}`);
    if (value.trim() === '') throw this.misfit(name, 'is empty');
    return value.trim();
  }

  /** Trimmed, since Kaspi's texts come with stray blanks; whatever is not text counts as missing. */
  optionalText(name: string): string | undefined {
    const value = this.#object[name];
    return typeof value === 'string' && value.trim() !== '' ? value.trim() : undefined;
  }

  number(name: string): number {
    const value = this.#object[name];
    if (typeof value !== 'number') throw this.misfit(name, `expected a number, got ${kindOf(value)}`);
    return value;
  }

  /** Whatever is not a number counts as missing. */
  optionalNumber(name: string): number | undefined {
    const value = this.#object[name];
    return typeof value === 'number' ? value : undefined;
  }

  /** Whether there is a value at all, of whatever type. */
  has(name: string): boolean {
    return (this.#object[name] ?? undefined) !== undefined;
  }

  /** True only where Kaspi says so. */
  flag(name: string): boolean {
    return this.#object[name] === true;
  }

  /** Epoch milliseconds. Seconds, the classic mistake, fall out of the range. */
  instant(name: string): Date {
    const value = this.number(name);
    if (!isInstant(value)) throw this.misfit(name, 'expected epoch milliseconds');
    return new Date(value);
  }

  /** A date that nothing depends on: what cannot be read counts as missing. */
  optionalInstant(name: string): Date | undefined {
    const value = this.#object[name];
    return isInstant(value) ? new Date(value) : undefined;
  }

  #at(name: string): string {
    return this.#path === '' ? name : `${this.#path}.${name}`;
  }
}

const EARLIEST = Date.UTC(2010, 0);
const LATEST = Date.UTC(2100, 0);

function isInstant(value: unknown): value is number {
  return typeof value === 'number' && value >= EARLIEST && value < LATEST;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function kindOf(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

/** An envelope that is not what Kaspi promises; the HTTP core makes a remote error of it. */
function envelopeMisfit(path: string, expected: string): Error {
  return new Error(`${path}: ${expected}`);
}

function envelope(input: unknown): Fields {
  return new Fields(input, '', (path, expected) =>
    envelopeMisfit(path === 'the record' ? 'the answer' : path, expected),
  );
}

/** A list's answer. `entries` are looked up in it by `entriesIn`. */
export interface ListAnswer {
  data: unknown[];
  included: unknown[];
}

export interface PageAnswer extends ListAnswer {
  /** How many pages the list has; 0 for an empty one. */
  pageCount: number;
}

function listFrom(input: unknown): ListAnswer {
  const fields = envelope(input);
  const { included } = input as Record<string, unknown>;
  return { data: fields.array('data'), included: Array.isArray(included) ? included : [] };
}

/** A list that is not paged: an order by its code, the entries of an order. */
export const listAnswer: Schema<ListAnswer> = { parse: listFrom };

/** A page of a list. Without `meta.pageCount` nobody can tell the last page, so that its absence is an error. */
export const pageAnswer: Schema<PageAnswer> = {
  parse(input) {
    const list = listFrom(input);
    const meta = envelope(input).object('meta');
    const pageCount = meta.number('pageCount');
    if (!Number.isSafeInteger(pageCount) || pageCount < 0) throw meta.misfit('pageCount', 'expected a count');
    return { ...list, pageCount };
  },
};

/** A single resource: `{ data: { … } }`. */
export const oneAnswer: Schema<unknown> = {
  parse(input) {
    envelope(input).object('data');
    return (input as { data: unknown }).data;
  },
};

/** What a product card or its counterpart at the seller says of itself. */
export interface ProductAnswer {
  id: string;
  code: string | undefined;
  name: string | undefined;
}

export const productAnswer: Schema<ProductAnswer> = {
  parse(input) {
    const data = envelope(input).object('data');
    const attributes = data.optionalObject('attributes');
    return { id: data.text('id'), code: attributes?.optionalText('code'), name: attributes?.optionalText('name') };
  },
};

/** The titles of a refusal's body: `{ errors: [{ title }] }`; empty where the body is another. */
export function errorTitles(answer: unknown): string[] {
  const errors = isObject(answer) ? answer.errors : undefined;
  if (!Array.isArray(errors)) return [];
  return errors.flatMap((error: unknown) => (isObject(error) && typeof error.title === 'string' ? [error.title] : []));
}

/** One order of an answer, with the key under which it is kept even if it cannot be read. */
export interface OrderItem {
  /** The order's number, or the nearest thing to it that the record has. */
  code: string;
  /** Absent where the record has none: such a record can only be a failed one. */
  id: string | undefined;
  wire: unknown;
  /** The order's entries, where the answer holds all of them; otherwise they must be asked for. */
  entries: unknown[] | undefined;
}

/** Wraps one order of a list; never throws, whatever the record is. */
export function itemFrom(wire: unknown, included: ReadonlyMap<string, unknown>): OrderItem {
  const id = textOf(wire, 'id');
  return { code: codeOf(wire, id), id, wire, entries: entriesIn(wire, included) };
}

/** The entries of an answer's `included`, by id. */
export function includedEntries(included: readonly unknown[]): Map<string, unknown> {
  const byId = new Map<string, unknown>();
  for (const resource of included) {
    const id = textOf(resource, 'id');
    if (id !== undefined && textOf(resource, 'type') === 'orderentries') byId.set(id, resource);
  }
  return byId;
}

/** An order has at least one entry, so that an empty list means "not told" rather than "none". */
function entriesIn(wire: unknown, included: ReadonlyMap<string, unknown>): unknown[] | undefined {
  const data = at(wire, 'relationships', 'entries', 'data');
  if (!Array.isArray(data) || data.length === 0) return undefined;
  const entries = data.map((reference: unknown) => included.get(textOf(reference, 'id') ?? ''));
  return entries.includes(undefined) ? undefined : entries;
}

function codeOf(wire: unknown, id: string | undefined): string {
  const code = at(wire, 'attributes', 'code');
  if (typeof code === 'string' && code.trim() !== '') return code.trim();
  if (typeof code === 'number') return String(code);
  if (id === undefined) return 'unknown';
  // An order's id is the base64 of its code (decoded from official samples); good enough to name a broken record.
  const decoded = Buffer.from(id, 'base64').toString('latin1');
  return /^\d{6,20}$/.test(decoded) ? decoded : id;
}

function at(value: unknown, ...path: string[]): unknown {
  return path.reduce<unknown>((inner, name) => (isObject(inner) ? inner[name] : undefined), value);
}

function textOf(value: unknown, name: string): string | undefined {
  const text = at(value, name);
  return typeof text === 'string' && text !== '' ? text : undefined;
}
