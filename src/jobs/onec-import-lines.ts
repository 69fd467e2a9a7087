import type { Effect, RecordRef } from '../domain/effect.ts';
import { type OnecLine, searchArticle } from '../domain/onec.ts';
import { foldName } from '../domain/onec-text.ts';
import { type CreatePayload, type IdPayload, KINDS, keys, onecEffect } from '../systems/onec/effects/payloads.ts';
import { identityOf } from './onec-export-goods.ts';
import { type PlacedLine, thingBody } from './onec-import-body.ts';
import type { DealFacts, DealLine, ImportOptions } from './onec-import-deal.ts';

/** What a line is, by what amoCRM tells of it: an article with a maker is an item, an article without one a work. */
export type LineKind = 'item' | 'work' | 'unclear';

interface Placed {
  placed: PlacedLine[];
  /** Things to be made, and ids to be kept with those that stand. */
  made: Effect[];
  warnings: { subject: string; message: string }[];
}

/**
 * What stands in 1C decides; for what does not, article and maker do. Where the catalog has no column for makers, an article
 * alone says nothing against an item.
 */
export function lineKind(line: DealLine, makersKnown: boolean): LineKind {
  if (line.existing !== undefined) return line.existing.kind;
  if (searchArticle(line.article) === '') return 'unclear';
  return line.maker !== '' || !makersKnown ? 'item' : 'work';
}

/** Lines as rows of a document: each with the thing that stands for it in 1C, found or to be made; the others are told of. */
export function placeLines(
  deal: DealFacts,
  record: RecordRef,
  options: ImportOptions,
  tables: { goods: boolean; works: boolean },
): Placed {
  const result: Placed = { placed: [], made: [], warnings: [] };
  const { mapping } = options;
  for (const line of deal.lines) {
    const kind = lineKind(line, mapping.catalog.maker !== undefined);
    const skip = (reason: string) =>
      result.warnings.push({
        subject: `${record.kind}:${record.key}:${line.elementId}`,
        message: `${record.kind} ${record.key}: element ${line.elementId} is not in the document that was made in 1C: ${reason}`,
      });
    if (kind === 'unclear') skip('it has neither an article nor a name that 1C knows');
    else if (!tables[kind === 'item' ? 'goods' : 'works']) skip(`this kind of document has no table for ${kind}s`);
    else if (line.existing !== undefined) {
      result.placed.push({ line, kind, thing: { ref: line.existing.ref } });
      result.made.push(...idOfStanding(line, record, options));
    } else if (!mapping.import.createItems) skip(`1C has no such ${kind}, and onec.import.create_items is off`);
    else {
      const effects = createEffects(line, kind, record, options);
      result.placed.push({ line, kind, thing: { key: effects.key } });
      result.made.push(...effects.effects);
    }
  }
  return result;
}

/** Only where nothing stands there: another id is that of another element, which an export links with. */
function idOfStanding({ existing, elementId }: DealLine, record: RecordRef, { mapping }: ImportOptions): Effect[] {
  if (existing === undefined || existing.amoId !== undefined) return [];
  const { ref, kind } = existing;
  const payload: IdPayload = { property: 'item', set: mapping.catalogs[kind].set, object: ref, amoId: elementId };
  return [onecEffect(KINDS.id, keys.id(ref), record, [], payload)];
}

function createEffects(line: DealLine, kind: 'item' | 'work', record: RecordRef, options: ImportOptions) {
  const article = line.article.trim();
  const name = line.name.trim();
  const searched = searchArticle(article);
  const { set } = options.mapping.catalogs[kind];
  const key = kind === 'item' ? keys.item(`${searched}|${foldName(line.maker).toUpperCase()}`) : keys.work(searched);
  const payload: CreatePayload = {
    set,
    body: thingBody(line, kind, options),
    refs: {},
    find: kind === 'item' ? { by: 'article', article, maker: line.maker, name } : { by: 'work', article, name },
  };
  const id: IdPayload = { property: 'item', set, objectKey: key, amoId: line.elementId };
  return {
    key,
    effects: [
      onecEffect(kind === 'item' ? KINDS.item : KINDS.work, key, record, [], payload),
      onecEffect(KINDS.id, keys.id(key), record, [key], id),
    ],
  };
}

/** What the document holds of the deal's goods, as an export would name them; works have no article there. */
export function quantitiesOf(placed: readonly PlacedLine[], options: ImportOptions): { [identity: string]: number } {
  const quantities: { [identity: string]: number } = {};
  for (const { line, kind } of placed) {
    const { article, maker, name, quantity } = line;
    const like: OnecLine = {
      ...{ kind, article, maker, name, quantity, unit: line.unit, priceMinor: line.priceMinor },
      ...{ ref: '', code: article, totalMinor: 0 },
    };
    const { identity } = identityOf(like, options.mapping.export.matchItemsBy);
    quantities[identity] = Math.round(((quantities[identity] ?? 0) + quantity) * 1000) / 1000;
  }
  return quantities;
}
