import { usageError } from '../../base/errors.ts';
import { buildOrder, editOrder } from './build.ts';
import {
  entryId,
  type KaspiOptions,
  type OrderSeed,
  orderTotal,
  type ResultOrder,
  type SandboxEntry,
  type SandboxOrder,
  stableNumber,
} from './model.ts';

/** One product: Kaspi's card and the merchant's SKU for it. Prices are tenge. */
export interface SandboxGoods {
  card: string;
  sku: string;
  name: string;
  basePrice: number;
  category: { code: string; title: string };
}

export interface PlacedEntry {
  order: SandboxOrder;
  entry: SandboxEntry;
}

interface LaterEffect {
  at: number;
  apply: () => void;
}

export interface KaspiStore {
  add(seed: OrderSeed): SandboxOrder;
  edit(code: string, set: Record<string, unknown>): SandboxOrder;
  remove(code: string): void;
  /** Takes a line away for good; an order without lines is cancelled. */
  dropEntry(order: SandboxOrder, entry: SandboxEntry): void;
  byCode(code: string): SandboxOrder | undefined;
  byId(id: string): SandboxOrder | undefined;
  entryById(id: string): PlacedEntry | undefined;
  goodsByCard(card: string): SandboxGoods | undefined;
  goodsBySku(sku: string): SandboxGoods | undefined;
  goods(): SandboxGoods[];
  /** All orders in the wished order; a shared list that nobody may change. */
  sorted(by: ResultOrder): readonly SandboxOrder[];
  nextCode(): string;
  /** Applies an effect now (delay 0) or with the first request after the delay; tells whether it was applied. */
  later(delayMs: number, apply: () => void): boolean;
  /** Lets everything happen that is due: delayed effects, and NEW orders that nobody accepted. */
  settle(): void;
}

const AUTOMATIC_SKU = /^(\d{6,})_\d+$/;

function comparator(by: ResultOrder): (a: SandboxOrder, b: SandboxOrder) => number {
  const ascending = (a: SandboxOrder, b: SandboxOrder) =>
    a.attributes.creationDate - b.attributes.creationDate || (a.attributes.code < b.attributes.code ? -1 : 1);
  if (by === 'ascending') return ascending;
  return (a, b) => ascending(b, a);
}

function shuffled(orders: SandboxOrder[]): SandboxOrder[] {
  return orders
    .map((order) => ({ order, key: stableNumber(order.attributes.code) }))
    .sort((a, b) => a.key - b.key)
    .map(({ order }) => order);
}

function goodsShelf() {
  const bySku = new Map<string, SandboxGoods>();
  const byCard = new Map<string, SandboxGoods>();
  /** A hand-made card's SKU begins with its number; other SKUs get a card number that only depends on them. */
  function cardOf(sku: string): string {
    const automatic = AUTOMATIC_SKU.exec(sku)?.[1];
    if (automatic !== undefined && !byCard.has(automatic)) return automatic;
    let card = 100_000_000 + (stableNumber(sku) % 800_000_000);
    while (byCard.has(String(card))) card += 1;
    return String(card);
  }
  function put(entry: SandboxEntry): void {
    const { sku, name, basePrice, category } = entry;
    const known = bySku.get(sku);
    if (known) {
      Object.assign(known, { name, basePrice, category });
      return;
    }
    const goods = { card: cardOf(sku), sku, name, basePrice, category };
    bySku.set(sku, goods);
    byCard.set(goods.card, goods);
  }
  return { bySku, byCard, put };
}

/** All that the stand-in remembers. Options are read at each use, for they may be changed at any time. */
export function kaspiStore(options: KaspiOptions): KaspiStore {
  const orders = new Map<string, SandboxOrder>();
  const ids = new Map<string, SandboxOrder>();
  const entries = new Map<string, PlacedEntry>();
  const shelf = goodsShelf();
  const sortedLists = new Map<ResultOrder, SandboxOrder[]>();
  let waiting: LaterEffect[] = [];
  let lastCode = 1_019_876_542;

  function index(order: SandboxOrder): void {
    for (const entry of order.entries) {
      entries.set(entryId(order.attributes.code, entry.entryNumber), { order, entry });
      shelf.put(entry);
    }
  }

  function unindex(order: SandboxOrder): void {
    for (const entry of order.entries) entries.delete(entryId(order.attributes.code, entry.entryNumber));
  }

  function need(code: string): SandboxOrder {
    const order = orders.get(code);
    if (!order) throw usageError(`Kaspi stand-in: no order ${code}`);
    return order;
  }

  function add(seed: OrderSeed): SandboxOrder {
    const code = seed.code ?? String(lastCode + 1);
    if (!/^\d+$/.test(code)) throw usageError(`Kaspi stand-in: order code ${code} must be digits`);
    if (orders.has(code)) throw usageError(`Kaspi stand-in: order ${code} exists already`);
    const order = buildOrder(seed, { code, now: options.now(), autoAccept: options.autoAccept });
    lastCode = Math.max(lastCode, Number(code));
    orders.set(code, order);
    ids.set(order.id, order);
    index(order);
    sortedLists.clear();
    return order;
  }

  function expire(order: SandboxOrder, now: number): void {
    const { attributes } = order;
    if (attributes.state !== 'NEW' || now - attributes.creationDate <= options.acceptWithinMs) return;
    Object.assign(attributes, {
      state: 'ARCHIVE',
      status: 'CANCELLED',
      cancellationReason: 'MERCHANT_OUT_OF_STOCK',
    });
  }

  return {
    add,
    edit(code, set) {
      const order = need(code);
      unindex(order);
      try {
        editOrder(order, set);
      } finally {
        index(order);
        sortedLists.clear();
      }
      return order;
    },
    remove(code) {
      const order = need(code);
      unindex(order);
      orders.delete(code);
      ids.delete(order.id);
      sortedLists.clear();
    },
    dropEntry(order, entry) {
      entries.delete(entryId(order.attributes.code, entry.entryNumber));
      order.entries = order.entries.filter((other) => other !== entry);
      order.attributes.totalPrice = orderTotal(order.entries);
    },
    byCode: (code) => orders.get(code),
    byId: (id) => ids.get(id.replace(/=+$/, '')),
    entryById: (id) => entries.get(id.replace(/=+$/, '')),
    goodsByCard: (card) => shelf.byCard.get(card),
    goodsBySku: (sku) => shelf.bySku.get(sku),
    goods: () => [...shelf.bySku.values()],
    sorted(by) {
      const known = sortedLists.get(by);
      if (known) return known;
      const all = [...orders.values()];
      const list = by === 'shuffled' ? shuffled(all) : all.sort(comparator(by));
      sortedLists.set(by, list);
      return list;
    },
    nextCode: () => String(lastCode + 1),
    later(delayMs, apply) {
      if (delayMs > 0) waiting.push({ at: options.now() + delayMs, apply });
      else apply();
      return delayMs <= 0;
    },
    settle() {
      const now = options.now();
      const due = waiting.filter((effect) => effect.at <= now);
      waiting = waiting.filter((effect) => effect.at > now);
      for (const effect of due.sort((a, b) => a.at - b.at)) effect.apply();
      if (options.acceptWithinMs > 0) for (const order of orders.values()) expire(order, now);
    },
  };
}
