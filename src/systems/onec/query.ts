import { assert } from '../../base/errors.ts';
import type { Json } from '../../base/schema.ts';
import { guid, type OnecEntity, type OnecQuery, type OnecRecordKey } from './api.ts';

/** Web servers refuse long addresses; integrators keep to about 20 keys a filter. */
const KEYS_PER_FILTER = 20;
/** Of an encoded filter, which leaves room for the rest of an address of 6 KB; IIS and Apache take 8 KB and more. */
const FILTER_BYTES = 4500;

/** A blank must be %20: a `+` is taken literally, and the filter is then ignored or refused (seen at live bases). */
export function encode(text: string): string {
  return encodeURIComponent(text);
}

/** The query string of a list or an entity, JSON asked for. */
export function queryString(query: OnecQuery = {}): string {
  const { filter, select, orderby, top, skip } = query;
  return [
    '$format=json',
    ...(filter === undefined ? [] : [`$filter=${encode(filter)}`]),
    ...(select === undefined ? [] : [`$select=${encode(select.join(','))}`]),
    ...(orderby === undefined ? [] : [`$orderby=${encode(orderby)}`]),
    ...(top === undefined ? [] : [`$top=${top}`]),
    ...(skip === undefined || skip === 0 ? [] : [`$skip=${skip}`]),
  ].join('&');
}

/** Terms joined by `or` into as few filters as a web server takes: at most 20 terms and 4.5 KB encoded each. */
export function orFilters(terms: readonly string[]): string[] {
  const filters: string[] = [];
  let batch: string[] = [];
  const flush = () => {
    if (batch.length > 0) filters.push(batch.join(' or '));
    batch = [];
  };
  for (const term of terms) {
    if (batch.length >= KEYS_PER_FILTER || encode([...batch, term].join(' or ')).length > FILTER_BYTES) flush();
    batch.push(term);
  }
  flush();
  return filters;
}

export function setPath(set: string): string {
  return `/${encode(set)}`;
}

/** A reference out of a remote answer or a stored payload becomes part of an address, so that its form is checked. */
export function entityPath(set: string, ref: string): string {
  assert(isGuid(ref), `${set}: a reference that is no guid`);
  return `${setPath(set)}(${guid(ref)})`;
}

export function isGuid(text: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text);
}

/**
 * How references of several types are written in a record's key; public clients show both:
 * `Объект='…',Объект_Type='StandardODATA.X'` and `Объект=guid'…',Объект_Type='StandardODATA.X'`.
 */
export type KeySpelling = 'text' | 'guid';

/** `Register(dimension=…,…)`: dimensions of several types carry theirs beside them. */
export function recordPath(set: string, key: OnecRecordKey, spelling: KeySpelling): string {
  const parts = Object.entries(key).map(([dimension, value]) => {
    if ('at' in value) return `${encode(dimension)}=datetime'${value.at}'`;
    if (!('set' in value)) return `${encode(dimension)}=${guid(value.guid)}`;
    const ref = spelling === 'text' ? `'${value.guid}'` : guid(value.guid);
    const name = encode(dimension);
    return `${name}=${ref},${name}_Type='${encode(typeName(value.set))}'`;
  });
  return `${setPath(set)}(${parts.join(',')})`;
}

/** The same dimensions as properties of a new record. */
export function recordBody(key: OnecRecordKey): OnecEntity {
  const body: OnecEntity = {};
  for (const [dimension, value] of Object.entries(key)) {
    if ('at' in value) body[dimension] = value.at;
    else if ('set' in value) {
      body[dimension] = value.guid;
      body[`${dimension}_Type`] = typeName(value.set);
    } else body[dimension] = value.guid;
  }
  return body;
}

function typeName(set: string): string {
  return set.startsWith('StandardODATA.') ? set : `StandardODATA.${set}`;
}

/**
 * A body as 1C takes it. What it adds to its answers is left out, since it refuses or misreads some of it; rows of table
 * parts get their LineNumber, counted from 1 without gaps, without which 1C fails (500, code -1).
 */
export function bodyFor1c(entity: OnecEntity): OnecEntity {
  const kept = Object.entries(entity).filter(([name]) => !isServiceName(name));
  return Object.fromEntries(kept.map(([name, value]) => [name, Array.isArray(value) ? value.map(numbered) : value]));
}

/** The number as a number: a text is not stored in a whole-number property, although a text is what 1C answers. */
function numbered(row: Json, index: number): Json {
  const isRow = typeof row === 'object' && row !== null && !Array.isArray(row);
  return isRow ? { ...bodyFor1c(row), LineNumber: index + 1 } : row;
}

function isServiceName(name: string): boolean {
  return (
    name === 'DataVersion' ||
    name.startsWith('odata.') ||
    name.includes('@navigationLinkUrl') ||
    name.endsWith('____Presentation')
  );
}
