import type { RemoteError } from '../../../base/remote-error.ts';
import type { Json } from '../../../base/schema.ts';
import type { Delivery, EffectHandler, Found, Look, Outcome, Report } from '../../../domain/handler.ts';
import type { AmocrmClient } from '../client.ts';
import { chunks } from '../lists.ts';
import type { AmoMemory } from '../memory.ts';
import { probed } from '../probed.ts';
import { type ElementLink, validationErrors } from '../schema.ts';
import type { NewLink, Unlink } from '../write.ts';
import { type DealGoodsPayload, type Goods, KINDS, keys } from './payloads.ts';
import { conflictReport, goneReport } from './reports.ts';

/** One request carries so many links; the vendor's library recommends 50 items a batch (amocrm-api-php, README). */
const ITEMS = 50;

export interface DealGoodsOptions {
  client: AmocrmClient;
  memory: AmoMemory;
}

interface Item<L = Unlink> {
  delivery: Delivery;
  sku: string;
  link: L;
}

interface Comparison {
  changes: Difference[];
  reports: Report[];
  /** What the deal is left with of what was wanted: goods that have no element are not among it. */
  reached: Goods;
}

interface Difference {
  sku: string;
  elementId: number;
  present: number;
  wanted: number;
}

/** Goods of deals that stand: added, changed, taken away. Only what we have linked is unlinked. */
export function dealGoodsHandler({ client, memory }: DealGoodsOptions): EffectHandler {
  const differences = new Map<number, Comparison>();
  /** Rows of which this run has sent something. */
  const begun = new Set<number>();
  /** What the last request asked for, for amoCRM counts the items that it refuses. */
  let asked: readonly Item[] = [];

  async function known(deliveries: readonly Delivery[]): Promise<Map<number, Found>> {
    const links = await client.linksOfDeals(deliveries.map(dealIdOf));
    const bound = await memory.bound(deliveries.flatMap(goodKeys));
    const linkedByUs = await memory.bound(deliveries.flatMap(linkKeys));
    const settled = new Map<number, Found>();
    for (const delivery of deliveries) {
      const present = links.get(dealIdOf(delivery));
      if (!present) {
        settled.set(delivery.row.id, asFound(delivery, { reports: [goneReport(delivery, dealIdOf(delivery))] }));
        continue;
      }
      const found = compare(delivery, present, {
        bound,
        linkedByUs,
        begun: delivery.row.sentAt !== null || begun.has(delivery.row.id),
      });
      differences.set(delivery.row.id, found);
      if (found.changes.length === 0) settled.set(delivery.row.id, asFound(delivery, found));
    }
    return settled;
  }

  /** Two steps, each of them safe to repeat: what is read anew after a cut tells what is left to do. */
  async function send(deliveries: readonly Delivery[], onSend: () => Promise<void>): Promise<Map<number, Outcome>> {
    const replaces = (await probed(memory, 'relink')) === 'replaces';
    const unlinks: Item<Unlink>[] = [];
    const links: Item<NewLink>[] = [];
    const noted = async () => {
      await onSend();
      for (const { row } of deliveries) begun.add(row.id);
    };
    // Part of it may have taken effect before the rest was refused: what is left is read anew, deal by deal, since lists lag.
    for (const delivery of deliveries) if (begun.has(delivery.row.id)) await known([delivery]);
    for (const delivery of deliveries) {
      const { catalogId } = payloadOf(delivery);
      const dealId = dealIdOf(delivery);
      for (const { sku, elementId, present, wanted } of differences.get(delivery.row.id)?.changes ?? []) {
        // Whether a second link sets the quantity or adds a row is not documented: unless a probe has shown it, the first one goes.
        if (present > 0 && (wanted === 0 || !replaces)) {
          unlinks.push({ delivery, sku, link: { dealId, elementId, catalogId } });
        }
        if (wanted > 0) links.push({ delivery, sku, link: { dealId, elementId, catalogId, quantity: wanted } });
      }
    }
    for (const items of chunks(unlinks, ITEMS)) {
      asked = items;
      await client.unlinkDeals(
        items.map(({ link }) => link),
        noted,
      );
    }
    for (const items of chunks(links, ITEMS)) {
      asked = items;
      await client.linkDeals(
        items.map(({ link }) => link),
        noted,
      );
    }
    return new Map(
      deliveries.map((delivery) => [
        delivery.row.id,
        { state: 'done', ...asFound(delivery, differences.get(delivery.row.id)) },
      ]),
    );
  }

  async function look(deliveries: readonly Delivery[]): Promise<Map<number, Look>> {
    const found = await known(deliveries);
    return new Map(
      deliveries.map(({ row }): [number, Look] => {
        const one = found.get(row.id);
        return [row.id, one ? { state: 'found', ...one } : { state: 'absent' }];
      }),
    );
  }

  function judge(error: RemoteError): Map<number, Outcome> {
    const outcomes = new Map<number, Outcome>();
    for (const { requestId, path, code } of validationErrors(error.answer)) {
      const item = requestId === '' ? undefined : asked[Number(requestId)];
      if (!item) continue;
      const { row } = item.delivery;
      const reason = `amoCRM refused goods ${item.sku} (${path || 'item'}: ${code})`;
      const goodKey = keys.good(payloadOf(item.delivery).catalogId, item.sku);
      const isGone = path.startsWith('to_entity_id');
      outcomes.set(row.id, isGone ? { state: 'renew', keys: [goodKey], reason } : { state: 'refused', reason });
    }
    return outcomes;
  }

  return {
    kind: KINDS.dealGoods,
    batch: 20,
    counts: 'updated',
    known,
    send,
    look,
    judge,
    verify: async (deliveries) => {
      const settled = await known(deliveries);
      const missing: number[] = [];
      for (const delivery of deliveries) {
        // A list may not show yet what was just written; a deal read by itself does.
        if (settled.has(delivery.row.id) || (await known([delivery])).has(delivery.row.id)) continue;
        missing.push(delivery.row.id);
      }
      return missing;
    },
    describe: (payload) => ({ goods: (payload as DealGoodsPayload).to }) satisfies Record<string, Json>,
  };
}

function payloadOf(delivery: Delivery): DealGoodsPayload {
  return delivery.row.payload as DealGoodsPayload;
}

function dealIdOf(delivery: Delivery): number {
  return Number(delivery.ids.get(payloadOf(delivery).dealKey));
}

/** Every article that is wanted now or that we may have linked before. */
function skusOf({ to, ours }: DealGoodsPayload): string[] {
  return [...new Set([to, ...ours].flatMap((goods: Goods) => Object.keys(goods)))];
}

function goodKeys(delivery: Delivery): string[] {
  const payload = payloadOf(delivery);
  return skusOf(payload).map((sku) => keys.good(payload.catalogId, sku));
}

function linkKeys(delivery: Delivery): string[] {
  const payload = payloadOf(delivery);
  return skusOf(payload).map((sku) => linkKey(payload, sku));
}

function linkKey({ dealKey }: DealGoodsPayload, sku: string): string {
  const [, , system = '', ...id] = dealKey.split(':');
  return keys.goodLink({ system, id: id.join(':') }, sku);
}

interface WhatIsKnown {
  /** Keys of goods → elements of the catalog. */
  bound: ReadonlyMap<string, string>;
  /** Keys of links that were made together with the deal. */
  linkedByUs: ReadonlyMap<string, string>;
  /** A request of this very change may have been carried out. */
  begun: boolean;
}

function compare(
  delivery: Delivery,
  links: readonly ElementLink[],
  { bound, linkedByUs, begun }: WhatIsKnown,
): Comparison {
  const payload = payloadOf(delivery);
  const changes: Difference[] = [];
  const reports: Report[] = [];
  for (const [elementId, skus] of elementsOf(payload, bound)) {
    const sumOf = (goods: Goods, some: readonly string[]) => some.reduce((sum, one) => sum + (goods[one] ?? 0), 0);
    const present = links
      .filter((link) => link.elementId === elementId && link.catalogId === payload.catalogId)
      .reduce((sum, link) => sum + link.quantity, 0);
    const wanted = sumOf(payload.to, skus);
    if (same(present, wanted)) continue;
    const before = payload.ours.map((goods) => sumOf(goods, skus));
    const linked = skus.filter((sku) => linkedByUs.has(linkKey(payload, sku)));
    // Goods that never got onto the deal, or that this change has taken off already, are missing through us, not through a person.
    if (linked.length < skus.length) before.push(0, ...payload.ours.map((goods) => sumOf(goods, linked)));
    if (begun) before.push(0);
    const sku = skus[0] ?? '';
    if (before.some((quantity) => same(quantity, present))) changes.push({ sku, elementId, present, wanted });
    else if (!same(before[0] ?? 0, wanted)) reports.push(conflictReport(delivery, dealIdOf(delivery), `goods ${sku}`));
  }
  const reached = Object.entries(payload.to).filter(([sku]) => bound.has(keys.good(payload.catalogId, sku)));
  return { changes, reports, reached: Object.fromEntries(reached) };
}

/** Element → the goods that it stands for: several where the catalog does not tell them apart, and a deal has each element once. */
function elementsOf(payload: DealGoodsPayload, bound: ReadonlyMap<string, string>): Map<number, string[]> {
  const elements = new Map<number, string[]>();
  for (const sku of skusOf(payload)) {
    const elementId = Number(bound.get(keys.good(payload.catalogId, sku)) ?? Number.NaN);
    if (!Number.isNaN(elementId)) elements.set(elementId, [...(elements.get(elementId) ?? []), sku]);
  }
  return elements;
}

/** Weighed goods have three decimals; a float on the way must not look like a change. */
function same(a: number, b: number): boolean {
  return Math.abs(a - b) < 0.0005;
}

function asFound(delivery: Delivery, { reports = [], reached }: Partial<Comparison> = {}): Found {
  const { goodsKey, to } = payloadOf(delivery);
  const remoteId = String(dealIdOf(delivery));
  return { remoteId, links: [{ key: goodsKey, kind: KINDS.dealGoods, remoteId, applied: reached ?? to }], reports };
}
