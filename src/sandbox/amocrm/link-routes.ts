import type { SandboxAnswer } from '../kit.ts';
import { hal, noContent, page, problem, selfLink } from './answers.ts';
import { type Call, idParam, readBatch } from './batch.ts';
import { parseUser } from './card-draft.ts';
import { typeParam } from './cards.ts';
import { addLink, dropLink, type LinkDetails } from './link-write.ts';
import { ENTITY_TYPES, type EntityType, type Link, type LinkTarget } from './model.ts';
import { at, queryTree, strings } from './query.ts';
import type { Reader } from './reader.ts';
import { liveCard, liveElement } from './world.ts';

interface LinkDraft extends LinkDetails {
  id: number;
  toType: LinkTarget;
  toId: number;
}

const TARGETS: readonly string[] = [...ENTITY_TYPES, 'catalog_elements'];
const NO_CHOICE = 'The value you selected is not a valid choice.';

/** `id` undefined: the bulk form, where each item names its card. */
function parseLink(call: Call, item: Reader, id: number | undefined): LinkDraft | undefined {
  item.only([...(id === undefined ? ['entity_id'] : []), 'to_entity_type', 'to_entity_id', 'metadata', 'request_id']);
  const type = typeParam(call);
  const card = id ?? item.integer('entity_id');
  if (card === undefined || !liveCard(call.world, type, card)) item.fault('NotSupportedChoice', 'entity_id', NO_CHOICE);
  const toType = item.string('to_entity_type');
  const toId = item.integer('to_entity_id');
  if (toType === undefined || !TARGETS.includes(toType) || toType === type) {
    item.fault('NotSupportedChoice', 'to_entity_type', NO_CHOICE);
    return undefined;
  }
  const details = parseDetails(call, item.object('metadata'));
  const target = toType as LinkTarget;
  if (target === 'catalog_elements' && details.catalogId === undefined) {
    item.fault('InvalidType', 'metadata.catalog_id', 'This value should not be blank.');
  }
  const known =
    toId !== undefined &&
    (target === 'catalog_elements'
      ? liveElement(call.world, toId, details.catalogId) !== undefined
      : liveCard(call.world, target, toId) !== undefined);
  if (!known) item.fault('NotSupportedChoice', 'to_entity_id', NO_CHOICE);
  return card === undefined || toId === undefined ? undefined : { id: card, toType: target, toId, ...details };
}

function parseDetails(call: Call, metadata: Reader | undefined): LinkDetails {
  if (!metadata) return {};
  metadata.only(['catalog_id', 'quantity', 'price_id', 'is_main', 'updated_by']);
  const priceId = metadata.integer('price_id');
  if (priceId !== undefined && !call.world.fields.some((field) => field.id === priceId && field.type === 'price')) {
    metadata.fault('NotSupportedChoice', 'price_id', NO_CHOICE);
  }
  return {
    catalogId: metadata.integer('catalog_id'),
    quantity: metadata.number('quantity'),
    priceId,
    isMain: metadata.boolean('is_main'),
    by: parseUser(call.world, metadata, 'updated_by', true),
  };
}

/** A link as seen from one of its ends. */
function renderLink(type: EntityType, link: Link): unknown {
  const forward = link.from_type === type;
  const [id, toType, toId] = forward
    ? [link.from_id, link.to_type, link.to_id]
    : [link.to_id, link.from_type, link.from_id];
  return {
    entity_id: id,
    entity_type: type,
    to_entity_id: toId,
    to_entity_type: toType,
    metadata: metadataOf(link, toType),
  };
}

function metadataOf(link: Link, toType: LinkTarget): unknown {
  if (toType === 'catalog_elements') {
    const price = link.price_id === null ? {} : { price_id: link.price_id };
    return { quantity: link.quantity, catalog_id: link.catalog_id, ...price };
  }
  return toType === 'contacts' ? { main_contact: link.is_main } : null;
}

export function postLinks(call: Call): SandboxAnswer {
  const type = typeParam(call);
  const one = call.params.id === undefined ? undefined : idParam(call);
  const batch = readBatch(call, 250, (item) => parseLink(call, item, one));
  if ('refused' in batch) return batch.refused;
  const made = batch.items.map(({ draft }) => {
    addLink(call.world, type, draft.id, draft.toType, draft.toId, draft);
    const now = call.world.links.of(type, draft.id).findLast((link) => otherEnd(type, link) === draft.toId);
    return now ? renderLink(type, now) : null;
  });
  return hal({
    _total_items: made.length,
    _links: selfLink(call.request, call.request.path),
    _embedded: { links: made },
  });
}

function otherEnd(type: EntityType, link: Link): number {
  return link.from_type === type ? link.to_id : link.from_id;
}

/** 204 also where nothing was linked: what was asked for is so. */
export function postUnlinks(call: Call): SandboxAnswer {
  const type = typeParam(call);
  const one = call.params.id === undefined ? undefined : idParam(call);
  const batch = readBatch(call, 250, (item) => parseLink(call, item, one));
  if ('refused' in batch) return batch.refused;
  for (const { draft } of batch.items) dropLink(call.world, type, draft.id, draft.toType, draft.toId, draft.by);
  return noContent();
}

/** Links of one card, or of those that `filter[entity_id][]` names; read as they are now. */
export function getLinks(call: Call): SandboxAnswer {
  const type = typeParam(call);
  const filter = at(queryTree(call.request.query), 'filter');
  const ids = call.params.id === undefined ? strings(at(filter, 'entity_id'))?.map(Number) : [idParam(call)];
  if (!ids) return problem(400, 'filter[entity_id] is required');
  const links = [...new Set(ids)].flatMap((id) =>
    call.world.links.of(type, id).filter((link) => (link.from_type === type ? link.from_id : link.to_id) === id),
  );
  const shown = links.filter((link) => wantedLink(type, link, filter));
  if (shown.length === 0) return noContent();
  const render = (link: Link) => renderLink(type, link);
  if (call.world.options.linksPaged) return page(call.request, 'links', shown, render, call.world.options);
  return hal({
    _total_items: shown.length,
    _links: selfLink(call.request, call.request.path),
    _embedded: { links: shown.map(render) },
  });
}

function wantedLink(type: EntityType, link: Link, filter: Parameters<typeof at>[0]): boolean {
  const given = (key: string) => strings(at(filter, key));
  const toType = link.from_type === type ? link.to_type : link.from_type;
  const matches = (key: string, value: unknown) => given(key)?.includes(String(value)) ?? true;
  return (
    matches('to_entity_type', toType) &&
    matches('to_entity_id', otherEnd(type, link)) &&
    matches('to_catalog_id', link.catalog_id)
  );
}
