import { createHash } from 'node:crypto';
import { assert } from '../../../base/errors.ts';
import type { Json } from '../../../base/schema.ts';
import { EMPTY_DATE, EMPTY_REF } from '../../../domain/onec.ts';
import type { OnecEntity } from '../api.ts';
import type { CreatePayload } from './payloads.ts';

const NAMESPACE = 'sdelka:1c-object:';

/**
 * The reference that a new object gets: a UUID made of the effect's key, the same in every run and every database, so that
 * an object whose answer was lost is found by its key where 1C takes the references of its clients.
 */
export function deterministicRef(key: string): string {
  const hash = createHash('sha256').update(`${NAMESPACE}${key}`).digest('hex');
  const variant = ((Number.parseInt(hash.slice(16, 18), 16) & 0x3f) | 0x80).toString(16).padStart(2, '0');
  return [
    hash.slice(0, 8),
    hash.slice(8, 12),
    `5${hash.slice(13, 16)}`,
    `${variant}${hash.slice(18, 20)}`,
    hash.slice(20, 32),
  ].join('-');
}

/** What is sent: the planned body with the references that other effects have left. Throws where a path leads nowhere. */
export function filledBody({ body, refs }: CreatePayload, idOf: (key: string) => string): OnecEntity {
  const filled = structuredClone(body);
  for (const [path, key] of Object.entries(refs)) {
    const steps = path.split('.');
    const last = steps.pop() ?? '';
    const owner = steps.reduce<Json | undefined>(child, filled);
    assert(typeof owner === 'object' && owner !== null && !Array.isArray(owner), `no place for a reference at ${path}`);
    owner[last] = idOf(key);
  }
  return filled;
}

function child(value: Json | undefined, step: string): Json | undefined {
  if (Array.isArray(value)) return value[Number(step)];
  return typeof value === 'object' && value !== null ? value[step] : undefined;
}

/** A property that 1C does not show as it was sent; columns of table parts as `Товары.Цена`. */
export interface Difference {
  property: string;
  how: 'absent' | 'cut' | 'empty' | 'other';
}

/**
 * Compares what was sent with what 1C shows: it drops unknown properties and text in whole-number fields, and cuts what is too
 * long, all with an answer of success (seen with УТ 11 behind IIS). Each property once, however many rows have it.
 */
export function differences(sent: OnecEntity, shown: OnecEntity): Difference[] {
  const found = new Map<string, Difference>();
  const add = (property: string, how: Difference['how'] | undefined) => {
    if (how !== undefined && !found.has(property)) found.set(property, { property, how });
  };
  for (const [property, value] of Object.entries(sent)) {
    if (property === 'Ref_Key') continue;
    if (!Array.isArray(value)) add(property, howItDiffers(value, shown[property]));
    else
      for (const [column, how] of rowDifferences(value, shown[property]))
        add(column === '' ? property : `${property}.${column}`, how);
  }
  return [...found.values()];
}

function rowDifferences(sent: readonly Json[], shown: Json | undefined): [string, Difference['how'] | undefined][] {
  if (sent.length === 0) return [];
  if (!Array.isArray(shown)) return [['', 'absent']];
  if (shown.length !== sent.length) return [['', shown.length === 0 ? 'empty' : 'other']];
  return sent.flatMap((row, at) => {
    const other = shown[at];
    if (!isEntity(row)) return [];
    return Object.entries(row)
      .filter(([column]) => column !== 'LineNumber')
      .map(([column, value]): [string, Difference['how'] | undefined] => [
        column,
        howItDiffers(value, isEntity(other) ? other[column] : undefined),
      ]);
  });
}

function isEntity(value: Json | undefined): value is OnecEntity {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function howItDiffers(sent: Json, shown: Json | undefined): Difference['how'] | undefined {
  if (isEmpty(sent)) return undefined;
  if (shown === undefined) return 'absent';
  const [wanted, had] = [plain(sent), plain(shown)];
  if (wanted === had) return undefined;
  if (isEmpty(shown)) return 'empty';
  return typeof sent === 'string' && wanted.startsWith(had) ? 'cut' : 'other';
}

/** Codes are padded with blanks, whole numbers may come as text, guids in either case. */
function plain(value: Json): string {
  const text = String(value).trim();
  if (text !== '' && Number.isFinite(Number(text))) return String(Number(text));
  return /^[0-9a-f]{8}-[0-9a-f-]{27}$/i.test(text) ? text.toLowerCase() : text;
}

function isEmpty(value: Json): boolean {
  return value === null || value === false || [EMPTY_REF, EMPTY_DATE, '', '0'].includes(plain(value));
}
