import { linkEnds } from './links.ts';
import { type EntityType, EVENT_ENTITY, type Link, type LinkTarget } from './model.ts';
import type { World } from './world.ts';

export interface LinkDetails {
  catalogId?: number | undefined;
  quantity?: number | undefined;
  priceId?: number | undefined;
  isMain?: boolean | undefined;
  by?: number | undefined;
}

/** Links a card with another or with an element; linked already, the link changes as `linkMode` says. */
export function addLink(
  world: World,
  type: EntityType,
  id: number,
  toType: LinkTarget,
  toId: number,
  details: LinkDetails = {},
): void {
  const ends = linkEnds(type, id, toType, toId);
  if (!ends) return;
  const known = existing(world, ends);
  const repeats = known.length > 0 && !(toType === 'catalog_elements' && world.options.linkMode === 'add');
  if (repeats) for (const link of known) world.links.remove(link);
  if (ends.to_type === 'companies') dropOtherCompany(world, ends);
  const mains = world.links.of(ends.from_type, ends.from_id).filter((link) => link.to_type === 'contacts');
  if (details.isMain) for (const link of mains) link.is_main = false;
  world.links.add({
    ...ends,
    catalog_id: details.catalogId ?? null,
    quantity: details.quantity ?? 1,
    price_id: details.priceId ?? null,
    is_main: ends.to_type === 'contacts' && (details.isMain ?? mains.length === 0),
  });
  noteLink(world, ends, repeats ? undefined : 'entity_linked', details.by);
}

/** Takes every row of that link away; false where there was none. */
export function dropLink(
  world: World,
  type: EntityType,
  id: number,
  toType: LinkTarget,
  toId: number,
  by?: number,
): boolean {
  const ends = linkEnds(type, id, toType, toId);
  const known = ends ? existing(world, ends) : [];
  for (const link of known) world.links.remove(link);
  if (ends && known.length > 0) noteLink(world, ends, 'entity_unlinked', by);
  return known.length > 0;
}

type Ends = Pick<Link, 'from_type' | 'from_id' | 'to_type' | 'to_id'>;

function existing(world: World, ends: Ends): Link[] {
  const links = world.links.of(ends.from_type, ends.from_id);
  return links.filter(
    (link) => link.from_id === ends.from_id && link.to_type === ends.to_type && link.to_id === ends.to_id,
  );
}

/** A card has one company; linking another replaces it (unconfirmed for the API, so in the card). */
function dropOtherCompany(world: World, ends: Ends): void {
  for (const link of world.links.of(ends.from_type, ends.from_id)) {
    const own = link.from_type === ends.from_type && link.from_id === ends.from_id;
    if (own && link.to_type === 'companies') world.links.remove(link);
  }
}

function noteLink(world: World, ends: Ends, event: 'entity_linked' | 'entity_unlinked' | undefined, by?: number): void {
  const target = ends.to_type === 'catalog_elements' ? 'catalog_element' : EVENT_ENTITY[ends.to_type];
  const value = [{ link: { entity: { type: target, id: ends.to_id } } }];
  if (event) {
    world.record({
      type: event,
      entityType: EVENT_ENTITY[ends.from_type],
      entityId: ends.from_id,
      ...(by === undefined ? {} : { by }),
      after: event === 'entity_linked' ? value : [],
      before: event === 'entity_unlinked' ? value : [],
    });
  }
  const card = world.cards[ends.from_type].get(ends.from_id);
  if (card && world.options.linkTouches) world.cards[ends.from_type].put({ ...card, updated_at: world.seconds() });
}
