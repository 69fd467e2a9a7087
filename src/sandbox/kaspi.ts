import { usageError } from '../base/errors.ts';
import { parseInstant } from './kaspi/build.ts';
import { generateOrders } from './kaspi/generate.ts';
import { CITIES } from './kaspi/geography.ts';
import { listOrders } from './kaspi/list.ts';
import {
  asRecord,
  base64Id,
  type KaspiOptions,
  type KaspiSeed,
  type OrderSeed,
  PICKUP_POINT,
  type SandboxOrder,
} from './kaspi/model.ts';
import { oddities } from './kaspi/oddities.ts';
import { type KaspiStore, kaspiStore, type PlacedEntry, type SandboxGoods } from './kaspi/store.ts';
import {
  cityResource,
  cityResources,
  customerResource,
  entryResource,
  entryResources,
  masterProduct,
  merchantProduct,
  notFound,
  ok,
  orderResource,
  pointOfService,
  refused,
  type WireContext,
} from './kaspi/wire.ts';
import { cancelEntry, cancelPart, changeStatus } from './kaspi/writes.ts';
import type { SandboxAnswer, SandboxRequest, Standin } from './kit.ts';

export type { KaspiOptions, KaspiSeed } from './kaspi/model.ts';
export { ODDITY_CODES } from './kaspi/oddities.ts';

/** The stand-in's token: 44 characters ending in `=`, the shape of real ones. */
export const KASPI_SANDBOX_TOKEN = Buffer.from('sdelka-sandbox-kaspi-token-00001').toString('base64');

const API = '/shop/api/';
const DEFAULT_AGENT = /^(curl|python|httpx|node|got)/i;
const RESULT_ORDERS: readonly unknown[] = ['ascending', 'descending', 'shuffled'];

const DEFAULTS: KaspiOptions = {
  token: KASPI_SANDBOX_TOKEN,
  now: Date.now,
  paceNow: Date.now,
  hangOnDefaultUserAgent: true,
  statusFilterIgnored: true,
  stateMandatory: false,
  includeHonoured: true,
  offerPresent: true,
  autoAccept: false,
  maskPhonesInArchive: true,
  resultOrder: 'ascending',
  rps: 0,
  pageShift: false,
  assembledDelayMs: 2_000,
  waybillDelayMs: 4_000,
  partialCancelDelayMs: 0,
  acceptWithinMs: 0,
};

/** Kaspi's stand-in, with what tests look at. Orders handed out are copies; phones in them are never masked. */
export interface KaspiStandin extends Standin {
  /** All orders, oldest first. */
  orders(): SandboxOrder[];
  order(code: string): SandboxOrder | undefined;
  /** Every product that ever stood in an order, in the order of its first appearance. */
  goods(): SandboxGoods[];
  /** Changes an order behind the reader's back: `state`, `status`, `totalPrice`, `entries`, any attribute. */
  edit(code: string, set: Record<string, unknown>): SandboxOrder;
  remove(code: string): void;
  seed(content: KaspiSeed): void;
  snapshot(): { orders: SandboxOrder[]; states: Record<string, number> };
}

type Route = (parts: string[], request: SandboxRequest, context: WireContext) => SandboxAnswer;

function readRoutes(store: KaspiStore): Record<string, Route> {
  const orderOr404 = (id: string, render: (order: SandboxOrder) => unknown) => {
    const order = store.byId(id);
    return order ? ok(render(order)) : notFound();
  };
  const goodsOr404 = (id: string, render: (goods: SandboxGoods) => unknown) => {
    const goods = store.goodsByCard(Buffer.from(id, 'base64').toString('utf8'));
    return goods ? ok({ data: render(goods), included: [] }) : notFound();
  };
  const entryOr404 = (id: string, render: (found: PlacedEntry) => unknown) => {
    const found = store.entryById(id);
    return found ? ok({ data: render(found), included: [] }) : notFound();
  };
  const pointOr404 = (id: string, data: unknown) =>
    id.replace(/=+$/, '') === base64Id(PICKUP_POINT) ? ok({ data, included: [] }) : notFound();
  return {
    'GET v2/orders': (_, request, context) => listOrders(request, store, context),
    'POST v2/orders': (_, request, context) => changeStatus(request, store, context),
    'GET v2/orders/*': ([id = ''], _, context) =>
      orderOr404(id, (order) => ({ data: orderResource(order, context, false), included: [] })),
    'GET v2/orders/*/entries': ([id = ''], _, context) =>
      orderOr404(id, (order) => ({ data: entryResources(order, context), included: [] })),
    'GET v2/orders/*/user': ([id = ''], _, context) =>
      orderOr404(id, (order) => ({ data: customerResource(order, context), included: [] })),
    'GET v2/orderentries/*': ([id = ''], _, context) =>
      entryOr404(id, ({ order, entry }) => entryResource(order, entry, context)),
    'GET v2/orderentries/*/product': ([id = ''], _, context) =>
      entryOr404(id, ({ entry }) => {
        const goods = store.goodsBySku(entry.sku);
        return goods ? masterProduct(goods, context) : null;
      }),
    'GET v2/orderentries/*/deliveryPointOfService': ([id = ''], _, context) =>
      entryOr404(id, () => pointOfService(context)),
    'GET v2/masterproducts/*': ([id = ''], _, context) => goodsOr404(id, (goods) => masterProduct(goods, context)),
    'GET v2/masterproducts/*/merchantProduct': ([id = ''], _, context) =>
      goodsOr404(id, (goods) => merchantProduct(goods, context)),
    'GET v2/pointofservices/*': ([id = ''], _, context) => pointOr404(id, pointOfService(context)),
    'GET v2/pointofservices/*/city': ([id = ''], _, context) => {
      const [home] = CITIES;
      return pointOr404(id, home ? cityResource(home, context) : null);
    },
    'GET v2/cities': (_, _request, context) => ok({ data: cityResources(context), included: [] }),
    'POST v2/orderEntryCancelOperation': (_, request, context) => cancelEntry(request, store, context),
    'PUT orderPartialCancel/*': ([id = ''], request, context) => cancelPart(id, request, store, context),
    'GET waybill/*': ([file = '']) =>
      store.byCode(file.replace(/\.pdf$/, ''))?.attributes.kaspiDelivery?.waybill
        ? { status: 200, body: '%PDF-1.4\n%%EOF\n', headers: { 'content-type': 'application/pdf' } }
        : notFound(),
  };
}

/** The part after the resource's name is an id and becomes `*`: `v2/orders/{id}/entries`, `orderPartialCancel/{id}`. */
function splitPath(method: string, path: string): { key: string; ids: string[] } {
  const parts = path.slice(API.length).split('/').filter(Boolean).map(decodePart);
  const idAt = parts[0] === 'v2' ? 2 : 1;
  return {
    key: `${method} ${parts.map((part, index) => (index === idAt ? '*' : part)).join('/')}`,
    ids: parts.slice(idAt, idAt + 1),
  };
}

function decodePart(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function paceGuard(options: KaspiOptions): () => boolean {
  let recent: number[] = [];
  return () => {
    if (options.rps <= 0) return true;
    const now = options.paceNow();
    recent = recent.filter((at) => now - at < 1000);
    if (recent.length >= options.rps) return false;
    recent.push(now);
    return true;
  };
}

/** `now` may come over HTTP as a frozen instant (ISO or epoch ms) or as null, which lets the clock run again. */
function mergeOptions(options: KaspiOptions, given: Record<string, unknown>): void {
  for (const [key, value] of Object.entries(given)) {
    if (!(key in DEFAULTS)) throw usageError(`Kaspi stand-in: unknown option ${key}`);
    const current = DEFAULTS[key as keyof KaspiOptions];
    if (typeof current === 'function' && typeof value !== 'function') {
      const frozen = value === null ? undefined : parseInstant(value, key);
      Object.assign(options, { [key]: frozen === undefined ? current : () => frozen });
      continue;
    }
    if (typeof value !== typeof current) throw usageError(`Kaspi stand-in: option ${key} must be a ${typeof current}`);
    if (key === 'resultOrder' && !RESULT_ORDERS.includes(value)) {
      throw usageError('Kaspi stand-in: resultOrder is ascending, descending or shuffled');
    }
    Object.assign(options, { [key]: value });
  }
}

function seedStore(store: KaspiStore, options: KaspiOptions, content: KaspiSeed): void {
  const known = ['orders', 'generate', 'scenario', 'edit', 'remove'];
  const unknown = Object.keys(asRecord(content, 'seed')).filter((key) => !known.includes(key));
  if (unknown.length > 0) throw usageError(`Kaspi stand-in: unknown seed ${unknown.join(', ')}`);
  const addAll = (seeds: OrderSeed[]) => {
    for (const seed of seeds) store.add(asRecord(seed, 'order') as OrderSeed);
  };
  if (content.orders) addAll(content.orders);
  if (content.generate) {
    const context = { now: options.now(), nextCode: store.nextCode(), autoAccept: options.autoAccept };
    addAll(generateOrders(content.generate, context));
  }
  if (content.scenario === 'oddities') addAll(oddities(options.now()));
  else if (content.scenario !== undefined) throw usageError('Kaspi stand-in: the only scenario is oddities');
  if (content.edit) store.edit(content.edit.code, asRecord(content.edit.set, 'edit.set'));
  if (content.remove) store.remove(content.remove.code);
}

/**
 * A stand-in of the Kaspi merchant API v2, written from its guide and from what integrators saw of the live system.
 * Served by `serve`, its address + `/shop/api/v2` is what `KASPI_API_URL` takes.
 * Where the live answer is not known, the stand-in says 400 with a title of its own; a route it lacks gets 501.
 */
export function kaspiStandin(given: Partial<KaspiOptions> = {}): KaspiStandin {
  const options: KaspiOptions = { ...DEFAULTS };
  mergeOptions(options, given);
  const store = kaspiStore(options);
  const routes = readRoutes(store);
  const mayPass = paceGuard(options);
  const allOrders = () => structuredClone(store.sorted('ascending')) as SandboxOrder[];

  function handle(request: SandboxRequest): SandboxAnswer {
    const agent = request.headers['user-agent'] ?? '';
    if (options.hangOnDefaultUserAgent && (agent === '' || DEFAULT_AGENT.test(agent))) return { status: 0, hang: true };
    if (!mayPass()) return refused(429, 'Too many requests');
    if (request.headers['x-auth-token'] !== options.token) return refused(401, 'Unauthorized');
    store.settle();
    const { key, ids } = splitPath(request.method, request.path);
    const route = request.path.startsWith(API) ? routes[key] : undefined;
    if (!route) return refused(501, `The stand-in has no route ${key}`);
    const context: WireContext = {
      options,
      base: `http://${request.headers.host ?? 'localhost'}${API}v2`,
      cardOf: (sku) => store.goodsBySku(sku)?.card ?? sku,
    };
    return route(ids, request, context);
  }

  return {
    name: 'kaspi',
    handle,
    configure: (changes) => mergeOptions(options, changes),
    seed: (content: KaspiSeed) => seedStore(store, options, content),
    orders: () => {
      store.settle();
      return allOrders();
    },
    order(code) {
      store.settle();
      return structuredClone(store.byCode(code));
    },
    goods: () => structuredClone(store.goods()),
    edit: (code, set) => structuredClone(store.edit(code, set)),
    remove: (code) => store.remove(code),
    snapshot() {
      store.settle();
      const orders = allOrders();
      const states: Record<string, number> = {};
      for (const { attributes } of orders) states[attributes.state] = (states[attributes.state] ?? 0) + 1;
      return { orders, states };
    },
  };
}
