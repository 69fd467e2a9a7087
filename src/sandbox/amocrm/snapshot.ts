import { EMAIL_FIELD, PHONE_FIELD, PRICE_FIELD, SKU_FIELD } from './defaults.ts';
import { eventId } from './events.ts';
import { plainFields } from './fields.ts';
import type { Card, EntityType, FieldValues, Link, Task } from './model.ts';
import type { World } from './world.ts';

interface CardView {
  id: number;
  name: string;
  responsible_user_id: number;
  created_by: number;
  updated_by: number;
  created_at: number;
  updated_at: number;
  tags: string[];
  /** By field id: one value as it is, several as an array. */
  custom_fields: Record<string, unknown>;
}

export interface DealView extends CardView {
  price: number;
  pipeline_id: number;
  status_id: number;
  loss_reason_id: number | null;
  closed_at: number | null;
  contacts: number[];
  companies: number[];
}

export interface ContactView extends CardView {
  first_name: string;
  last_name: string;
  phones: string[];
  emails: string[];
  companies: number[];
}

export interface CompanyView extends CardView {
  phones: string[];
  emails: string[];
}

export interface ElementView {
  id: number;
  catalog_id: number;
  name: string;
  sku: string | null;
  price: number | null;
}

export interface LinkView {
  lead_id: number;
  element_id: number;
  catalog_id: number;
  quantity: number;
}

export interface NoteView {
  id: number;
  entity_type: EntityType;
  entity_id: number;
  note_type: string;
  text: string | null;
  params: Record<string, unknown>;
  created_by: number;
  created_at: number;
  triggers_digital_pipeline: boolean;
}

export interface EventView {
  id: string;
  type: string;
  entity_type: string;
  entity_id: number;
  created_by: number;
  created_at: number;
  value_after: readonly unknown[];
  value_before: readonly unknown[];
}

/** All that the account holds and a person would see: deleted things are gone from it. */
export interface AmocrmSnapshot {
  deals: DealView[];
  contacts: ContactView[];
  companies: CompanyView[];
  elements: ElementView[];
  links: LinkView[];
  notes: NoteView[];
  tasks: Task[];
  events: EventView[];
}

function living(world: World, type: EntityType): Card[] {
  return world.cards[type].all().filter((card) => !card.is_deleted);
}

function cardView(world: World, type: EntityType, card: Card): CardView {
  return {
    id: card.id,
    name: card.name,
    responsible_user_id: card.responsible_user_id,
    created_by: card.created_by,
    updated_by: card.updated_by,
    created_at: card.created_at,
    updated_at: card.updated_at,
    tags: card.tags.flatMap((id) => world.tags[type].filter((tag) => tag.id === id).map((tag) => tag.name)),
    custom_fields: plainFields(card.fields),
  };
}

function texts(fields: FieldValues, id: number): string[] {
  return (fields[id] ?? []).map((one) => String(one.value));
}

function linked(world: World, type: EntityType, id: number, wanted: Link['to_type']): number[] {
  const own = world.links.of(type, id).filter((link) => link.from_type === type && link.to_type === wanted);
  return own.map((link) => link.to_id);
}

export function dealViews(world: World): DealView[] {
  return living(world, 'leads').map((card) => ({
    ...cardView(world, 'leads', card),
    price: card.price,
    pipeline_id: card.pipeline_id,
    status_id: card.status_id,
    loss_reason_id: card.loss_reason_id,
    closed_at: card.closed_at,
    contacts: linked(world, 'leads', card.id, 'contacts'),
    companies: linked(world, 'leads', card.id, 'companies'),
  }));
}

export function contactViews(world: World): ContactView[] {
  return living(world, 'contacts').map((card) => ({
    ...cardView(world, 'contacts', card),
    first_name: card.first_name,
    last_name: card.last_name,
    phones: texts(card.fields, PHONE_FIELD.contacts),
    emails: texts(card.fields, EMAIL_FIELD.contacts),
    companies: linked(world, 'contacts', card.id, 'companies'),
  }));
}

export function companyViews(world: World): CompanyView[] {
  return living(world, 'companies').map((card) => ({
    ...cardView(world, 'companies', card),
    phones: texts(card.fields, PHONE_FIELD.companies),
    emails: texts(card.fields, EMAIL_FIELD.companies),
  }));
}

/** `catalogId` undefined: of every catalog. */
export function elementViews(world: World, catalogId?: number): ElementView[] {
  const shown = world.elements
    .all()
    .filter((element) => !element.is_deleted && (catalogId === undefined || element.catalog_id === catalogId));
  return shown.map((element) => {
    const price = texts(element.fields, PRICE_FIELD)[0];
    return {
      id: element.id,
      catalog_id: element.catalog_id,
      name: element.name,
      sku: texts(element.fields, SKU_FIELD)[0] ?? null,
      price: price === undefined ? null : Number(price),
    };
  });
}

/** The goods of deals. */
export function linkViews(world: World): LinkView[] {
  return world.links.all().flatMap((link) => {
    if (link.from_type !== 'leads' || link.to_type !== 'catalog_elements') return [];
    return [
      { lead_id: link.from_id, element_id: link.to_id, catalog_id: link.catalog_id ?? 0, quantity: link.quantity },
    ];
  });
}

export function noteViews(world: World): NoteView[] {
  return world.notes.all().map((note) => ({
    id: note.id,
    entity_type: note.entity_type,
    entity_id: note.entity_id,
    note_type: note.note_type,
    text: typeof note.params.text === 'string' ? note.params.text : null,
    params: note.params,
    created_by: note.created_by,
    created_at: note.created_at,
    triggers_digital_pipeline: note.triggers_digital_pipeline,
  }));
}

export function eventViews(world: World): EventView[] {
  return world.events.all().map((event) => ({ ...event, id: eventId(event) }));
}

export function snapshotOf(world: World): AmocrmSnapshot {
  return {
    deals: dealViews(world),
    contacts: contactViews(world),
    companies: companyViews(world),
    elements: elementViews(world),
    links: linkViews(world),
    notes: noteViews(world),
    tasks: world.tasks.all(),
    events: eventViews(world),
  };
}
