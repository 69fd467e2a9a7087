import type { RemoteError } from '../../base/remote-error.ts';
import type { Schema } from '../../base/schema.ts';
import { PAGE } from './lists.ts';
import type { Params, Requests } from './requests.ts';
import type { CustomerChangeWire, OrderChangeWire } from './schema.ts';
import { fromAccount, toAccount } from './time.ts';

/** What every entry of history has, as it comes. */
export type ChangeWire = CustomerChangeWire | OrderChangeWire;

/** An entry with its moment. */
export type Change<Wire extends ChangeWire> = Pick<Wire, Exclude<keyof Wire, 'createdAt' | 'apiKey' | 'combinedTo'>> & {
  createdAt: Date | undefined;
  /** Made with the very key that asks. */
  own: boolean;
  /** The survivor's id, where this one was merged into another. */
  combinedTo: number | undefined;
};

/** A page of history, in the order of ids; `lastId` is where to go on once the page has been dealt with. */
export interface HistoryPage<Wire extends ChangeWire> {
  changes: Change<Wire>[];
  lastId: number;
}

export interface HistoryAnswer<Wire> {
  history: Wire[];
  pagination?: { currentPage: number; totalPageCount: number } | undefined;
}

/**
 * From page to page by the last id seen, since an id together with a page number is refused (vendor's note on history, 2023-05);
 * so the count of pages is always that of the rest. `read` is given undefined where no id is known yet.
 */
export async function* pagesOfHistory<Wire extends ChangeWire>(
  read: (sinceId: number | undefined) => Promise<HistoryAnswer<Wire>>,
  since: number | undefined,
  zone: string,
  odd: (why: string) => RemoteError,
): AsyncGenerator<HistoryPage<Wire>> {
  for (let after = since; ; ) {
    const { history, pagination } = await read(after);
    if (history.length === 0) return;
    const least = after ?? 0;
    const fresh = history.filter(({ id }) => id > least).sort((a, b) => a.id - b.id);
    const lastId = fresh.at(-1)?.id;
    // A server that ignores the id would feed us its first page for ever.
    if (lastId === undefined) throw odd('entries that were asked for already');
    after = lastId;
    yield { changes: fresh.map((wire) => changeOf(wire, zone)), lastId };
    if (pagination !== undefined && pagination.currentPage >= pagination.totalPageCount) return;
  }
}

function changeOf<Wire extends ChangeWire>(wire: Wire, zone: string): Change<Wire> {
  const { createdAt, apiKey, combinedTo, ...rest } = wire;
  return {
    ...rest,
    createdAt: fromAccount(createdAt, zone),
    own: apiKey?.current === true,
    combinedTo: combinedTo?.id,
  };
}

/** History after an id, or since a moment. */
export async function* historyOf<Wire extends ChangeWire>(
  { get, zone, odd }: Requests,
  of: 'customers' | 'orders',
  schema: Schema<HistoryAnswer<Wire>>,
  since: number | Date,
): AsyncGenerator<HistoryPage<Wire>> {
  const route = `${of}.history`;
  const inZone = await zone();
  const start: Params = since instanceof Date ? { 'filter[startDate]': toAccount(since, inZone) } : {};
  const read = (sinceId: number | undefined) => {
    const from = sinceId === undefined ? start : { 'filter[sinceId]': sinceId };
    return get(route, `/api/v5/${of}/history`, schema, { ...from, limit: PAGE });
  };
  const after = typeof since === 'number' ? since : undefined;
  yield* pagesOfHistory(read, after, inZone, odd(route));
}
