import type { SandboxAnswer, SandboxRequest } from '../kit.ts';
import { asFields, type Fields } from './model.ts';
import type { RetailcrmOptions } from './options.ts';
import type { World } from './world.ts';

export type Faults = Record<string, string>;

/** A request on its way through the stand-in: its parameters of the path, and the fields of its form. */
export interface Call {
  world: World;
  request: SandboxRequest;
  params: Record<string, string>;
  form: URLSearchParams;
}

/** A refusal in RetailCRM's words; `errors` goes out as a map or as a list, by the option. */
export class RetailRefusal extends Error {
  readonly status: number;
  readonly errors: Faults | undefined;
  /** Members of the body beside `success`, `errorMsg` and `errors`. */
  readonly more: Fields;

  constructor(status: number, errorMsg: string, errors?: Faults, more: Fields = {}) {
    super(errorMsg);
    this.name = 'RetailRefusal';
    this.status = status;
    this.errors = errors;
    this.more = more;
  }
}

export function ok(body: Fields): SandboxAnswer {
  return { status: 200, body: { success: true, ...body } };
}

export function created(body: Fields): SandboxAnswer {
  return { status: 201, body: { success: true, ...body } };
}

export function refusalAnswer(refusal: RetailRefusal, options: RetailcrmOptions): SandboxAnswer {
  const { status, message, errors, more } = refusal;
  const list = Object.entries(errors ?? {}).map(([field, text]) => `${field}: ${text}`);
  const shown = errors === undefined ? {} : { errors: options.errorsAs === 'list' ? list : errors };
  return { status, body: { success: false, errorMsg: message, ...shown, ...more } };
}

export function notFound(more: Fields = {}): RetailRefusal {
  return new RetailRefusal(404, 'Not found', undefined, more);
}

export function badInput(field: string, text: string): RetailRefusal {
  return new RetailRefusal(400, 'Errors in the input parameters', { [`children[${field}]`]: text });
}

export function badEntity(errors: Faults): RetailRefusal {
  return new RetailRefusal(400, 'Errors in the entity format', errors);
}

/** Throws what RetailCRM answers to an entity with faults; passes where there are none. */
export function demandNoFaults(faults: Faults): void {
  if (Object.keys(faults).length > 0) throw badEntity(faults);
}

export function missing(parameter: string): RetailRefusal {
  return new RetailRefusal(400, `Parameter '${parameter}' is missing`);
}

/** The form's fields. Any other body, a JSON one above all, has none (seen in the wild); multipart is not read here. */
export function formOf(request: SandboxRequest): URLSearchParams {
  const type = request.headers['content-type'] ?? '';
  return new URLSearchParams(type.startsWith('application/x-www-form-urlencoded') ? request.rawBody : '');
}

function parsed(call: Call, name: string): unknown {
  const text = call.form.get(name);
  if (text === null || text === '') throw missing(name);
  try {
    return JSON.parse(text);
  } catch {
    throw badEntity({ [name]: 'This value is not valid.' });
  }
}

/** A parameter with structure: a JSON object in a field of the form. */
export function objectParameter(call: Call, name: string): Fields {
  const value = asFields(parsed(call, name));
  if (!value) throw badEntity({ [name]: 'This value is not valid.' });
  return value;
}

/** The same for lists; `most` is the method's limit. */
export function listParameter(call: Call, name: string, most: number): Fields[] {
  const value = parsed(call, name);
  if (!Array.isArray(value)) throw badEntity({ [name]: 'This value is not valid.' });
  if (value.length > most) {
    throw badEntity({ [name]: `This collection should contain ${most} elements or less.` });
  }
  return value.map((item, index) => {
    const fields = asFields(item);
    if (!fields) throw badEntity({ [`${name}[${index}]`]: 'This value is not valid.' });
    return fields;
  });
}

/** The store that a request speaks of; a key that sees one store may leave it out. */
export function siteOf(call: Call): string {
  const { sites } = call.world.options;
  const site = call.form.get('site') ?? call.request.query.get('site');
  if (site === null || site === '') {
    const [only] = sites;
    if (sites.length !== 1 || only === undefined) throw missing('site');
    return only;
  }
  if (!sites.includes(site)) throw badInput('site', 'The value you selected is not a valid choice.');
  return site;
}

/** `by` of a request; what is not said is externalId, never id. */
export function byOf(call: Call): 'id' | 'externalId' {
  const by = call.form.get('by') ?? call.request.query.get('by') ?? 'externalId';
  if (by !== 'id' && by !== 'externalId') throw badInput('by', 'The value you selected is not a valid choice.');
  return by;
}

export interface Page {
  limit: number;
  page: number;
}

function wholeNumber(call: Call, name: string, fallback: number): number {
  const text = call.request.query.get(name);
  if (text === null) return fallback;
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1) throw badInput(name, 'This value is not valid.');
  return value;
}

export function pageOf(call: Call): Page {
  const limit = wholeNumber(call, 'limit', 20);
  if (![20, 50, 100].includes(limit)) throw badInput('limit', 'The value you selected is not a valid choice.');
  return { limit, page: wholeNumber(call, 'page', 1) };
}

export function paged<T>(items: readonly T[], { limit, page }: Page): { items: T[]; pagination: Fields } {
  return {
    items: items.slice((page - 1) * limit, page * limit),
    pagination: {
      limit,
      totalCount: items.length,
      currentPage: page,
      totalPageCount: Math.ceil(items.length / limit),
    },
  };
}

/** How one filter chooses: its values as they came, at least one. Throws where they are not of its kind. */
export type Filter<T> = (values: readonly string[], name: string) => (item: T) => boolean;

/**
 * Puts the filters of a list together. `known` are those that RetailCRM has and the stand-in has not: they get 501, since
 * an answer that leaves them out would be a lie. Any other name has the fate that `unknownFilters` says.
 */
export function filtersOf<T>(
  call: Call,
  filters: Record<string, Filter<T>>,
  known: readonly string[],
): (item: T) => boolean {
  const asked = new Map<string, string[]>();
  for (const [key, value] of call.request.query) {
    const name = /^filter\[(\w+)\](?:\[\w*\])*$/.exec(key)?.[1];
    if (name === undefined) continue;
    asked.set(name, [...(asked.get(name) ?? []), value]);
  }
  const tests = [...asked].map(([name, values]): ((item: T) => boolean) => {
    const filter = Object.hasOwn(filters, name) ? filters[name] : undefined;
    if (filter) return filter(values, name);
    if (known.includes(name)) throw new RetailRefusal(501, `The stand-in has no filter ${name}`);
    if (call.world.options.unknownFilters === 'refused') {
      throw badInput(name, 'This form should not contain extra fields.');
    }
    return () => true;
  });
  return (item) => tests.every((test) => test(item));
}

/** A filter over a field that is one of several values. */
export function oneOf<T>(read: (item: T) => unknown): Filter<T> {
  return (values) => {
    const wanted = new Set(values);
    return (item) => {
      const value = read(item);
      return value !== undefined && wanted.has(String(value));
    };
  };
}

/** A filter over a yes or no: `0` and `1` on the wire. */
export function flag<T>(read: (item: T) => boolean): Filter<T> {
  return ([value = ''], name) => {
    if (value !== '0' && value !== '1') throw badInput(name, 'The value you selected is not a valid choice.');
    return (item) => read(item) === (value === '1');
  };
}

/** A filter over a day in the account's zone; a date-time is refused. */
export function day<T>(read: (item: T) => string, side: 'from' | 'to'): Filter<T> {
  return ([value = ''], name) => {
    if (!/^\d{4}-\d{2}-\d{2}$/.test(value)) throw badInput(name, 'This value is not valid.');
    return (item) => (side === 'from' ? read(item).slice(0, 10) >= value : read(item).slice(0, 10) <= value);
  };
}
