import { selfLink } from './answers.ts';
import type { Call } from './batch.ts';
import { renderFields } from './fields.ts';
import { type Card, type EntityType, type Link, WON } from './model.ts';
import type { World } from './world.ts';

/** The parts that `with` asks for. */
export function cardWith(call: Call): ReadonlySet<string> {
  return new Set((call.request.query.get('with') ?? '').split(',').map((part) => part.trim()));
}

/** A card as the wire has it. Links are read as they are now, even where the card itself is seen late. */
export function renderCard(call: Call, type: EntityType, card: Card, parts: ReadonlySet<string>): unknown {
  const { world } = call;
  return {
    id: card.id,
    name: card.name,
    ...(type === 'contacts' ? { first_name: card.first_name, last_name: card.last_name } : {}),
    ...(type === 'leads' ? leadOnly(card, parts) : {}),
    responsible_user_id: card.responsible_user_id,
    group_id: 0,
    created_by: card.created_by,
    updated_by: card.updated_by,
    created_at: card.created_at,
    updated_at: card.updated_at,
    closest_task_at: closestTask(world, type, card.id),
    is_deleted: card.is_deleted,
    custom_fields_values: renderFields(world, type, card.fields),
    account_id: world.options.accountId,
    _links: selfLink(call.request, `/api/v4/${type}/${card.id}`),
    _embedded: embedded(world, type, card, parts),
  };
}

function leadOnly(card: Card, parts: ReadonlySet<string>): Record<string, unknown> {
  return {
    price: card.price,
    status_id: card.status_id,
    pipeline_id: card.pipeline_id,
    loss_reason_id: card.loss_reason_id,
    closed_at: card.closed_at,
    score: null,
    labor_cost: card.status_id === WON ? 0 : null,
    ...(parts.has('is_price_modified_by_robot') ? { is_price_modified_by_robot: false } : {}),
    ...(parts.has('source_id') ? { source_id: null } : {}),
  };
}

function closestTask(world: World, type: EntityType, id: number): number | null {
  if (world.tasks.size() === 0) return null;
  const open = world.tasks
    .all()
    .filter((task) => task.entity_type === type && task.entity_id === id && !task.is_completed);
  return open.length > 0 ? Math.min(...open.map((task) => task.complete_till)) : null;
}

function embedded(world: World, type: EntityType, card: Card, parts: ReadonlySet<string>): Record<string, unknown> {
  const links = world.links.of(type, card.id);
  const others = (wanted: EntityType): Link[] =>
    links.filter((link) => (link.from_type === type ? link.to_type : link.from_type) === wanted);
  const otherId = (link: Link) => (link.from_type === type ? link.to_id : link.from_id);
  const reasons = world.lossReasons.filter((reason) => reason.id === card.loss_reason_id);
  return {
    tags: card.tags.flatMap((id) => world.tags[type].filter((tag) => tag.id === id)),
    ...(type === 'companies' ? {} : { companies: others('companies').map((link) => ({ id: otherId(link) })) }),
    ...(type !== 'contacts' && parts.has('contacts')
      ? { contacts: others('contacts').map((link) => ({ id: otherId(link), is_main: link.is_main })) }
      : {}),
    ...(type !== 'leads' && parts.has('leads')
      ? { leads: others('leads').map((link) => ({ id: otherId(link) })) }
      : {}),
    ...(type === 'leads' && parts.has('loss_reason') ? { loss_reason: reasons } : {}),
    ...(parts.has('catalog_elements') ? { catalog_elements: elementsOf(links) } : {}),
  };
}

function elementsOf(links: readonly Link[]): unknown[] {
  return links.flatMap((link) => {
    if (link.to_type !== 'catalog_elements') return [];
    const price = link.price_id === null ? {} : { price_id: link.price_id };
    return [{ id: link.to_id, metadata: { quantity: link.quantity, catalog_id: link.catalog_id, ...price } }];
  });
}
