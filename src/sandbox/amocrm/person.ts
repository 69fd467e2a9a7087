import { updateCard } from './card-apply.ts';
import { parseCard } from './card-draft.ts';
import { catalogOwner, putElement } from './catalogs.ts';
import { EMAIL_FIELD, PHONE_FIELD, TOKEN_USER } from './defaults.ts';
import { fieldsFromPlain, wireFields } from './fields.ts';
import { addLink, dropLink } from './link-write.ts';
import { type Card, type CatalogElement, type EntityType, EVENT_ENTITY } from './model.ts';
import { reader } from './reader.ts';
import { liveCard, liveElement, type World } from './world.ts';

/** Which card or element a person lays hand on: exactly one of the keys. */
export interface Target {
  lead?: number;
  contact?: number;
  company?: number;
  element?: number;
  note?: number;
  task?: number;
}

/** New values in the words of `snapshot()`. `phones` and `emails` replace the whole set. */
export interface Changes {
  name?: string;
  first_name?: string;
  last_name?: string;
  price?: number;
  pipeline_id?: number;
  status_id?: number;
  loss_reason_id?: number | null;
  responsible_user_id?: number;
  tags?: readonly string[];
  custom_fields?: Record<string, unknown>;
  phones?: readonly string[];
  emails?: readonly string[];
}

const CARD_TYPES = { lead: 'leads', contact: 'contacts', company: 'companies' } as const;

function cardTarget(target: Target): { type: EntityType; id: number } | undefined {
  for (const key of ['lead', 'contact', 'company'] as const) {
    const id = target[key];
    if (id !== undefined) return { type: CARD_TYPES[key], id };
  }
  return undefined;
}

function knownCard(world: World, type: EntityType, id: number): Card {
  const card = liveCard(world, type, id);
  if (!card) throw new Error(`amoCRM stand-in: no ${EVENT_ENTITY[type]} ${id}`);
  return card;
}

function knownElement(world: World, id: number): CatalogElement {
  const element = liveElement(world, id);
  if (!element) throw new Error(`amoCRM stand-in: no element ${id}`);
  return element;
}

/** Phones and e-mails, too, are fields: by id, in a person's words. */
function fieldsWithPhones(type: EntityType, set: Changes): Record<string, unknown> {
  const orNull = (values: readonly string[]) => (values.length > 0 ? values : null);
  return {
    ...set.custom_fields,
    ...(set.phones && type !== 'leads' ? { [PHONE_FIELD[type]]: orNull(set.phones) } : {}),
    ...(set.emails && type !== 'leads' ? { [EMAIL_FIELD[type]]: orNull(set.emails) } : {}),
  };
}

/** The wire form of a person's changes, so that a hand and the API share one set of rules. */
export function wireCard(world: World, type: EntityType, set: Changes): Record<string, unknown> {
  const { tags, custom_fields: _, phones: __, emails: ___, ...plain } = set;
  return {
    ...plain,
    custom_fields_values: wireFields(world, type, fieldsWithPhones(type, set)),
    ...(tags ? { _embedded: { tags: tags.map((name) => ({ name })) } } : {}),
  };
}

/** A manager edits a card or an element in the interface. Throws where that could not be: then the test is wrong. */
export function edit(world: World, target: Target, set: Changes, by = TOKEN_USER): void {
  const card = cardTarget(target);
  if (!card) {
    editElement(world, target, set, by);
    return;
  }
  const before = knownCard(world, card.type, card.id);
  const issues: Parameters<typeof reader>[1] = [];
  const draft = parseCard(world, card.type, reader(wireCard(world, card.type, set), issues), before);
  const first = issues[0];
  if (first) throw new Error(`amoCRM stand-in: ${first.code} at ${first.path}`);
  updateCard(world, card.type, before, draft, by);
}

function editElement(world: World, target: Target, set: Changes, by: number): void {
  const before = knownElement(world, target.element ?? 0);
  const fields = fieldsFromPlain(world, catalogOwner(before.catalog_id), set.custom_fields ?? {});
  putElement(world, before.catalog_id, { name: set.name, fields, before }, by);
}

/** A manager deletes a card, an element, a note or a task. Lists and reads by id forget it; an event remembers. */
export function remove(world: World, target: Target, by = TOKEN_USER): void {
  const card = cardTarget(target);
  if (card) removeCard(world, card.type, card.id, `${EVENT_ENTITY[card.type]}_deleted`, by);
  else if (target.element !== undefined) removeElement(world, target.element, by);
  else if (target.note !== undefined) removeNote(world, target.note, by);
  else if (target.task !== undefined) world.tasks.remove(target.task);
  else throw new Error('amoCRM stand-in: delete needs a lead, contact, company, element, note or task');
}

function removeCard(world: World, type: EntityType, id: number, event: string, by: number): void {
  const card = knownCard(world, type, id);
  world.cards[type].put({ ...card, is_deleted: true, updated_by: by, updated_at: world.seconds() });
  world.record({ type: event, entityType: EVENT_ENTITY[type], entityId: id, by });
}

function removeElement(world: World, id: number, by: number): void {
  const element = knownElement(world, id);
  for (const link of world.links.of('catalog_elements', id)) world.links.remove(link);
  world.elements.put({ ...element, is_deleted: true, updated_at: world.seconds() });
  world.record({ type: 'catalog_element_deleted', entityType: `catalog_${element.catalog_id}`, entityId: id, by });
}

function removeNote(world: World, id: number, by: number): void {
  const note = world.notes.get(id);
  if (!note) throw new Error(`amoCRM stand-in: no note ${id}`);
  world.notes.remove(id);
  const entityType = EVENT_ENTITY[note.entity_type];
  world.record({ type: 'common_note_deleted', entityType, entityId: note.entity_id, by, before: [{ note: { id } }] });
}

/** A manager merges cards of one kind: the first stays and inherits, the ids of the others vanish. */
export function merge(world: World, type: EntityType, ids: readonly number[], by = TOKEN_USER): void {
  const [first, ...others] = ids.map((id) => knownCard(world, type, id));
  if (!first || others.length === 0) throw new Error('amoCRM stand-in: a merge needs two cards or more');
  for (const other of others) {
    for (const link of world.links.of(type, other.id)) {
      const away = link.from_type === type ? link.to_type : link.from_type;
      const awayId = link.from_type === type ? link.to_id : link.from_id;
      dropLink(world, type, other.id, away, awayId, by);
      const details = { catalogId: link.catalog_id ?? undefined, quantity: link.quantity, isMain: link.is_main, by };
      addLink(world, type, first.id, away, awayId, details);
    }
    for (const note of world.notes.all()) {
      if (note.entity_type === type && note.entity_id === other.id) world.notes.put({ ...note, entity_id: first.id });
    }
    removeCard(world, type, other.id, 'entity_merged', by);
  }
  const fields = mergedFields([first, ...others]);
  const tags = [...new Set([first, ...others].flatMap((card) => card.tags))];
  world.cards[type].put({ ...first, fields, tags, updated_by: by, updated_at: world.seconds() });
}

/** Phones and e-mails of all; of any other field the first card's value, else the next one's. */
function mergedFields(cards: readonly Card[]): Card['fields'] {
  const several: readonly number[] = [...Object.values(PHONE_FIELD), ...Object.values(EMAIL_FIELD)];
  const fields: Record<number, Card['fields'][number]> = {};
  for (const card of cards) {
    for (const [key, values] of Object.entries(card.fields)) {
      const id = Number(key);
      const known = fields[id];
      if (!known) fields[id] = values;
      else if (several.includes(id)) {
        fields[id] = [...known, ...values.filter((one) => !known.some((other) => other.value === one.value))];
      }
    }
  }
  return fields;
}

/** A manager puts goods into a deal, or takes them out. */
export function linkElement(world: World, lead: number, element: number, quantity: number, by = TOKEN_USER): void {
  knownCard(world, 'leads', lead);
  const { catalog_id: catalogId } = knownElement(world, element);
  addLink(world, 'leads', lead, 'catalog_elements', element, { catalogId, quantity, by });
}

export function unlinkElement(world: World, lead: number, element: number, by = TOKEN_USER): void {
  if (!dropLink(world, 'leads', lead, 'catalog_elements', element, by)) {
    throw new Error(`amoCRM stand-in: element ${element} is not linked to lead ${lead}`);
  }
}
