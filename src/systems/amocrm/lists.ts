import { AppError, ExitCode } from '../../base/errors.ts';
import type { Page } from './schema.ts';

/** The most rows a list gives at a time (D:leads-api). */
export const PAGE_LIMIT = 250;

export type ListPage<T> = (page: number, limit: number) => Promise<Page<T>>;

export interface WalkOptions {
  /** Rows a page, at most 250. */
  limit?: number;
  /** More pages than this are an error: nothing here may run without end. */
  maxPages?: number;
}

/**
 * Goes through a list page by page, from page 1. It ends at an empty page (204) or at a short one without `_links.next`: that link may be missing
 * although another page exists (ufee/amoapi-v4), so that a full page is always followed by another question.
 * Rows may shift between pages while others write; who must miss nothing reads in a stable order or with an overlap.
 */
export async function* walk<T extends { id: number }>(
  listPage: ListPage<T>,
  options: WalkOptions = {},
): AsyncGenerator<T[]> {
  const limit = options.limit ?? PAGE_LIMIT;
  const maxPages = options.maxPages ?? 1000;
  let before = '';
  for (let number = 1; number <= maxPages; number++) {
    const page = await listPage(number, limit);
    if (page.rows.length === 0) return;
    const ids = page.rows.map((row) => row.id).join();
    if (ids === before) throw listFault('amoCRM gave the same page of a list twice');
    before = ids;
    yield page.rows;
    if (page.rows.length < limit && !page.more) return;
  }
  throw listFault(`a list of amoCRM has more than ${maxPages} pages`);
}

/** All rows of a list that is known to be short. */
export async function all<T extends { id: number }>(listPage: ListPage<T>, options: WalkOptions = {}): Promise<T[]> {
  const rows: T[] = [];
  for await (const page of walk(listPage, options)) rows.push(...page);
  return rows;
}

function listFault(message: string): AppError {
  return new AppError({
    code: 'AMO_LIST_ODD',
    kind: 'transient',
    exit: ExitCode.Unavailable,
    message,
    hint: 'The next run tries again; if it lasts, amoCRM has changed how its lists are paged.',
  });
}

export function chunks<T>(items: readonly T[], size: number): T[][] {
  const parts: T[][] = [];
  for (let start = 0; start < items.length; start += size) parts.push(items.slice(start, start + size));
  return parts;
}

/** One pair of a query; a list makes one pair for each member, undefined makes none. */
export type QueryPart = readonly [key: string, value: string | number | undefined | readonly (string | number)[]];

/** Keys keep their brackets raw: encoded, 250 ids would not fit into the 8 KB that web servers take as a request line. */
export function queryString(parts: readonly QueryPart[]): string {
  return parts
    .flatMap(([key, value]) => (Array.isArray(value) ? value.map((one) => [key, one]) : [[key, value]]))
    .filter((pair) => pair[1] !== undefined)
    .map(([key, value]) => `${key}=${encodeURIComponent(String(value))}`)
    .join('&');
}

/** How a kind of rows is asked for by id: in one question for many, and one by one. */
export interface ById<T> {
  many(ids: readonly number[]): Promise<T[]>;
  one(id: number): Promise<T | undefined>;
  /** True where an error says that this account takes no filters. */
  refusesFilters(error: unknown): boolean;
}

/**
 * Rows by id, 250 a question; an id that is not in the answer is gone.
 * Filters are a capability of the account: where it lacks, they are refused, or silently ignored and strangers come back (amocrm-api-php issues 71, 348).
 * Hence each row is checked, and what the list did not give is asked for by itself: lists may also lag behind a write, a look by id does not.
 * `mayFilter` is asked once: false where the account is known to take no filters.
 */
export function byIds<T extends { id: number; isDeleted: boolean }>(
  mayFilter: () => Promise<boolean>,
): (ids: readonly number[], ask: ById<T>) => Promise<Map<number, T>> {
  // Learnt once and kept for the life of this client: asking again would cost a request each time.
  let filtersWork: boolean | undefined;
  return async (ids, ask) => {
    if (ids.length > 1) filtersWork ??= await mayFilter();
    const found = new Map<number, T>();
    for (const chunk of chunks([...new Set(ids)], PAGE_LIMIT)) {
      const wanted = new Set(chunk);
      // A lone id costs the same either way, and the look by id is the surer one.
      if (filtersWork && chunk.length > 1) {
        const rows = await ask.many(chunk).catch((error: unknown) => {
          if (!ask.refusesFilters(error)) throw error;
          return undefined;
        });
        filtersWork = rows?.every((row) => wanted.has(row.id)) ?? false;
        for (const row of rows ?? []) if (wanted.has(row.id)) found.set(row.id, row);
      }
      for (const id of chunk) {
        const row = found.get(id) ?? (await ask.one(id));
        if (row && row.id === id && !row.isDeleted) found.set(id, row);
        else found.delete(id);
      }
    }
    return found;
  };
}
