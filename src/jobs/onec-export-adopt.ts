import type { LinkState } from '../domain/effect.ts';
import type { OnecDocument } from '../domain/onec.ts';
import type { Adopted } from '../runner/sink.ts';
import { type DealState, type Goods, KINDS, keys } from '../systems/amocrm/effects/payloads.ts';
import type { Deal } from '../systems/amocrm/schema.ts';
import { KINDS as ONEC_KINDS, keys as onecKeys } from '../systems/onec/effects/payloads.ts';
import { fromLocal } from '../systems/onec/time.ts';
import { fieldText } from './kaspi-codes.ts';
import { agreedState, type DocumentOptions, fieldTexts, noteName, recordOf, sourceOf } from './onec-export-deal.ts';
import { elementsNamed, quantitiesOf } from './onec-export-goods.ts';
import { isExchanged } from './onec-export-plan.ts';
import type { OnecJobContext } from './onec-reading.ts';

/** 1C names a deal that is gone, or that stands for another document. */
export interface Standing {
  state: 'gone' | 'taken';
  dealId: number;
}

export interface Adoption {
  adopted: Adopted[];
  /** Documents whose deal cannot be bound. */
  astray: Map<string, Standing>;
}

/**
 * Documents that were never exported from here and whose deal stands all the same: an import of ours has bound it, or 1C
 * names it in the additional information or in our marker. Where 1C's dates say that both sides agree, what the document
 * says counts as written; else what the deal shows, so that the difference is sent.
 */
export async function adoptDocuments(
  documents: readonly OnecDocument[],
  links: ReadonlyMap<string, LinkState>,
  context: OnecJobContext,
  options: DocumentOptions,
): Promise<Adoption> {
  const adoption: Adoption = { adopted: [], astray: new Map() };
  const named: { document: OnecDocument; dealId: number }[] = [];
  for (const document of documents) {
    const link = links.get(keys.deal(sourceOf(document)));
    const dealId = document.marks.amoId ?? document.madeForDeal;
    if (link !== undefined) adoption.adopted.push(boundAlready(document, link, links, options));
    else if (dealId !== undefined) named.push({ document, dealId });
  }
  if (named.length === 0) return adoption;
  const owners = await context.tables.onec.refsOfDeals(named.map(({ dealId }) => dealId));
  const { client, memory } = await context.clients.amocrm();
  const deals = await client.dealsByIds([...new Set(named.map(({ dealId }) => dealId))], ['catalog_elements']);
  const bound = await memory.bound(named.flatMap(({ document }) => goodKeys(document, options)));
  // A copied document keeps the marker, so that the additional information goes first; then the older one is the original.
  const inOrder = named.toSorted(
    (a, b) =>
      Number(b.document.marks.amoId !== undefined) - Number(a.document.marks.amoId !== undefined) ||
      a.document.date.localeCompare(b.document.date),
  );
  for (const { document, dealId } of inOrder) {
    const isMarked = document.marks.amoId !== undefined;
    const deal = deals.get(dealId);
    if ((owners.get(dealId) ?? document.ref) !== document.ref) {
      if (isMarked) adoption.astray.set(document.ref, { state: 'taken', dealId });
    } else if (deal === undefined || deal.isDeleted) {
      if (isMarked) adoption.astray.set(document.ref, { state: 'gone', dealId });
    } else {
      owners.set(dealId, document.ref);
      adoption.adopted.push(namedByOnec(document, deal, bound, options));
    }
  }
  return adoption;
}

/** Made by an import: its deal is bound, but was never planned as an export. */
function boundAlready(
  document: OnecDocument,
  link: LinkState,
  links: ReadonlyMap<string, LinkState>,
  options: DocumentOptions,
): Adopted {
  const applied = link.applied as DealState | null;
  const goods = isExchanged(document) ? (quantitiesOf(document, options) ?? {}) : {};
  const missing = [goodsThing(document, link.remoteId, goods), markThing(document, options)];
  return {
    record: recordOf(document),
    dealKey: link.key,
    dealKind: KINDS.deal,
    dealId: Number(link.remoteId),
    applied: isExchanged(document) ? asJson(agreedState(document, applied ?? {}, options)) : link.applied,
    others: missing.filter(({ key }) => !links.has(key)),
  };
}

/** Named by 1C alone, as in a database that was lost. */
function namedByOnec(
  document: OnecDocument,
  deal: Deal,
  bound: ReadonlyMap<string, string>,
  options: DocumentOptions,
): Adopted {
  const isAgreed = isExchanged(document);
  const elements = elementIds(document, bound, options);
  const goods = isAgreed ? (quantitiesOf(document, options) ?? {}) : goodsShown(deal, elements, options);
  const idKey = onecKeys.id(document.ref);
  return {
    record: recordOf(document),
    dealKey: keys.deal(sourceOf(document)),
    dealKind: KINDS.deal,
    dealId: deal.id,
    applied: asJson(isAgreed ? agreedState(document, deal, options) : stateShown(document, deal, options)),
    others: [
      goodsThing(document, String(deal.id), goods),
      ...goodThings(deal, elements, bound, options),
      markThing(document, options),
      ...(isAgreed ? noteThings(document, options) : []),
      ...(document.marks.amoId === deal.id ? [{ key: idKey, kind: ONEC_KINDS.id, remoteId: String(deal.id) }] : []),
    ],
  };
}

function stateShown(document: OnecDocument, deal: Deal, { mapping }: DocumentOptions): DealState {
  const ids = Object.keys(fieldTexts(document, mapping));
  const fields = Object.fromEntries(ids.map((id) => [id, fieldText(deal, Number(id))] as const));
  return { price: deal.price, pipelineId: deal.pipelineId, statusId: deal.statusId, tags: [], fields };
}

function goodKeys(document: OnecDocument, options: DocumentOptions): string[] {
  const { catalogId } = options;
  if (catalogId === undefined) return [];
  return [...elementsNamed(document, options).keys()].map((identity) => keys.good(catalogId, identity));
}

/** Identity → element of the catalog, as far as it is known here or to 1C. */
function elementIds(
  document: OnecDocument,
  bound: ReadonlyMap<string, string>,
  options: DocumentOptions,
): Map<string, number> {
  const found = new Map<string, number>();
  for (const [identity, amoId] of elementsNamed(document, options)) {
    const own = bound.get(keys.good(options.catalogId ?? 0, identity));
    const elementId = own === undefined ? amoId : Number(own);
    if (elementId !== undefined) found.set(identity, elementId);
  }
  return found;
}

/** Of the goods on the deal those that the document knows; whatever else is there is a person's. */
function goodsShown(deal: Deal, elements: ReadonlyMap<string, number>, { catalogId }: DocumentOptions): Goods {
  const goods: Goods = {};
  for (const [identity, elementId] of elements) {
    const there = deal.elements.filter((one) => one.elementId === elementId && one.catalogId === catalogId);
    if (there.length > 0) goods[identity] = there.reduce((sum, { quantity }) => sum + quantity, 0);
  }
  return goods;
}

function goodsThing(document: OnecDocument, remoteId: string, applied: Goods) {
  return { key: keys.dealGoods(sourceOf(document)), kind: KINDS.dealGoods, remoteId, applied };
}

/** Elements that stand on the deal and that 1C alone knew: bound from now on, so that they can be taken off again. */
function goodThings(
  deal: Deal,
  elements: ReadonlyMap<string, number>,
  bound: ReadonlyMap<string, string>,
  { catalogId }: DocumentOptions,
) {
  const onDeal = new Set(deal.elements.filter((one) => one.catalogId === catalogId).map((one) => one.elementId));
  return [...elements]
    .filter(([, elementId]) => onDeal.has(elementId))
    .map(([identity, elementId]) => ({
      key: keys.good(catalogId ?? 0, identity),
      kind: KINDS.good,
      remoteId: String(elementId),
    }))
    .filter(({ key }) => !bound.has(key));
}

/** The note of an exchanged document was made then; its own id is not known. */
function noteThings(document: OnecDocument, options: DocumentOptions) {
  const name = noteName(document, options);
  return name === undefined ? [] : [{ key: keys.note(sourceOf(document), name), kind: KINDS.note, remoteId: null }];
}

function markThing(document: OnecDocument, { zone }: DocumentOptions) {
  const { exportedAt } = document.marks;
  const applied = exportedAt === undefined ? {} : { exportedAt: fromLocal(exportedAt, zone).toISOString() };
  return { key: onecKeys.mark(document.ref), kind: ONEC_KINDS.mark, remoteId: document.ref, applied };
}

function asJson(state: DealState): Adopted['applied'] {
  return JSON.parse(JSON.stringify(state)) as Adopted['applied'];
}
