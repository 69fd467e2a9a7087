import {
  type Cell,
  type Column,
  EMPTY_REF,
  type Entity,
  type EntityType,
  emptyCell,
  handlerRefusal,
  OnecRefusal,
  type Row,
  textOf,
} from './model.ts';
import { runHandlers, type WriteMode } from './rules.ts';
import { blankEntity, FIRST_VERSION, type World } from './world.ts';

type Body = Record<string, unknown>;

const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const LOCAL = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/;
/** Set by the server alone; a body's own values for them are passed over. */
const SERVER_SIDE = new Set(['Ref_Key', 'DataVersion', 'Predefined', 'PredefinedDataName']);

function unreadable(value: unknown, type: string): OnecRefusal {
  return new OnecRefusal(400, 1, `Значение "${String(value)}" не может быть преобразовано к типу ${type}`);
}

/** A composite's value: a reference or text as it is, numbers as text, since 1C gives them back so (seen in recorded answers). */
function compositeCell(value: unknown): Cell {
  if (typeof value === 'number') return String(value);
  if (typeof value === 'boolean') return value;
  if (typeof value === 'string') return GUID.test(value) ? value.toLowerCase() : value;
  throw handlerRefusal('Ошибка преобразования данных XDTO');
}

/** The value that is stored; `before` where 1C leaves it as it was without a word. */
function storedCell(column: Column, value: unknown, before: Cell): Cell {
  if (value === null) return emptyCell(column);
  if (Array.isArray(value)) throw handlerRefusal('Ошибка преобразования данных XDTO');
  switch (column.type) {
    case 'any':
      return compositeCell(value);
    case 'string':
      if (typeof value !== 'string') return before;
      return column.length > 0 ? value.slice(0, column.length).trimEnd() : value;
    case 'int64':
      return /^-?\d{1,19}$/.test(String(value)) ? String(value) : before;
    case 'int16':
    case 'int32':
      return typeof value === 'number' ? Math.trunc(value) : before;
    case 'double':
      return typeof value === 'number' ? value : before;
    case 'bool':
      if (typeof value !== 'boolean') throw unreadable(value, 'Edm.Boolean');
      return value;
    case 'date':
      if (typeof value !== 'string' || !LOCAL.test(value)) throw unreadable(value, 'Edm.DateTime');
      return value;
    case 'ref':
      if (typeof value !== 'string' || !GUID.test(value)) throw unreadable(value, 'Edm.Guid');
      return value.toLowerCase();
    case 'types':
      return before;
  }
}

function newRows(type: EntityType, table: string, value: unknown): Row[] {
  if (!Array.isArray(value)) throw handlerRefusal('Ошибка преобразования данных XDTO');
  const columns = type.tables.get(table) ?? new Map<string, Column>();
  return value.map((given: unknown, index) => {
    const body = (given ?? {}) as Body;
    if (body.LineNumber === undefined) throw handlerRefusal('Поле "LineNumber" не заполнено в строке табличной части');
    if (String(body.LineNumber) !== String(index + 1)) {
      throw new OnecRefusal(400, 4, `Неверное значение свойства "LineNumber": ${String(body.LineNumber)}`);
    }
    const row: Row = {};
    for (const column of columns.values()) {
      const empty = emptyCell(column);
      row[column.name] = column.name in body ? storedCell(column, body[column.name], empty) : empty;
    }
    return row;
  });
}

/** Puts named properties over an entity. Unknown ones are dropped without a word, as 1C does. */
export function applyBody(type: EntityType, entity: Entity, body: Body): void {
  for (const [name, value] of Object.entries(body)) {
    const column = type.columns.get(name);
    if (type.kind !== 'register' && SERVER_SIDE.has(name)) continue;
    if (column) entity[name] = storedCell(column, value, entity[name] as Cell);
    else if (type.tables.has(name)) entity[name] = newRows(type, name, value);
  }
}

export function bodyOf(given: unknown): Body {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw handlerRefusal('Ошибка разбора JSON: недопустимое состояние потока чтения');
  }
  return given as Body;
}

/** A lock meets any write; it is over after as many of them as the switch says. */
export function meetLock(world: World): void {
  if (world.options.lockTimes <= 0) return;
  world.options.lockTimes--;
  throw handlerRefusal(
    'Ошибка блокировки данных. Не удалось заблокировать таблицу: конфликт блокировок при выполнении транзакции',
  );
}

function modeOf(before: Entity | undefined, after: Entity, loading: boolean): WriteMode {
  if (loading) return 'load';
  if (after.Posted === true && before?.Posted !== true) return 'post';
  return before?.Posted === true && after.Posted === false ? 'unpost' : 'write';
}

/** A new object. Throws an `OnecRefusal` with nothing written. */
export function createObject(world: World, type: EntityType, given: unknown, loading = false): Entity {
  const body = bodyOf(given);
  meetLock(world);
  const entity = blankEntity(type);
  applyBody(type, entity, body);
  const wanted = typeof body.Ref_Key === 'string' && GUID.test(body.Ref_Key) ? body.Ref_Key.toLowerCase() : EMPTY_REF;
  const honoured = world.options.honoursRefKey && wanted !== EMPTY_REF;
  if (honoured && world.get(type.set, wanted)) throw new OnecRefusal(400, 15, 'Объект с таким ключом уже существует');
  entity.Ref_Key = honoured ? wanted : world.newRef();
  entity.DataVersion = FIRST_VERSION;
  runHandlers(world, type, undefined, entity, modeOf(undefined, entity, loading));
  world.put(type.set, entity);
  return entity;
}

function known(world: World, type: EntityType, ref: string): Entity {
  const found = world.get(type.set, ref);
  if (!found) throw new OnecRefusal(404, 9, `Экземпляр сущности "${type.set}" с ключом "${ref}" не найден`);
  return found;
}

function commit(world: World, type: EntityType, before: Entity, after: Entity, mode: WriteMode): Entity {
  runHandlers(world, type, before, after, mode);
  after.DataVersion = world.nextVersion();
  world.put(type.set, after);
  return after;
}

/** Changes the named properties of an object. A form of 1C posts a posted document anew: `asPerson`. */
export function changeObject(
  world: World,
  type: EntityType,
  ref: string,
  given: unknown,
  { loading = false, asPerson = false } = {},
): Entity {
  const body = bodyOf(given);
  const before = known(world, type, ref);
  if (!asPerson) meetLock(world);
  const after = structuredClone(before);
  applyBody(type, after, body);
  const mode = modeOf(before, after, loading);
  return commit(world, type, before, after, asPerson && after.Posted === true ? 'post' : mode);
}

export function postObject(world: World, type: EntityType, ref: string, mode: 'post' | 'unpost'): void {
  const before = known(world, type, ref);
  meetLock(world);
  const after = structuredClone(before);
  after.Posted = mode === 'post';
  commit(world, type, before, after, mode);
}

export function deleteObject(world: World, type: EntityType, ref: string): void {
  known(world, type, ref);
  meetLock(world);
  world.remove(type.set, ref);
}

/** If-Match as the guide has it, where the switch is on. */
export function checkVersion(world: World, type: EntityType, ref: string, ifMatch: string | undefined): void {
  if (!world.options.ifMatch || ifMatch === undefined || ifMatch === '*') return;
  const current = textOf(known(world, type, ref), 'DataVersion');
  if (ifMatch.replace(/^(W\/)?"(.*)"$/, '$2') !== current) {
    throw new OnecRefusal(412, -1, 'Версия данных не совпадает с указанной в заголовке If-Match');
  }
}

/** A new record of an independent register; 400/15 where one with its key exists. */
export function createRecord(world: World, type: EntityType, given: unknown): Entity {
  const body = bodyOf(given);
  meetLock(world);
  const record = blankEntity(type);
  applyBody(type, record, body);
  if (world.get(type.set, world.keyOf(type, record))) {
    throw new OnecRefusal(400, 15, 'Запись с такими ключевыми полями существует!');
  }
  world.put(type.set, record);
  return record;
}

/** Resources and attributes of a record; its dimensions cannot change. */
export function changeRecord(world: World, type: EntityType, record: Entity, given: unknown): Entity {
  const body = bodyOf(given);
  meetLock(world);
  const kept = Object.fromEntries(type.key.map((part) => [part, record[part] as Cell]));
  applyBody(type, record, body);
  Object.assign(record, kept);
  return record;
}
