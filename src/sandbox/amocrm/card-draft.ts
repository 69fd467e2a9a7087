import { type FieldChanges, parseFields } from './fields.ts';
import type { Card, EntityType } from './model.ts';
import { LOST, WON } from './model.ts';
import type { Reader } from './reader.ts';
import { activeUser, liveCard, type World } from './world.ts';

export type TagRef = { id: number } | { name: string };

/** What a POST or PATCH asks of a card; undefined = not mentioned. */
export interface CardDraft {
  name: string | undefined;
  first_name: string | undefined;
  last_name: string | undefined;
  price: number | undefined;
  stage: { pipeline_id: number; status_id: number } | undefined;
  loss_reason_id: number | null | undefined;
  closed_at: number | undefined;
  responsible_user_id: number | undefined;
  created_by: number | undefined;
  updated_by: number | undefined;
  created_at: number | undefined;
  updated_at: number | undefined;
  fields: FieldChanges | undefined;
  /** Null empties the set. */
  tags: readonly TagRef[] | null | undefined;
  tagsToAdd: readonly TagRef[];
  tagsToDelete: readonly TagRef[];
  contacts: readonly { id: number; isMain: boolean }[];
  companies: readonly number[];
}

const COMMON_KEYS = [
  'id',
  'name',
  'responsible_user_id',
  'created_by',
  'updated_by',
  'created_at',
  'updated_at',
  'custom_fields_values',
  'tags_to_add',
  'tags_to_delete',
  'request_id',
  '_embedded',
];

const KEYS: Record<EntityType, readonly string[]> = {
  leads: [...COMMON_KEYS, 'price', 'pipeline_id', 'status_id', 'loss_reason_id', 'closed_at', 'visitor_uid'],
  contacts: [...COMMON_KEYS, 'first_name', 'last_name'],
  companies: COMMON_KEYS,
};

const NO_CHOICE = 'The value you selected is not a valid choice.';

/**
 * Reads and checks one item; faults go to the reader's issues. `existing` is the card of a PATCH, undefined for a new one.
 * `complex`: the contacts and companies embedded are the caller's business.
 */
export function parseCard(world: World, type: EntityType, item: Reader, existing?: Card, complex = false): CardDraft {
  item.only(KEYS[type]);
  const embedded = item.object('_embedded');
  embedded?.only(['tags', 'contacts', 'companies', 'catalog_elements', 'source', 'metadata']);
  return {
    name: item.string('name'),
    first_name: item.string('first_name'),
    last_name: item.string('last_name'),
    price: item.integer('price'),
    stage: type === 'leads' ? parseStage(world, item, existing) : undefined,
    loss_reason_id: parseLossReason(world, item),
    closed_at: item.integer('closed_at'),
    responsible_user_id: parseUser(world, item, 'responsible_user_id', false),
    created_by: parseUser(world, item, 'created_by', true),
    updated_by: parseUser(world, item, 'updated_by', true),
    created_at: item.integer('created_at'),
    updated_at: parseUpdatedAt(world, item, existing),
    fields: parseFields(world, type, item),
    tags: embedded?.raw('tags') === null ? null : parseTags(world, type, embedded, 'tags'),
    tagsToAdd: parseTags(world, type, item, 'tags_to_add') ?? [],
    tagsToDelete: parseTags(world, type, item, 'tags_to_delete') ?? [],
    contacts: existing || complex || type !== 'leads' ? [] : parseContacts(world, embedded),
    companies: existing || complex || type === 'companies' ? [] : parseCompanies(world, embedded),
  };
}

/** An id of a user who works here; 0, the robot, only as an author. */
export function parseUser(world: World, item: Reader, key: string, robot: boolean): number | undefined {
  const id = item.integer(key);
  if (id === undefined || (robot && id === 0) || activeUser(world, id)) return id;
  item.fault('NotSupportedChoice', key, NO_CHOICE);
  return undefined;
}

function parseUpdatedAt(world: World, item: Reader, existing: Card | undefined): number | undefined {
  const at = item.integer('updated_at');
  if (at !== undefined && existing && world.options.staleUpdatedAt === 'refused' && at < existing.updated_at) {
    item.fault('InvalidType', 'updated_at', 'Last modified date is older than in database');
  }
  return at;
}

function parseLossReason(world: World, item: Reader): number | null | undefined {
  if (item.raw('loss_reason_id') === null) return null;
  const id = item.integer('loss_reason_id');
  if (id !== undefined && !world.lossReasons.some((reason) => reason.id === id)) {
    item.fault('NotSupportedChoice', 'loss_reason_id', NO_CHOICE);
  }
  return id;
}

/** A pipeline alone means its first stage; a stage alone means the pipeline that has it, the card's own first. */
function parseStage(world: World, item: Reader, existing: Card | undefined): CardDraft['stage'] {
  const pipelineId = item.integer('pipeline_id');
  const statusId = item.integer('status_id');
  if (pipelineId === undefined && statusId === undefined) return undefined;
  const main = world.pipelines.find((one) => (existing ? one.id === existing.pipeline_id : one.is_main));
  const named = world.pipelines.find((one) => one.id === pipelineId);
  if (pipelineId !== undefined && !named) {
    item.fault('NotSupportedChoice', 'pipeline_id', NO_CHOICE);
    return undefined;
  }
  const candidates = named ? [named] : [...(main ? [main] : []), ...world.pipelines];
  for (const pipeline of candidates) {
    const status = pipeline.statuses.find((one) => one.type === 0 && (statusId === undefined || one.id === statusId));
    if (status) return { pipeline_id: pipeline.id, status_id: status.id };
  }
  item.fault('NotSupportedChoice', 'status_id', NO_CHOICE);
  return undefined;
}

function parseTags(world: World, type: EntityType, from: Reader | undefined, key: string): TagRef[] | undefined {
  return from?.objects(key)?.flatMap((tag): TagRef[] => {
    tag.only(['id', 'name']);
    const id = tag.integer('id');
    if (id !== undefined) {
      if (!world.tags[type].some((known) => known.id === id)) tag.fault('NotSupportedChoice', 'id', NO_CHOICE);
      return [{ id }];
    }
    const name = tag.string('name')?.trim();
    if (name) return [{ name }];
    tag.fault('InvalidType', 'name', 'This value should not be blank.');
    return [];
  });
}

function parseContacts(world: World, embedded: Reader | undefined): { id: number; isMain: boolean }[] {
  const contacts = embedded?.objects('contacts') ?? [];
  return contacts.flatMap((contact, i) => {
    contact.only(['id', 'is_main']);
    const id = contact.integer('id');
    if (id === undefined || !liveCard(world, 'contacts', id)) {
      contact.fault('NotSupportedChoice', 'id', NO_CHOICE);
      return [];
    }
    return [{ id, isMain: contact.boolean('is_main') ?? i === 0 }];
  });
}

function parseCompanies(world: World, embedded: Reader | undefined): number[] {
  return (embedded?.objects('companies') ?? []).flatMap((company) => {
    company.only(['id']);
    const id = company.integer('id');
    if (id !== undefined && liveCard(world, 'companies', id)) return [id];
    company.fault('NotSupportedChoice', 'id', NO_CHOICE);
    return [];
  });
}

export function isFinal(statusId: number): boolean {
  return statusId === WON || statusId === LOST;
}
