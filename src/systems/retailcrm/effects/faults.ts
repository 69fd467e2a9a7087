import { cleanText } from '../../../base/redact.ts';
import { isObject } from '../schema.ts';

/** One entry of a refusal's `errors`: where (`calls[3][code]` → calls, 3, code; none where it is not told) and what. */
export interface Fault {
  path: readonly string[];
  text: string;
}

const LONGEST = 200;

/** `errors` is a map, maybe of maps, or a list of texts that may begin with a path (vendor's Go and PHP clients, read 2026-11). */
export function faultsOf(answer: unknown): Fault[] {
  if (!isObject(answer)) return [];
  const faults = faultsIn(answer.errors, []);
  return faults.length > 0 ? faults : faultsIn(answer.errorMsg, []);
}

function faultsIn(value: unknown, path: readonly string[]): Fault[] {
  if (typeof value === 'string')
    return value.trim() === '' ? [] : [path.length > 0 ? { path, text: value } : told(value)];
  if (Array.isArray(value)) return value.flatMap((item) => faultsIn(item, path));
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([key, inner]) => faultsIn(inner, [...path, ...segments(key)]));
}

/** `calls[3][code]: no such manager`; a text without such a beginning stays whole. */
function told(text: string): Fault {
  const [, path, rest] = /^([a-z][\w[\].:-]*):\s+(.*)$/s.exec(text) ?? [];
  return path === undefined || rest === undefined ? { path: [], text } : { path: segments(path), text: rest };
}

/** Symfony's forms put `children` between the names. A call's external id (host:linkedid) is one name, whatever dots it has. */
function segments(path: string): string[] {
  if (path.includes(':')) return [path];
  return path.split(/[.[\]]+/).filter((part) => part !== '' && part !== 'children');
}

/** Whether a fault is this field's: by its path, or by its words where it has none. `performerId` and `performer_id` are one. */
export function isOf({ path, text }: Fault, field: string): boolean {
  const plain = (one: string) => one.replaceAll('_', '').toLowerCase();
  return path.length > 0
    ? path.some((part) => plain(part).startsWith(plain(field)))
    : new RegExp(`\\b${field}`, 'i').test(text.replaceAll('_', ''));
}

/** For people; phones and e-mails masked. */
export function toldFaults(faults: readonly Fault[]): string {
  const words = faults.map(({ path, text }) => (path.length > 0 ? `${path.join('.')}: ${text}` : text)).join('; ');
  return `RetailCRM refused it: ${cleanText(words).slice(0, LONGEST)}`;
}
