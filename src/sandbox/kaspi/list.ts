import type { SandboxAnswer, SandboxRequest } from '../kit.ts';
import { homeState, type KaspiOptions, MAX_WINDOW_MS, type SandboxOrder } from './model.ts';
import type { KaspiStore } from './store.ts';
import { customerResource, entryResources, ok, orderResource, refused, type WireContext } from './wire.ts';

interface ListQuery {
  page: number;
  size: number;
  from: number;
  to: number;
  state: string | null;
  status: string | null;
  signatureRequired: string | null;
}

const MAX_PAGE_SIZE = 100;

function dateFilter(request: SandboxRequest, operator: string): number | undefined {
  const text = request.query.get(`filter[orders][creationDate][${operator}]`);
  return text === null || text === '' ? undefined : Number(text);
}

/** Bounds in epoch milliseconds, both inclusive; `$gt` and `$lt` exist as well and are brought to the inclusive form. */
function windowOf(request: SandboxRequest, now: number): { from: number; to: number } | string {
  const ge = dateFilter(request, '$ge');
  if (ge === undefined) return 'Required filter [orders][creationDate][$ge] is empty.';
  const from = Math.max(ge, (dateFilter(request, '$gt') ?? Number.NEGATIVE_INFINITY) + 1);
  const to = Math.min(dateFilter(request, '$le') ?? now, (dateFilter(request, '$lt') ?? Number.POSITIVE_INFINITY) - 1);
  if (Number.isNaN(from) || Number.isNaN(to)) return 'Filter [orders][creationDate] is not a number.';
  // The wording of this refusal is not known; that it is a 400 was seen by two integrators.
  if (to - from > MAX_WINDOW_MS) return 'Filter [orders][creationDate] range must not exceed 14 days.';
  return { from, to };
}

function pagingOf(request: SandboxRequest): { page: number; size: number } | string {
  const number = request.query.get('page[number]');
  if (number === null || number === '') return 'Required pagination value [number] is empty.';
  const size = request.query.get('page[size]');
  if (size === null || size === '') return 'Required pagination value [size] is empty.';
  if (!/^\d+$/.test(number)) return 'Pagination value [number] is not valid.';
  if (!/^\d+$/.test(size) || Number(size) < 1 || Number(size) > MAX_PAGE_SIZE) {
    return 'Pagination value [size] is not valid.';
  }
  return { page: Number(number), size: Number(size) };
}

/** The checked query, or the title of the 400. Filters with unknown names are passed over, as the live API does. */
function parseListQuery(request: SandboxRequest, options: KaspiOptions): ListQuery | string {
  const paging = pagingOf(request);
  if (typeof paging === 'string') return paging;
  const window = windowOf(request, options.now());
  if (typeof window === 'string') return window;
  const state = request.query.get('filter[orders][state]') || null;
  if (options.stateMandatory && state === null) return 'Required filter [orders][state] is empty.';
  const status = options.statusFilterIgnored ? null : request.query.get('filter[orders][status]') || null;
  const signatureRequired = request.query.get('filter[orders][signatureRequired]') || null;
  return { ...paging, ...window, state, status, signatureRequired };
}

function matches(order: SandboxOrder, query: ListQuery): boolean {
  const { creationDate, state, status, signatureRequired } = order.attributes;
  return (
    creationDate >= query.from &&
    creationDate <= query.to &&
    (query.state === null || query.state === state) &&
    (query.status === null || query.status === status) &&
    (query.signatureRequired === null || query.signatureRequired === String(signatureRequired))
  );
}

function listBody(orders: SandboxOrder[], request: SandboxRequest, context: WireContext, total: number, pages: number) {
  const wished = (request.query.get('include[orders]') ?? '').split(',');
  const honoured = context.options.includeHonoured;
  const withEntries = honoured && wished.includes('entries');
  const included: unknown[] = withEntries ? orders.flatMap((order) => entryResources(order, context)) : [];
  if (honoured && wished.includes('user')) {
    const buyers = new Map(orders.map((order) => [order.attributes.customer?.id, customerResource(order, context)]));
    included.push(...[...buyers.values()].filter((buyer) => buyer !== null));
  }
  return {
    data: orders.map((order) => orderResource(order, context, withEntries)),
    included,
    meta: { pageCount: pages, totalCount: total },
  };
}

/** Lets an order leave its state the natural way, so that a state-by-state reader meets a moving target. */
function leaveState(order: SandboxOrder): void {
  const { attributes } = order;
  const waits = attributes.state === 'NEW' || attributes.state === 'SIGN_REQUIRED';
  if (waits) Object.assign(attributes, { state: homeState(attributes), status: 'ACCEPTED_BY_MERCHANT' });
  else Object.assign(attributes, { state: 'ARCHIVE', status: 'COMPLETED' });
}

/** `GET /v2/orders`. With a code filter neither paging nor dates are asked for (guide q3201). */
export function listOrders(request: SandboxRequest, store: KaspiStore, context: WireContext): SandboxAnswer {
  const { options } = context;
  const code = request.query.get('filter[orders][code]');
  if (code) {
    const order = store.byCode(code);
    const found = order ? [order] : [];
    return ok(listBody(found, request, context, found.length, found.length));
  }
  const query = parseListQuery(request, options);
  if (typeof query === 'string') return refused(400, query);
  const all = store.sorted(options.resultOrder).filter((order) => matches(order, query));
  const start = query.page * query.size;
  const page = all.slice(start, start + query.size);
  // The body is made before the shift: what was read is the old state, what comes next is the new one.
  const body = listBody(page, request, context, all.length, Math.ceil(all.length / query.size));
  if (options.pageShift && start + query.size < all.length) {
    const mover = page.find((order) => order.attributes.state !== 'ARCHIVE');
    if (mover) leaveState(mover);
  }
  return ok(body);
}
