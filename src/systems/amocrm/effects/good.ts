import type { Json } from '../../../base/schema.ts';
import type { Delivery, EffectHandler, Found, Look, Outcome } from '../../../domain/handler.ts';
import type { AmocrmClient } from '../client.ts';
import type { AmoMemory } from '../memory.ts';
import type { CatalogElement, Field } from '../schema.ts';
import type { FieldWrite } from '../write.ts';
import { blame } from './blame.ts';
import { type GoodPayload, KINDS, keys } from './payloads.ts';

const DAY_MS = 86_400_000;
const PAGE = 250;
const MAX_PAGES = 2000;

export interface GoodOptions {
  client: AmocrmClient;
  memory: AmoMemory;
}

/** Goods of a catalog by their article (SKU): from the map kept here, else from the catalog, else made. */
export function goodHandler({ client, memory }: GoodOptions): EffectHandler {
  const catalogFields = (catalogId: number) =>
    memory.cached<Field[]>(`amocrm:fields:catalog:${catalogId}`, DAY_MS, () => client.listFields({ catalogId }));
  const walkedKey = (catalogId: number) => `amo_catalog:${catalogId}`;
  /** What this run has read of whole catalogs: the goods that it makes itself are bound, so that one walk is enough. */
  const walked = new Map<number, ReadonlyMap<string, number>>();

  /** Every element of a catalog, page by page: elements have no filter by field. Binds what has an article; returns article → id. */
  async function walkCatalog(catalogId: number): Promise<Map<string, number>> {
    const fields = await catalogFields(catalogId);
    const found = new Map<string, number>();
    for (let page = 1; page <= MAX_PAGES; page++) {
      const { rows } = await client.listElements(catalogId, { page, limit: PAGE });
      const fresh = new Map<string, number>();
      for (const element of rows) {
        const sku = skuOf(element, fields);
        if (sku === '' || element.isDeleted || found.has(sku)) continue;
        found.set(sku, element.id);
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
    walked.set(catalogId, found);
    return found;
  }

  async function search(catalogId: number, sku: string): Promise<number | undefined> {
    const fields = await catalogFields(catalogId);
    const hits = (await client.searchElements(catalogId, sku)).filter(
      (element) => !element.isDeleted && skuOf(element, fields) === sku,
    );
    return hits.map((element) => element.id).sort((a, b) => a - b)[0];
  }

  async function known(deliveries: readonly Delivery[]): Promise<Map<number, Found>> {
    const settled = new Map<number, Found>();
    const take = (delivery: Delivery, id: string) => settled.set(delivery.row.id, { remoteId: id });
    const bound = await memory.bound(deliveries.map(({ row }) => row.key));
    for (const delivery of deliveries) {
      const id = bound.get(delivery.row.key);
      if (id !== undefined) take(delivery, id);
    }
    for (const [catalogId, unknown] of byCatalog(deliveries.filter(({ row }) => !settled.has(row.id)))) {
      const pages = await memory.fact(walkedKey(catalogId));
      const read = walked.get(catalogId);
      // A person may have added goods since an earlier run; whichever costs fewer requests tells.
      if (read !== undefined || pages === undefined || Number(pages) <= unknown.length) {
        const all = read ?? (await walkCatalog(catalogId));
        for (const delivery of unknown) {
          const id = all.get(payloadOf(delivery).sku);
          if (id !== undefined) take(delivery, String(id));
        }
        continue;
      }
      for (const delivery of unknown) {
        const id = await search(catalogId, payloadOf(delivery).sku);
        if (id !== undefined) take(delivery, String(id));
      }
    }
    return settled;
  }

  async function send(deliveries: readonly Delivery[], onSend: () => Promise<void>): Promise<Map<number, Outcome>> {
    const catalogId = payloadOf(deliveries[0] as Delivery).catalogId;
    const fields = await catalogFields(catalogId);
    const made = await client.createElements(
      catalogId,
      deliveries.map((delivery) => {
        const payload = payloadOf(delivery);
        return { requestId: String(delivery.row.id), name: payload.name, fields: writesOf(payload, fields) };
      }),
      onSend,
    );
    const outcomes = new Map<number, Outcome>();
    for (const delivery of deliveries) {
      const id = made.get(String(delivery.row.id));
      if (id !== undefined) outcomes.set(delivery.row.id, { state: 'done', remoteId: String(id) });
    }
    return outcomes;
  }

  async function look(deliveries: readonly Delivery[]): Promise<Map<number, Look>> {
    const looks = new Map<number, Look>();
    for (const [catalogId, group] of byCatalog(deliveries)) {
      const all = await walkCatalog(catalogId);
      for (const delivery of group) {
        const id = all.get(payloadOf(delivery).sku);
        looks.set(delivery.row.id, id === undefined ? { state: 'absent' } : { state: 'found', remoteId: String(id) });
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
    judge: (error, deliveries) => blame(error, deliveries, { fields: () => [], extra: () => [] }),
    describe: (payload) => payload as Record<string, Json>,
  };
}

function payloadOf(delivery: Delivery): GoodPayload {
  return delivery.row.payload as GoodPayload;
}

function byCatalog(deliveries: readonly Delivery[]): Map<number, Delivery[]> {
  const groups = new Map<number, Delivery[]>();
  for (const delivery of deliveries) {
    const { catalogId } = payloadOf(delivery);
    groups.set(catalogId, [...(groups.get(catalogId) ?? []), delivery]);
  }
  return groups;
}

/** The article's field has the code SKU in product catalogs; in a plain list an operator names it so. */
function skuField(fields: readonly Field[]): Field | undefined {
  return fields.find((field) => field.code === 'SKU') ?? fields.find((field) => /^(sku|артикул)$/i.test(field.name));
}

export function skuOf(element: Pick<CatalogElement, 'fields'>, fields: readonly Field[]): string {
  const own = skuField(fields);
  const filled = element.fields.find(
    (field) => field.code === 'SKU' || (own !== undefined && field.fieldId === own.id),
  );
  return String(filled?.values[0]?.value ?? '').trim();
}

export function writesOf(payload: Pick<GoodPayload, 'sku' | 'price'>, fields: readonly Field[]): FieldWrite[] {
  const sku = skuField(fields);
  const price = fields.find((field) => field.code === 'PRICE');
  return [
    // Without a field for the article goods could never be found again; amoCRM's refusal then says so.
    sku === undefined
      ? { fieldCode: 'SKU', values: [{ value: payload.sku }] }
      : { fieldId: sku.id, values: [{ value: payload.sku }] },
    ...(price === undefined || payload.price === undefined
      ? []
      : [{ fieldId: price.id, values: [{ value: payload.price }] }]),
  ];
}
