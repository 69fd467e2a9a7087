import { assert } from '../../base/errors.ts';
import { RemoteError } from '../../base/remote-error.ts';
import type { Schema } from '../../base/schema.ts';
import type { Secret } from '../../base/secret.ts';
import { ORDER_STATES } from '../../domain/order.ts';
import type { Range } from '../../domain/range.ts';
import { oddAnswer } from '../../http/classify.ts';
import type { SystemHttp } from '../../http/core.ts';
import {
  errorTitles,
  includedEntries,
  itemFrom,
  type ListAnswer,
  listAnswer,
  type OrderItem,
  oneAnswer,
  type PageAnswer,
  pageAnswer,
  productAnswer,
} from './schema.ts';

const DAY_MS = 86_400_000;

/**
 * How much of time one list may cover. Kaspi refuses more than 14 days between its bounds (guide, q3201); integrators
 * keep a day of margin, and so do we. It bounds the width only: any depth is read slice by slice.
 */
export const SLICE_MS = 13 * DAY_MS;
const WIDEST_MS = 14 * DAY_MS;

/** 100 orders a page is the most that Kaspi takes (guide, q3201). */
export const LARGEST_PAGE = 100;

/** A busy shop has some 20,000 orders in 14 days, 200 pages; past this the server's page count is not to be believed. */
const MAX_PAGES = 5000;

export interface OrderPage {
  items: OrderItem[];
}

/** What Kaspi's catalog says of an entry that comes without an offer; `sku` is the seller's own article. */
export interface EntryOffer {
  sku: string | undefined;
  name: string | undefined;
}

export interface KaspiClientOptions {
  /** 1 to 100. */
  pageSize?: number;
  /** Asked for one by one where the server wants a state, in this order. */
  states?: readonly string[];
  maxPages?: number;
}

export interface KaspiClient {
  /**
   * Orders created in the range, page by page, each order once; asks for the next page only when the consumer does.
   * The range may be at most 14 days wide (`SLICE_MS` is safe). Throws `RemoteError`: a list is whole or it fails.
   */
  orders(slice: Range): AsyncGenerator<OrderPage>;
  /** By the number that people use, whatever its age; undefined where Kaspi has none. */
  orderByCode(code: string): Promise<OrderItem | undefined>;
  /** By Kaspi's id, whatever its age; undefined where Kaspi has none. Comes without entries. */
  orderById(id: string): Promise<OrderItem | undefined>;
  /** The entries of one order, for `orderFromKaspi`. */
  entriesOf(orderId: string): Promise<unknown[]>;
  /** The article and name of an entry without an offer: two requests; undefined where Kaspi knows no product. */
  skuOfEntry(entryId: string): Promise<EntryOffer | undefined>;
}

/** What every request to Kaspi carries; its guide wants the content type on GET too (q3197). */
export function kaspiHeaders(token: Secret): Record<string, string> {
  const type = 'application/vnd.api+json';
  return { 'x-auth-token': token.reveal().trim(), 'content-type': type, accept: type };
}

/**
 * Kaspi's merchant API, v2. Lists are asked for without a state: the guide of December 2025 calls the state required,
 * older copies do not, and live shops get all states without it (seen 2026-05). Where a shop is refused, the states are
 * asked for one by one, for the rest of the client's life.
 */
export function kaspiClient(http: SystemHttp, options: KaspiClientOptions = {}): KaspiClient {
  const pageSize = options.pageSize ?? LARGEST_PAGE;
  const states = options.states ?? ORDER_STATES;
  const maxPages = options.maxPages ?? MAX_PAGES;
  let stateRequired = false;

  function get<T>(route: string, path: string, schema: Schema<T>, query?: string): Promise<T> {
    return http.request({ method: 'GET', route, path, schema, ...(query === undefined ? {} : { query }) });
  }

  async function* pagesOf(slice: Range, state: string | undefined): AsyncGenerator<PageAnswer> {
    let previous = '';
    for (let page = 0; ; page++) {
      if (page >= maxPages) throw oddAnswer(LIST, `more than ${maxPages} pages`);
      const answer = await get(LIST.route, '/orders', pageAnswer, listQuery(slice, page, pageSize, state));
      if (answer.data.length === 0) return;
      // A server that ignores the page number would feed us its first page for ever.
      const print = fingerprint(answer.data);
      if (print === previous) throw oddAnswer(LIST, 'two equal pages in a row');
      previous = print;
      yield answer;
      if (page + 1 >= answer.pageCount) return;
    }
  }

  async function* ofAllStates(slice: Range): AsyncGenerator<PageAnswer> {
    for (const state of states) yield* pagesOf(slice, state);
  }

  async function* answersOf(slice: Range): AsyncGenerator<PageAnswer> {
    if (!stateRequired) {
      try {
        return yield* pagesOf(slice, undefined);
      } catch (error) {
        if (!wantsState(error)) throw error;
        stateRequired = true;
      }
    }
    yield* ofAllStates(slice);
  }

  async function* orders(slice: Range): AsyncGenerator<OrderPage> {
    const width = slice.to.getTime() - slice.from.getTime();
    assert(width <= WIDEST_MS, 'a Kaspi list may cover 14 days at most');
    if (width <= 0) return;
    const seen = new Set<string>();
    for await (const answer of answersOf(slice)) yield { items: itemsOf(answer).filter(unseen(seen)) };
  }

  async function orderByCode(code: string): Promise<OrderItem | undefined> {
    const query = `filter[orders][code]=${encodeURIComponent(code)}&include[orders]=entries`;
    const answer = await get('orders.byCode', '/orders', listAnswer, query);
    // Filters lie at times; an order of another code must never stand in for the one that was asked for.
    return itemsOf(answer).find((item) => item.code === code);
  }

  async function orderById(id: string): Promise<OrderItem | undefined> {
    const wire = await orMissing(get('orders.byId', `/orders/${encodeURIComponent(id)}`, oneAnswer));
    return wire === undefined ? undefined : itemFrom(wire, new Map());
  }

  async function entriesOf(orderId: string): Promise<unknown[]> {
    const answer = await get('orders.entries', `/orders/${encodeURIComponent(orderId)}/entries`, listAnswer);
    return answer.data;
  }

  async function skuOfEntry(entryId: string): Promise<EntryOffer | undefined> {
    const entry = encodeURIComponent(entryId);
    const card = await orMissing(get('entries.product', `/orderentries/${entry}/product`, productAnswer));
    if (card === undefined) return undefined;
    const path = `/masterproducts/${encodeURIComponent(card.id)}/merchantProduct`;
    const own = await orMissing(get('products.own', path, productAnswer));
    // The card's own code is the number of Kaspi's public page, not the seller's article.
    return { sku: own?.code, name: own?.name ?? card.name };
  }

  return { orders, orderByCode, orderById, entriesOf, skuOfEntry };
}

const LIST = { system: 'kaspi', route: 'orders.list' } as const;

/** Pages count from 0; dates are epoch milliseconds; both bounds are inclusive at the server, while ours exclude the end. */
function listQuery(slice: Range, page: number, pageSize: number, state: string | undefined): string {
  return [
    `page[number]=${page}`,
    `page[size]=${pageSize}`,
    `filter[orders][creationDate][$ge]=${slice.from.getTime()}`,
    `filter[orders][creationDate][$le]=${slice.to.getTime() - 1}`,
    ...(state === undefined ? [] : [`filter[orders][state]=${encodeURIComponent(state)}`]),
    'include[orders]=entries',
  ].join('&');
}

function itemsOf(answer: ListAnswer): OrderItem[] {
  const included = includedEntries(answer.included);
  return answer.data.map((wire) => itemFrom(wire, included));
}

/** Orders that move while pages are read come twice. A record without an id is always kept, for nothing names it. */
function unseen(seen: Set<string>): (item: OrderItem) => boolean {
  return ({ id }) => {
    if (id === undefined) return true;
    const fresh = !seen.has(id);
    seen.add(id);
    return fresh;
  };
}

function fingerprint(data: readonly unknown[]): string {
  return JSON.stringify(data.map((wire) => itemFrom(wire, new Map()).id ?? wire));
}

/** The titles seen: `Required filter [orders][creationDate][$ge] is empty.`; that of a state is inferred from it. */
function wantsState(error: unknown): boolean {
  if (!(error instanceof RemoteError) || error.status !== 400) return false;
  return errorTitles(error.answer).some((title) => /filter/i.test(title) && /\bstate\b/i.test(title));
}

/** 404 says that there is none; every other failure stays one. */
async function orMissing<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof RemoteError && error.status === 404) return undefined;
    throw error;
  }
}
