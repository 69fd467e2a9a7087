import { createHash } from 'node:crypto';
import { type Cell, EMPTY_REF, type Entity, type EntityType, emptyCell, type Row, rowsOf, textOf } from './model.ts';
import type { OnecOptions } from './options.ts';
import { ENTITY_TYPES } from './types.ts';

/** The stand-in's base of data: every set's entities, and the counters that 1C numbers them with. */
export interface World {
  readonly options: OnecOptions;
  /** Now in the server's zone: `2025-06-09T16:13:24`. */
  localNow(): string;
  all(set: string): Entity[];
  get(set: string, key: string): Entity | undefined;
  /** Puts an entity in under its key, as it is. */
  put(set: string, entity: Entity): void;
  remove(set: string, key: string): boolean;
  /** Key of an object (its lower-case guid) or of a record (its dimensions). */
  keyOf(type: EntityType, entity: Entity): string;
  newRef(): string;
  nextVersion(): string;
  /** The next free number of a series, from 1. */
  nextNumber(series: string): number;
  raiseNumber(series: string, atLeast: number): void;
  /** An item by its predefined name, else by its description. */
  find(set: string, name: string): Entity | undefined;
  ref(set: string, name: string): string;
  /** Gives every reference in the whole base its new guid. */
  remap(changes: ReadonlyMap<string, string>): void;
}

/** A guid that is the same in every run. */
export function guidOf(name: string): string {
  const hex = createHash('sha256').update(name).digest('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20, 32)].join(
    '-',
  );
}

function versionOf(counter: number): string {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(counter));
  return bytes.toString('base64');
}

/** DataVersion of an object that was never written again (seen in live bases). */
export const FIRST_VERSION = versionOf(0);

export function blankEntity(type: EntityType): Entity {
  const entity: Entity = {};
  for (const column of type.columns.values()) entity[column.name] = emptyCell(column);
  for (const table of type.tables.keys()) entity[table] = [];
  return entity;
}

/** A row of a table part, whole: named values over empty ones. */
export function blankRow(type: EntityType, table: string, line: number, values: Row): Row {
  const row: Row = {};
  for (const column of type.tables.get(table)?.values() ?? []) row[column.name] = emptyCell(column);
  return { ...row, ...values, LineNumber: String(line) };
}

function localClock(options: OnecOptions): () => string {
  let format: Intl.DateTimeFormat | undefined;
  let zone = '';
  return () => {
    if (format === undefined || zone !== options.timeZone) {
      zone = options.timeZone;
      format = new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'medium' });
    }
    return format.format(options.now()).replace(' ', 'T');
  };
}

function remapEntity(entity: Entity, changes: ReadonlyMap<string, string>): void {
  const remapRow = (row: Row | Entity) => {
    for (const [name, value] of Object.entries(row)) {
      if (typeof value === 'string') row[name] = changes.get(value) ?? value;
    }
  };
  remapRow(entity);
  for (const value of Object.values(entity)) if (Array.isArray(value)) value.forEach(remapRow);
}

export function createWorld(options: OnecOptions): World {
  const sets = new Map<string, Map<string, Entity>>();
  for (const set of ENTITY_TYPES.keys()) sets.set(set, new Map());
  const series = new Map<string, number>();
  let refs = 0;
  let versions = 0;

  const of = (set: string): Map<string, Entity> => {
    const found = sets.get(set);
    if (!found) throw new Error(`1C stand-in: no set ${set}`);
    return found;
  };
  const keyOf = (type: EntityType, entity: Entity) => type.key.map((part) => textOf(entity, part)).join('|');
  const typeOf = (set: string): EntityType => {
    const type = ENTITY_TYPES.get(set);
    if (!type) throw new Error(`1C stand-in: no set ${set}`);
    return type;
  };

  const world: World = {
    options,
    localNow: localClock(options),
    all: (set) => [...of(set).values()],
    get: (set, key) => of(set).get(key),
    put: (set, entity) => of(set).set(keyOf(typeOf(set), entity), entity),
    remove: (set, key) => of(set).delete(key),
    keyOf,
    newRef: () => guidOf(`new ${++refs}`),
    nextVersion: () => versionOf(++versions),
    nextNumber(name) {
      const next = (series.get(name) ?? 0) + 1;
      series.set(name, next);
      return next;
    },
    raiseNumber: (name, atLeast) => series.set(name, Math.max(series.get(name) ?? 0, atLeast)),
    find: (set, name) =>
      world.all(set).find((one) => one.PredefinedDataName === name) ??
      world.all(set).find((one) => one.Description === name),
    ref(set, name) {
      const found = world.find(set, name);
      if (!found) throw new Error(`1C stand-in: no "${name}" in ${set}`);
      return textOf(found, 'Ref_Key');
    },
    remap(changes) {
      for (const [set, entities] of sets) {
        const before = [...entities.values()];
        entities.clear();
        for (const entity of before) {
          remapEntity(entity, changes);
          world.put(set, entity);
        }
      }
    },
  };
  return world;
}

/** What people see of a reference: a document's kind, number and date; anything else's description. */
export function presentationOf(set: string, entity: Entity | undefined): string {
  if (!entity) return '';
  if (!set.startsWith('Document_')) return textOf(entity, 'Description');
  const [, year, month, day, time] = /^(\d{4})-(\d\d)-(\d\d)T(.*)$/.exec(textOf(entity, 'Date')) ?? [];
  const kind = set.slice('Document_'.length).replace(/(?<=\p{Ll})(?=\p{Lu})/gu, ' ');
  return `${kind} ${textOf(entity, 'Number')} от ${day}.${month}.${year} ${time}`;
}

/** Writes a document's or an item's additional information, as a person or an extension would. */
export function putInformation(world: World, set: string, ref: string, property: string, value: Cell): void {
  const number = typeof value === 'number';
  const date = typeof value === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/.test(value);
  world.put('InformationRegister_ДополнительныеСведения', {
    Объект: ref,
    Объект_Type: `StandardODATA.${set}`,
    Свойство_Key: property,
    Значение: number ? String(value) : value,
    Значение_Type: number ? 'Edm.Double' : date ? 'Edm.DateTime' : 'Edm.String',
  });
}

const CHART = 'ChartOfCharacteristicTypes_ДополнительныеРеквизитыИСведения';

/** Which predefined set of properties an object of a set has. */
const PROPERTY_SETS: Readonly<Record<string, string>> = {
  Document_ЗаказНаряд: 'Документ_ЗаказНаряд',
  Document_ЗаказПокупателя: 'Документ_ЗаказПокупателя',
  Document_ЗаявкаНаРемонт: 'Документ_ЗаявкаНаРемонт',
  Catalog_Номенклатура: 'Справочник_Номенклатура_Общие',
  Catalog_Контрагенты: 'Справочник_Контрагенты',
  Catalog_Автоработы: 'Справочник_Автоработы',
};

/** The property of a name that objects of a set have: their own set's before the common one. Undefined where there is none. */
export function propertyOf(world: World, set: string, name: string): string | undefined {
  const own = world.find('Catalog_НаборыДополнительныхРеквизитовИСведений', PROPERTY_SETS[set] ?? '')?.Ref_Key;
  const fits = world
    .all(CHART)
    .filter((one) => !one.DeletionMark && [one.Имя, one.Заголовок].includes(name))
    .filter((one) => one.НаборСвойств_Key === own || one.НаборСвойств_Key === EMPTY_REF);
  const best = fits.find((one) => one.НаборСвойств_Key === own) ?? fits[0];
  return best && textOf(best, 'Ref_Key');
}

/** Rows' column added up, in hundredths, so that fractions of kopecks do not pile up. */
export function sumOf(entity: Entity, table: string, property: string): number {
  const cents = rowsOf(entity, table).reduce((sum, row) => sum + Math.round(Number(row[property] ?? 0) * 100), 0);
  return cents / 100;
}
