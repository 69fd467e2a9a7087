import type { Template } from '../base/template.ts';
import type { RetailUser } from './mapping-calls-types.ts';
import { isMap, type Path, positive, type Reader, type Report, template } from './shape.ts';
import type { Parser } from './variables.ts';

/** A value that is written as in the env file: a length of time, a zone, a country. */
export function written<T>(parser: Parser<T>): Reader<T> {
  return (value, path, report) => {
    const read = typeof value === 'string' ? parser.parse(value.trim()) : undefined;
    if (read === undefined) report(path, `expected ${parser.expects}`);
    return read;
  };
}

/** A text of this form. The fault never quotes the value: it may be a password under the wrong key. */
export function matching(form: RegExp, expects: string): Reader<string> {
  return (value, path, report) => {
    if (typeof value === 'string' && form.test(value)) return value;
    report(path, `expected ${expects}${typeof value === 'number' ? ', in quotes: YAML takes it for a number' : ''}`);
    return undefined;
  };
}

/** The name of an environment variable. Capitals alone, so that a key or a password put here by mistake is refused. */
export const variableName = matching(
  /^[A-Z_][A-Z0-9_]{0,99}$/,
  'the name of a variable of the env file, in capitals, such as RETAILCRM_API_KEY, and never its value',
);

/** What ids and keys of rows are made of: `:` and `@` part them. */
export const code = matching(
  /^[A-Za-z0-9_.-]{1,32}$/,
  'at most 32 Latin letters, digits, ".", "_" and "-", such as "0001" or pbx1',
);

/** Codes of RetailCRM's own lists. */
export const symbolicCode = matching(/^[\w.-]{1,255}$/, 'a symbolic code, as RetailCRM shows it beside the name');

const id = /^[1-9]\d{0,14}$/;
const email = /^[^\s@,;<>"]+@[^\s@,;<>"]+\.[^\s@,;<>"]+$/;

export const retailUser: Reader<RetailUser> = (value, path, report) => {
  if (typeof value === 'number') return positive(value, path, report);
  if (typeof value === 'string' && id.test(value)) return Number(value);
  if (typeof value === 'string' && email.test(value)) return value.toLowerCase();
  report(path, "expected the e-mail that a user of RetailCRM logs in with, or that user's id");
  return undefined;
};

/** extension → user of RetailCRM. */
export const extensions: Reader<ReadonlyMap<string, RetailUser>> = (value, path, report) => {
  if (!isMap(value)) {
    report(path, 'expected a map from extensions to users of RetailCRM, such as { "201": manager@example.com }');
    return undefined;
  }
  const read = Object.entries(value).flatMap(([key, item]): [string, RetailUser][] => {
    const at = [...path, key];
    const extension = code(key, at, (_, message) => report(at, message.replace('expected', 'expected the key to be')));
    const user = retailUser(item, at, report);
    return extension === undefined || user === undefined ? [] : [[extension, user]];
  });
  return read.length === Object.keys(value).length ? new Map(read) : undefined;
};

/** `[2, 5]`: from so many digits to so many. */
export const lengths: Reader<{ readonly min: number; readonly max: number }> = (value, path, report) => {
  const [min, max]: unknown[] = Array.isArray(value) && value.length === 2 ? value : [];
  const isLength = (one: unknown): one is number => Number.isInteger(one) && Number(one) >= 1 && Number(one) <= 15;
  if (isLength(min) && isLength(max) && min <= max) return { min, max };
  report(path, 'expected two whole numbers from 1 to 15, the smaller one first, such as [2, 5]');
  return undefined;
};

/**
 * What is put into an order to the PBX. Its lines end at a line break, its dialplan parts arguments by commas and runs
 * `${…}`, a shell has signs of its own: none of them may stand here.
 */
const harmless = /^[A-Za-z0-9_@/+*#.-]*$/;
const HARMLESS = 'Latin letters, digits and _ @ / + * # . -';

export const dialContext = matching(/^[A-Za-z0-9_@/+*#.-]{1,79}$/, `the name of a dialplan context: ${HARMLESS}`);

/** `fault` says what else is wrong with such a template, if anything is. */
export function dialTemplate(
  names: readonly string[],
  fault: (template: Template) => string | undefined,
): Reader<Template> {
  return checked(template(names), (read, path, report) => {
    const literal = read.parts.filter((part) => typeof part === 'string').join('');
    const message = harmless.test(literal) ? fault(read) : `expected ${HARMLESS} beside {${names.join('}, {')}}`;
    if (message !== undefined) report(path, message);
    return message === undefined;
  });
}

/** A value that has one more rule to obey. */
export function checked<T>(reader: Reader<T>, isRight: (value: T, path: Path, report: Report) => boolean): Reader<T> {
  return (value, path, report) => {
    const read = reader(value, path, report);
    return read === undefined || !isRight(read, path, report) ? undefined : read;
  };
}
