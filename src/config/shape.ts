import { parseTemplate, type Template } from '../base/template.ts';

/** Where a value stands in the mapping: keys and list positions from the top. */
export type Path = readonly (string | number)[];

/** `kaspi.stages[0].status` */
export function pathText(path: Path): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') {
      return `${text}[${part}]`;
    }
    return text === '' ? part : `${text}.${part}`;
  }, '');
}

export type Report = (path: Path, message: string) => void;

/** Reads one value of the mapping; reports every fault it finds, and then gives undefined. */
export type Reader<T> = (value: unknown, path: Path, report: Report) => T | undefined;

/** A key of a map. `null` counts as absent, so that an operator may leave a key empty. */
export interface Field<T> {
  readonly reader: Reader<T>;
  /** What an absent key gives. */
  readonly absent?: { readonly value: T };
  /** Or what an operator might have written there. With neither, the key must be there. */
  readonly source?: unknown;
}

export type Fields<T> = { readonly [Key in keyof T]: Field<T[Key]> };

export function required<T>(reader: Reader<T>): Field<T> {
  return { reader };
}

export function optional<T>(reader: Reader<T>): Field<T | undefined> {
  return { reader, absent: { value: undefined } };
}

/** The default is given as an operator would write it, and read the same way. */
export function withDefault<T>(source: unknown, reader: Reader<T>): Field<T> {
  return { reader, source };
}

/** What a rule between the keys of one map is told. */
export interface MapContext<T> {
  /** What could be read; a faulty key is absent here, yet `given`. */
  readonly values: Readonly<Partial<T>>;
  given(key: keyof T & string): boolean;
  fail(key: keyof T & string, message: string): void;
}

/** A map of exactly these keys. The check runs beside other faults too, so that all of them are reported at once. */
export function map<T extends object>(fields: Fields<T>, check?: (context: MapContext<T>) => void): Reader<T> {
  const known = Object.keys(fields);
  return (value, path, report) => {
    if (!isMap(value)) {
      report(path, `expected a map with the keys ${known.join(', ')}`);
      return undefined;
    }
    for (const key of Object.keys(value).filter((name) => !known.includes(name))) {
      report([...path, key], `unknown key${didYouMean(key, known)}`);
    }
    const values = readFields(fields, value, path, report);
    check?.({
      values,
      given: (key) => isGiven(value[key]),
      fail: (key, message) => report([...path, key], message),
    });
    return hasAll(values, known) ? values : undefined;
  };
}

function readFields<T extends object>(fields: Fields<T>, map: Record<string, unknown>, path: Path, report: Report) {
  const values: Partial<T> = {};
  for (const key of keysOf(fields)) {
    const { reader, absent, source } = fields[key];
    const at = [...path, key];
    const written = isGiven(map[key]) ? map[key] : source;
    const value = written === undefined ? absent?.value : reader(written, at, report);
    if (value !== undefined || (written === undefined && absent !== undefined)) {
      values[key] = value;
    } else if (written === undefined) {
      report(at, 'missing');
    }
  }
  return values;
}

function keysOf<T extends object>(fields: Fields<T>): (keyof T & string)[] {
  return Object.keys(fields) as (keyof T & string)[];
}

function hasAll<T extends object>(values: Partial<T>, keys: readonly string[]): values is T {
  return keys.every((key) => Object.hasOwn(values, key));
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}

export function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The same value in another shape. */
export function mapped<A, B>(reader: Reader<A>, change: (value: A) => B): Reader<B> {
  return (value, path, report) => {
    const read = reader(value, path, report);
    return read === undefined ? undefined : change(read);
  };
}

/** A list, each item read alike. */
export function list<T>(reader: Reader<T>): Reader<readonly T[]> {
  return (value, path, report) => {
    if (!Array.isArray(value)) {
      report(path, 'expected a list');
      return undefined;
    }
    const items = value.map((item: unknown, index) => reader(item, [...path, index], report));
    const read = items.filter((item): item is NonNullable<typeof item> => item !== undefined);
    return read.length === items.length ? read : undefined;
  };
}

/** One value or a list of them, always given as a list of at least one. */
export function oneOrMore<T>(reader: Reader<T>): Reader<readonly T[]> {
  const many = list(reader);
  return (value, path, report) => {
    if (!Array.isArray(value)) {
      const one = reader(value, path, report);
      return one === undefined ? undefined : [one];
    }
    if (value.length === 0) {
      report(path, 'expected at least one value');
      return undefined;
    }
    return many(value, path, report);
  };
}

/** A map from amoCRM ids (the keys) to values. */
export function byId<T>(reader: Reader<T>): Reader<readonly { readonly id: number; readonly value: T }[]> {
  return (value, path, report) => {
    if (!isMap(value)) {
      report(path, 'expected a map of ids');
      return undefined;
    }
    const read = Object.entries(value).flatMap(([key, item]) => {
      const at = [...path, key];
      const id = /^[1-9]\d{0,14}$/.test(key) ? Number(key) : undefined;
      if (id === undefined) {
        report(at, 'expected the key to be an id, a whole number above 0');
      }
      const itemRead = reader(item, at, report);
      return id === undefined || itemRead === undefined ? [] : [{ id, value: itemRead }];
    });
    return read.length === Object.keys(value).length ? read : undefined;
  };
}

/** A whole number above 0: an id, a count. */
export const positive: Reader<number> = (value, path, report) => {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value > 0) {
    return value;
  }
  report(path, 'expected a whole number above 0');
  return undefined;
};

export const boolean: Reader<boolean> = (value, path, report) => {
  if (typeof value === 'boolean') {
    return value;
  }
  report(path, 'expected true or false');
  return undefined;
};

/** A text that is not blank. Numbers must be quoted: YAML would drop leading zeros. */
export const text: Reader<string> = (value, path, report) => {
  if (typeof value === 'string' && value.trim() !== '') {
    return value;
  }
  report(path, typeof value === 'string' ? 'expected a text that is not empty' : 'expected a text, in quotes');
  return undefined;
};

/** A text with `{name}` places out of these names. */
export function template(names: readonly string[]): Reader<Template> {
  return (value, path, report) => {
    const source = text(value, path, report);
    if (source === undefined) {
      return undefined;
    }
    const parsed = parseTemplate(source, names);
    if (!('unknown' in parsed)) {
      return parsed;
    }
    for (const name of parsed.unknown) {
      const isBrace = name === '{' || name === '}';
      report(path, isBrace ? `"${name}" without its partner` : `unknown name {${name}}${didYouMean(name, names)}`);
    }
    return undefined;
  };
}

/** A word of a fixed list. */
export function oneOf<const T extends string>(...words: readonly T[]): Reader<T> {
  return (value, path, report) => {
    const known = words.find((word) => word === value);
    if (known === undefined) {
      report(path, `expected one of ${words.join(', ')}${didYouMean(String(value), words)}`);
    }
    return known;
  };
}

/**
 * An upper-case word of a remote system whose list may grow without notice: unknown words pass, unless one looks like
 * a slip in a known one, which would silently never match.
 */
export function remoteWord(...known: readonly string[]): Reader<string> {
  return (value, path, report) => {
    const word = typeof value === 'string' ? value : '';
    const guess = known.includes(word) ? '' : didYouMean(word, known);
    if (/^[A-Z][A-Z0-9_]*$/.test(word) && guess === '') {
      return word;
    }
    report(path, `expected a word in capitals such as ${known[0] ?? 'NEW'}${guess}`);
    return undefined;
  };
}

/** `; did you mean X?` where a known word is at most two letters away (one in short words), else nothing. */
function didYouMean(word: string, known: readonly string[]): string {
  const most = word.length > 5 ? 2 : 1;
  const near = known.find((candidate) => distance(word.toLowerCase(), candidate.toLowerCase()) <= most);
  return near === undefined ? '' : `; did you mean ${near}?`;
}

/** Levenshtein's distance: single-letter changes between two words. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (const [index, letter] of [...a].entries()) {
    const next = [index + 1];
    for (const [column, other] of [...b].entries()) {
      const change = (row[column] ?? 0) + (letter === other ? 0 : 1);
      next.push(Math.min(change, (row[column + 1] ?? 0) + 1, (next[column] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? a.length;
}
