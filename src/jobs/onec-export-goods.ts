import type { OnecMapping } from '../config/mapping-onec-types.ts';
import type { Effect, RecordRef } from '../domain/effect.ts';
import { type OnecDocument, type OnecLine, searchArticle } from '../domain/onec.ts';
import { foldName } from '../domain/onec-text.ts';
import {
  type GoodPayload,
  type Goods,
  goodEffect,
  goodLinkEffect,
  keys,
  type Source,
} from '../systems/amocrm/effects/payloads.ts';
import { type IdPayload, KINDS as ONEC_KINDS, onecEffect, keys as onecKeys } from '../systems/onec/effects/payloads.ts';

/** How goods of documents become elements of amoCRM's catalog. */
export interface GoodsOptions {
  mapping: Pick<OnecMapping, 'catalogs' | 'catalog' | 'export'>;
  /** Absent: lists are not to be had, and deals go without goods. */
  catalogId: number | undefined;
}

type Match = Required<Pick<GoodPayload, 'identity' | 'match'>>;

/**
 * What tells a line's thing from the others of the catalog. An article alone is the identity that Kaspi's goods have, so
 * that both streams meet at one element; works and items without an article go by their name.
 */
export function identityOf(line: OnecLine, matchBy: OnecMapping['export']['matchItemsBy']): Match {
  const article = line.article.trim();
  if (line.kind === 'item' && searchArticle(article) !== '') {
    const maker = foldName(line.maker).toUpperCase();
    if (matchBy === 'article' || maker === '') return { identity: article, match: 'sku' };
    return { identity: `${searchArticle(article)}|${maker}`, match: 'sku+maker' };
  }
  return { identity: `name:${foldName(line.name) || line.code || line.ref}`, match: 'name' };
}

interface Good extends Match {
  /** Lines of the same thing; at least one. */
  lines: OnecLine[];
  quantity: number;
}

/** A document's goods, lines of one thing together, in the order of the document; what comes to nothing is left out. */
function goodsOf(document: OnecDocument, { mapping }: GoodsOptions): Good[] {
  const goods = new Map<string, Good>();
  for (const line of document.lines) {
    const match = identityOf(line, mapping.export.matchItemsBy);
    const good = goods.get(match.identity) ?? { ...match, lines: [], quantity: 0 };
    good.lines.push(line);
    // Weighed goods have three decimals; a sum of floats must not look like a change.
    good.quantity = Math.round((good.quantity + line.quantity) * 1000) / 1000;
    goods.set(match.identity, good);
  }
  return [...goods.values()].filter(({ quantity }) => quantity > 0);
}

/** Identity → quantity; undefined where the deal goes without goods. */
export function quantitiesOf(document: OnecDocument, options: GoodsOptions): Goods | undefined {
  if (options.catalogId === undefined) return undefined;
  return Object.fromEntries(goodsOf(document, options).map(({ identity, quantity }) => [identity, quantity]));
}

/** Identity → the element that 1C says stands for it, where it says so. */
export function elementsNamed(document: OnecDocument, options: GoodsOptions): Map<string, number | undefined> {
  return new Map(goodsOf(document, options).map(({ identity, lines }) => [identity, amoIdOf(lines)]));
}

/** The elements that a document's goods need, each found or made, and their ids kept with 1C's items and works. */
export function elementEffects(document: OnecDocument, record: RecordRef, options: GoodsOptions): Effect[] {
  const { catalogId, mapping } = options;
  if (catalogId === undefined) return [];
  return goodsOf(document, options).flatMap((good) => [
    goodEffect(record, elementOf(good, catalogId, mapping)),
    ...idsOf(good, record, keys.good(catalogId, good.identity), mapping),
  ]);
}

/** The goods put on a new deal. */
export function linkEffects(
  document: OnecDocument,
  source: Source,
  record: RecordRef,
  options: GoodsOptions,
): Effect[] {
  const { catalogId } = options;
  if (catalogId === undefined) return [];
  return goodsOf(document, options).map(({ identity, quantity }) =>
    goodLinkEffect(source, record, { catalogId, sku: identity, quantity }),
  );
}

function elementOf({ identity, match, lines }: Good, catalogId: number, mapping: GoodsOptions['mapping']): GoodPayload {
  const { article, code, kind, maker, name, priceMinor, unit } = lines[0] as OnecLine;
  const existing = amoIdOf(lines);
  const { createItems, verifyItems } = mapping.export;
  const { sku, price, maker: makerColumn, unit: unitColumn } = mapping.catalog;
  return {
    catalogId,
    // A work has its code where goods have their article (seen in amoCRM beside Alfa-Auto 6).
    sku: kind === 'work' ? code : article.trim(),
    name: name || article || code,
    price: priceMinor / 100,
    identity,
    match,
    ...(maker === '' ? {} : { maker }),
    ...(unit === '' ? {} : { unit }),
    ...(existing === undefined ? {} : { existing, verify: verifyItems }),
    columns: {
      ...(sku === undefined ? {} : { sku }),
      ...(price === undefined ? {} : { price }),
      ...(makerColumn === undefined ? {} : { maker: makerColumn }),
      ...(unitColumn === undefined ? {} : { unit: unitColumn }),
    },
    ...(createItems ? {} : { mustExist: true as const }),
  };
}

function amoIdOf(lines: readonly OnecLine[]): number | undefined {
  return lines.find(({ amoId }) => amoId !== undefined)?.amoId;
}

function idsOf({ lines }: Good, record: RecordRef, goodKey: string, { catalogs }: GoodsOptions['mapping']): Effect[] {
  const things = new Map(lines.map((line) => [line.ref, line]));
  return [...things.values()].map(({ kind, ref, amoId }) => {
    const payload: IdPayload = {
      property: 'item',
      set: catalogs[kind].set,
      object: ref,
      amoKey: goodKey,
      ...(amoId === undefined ? {} : { current: amoId }),
    };
    return onecEffect(ONEC_KINDS.id, onecKeys.id(ref), record, [goodKey], payload);
  });
}
