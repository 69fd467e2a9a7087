import { type CardDraft, isFinal, type TagRef } from './card-draft.ts';
import { TOKEN_USER } from './defaults.ts';
import { applyFields } from './fields.ts';
import { addLink } from './link-write.ts';
import { type Card, type EntityType, EVENT_ENTITY, LOST, type Tag } from './model.ts';
import { type EventInput, fieldsOf, type World } from './world.ts';

/** The tag of that name, made on the fly where there is none; tags of deals, contacts and companies are apart. */
export function tagByName(world: World, type: EntityType, name: string): Tag {
  const known = world.tags[type].find((tag) => tag.name === name);
  if (known) return known;
  const made = { id: world.nextId('tags'), name };
  world.tags[type].push(made);
  return made;
}

function tagIds(world: World, type: EntityType, refs: readonly TagRef[]): number[] {
  return refs.map((ref) => ('id' in ref ? ref.id : tagByName(world, type, ref.name).id));
}

function nextTags(world: World, type: EntityType, before: readonly number[], draft: CardDraft): number[] {
  const base = draft.tags === undefined ? before : tagIds(world, type, draft.tags ?? []);
  const gone = new Set(tagIds(world, type, draft.tagsToDelete));
  const kept = [...base, ...tagIds(world, type, draft.tagsToAdd)].filter((id) => !gone.has(id));
  return [...new Set(kept)];
}

function nextStage(world: World, before: Card, draft: CardDraft): Partial<Card> {
  const stage = draft.stage ?? before;
  const wasFinal = isFinal(before.status_id);
  const nowFinal = isFinal(stage.status_id);
  const closed = nowFinal ? (draft.closed_at ?? (wasFinal ? before.closed_at : world.seconds())) : null;
  const reason = draft.loss_reason_id === undefined ? before.loss_reason_id : draft.loss_reason_id;
  return {
    pipeline_id: stage.pipeline_id,
    status_id: stage.status_id,
    closed_at: closed,
    loss_reason_id: stage.status_id === LOST ? reason : null,
  };
}

/** A name given as it is; made of its parts where only they are given. */
function nextNames(before: Card, draft: CardDraft): Pick<Card, 'name' | 'first_name' | 'last_name'> {
  const first = draft.first_name ?? before.first_name;
  const last = draft.last_name ?? before.last_name;
  const parts = draft.first_name !== undefined || draft.last_name !== undefined;
  const name = draft.name ?? (parts ? [first, last].filter((part) => part !== '').join(' ') : before.name);
  return { name, first_name: first, last_name: last };
}

function blank(world: World, type: EntityType, id: number): Card {
  const main = world.pipelines.find((pipeline) => pipeline.is_main);
  const now = world.seconds();
  return {
    id,
    name: '',
    first_name: '',
    last_name: '',
    responsible_user_id: TOKEN_USER,
    created_by: TOKEN_USER,
    updated_by: TOKEN_USER,
    created_at: now,
    updated_at: now,
    is_deleted: false,
    fields: {},
    tags: [],
    price: 0,
    pipeline_id: type === 'leads' ? (main?.id ?? 0) : 0,
    status_id: type === 'leads' ? (main?.statuses.find((status) => status.type === 0)?.id ?? 0) : 0,
    loss_reason_id: null,
    closed_at: null,
  };
}

function merged(world: World, type: EntityType, before: Card, draft: CardDraft, by: number): Card {
  return {
    ...before,
    ...nextNames(before, draft),
    ...(type === 'leads' ? nextStage(world, before, draft) : {}),
    price: draft.price ?? before.price,
    responsible_user_id: draft.responsible_user_id ?? before.responsible_user_id,
    created_by: draft.created_by ?? before.created_by,
    created_at: draft.created_at ?? before.created_at,
    updated_by: draft.updated_by ?? by,
    updated_at: draft.updated_at ?? world.seconds(),
    fields: applyFields(before.fields, draft.fields),
    tags: nextTags(world, type, before.tags, draft),
  };
}

/** A new card out of a checked draft, with its links and its event. */
export function createCard(world: World, type: EntityType, draft: CardDraft): Card {
  const id = world.nextId(type);
  const card = merged(world, type, blank(world, type, id), draft, draft.created_by ?? TOKEN_USER);
  const named = type === 'leads' && card.name === '' ? { ...card, name: `Сделка #${id}` } : card;
  world.cards[type].put(named);
  world.record({
    type: `${EVENT_ENTITY[type]}_added`,
    entityType: EVENT_ENTITY[type],
    entityId: id,
    by: card.created_by,
  });
  for (const contact of draft.contacts) addLink(world, type, id, 'contacts', contact.id, { isMain: contact.isMain });
  for (const company of draft.companies) addLink(world, type, id, 'companies', company);
  return named;
}

/** The card with the draft's changes, and an event for each of them. */
export function updateCard(world: World, type: EntityType, before: Card, draft: CardDraft, by = TOKEN_USER): Card {
  const after = merged(world, type, before, draft, by);
  world.cards[type].put(after);
  for (const event of changeEvents(world, type, before, after)) {
    world.record({ ...event, entityType: EVENT_ENTITY[type], entityId: after.id, by: after.updated_by });
  }
  return after;
}

type ChangeEvent = Pick<EventInput, 'type' | 'before' | 'after'>;

function changeEvents(world: World, type: EntityType, before: Card, after: Card): ChangeEvent[] {
  const events: ChangeEvent[] = [];
  const changed = (event: string, old: unknown, fresh: unknown, show: (value: never) => unknown) => {
    if (JSON.stringify(old) === JSON.stringify(fresh)) return;
    events.push({ type: event, before: [show(old as never)], after: [show(fresh as never)] });
  };
  const stage = (card: Card) => ({ id: card.status_id, pipeline_id: card.pipeline_id });
  changed('lead_status_changed', stage(before), stage(after), (value) => ({ lead_status: value }));
  changed('sale_field_changed', before.price, after.price, (sale) => ({ sale_field_value: { sale } }));
  changed('name_field_changed', before.name, after.name, (name) => ({ name_field_value: { name } }));
  changed('entity_responsible_changed', before.responsible_user_id, after.responsible_user_id, (id) => ({
    responsible_user: { id },
  }));
  return [...events, ...fieldEvents(world, type, before, after), ...tagEvents(world, type, before, after)];
}

function fieldEvents(world: World, type: EntityType, before: Card, after: Card): ChangeEvent[] {
  return fieldsOf(world, type).flatMap((field) => {
    const show = (card: Card) =>
      (card.fields[field.id] ?? []).map((one) => ({
        custom_field_value: {
          field_id: field.id,
          field_type: field.type,
          enum_id: one.enum_id ?? null,
          text: String(one.value),
        },
      }));
    const [old, fresh] = [show(before), show(after)];
    if (JSON.stringify(old) === JSON.stringify(fresh)) return [];
    return [{ type: 'custom_field_value_changed', before: old, after: fresh }];
  });
}

function tagEvents(world: World, type: EntityType, before: Card, after: Card): ChangeEvent[] {
  const show = (id: number) => ({ tag: { name: world.tags[type].find((tag) => tag.id === id)?.name ?? '' } });
  const added = after.tags.filter((id) => !before.tags.includes(id));
  const deleted = before.tags.filter((id) => !after.tags.includes(id));
  return [
    ...added.map((id) => ({ type: 'entity_tag_added', before: [], after: [show(id)] })),
    ...deleted.map((id) => ({ type: 'entity_tag_deleted', before: [show(id)], after: [] })),
  ];
}
