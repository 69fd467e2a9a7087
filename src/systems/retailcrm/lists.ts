import { assert } from '../../base/errors.ts';
import type { RemoteError } from '../../base/remote-error.ts';

/** Lists take 20, 50 or 100, and refuse everything else (vendor's PHP client, read 2026-11). */
export const PAGE = 100;

/** Of calls and customers in one upload (vendor's .NET client, read 2026-11). */
export const LARGEST_UPLOAD = 50;

/** A page of a list, and how many there are of all, where RetailCRM says it. */
export interface ListPage<T> {
  rows: T[];
  total: number | undefined;
}

export interface ListAnswer<T> {
  rows: T[];
  pagination?: { totalCount: number; totalPageCount: number } | undefined;
}

/**
 * All pages, as the consumer asks for them. No order is promised (vendor's clients, read 2026-11) and pages shift where
 * something is added or removed meanwhile: a row may come twice, and one may not come at all.
 */
export async function* pagesOf<T extends { id: number }>(
  read: (page: number) => Promise<ListAnswer<T>>,
  odd: (why: string) => RemoteError,
): AsyncGenerator<ListPage<T>> {
  const seen = new Set<number>();
  for (let page = 1; ; page++) {
    const { rows, pagination } = await read(page);
    const before = seen.size;
    for (const { id } of rows) seen.add(id);
    // A server that ignores the page's number would feed us its first page for ever.
    if (rows.length > 0 && seen.size === before) throw odd('two equal pages in a row');
    yield { rows, total: pagination?.totalCount };
    const pages = pagination?.totalPageCount ?? 0;
    if (rows.length === 0 || (pages > 0 ? page >= pages : rows.length < PAGE)) return;
  }
}

/** Rows of a list filtered by ids, by their ids. A row that was not asked for means a filter that was not understood. */
export function rowsByIds<T extends { id: number }>(
  asked: readonly number[],
  rows: readonly T[],
  odd: (why: string) => RemoteError,
): Map<number, T> {
  const wanted = new Set(asked);
  if (rows.some(({ id }) => !wanted.has(id))) throw odd('rows that were not asked for');
  return new Map(rows.map((row) => [row.id, row]));
}

export function idsQuery(ids: readonly number[]) {
  assert(ids.length <= PAGE, `a list by ids takes up to ${PAGE}`);
  return { 'filter[ids][]': ids, limit: PAGE, page: 1 };
}

export function assertBatch(items: readonly { externalId: string }[], what: string): void {
  assert(items.length >= 1 && items.length <= LARGEST_UPLOAD, `an upload takes 1 to ${LARGEST_UPLOAD} ${what}`);
  const ids = new Set(items.map(({ externalId }) => externalId));
  assert(ids.size === items.length, `two ${what} of an upload have one external id`);
}
