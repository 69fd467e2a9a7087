import { putEntity } from './content.ts';
import { type GenerateSpec, generate } from './generate.ts';
import { type Entity, OnecRefusal } from './model.ts';
import { ENTITY_TYPES } from './types.ts';
import { propertyOf, putInformation, type World } from './world.ts';
import { changeObject, createObject } from './write.ts';

/** A person's change in 1C's own client; handlers run, and a posted document is posted anew. Without `ref`: a new object. */
export interface OnecEdit {
  set: string;
  ref?: string;
  changes: Record<string, unknown>;
}

type Values = Record<string, unknown>;

/** Content in 1C's own words. Raw entities are put in as they are, named properties over empty ones, and no handler runs. */
export interface OnecSeed {
  /** `set` beside the properties. */
  documents?: (Values & { set: string })[];
  counterparties?: Values[];
  /** A number: so many are made by rule. */
  items?: Values[] | number;
  works?: Values[];
  /** Entities of any set, registers among them. */
  entities?: Record<string, Values[]>;
  /** Additional information by the property's name (Имя or Заголовок); a number, a text, or a date as 1C writes it. */
  marks?: { set: string; ref: string; property: string; value: string | number }[];
  edit?: OnecEdit;
  remove?: { set: string; ref: string };
  generate?: GenerateSpec;
  /** Counts straight at the top mean the same as within `generate`. */
  workOrders?: number;
  customerOrders?: number;
  clients?: number;
  goods?: number;
  from?: string;
  to?: string;
}

const KNOWN = new Set([
  'documents',
  'counterparties',
  'items',
  'works',
  'entities',
  'marks',
  'edit',
  'remove',
  'generate',
]);
const COUNTS = new Set(['workOrders', 'customerOrders', 'clients', 'goods', 'from', 'to']);

/** Throws where 1C itself would refuse the person. */
export function editAsPerson(world: World, { set, ref, changes }: OnecEdit): Entity {
  const type = ENTITY_TYPES.get(set);
  if (!type || type.kind === 'register') throw new Error(`1C stand-in: edit has no objects of ${set}`);
  try {
    return ref === undefined
      ? createObject(world, type, changes)
      : changeObject(world, type, ref, changes, { asPerson: true });
  } catch (error) {
    if (error instanceof OnecRefusal) throw new Error(`1C stand-in: edit refused: ${error.message}`);
    throw error;
  }
}

function putAll(world: World, set: string, all: readonly Values[] | undefined): void {
  for (const values of all ?? []) putEntity(world, set, values);
}

export function seedWorld(world: World, content: OnecSeed): void {
  const unknown = Object.keys(content).filter((key) => !KNOWN.has(key) && !COUNTS.has(key));
  if (unknown.length > 0) throw new Error(`1C stand-in: unknown seed ${unknown.join(', ')}`);
  for (const [set, all] of Object.entries(content.entities ?? {})) putAll(world, set, all);
  putAll(world, 'Catalog_Контрагенты', content.counterparties);
  if (typeof content.items !== 'number') putAll(world, 'Catalog_Номенклатура', content.items);
  putAll(world, 'Catalog_Автоработы', content.works);
  for (const { set, ...values } of content.documents ?? []) putEntity(world, set, values);
  for (const { set, ref, property, value } of content.marks ?? []) {
    const found = propertyOf(world, set, property);
    if (found === undefined) throw new Error(`1C stand-in: no property ${property} of ${set}`);
    putInformation(world, set, ref, found, value);
  }
  const counts: GenerateSpec = Object.fromEntries(Object.entries(content).filter(([key]) => COUNTS.has(key)));
  if (typeof content.items === 'number') counts.goods = content.items;
  const odd = Object.keys(content.generate ?? {}).filter((key) => !COUNTS.has(key));
  if (odd.length > 0) throw new Error(`1C stand-in: unknown in generate: ${odd.join(', ')}`);
  if (content.generate || Object.keys(counts).length > 0) generate(world, { ...counts, ...content.generate });
  if (content.edit) editAsPerson(world, content.edit);
  if (content.remove) world.remove(content.remove.set, content.remove.ref);
}
