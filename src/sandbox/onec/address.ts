import { EMPTY_DATE, type Entity, type EntityType, OnecRefusal, textOf } from './model.ts';
import type { World } from './world.ts';

/** A request's address below `standard.odata`, taken apart: `Set(key)/Rest` or `Set/Rest(arguments)`. */
export interface Address {
  set: string;
  /** What stands in the set's brackets; undefined where there are none. */
  key: string | undefined;
  rest: string;
  /** What stands in the brackets of `rest`. */
  args: string | undefined;
}

function badAddress(path: string): OnecRefusal {
  return new OnecRefusal(400, 6, `Неверный URL: "${path}"`);
}

/** Where the bracket that opens at `from` closes; quoted text is stepped over. */
function closing(text: string, from: number): number {
  let depth = 0;
  let quoted = false;
  for (let at = from; at < text.length; at++) {
    const char = text[at];
    if (char === "'") quoted = !quoted;
    else if (!quoted && char === '(') depth++;
    else if (!quoted && char === ')' && --depth === 0) return at;
  }
  throw badAddress(text);
}

function segment(text: string): { name: string; inside: string | undefined; after: string } {
  const end = text.search(/[(/]/);
  if (end === -1) return { name: text, inside: undefined, after: '' };
  const name = text.slice(0, end);
  if (text[end] === '/') return { name, inside: undefined, after: text.slice(end + 1) };
  const close = closing(text, end);
  const after = text.slice(close + 1);
  if (after !== '' && !after.startsWith('/')) throw badAddress(text);
  return { name, inside: text.slice(end + 1, close), after: after.slice(1) };
}

export function parseAddress(path: string): Address {
  const first = segment(path);
  const second = segment(first.after);
  if (second.after !== '') throw badAddress(path);
  return { set: first.name, key: first.inside, rest: second.name, args: second.inside };
}

/** `Имя=значение` pairs between commas, quotes respected; a lone value has no name. */
export function namedArguments(text: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const part of text.match(/(?:[^,']|'(?:[^']|'')*')+/g) ?? []) {
    const [, name = '', value = ''] = /^\s*(?:([\p{L}_$][\p{L}\p{N}_]*)=)?(.*)$/su.exec(part) ?? [];
    found.set(name, value.trim());
  }
  return found;
}

const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** A key's value without its wrapping: `guid'…'`, `'…'`, `datetime'…'`. */
function bare(literal: string): string {
  return (/^(?:guid|datetime)?'((?:[^']|'')*)'$/.exec(literal)?.[1] ?? literal).replaceAll("''", "'");
}

/** The lower-case guid of `guid'…'` or of `Ref_Key=guid'…'`. */
export function objectKey(key: string): string {
  const values = namedArguments(key);
  const literal = values.get('') ?? values.get('Ref_Key');
  if (literal === undefined) throw new OnecRefusal(400, 7, 'Не указан элемент ключа "Ref_Key"');
  const ref = bare(literal).toLowerCase();
  if (!/^guid'/.test(literal) || !GUID.test(ref)) {
    throw new OnecRefusal(400, 1, `Значение "${ref}" не может быть преобразовано к типу Edm.Guid`);
  }
  return ref;
}

/** The record that a composite key names. Its object may be spelt `'…'` with its type, or `guid'…'` with or without it. */
export function recordAt(world: World, type: EntityType, key: string): Entity | undefined {
  const values = namedArguments(key);
  const wanted = new Map<string, string>();
  for (const part of type.key) {
    const literal = values.get(part);
    const composite = part.endsWith('_Type') ? values.get(part.slice(0, -5)) : undefined;
    if (literal === undefined && composite?.startsWith('guid')) continue;
    if (literal === undefined) throw new OnecRefusal(400, 7, `Не указан элемент ключа "${part}"`);
    wanted.set(part, /^guid/.test(literal) || GUID.test(bare(literal)) ? bare(literal).toLowerCase() : bare(literal));
  }
  if (wanted.size === type.key.length) {
    return world.get(type.set, type.key.map((part) => wanted.get(part) ?? EMPTY_DATE).join('|'));
  }
  return world.all(type.set).find((one) => [...wanted].every(([part, value]) => textOf(one, part) === value));
}
