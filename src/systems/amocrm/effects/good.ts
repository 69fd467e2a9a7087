import type { RemoteError } from '../../../base/remote-error.ts';
import type { Json } from '../../../base/schema.ts';
import type { Delivery, EffectHandler, Found, Look, Outcome } from '../../../domain/handler.ts';
import type { AmocrmClient } from '../client.ts';
import type { AmoMemory } from '../memory.ts';
import type { Field } from '../schema.ts';
import { blame } from './blame.ts';
import { detailsOf, matchesOf, matchOf, searchesOf, skuOf, writesOf } from './good-match.ts';
import { type GoodPayload, KINDS, keys } from './payloads.ts';

const DAY_MS = 86_400_000;
const PAGE = 250;
const MAX_PAGES = 2000;

export interface GoodOptions {
  client: AmocrmClient;
  memory: AmoMemory;
}

/** Goods of one catalog whose columns are named alike. */
interface Group {
  key: string;
  catalogId: number;
  columns: GoodPayload['columns'];
  deliveries: Delivery[];
}

/**
 * Goods of a catalog: from the map kept here, else the element that the source names, else from the catalog by article, by
 * article and maker or by name, else made.
 */
export function goodHandler({ client, memory }: GoodOptions): EffectHandler {
  const catalogFields = (catalogId: number) =>
    memory.cached<Field[]>(`amocrm:fields:catalog:${catalogId}`, DAY_MS, () => client.listFields({ catalogId }));
  const walkedKey = (catalogId: number) => `amo_catalog:${catalogId}`;
  /** What this run has read of whole catalogs: the goods that it makes itself are bound, so that one walk is enough. */
  const walked = new Map<string, ReadonlyMap<string, number>>();
  /** Whether an element exists, as far as this run has seen. */
  const stands = new Map<number, boolean>();
  /** The catalog's fields as the last request was built with them. */
  let described: readonly Field[] = [];

  /**
   * Every element of a catalog, page by page: elements have no filter by field. Binds what has an article; returns what
   * elements answer to → id.
   */
  async function walkCatalog({ key, catalogId, columns }: Group): Promise<Map<string, number>> {
    const fields = await catalogFields(catalogId);
    const found = new Map<string, number>();
    const bound = new Set<string>();
    for (let page = 1; page <= MAX_PAGES; page++) {
      const { rows } = await client.listElements(catalogId, { page, limit: PAGE });
      const fresh = new Map<string, number>();
      for (const element of rows) {
        if (element.isDeleted) continue;
        stands.set(element.id, true);
        for (const match of matchesOf(element, fields, columns)) if (!found.has(match)) found.set(match, element.id);
        const sku = skuOf(element, fields, columns);
        if (sku === '' || bound.has(sku)) continue;
        bound.add(sku);
        fresh.set(sku, element.id);
      }
      await memory.bind(
        [...fresh].map(([sku, id]) => ({ key: keys.good(catalogId, sku), kind: KINDS.good, remoteId: String(id) })),
      );
      if (rows.length < PAGE) {
        await memory.setFact(walkedKey(catalogId), String(page));
        break;
      }
    }
    walked.set(key, found);
    return found;
  }

  async function search(payload: GoodPayload): Promise<number | undefined> {
    const { catalogId, columns } = payload;
    const fields = await catalogFields(catalogId);
    const wanted = matchOf(payload, fields);
    for (const query of searchesOf(payload)) {
      const hits = (await client.searchElements(catalogId, query)).filter(
        (element) => !element.isDeleted && matchesOf(element, fields, columns).includes(wanted),
      );
      const [first] = hits.map((element) => element.id).sort((a, b) => a - b);
      if (first !== undefined) return first;
    }
    return undefined;
  }

  /** Elements that the source names. Taken on trust, but where they are to be verified or a walk has not shown them. */
  async function named({ key, catalogId, deliveries }: Group): Promise<Map<number, string>> {
    const doubtful = (payload: GoodPayload) => payload.verify === true || walked.has(key);
    const asked = deliveries
      .map(payloadOf)
      .flatMap((payload) => (payload.existing !== undefined && doubtful(payload) ? [payload.existing] : []))
      .filter((id) => !stands.has(id));
    if (asked.length > 0) {
      const there = await client.elementsByIds(catalogId, asked);
      for (const id of asked) stands.set(id, there.has(id));
    }
    return new Map(
      deliveries.flatMap((delivery): [number, string][] => {
        const { existing } = payloadOf(delivery);
        if (existing === undefined) return [];
        const trusted = stands.get(existing) ?? !doubtful(payloadOf(delivery));
        return trusted ? [[delivery.row.id, String(existing)]] : [];
      }),
    );
  }

  async function known(deliveries: readonly Delivery[]): Promise<Map<number, Found>> {
    const settled = new Map<number, Found>();
    const take = (delivery: Delivery, id: string) => settled.set(delivery.row.id, { remoteId: id });
    const bound = await memory.bound(deliveries.map(({ row }) => row.key));
    for (const delivery of deliveries) {
      const id = bound.get(delivery.row.key);
      if (id !== undefined) take(delivery, id);
    }
    for (const group of groups(deliveries.filter(({ row }) => !settled.has(row.id)))) {
      const there = await named(group);
      for (const [id, remoteId] of there) settled.set(id, { remoteId });
      const unknown = group.deliveries.filter(({ row }) => !settled.has(row.id));
      if (unknown.length === 0) continue;
      const pages = await memory.fact(walkedKey(group.catalogId));
      const read = walked.get(group.key);
      // A person may have added goods since an earlier run; whichever costs fewer requests tells.
      if (read !== undefined || pages === undefined || Number(pages) <= unknown.length) {
        const all = read ?? (await walkCatalog(group));
        const fields = await catalogFields(group.catalogId);
        for (const delivery of unknown) {
          const id = all.get(matchOf(payloadOf(delivery), fields));
          if (id !== undefined) take(delivery, String(id));
        }
        continue;
      }
      for (const delivery of unknown) {
        const id = await search(payloadOf(delivery));
        if (id !== undefined) take(delivery, String(id));
      }
    }
    return settled;
  }

  async function send(deliveries: readonly Delivery[], onSend: () => Promise<void>): Promise<Map<number, Outcome>> {
    const outcomes = new Map<number, Outcome>();
    const catalogId = payloadOf(deliveries[0] as Delivery).catalogId;
    const wanted = deliveries.filter((delivery) => !payloadOf(delivery).mustExist);
    for (const delivery of deliveries) {
      if (wanted.includes(delivery)) continue;
      const reason = 'it is not in the catalog of amoCRM, and goods are not to be made there';
      outcomes.set(delivery.row.id, { state: 'refused', reason });
    }
    if (wanted.length === 0) return outcomes;
    const fields = await catalogFields(catalogId);
    described = fields;
    const made = await client.createElements(
      catalogId,
      wanted.map((delivery) => {
        const payload = payloadOf(delivery);
        return { requestId: String(delivery.row.id), name: payload.name, fields: writesOf(payload, fields) };
      }),
      onSend,
    );
    for (const delivery of wanted) {
      const id = made.get(String(delivery.row.id));
      if (id !== undefined) outcomes.set(delivery.row.id, { state: 'done', remoteId: String(id) });
    }
    return outcomes;
  }

  async function look(deliveries: readonly Delivery[]): Promise<Map<number, Look>> {
    const looks = new Map<number, Look>();
    for (const group of groups(deliveries)) {
      const all = await walkCatalog(group);
      const fields = await catalogFields(group.catalogId);
      const there = await named(group);
      for (const delivery of group.deliveries) {
        const remoteId = there.get(delivery.row.id) ?? all.get(matchOf(payloadOf(delivery), fields));
        looks.set(
          delivery.row.id,
          remoteId === undefined ? { state: 'absent' } : { state: 'found', remoteId: String(remoteId) },
        );
      }
    }
    return looks;
  }

  return {
    kind: KINDS.good,
    batch: 50,
    known,
    send,
    look,
    judge: (error, deliveries) => judge(error, deliveries, described),
    describe: (payload) => payload as Record<string, Json>,
  };
}

/** A maker or a unit that the catalog does not accept, an unknown choice say, is left out; the good is made without it. */
function judge(error: RemoteError, deliveries: readonly Delivery[], fields: readonly Field[]): Map<number, Outcome> {
  const sent = deliveries.filter((delivery) => !payloadOf(delivery).mustExist);
  const detailed = sent.map((delivery) => {
    const details = detailsOf(payloadOf(delivery), fields).map(({ field, text }) => [String(field.id), text]);
    const payload: Json = { fields: Object.fromEntries(details) as Json };
    return { ...delivery, row: { ...delivery.row, payload } };
  });
  const sentIds = new Map(
    sent.map((delivery) => [
      delivery.row.id,
      writesOf(payloadOf(delivery), fields).map(({ fieldId }) => String(fieldId ?? '')),
    ]),
  );
  const outcomes = blame(error, detailed, { fields: ({ row }) => sentIds.get(row.id) ?? [], extra: () => [] });
  for (const delivery of sent) {
    const outcome = outcomes.get(delivery.row.id);
    if (outcome?.state !== 'amended') continue;
    const left = (outcome.payload as { fields: { [id: string]: Json } }).fields;
    const kept: { [key: string]: Json } = { ...(delivery.row.payload as { [key: string]: Json }) };
    for (const { column, field } of detailsOf(payloadOf(delivery), fields)) {
      if (!(String(field.id) in left)) delete kept[column];
    }
    outcomes.set(delivery.row.id, { ...outcome, payload: kept });
  }
  return outcomes;
}

function payloadOf(delivery: Delivery): GoodPayload {
  return delivery.row.payload as GoodPayload;
}

function groups(deliveries: readonly Delivery[]): Group[] {
  const found = new Map<string, Group>();
  for (const delivery of deliveries) {
    const { catalogId, columns } = payloadOf(delivery);
    const key = JSON.stringify([catalogId, columns?.sku, columns?.maker]);
    const group = found.get(key) ?? { key, catalogId, columns, deliveries: [] };
    group.deliveries.push(delivery);
    found.set(key, group);
  }
  return [...found.values()];
}
