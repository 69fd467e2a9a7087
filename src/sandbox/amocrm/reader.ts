import type { Issue } from './answers.ts';

/**
 * Reads one object of a body and gathers its faults instead of stopping at the first, as the real validation does.
 * An explicit null counts as absent: the vendor's own client sends nulls beside the keys that it uses.
 */
export interface Reader {
  /** Names every key that is not among `keys` as `FieldNotExpected`. */
  only(keys: readonly string[]): void;
  has(key: string): boolean;
  raw(key: string): unknown;
  string(key: string): string | undefined;
  integer(key: string): number | undefined;
  number(key: string): number | undefined;
  boolean(key: string): boolean | undefined;
  object(key: string): Reader | undefined;
  /** The objects of an array; undefined where the key is absent. */
  objects(key: string): Reader[] | undefined;
  fault(code: Issue['code'], key: string, detail: string): void;
  path(key: string): string;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function reader(item: Record<string, unknown>, issues: Issue[], prefix = ''): Reader {
  const path = (key: string) => (prefix === '' ? key : `${prefix}.${key}`);
  const fault = (code: Issue['code'], key: string, detail: string) => {
    issues.push({ code, path: path(key), detail });
  };
  function typed<T>(key: string, fits: (value: unknown) => value is T, kind: string): T | undefined {
    const value = item[key];
    if (value === undefined || value === null) return undefined;
    if (fits(value)) return value;
    fault('InvalidType', key, `This value should be of type ${kind}.`);
    return undefined;
  }
  const nested = (value: unknown, key: string): Reader | undefined => {
    if (isObject(value)) return reader(value, issues, path(key));
    fault('InvalidType', key, 'This value should be of type object.');
    return undefined;
  };
  return {
    path,
    fault,
    has: (key) => item[key] !== undefined,
    raw: (key) => item[key],
    only: (keys) => {
      for (const key of Object.keys(item)) {
        if (!keys.includes(key)) fault('FieldNotExpected', key, 'This field was not expected.');
      }
    },
    string: (key) => typed(key, (value) => typeof value === 'string', 'string'),
    integer: (key) => typed(key, (value): value is number => Number.isInteger(value), 'int'),
    number: (key) => typed(key, (value): value is number => typeof value === 'number', 'float'),
    boolean: (key) => typed(key, (value) => typeof value === 'boolean', 'bool'),
    object: (key) => (item[key] === undefined || item[key] === null ? undefined : nested(item[key], key)),
    objects: (key) => {
      const list = typed(key, (value): value is unknown[] => Array.isArray(value), 'array');
      return list?.flatMap((value, i) => nested(value, `${key}.${i}`) ?? []);
    },
  };
}
