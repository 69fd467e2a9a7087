import {
  defaultCatalogs,
  defaultFields,
  defaultLossReasons,
  defaultPipelines,
  defaultUsers,
  TOKEN_USER,
} from './defaults.ts';
import { type LinkStore, linkStore } from './links.ts';
import type {
  Card,
  Catalog,
  CatalogElement,
  CustomField,
  EntityType,
  EventRow,
  FieldOwner,
  LossReason,
  Note,
  Pipeline,
  Tag,
  Task,
  User,
  Webhook,
} from './model.ts';
import type { AmocrmOptions } from './options.ts';
import { type Table, table } from './table.ts';

type IdKind = EntityType | 'elements' | 'notes' | 'tasks' | 'tags' | 'events' | 'fields' | 'webhooks';

export interface EventInput {
  type: string;
  entityType: string;
  entityId: number;
  by?: number;
  after?: readonly unknown[];
  before?: readonly unknown[];
}

/** One account: its content, its clock and its switches. Everything else in this folder is functions over it. */
export interface World {
  options: AmocrmOptions;
  cards: Record<EntityType, Table<Card>>;
  elements: Table<CatalogElement>;
  notes: Table<Note>;
  tasks: Table<Task>;
  events: Table<EventRow>;
  links: LinkStore;
  tags: Record<EntityType, Tag[]>;
  fields: CustomField[];
  pipelines: Pipeline[];
  users: User[];
  lossReasons: LossReason[];
  catalogs: Catalog[];
  webhooks: Webhook[];
  /** The clock in milliseconds, and in the whole seconds that the wire speaks. */
  nowMs(): number;
  seconds(): number;
  advance(ms: number): void;
  nextId(kind: IdKind): number;
  record(event: EventInput): void;
  /** Runs `fill` without events and without lag: the content was always there. */
  quietly(fill: () => void): void;
}

/** Far apart, so that an id of one kind is never taken for another's. */
const FIRST_ID: Record<IdKind, number> = {
  leads: 30000001,
  contacts: 40000001,
  companies: 50000001,
  elements: 60000001,
  notes: 70000001,
  tasks: 80000001,
  tags: 500001,
  events: 1,
  fields: 990001,
  webhooks: 1001,
};

export function createWorld(options: AmocrmOptions): World {
  let offsetMs = 0;
  let quiet = false;
  const ids = { ...FIRST_ID };
  const nowMs = () => world.options.now().getTime() + offsetMs;
  const keepMs = () => (quiet ? 0 : Math.max(world.options.listLagMs, world.options.searchLagMs));
  const rows = <T extends { id: number }>() => table<T>(nowMs, keepMs);

  const world: World = {
    options,
    cards: { leads: rows<Card>(), contacts: rows<Card>(), companies: rows<Card>() },
    elements: rows<CatalogElement>(),
    notes: rows<Note>(),
    tasks: rows<Task>(),
    events: rows<EventRow>(),
    links: linkStore(),
    tags: { leads: [], contacts: [], companies: [] },
    fields: defaultFields(),
    pipelines: defaultPipelines(),
    users: defaultUsers(),
    lossReasons: defaultLossReasons(),
    catalogs: defaultCatalogs(),
    webhooks: [],
    nowMs,
    seconds: () => Math.floor(nowMs() / 1000),
    advance: (ms) => {
      offsetMs += ms;
    },
    nextId: (kind) => ids[kind]++,
    record: (event) => {
      if (quiet) return;
      world.events.put({
        id: world.nextId('events'),
        type: event.type,
        entity_type: event.entityType,
        entity_id: event.entityId,
        created_by: event.by ?? TOKEN_USER,
        created_at: world.seconds(),
        value_after: event.after ?? [],
        value_before: event.before ?? [],
      });
    },
    quietly: (fill) => {
      quiet = true;
      try {
        fill();
      } finally {
        quiet = false;
      }
    },
  };
  return world;
}

/** Custom fields of one owner, in their order. */
export function fieldsOf(world: World, owner: FieldOwner): CustomField[] {
  return world.fields.filter((field) => field.owner === owner).sort((a, b) => a.sort - b.sort);
}

export function activeUser(world: World, id: number): boolean {
  return world.users.some((user) => user.id === id && user.is_active);
}

/** The card while it lives: neither unknown nor deleted. */
export function liveCard(world: World, type: EntityType, id: number): Card | undefined {
  const card = world.cards[type].get(id);
  return card && !card.is_deleted ? card : undefined;
}

/** The same of an element; `catalogId` undefined = in whatever catalog. */
export function liveElement(world: World, id: number, catalogId?: number): CatalogElement | undefined {
  const element = world.elements.get(id);
  if (!element || element.is_deleted) return undefined;
  return catalogId === undefined || element.catalog_id === catalogId ? element : undefined;
}
