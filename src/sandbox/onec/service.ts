import { namedArguments, objectKey, parseAddress, recordAt } from './address.ts';
import { compileFilter, type Predicate } from './filter.ts';
import { metadataXml, setNames } from './metadata.ts';
import {
  type Column,
  type Columns,
  columnsOf,
  type Entity,
  type EntityType,
  OnecRefusal,
  type Row,
  rowsOf,
  textOf,
} from './model.ts';
import { parseQuery, type Query } from './query.ts';
import { projectionOf } from './render.ts';
import { ENTITY_TYPES, tableSet } from './types.ts';
import type { World } from './world.ts';
import {
  changeObject,
  changeRecord,
  checkVersion,
  createObject,
  createRecord,
  deleteObject,
  meetLock,
  postObject,
} from './write.ts';

export interface Call {
  method: string;
  /** Below `standard.odata/`, decoded. */
  path: string;
  rawQuery: string;
  headers: Record<string, string>;
  body: unknown;
  /** Address of the service itself, for links. */
  base: string;
}

/** `json` undefined with a status = no body. */
export interface Reply {
  status: number;
  json?: unknown;
  text?: string;
  type?: string;
  location?: string;
}

const REF = columnsOf('Ref_Key:s');

function noSet(set: string): OnecRefusal {
  return new OnecRefusal(404, 8, `Сущность "${set}" не найдена`);
}

function noMethod(method: string): OnecRefusal {
  return new OnecRefusal(405, 19, `HTTP-метод "${method}" не поддерживается для данного ресурса`);
}

function hiddenRow(): OnecRefusal {
  return new OnecRefusal(401, 20, 'Недостаточно прав');
}

function guard(world: World, entities: Entity[], allowedOnly: boolean): Entity[] {
  const hidden = new Set(world.options.rlsHidden);
  if (hidden.size === 0) return entities;
  const seen = entities.filter((one) => !hidden.has(textOf(one, 'Ref_Key')));
  if (seen.length < entities.length && !allowedOnly) throw hiddenRow();
  return seen;
}

/** References sort by something else than their guids, yet the same each time. */
function sortKey(column: Column, entity: Entity): string | number {
  const value = entity[column.name];
  if (column.type === 'ref' || column.name === 'Ref_Key') return [...String(value)].reverse().join('');
  return column.type === 'int64' ? Number(value) : typeof value === 'number' ? value : String(value);
}

function sorted(entities: Entity[], { orderby }: Query, columns: Columns): Entity[] {
  if (orderby.length === 0) return entities;
  const by = orderby.map(({ path, descending }) => {
    const column = columns.get(path);
    if (!column) throw new OnecRefusal(400, 14, `Ошибка при разборе опции запроса "$orderby": "${path}"`);
    return { column, sign: descending ? -1 : 1 };
  });
  const keyed = entities.map((entity) => ({ entity, keys: by.map(({ column }) => sortKey(column, entity)) }));
  keyed.sort((one, other) => {
    for (const [index, { sign }] of by.entries()) {
      const [a = '', b = ''] = [one.keys[index], other.keys[index]];
      if (a !== b) return a < b ? -sign : sign;
    }
    return 0;
  });
  return keyed.map(({ entity }) => entity);
}

interface Source {
  set: string;
  columns: Columns;
  type: EntityType | undefined;
  entities: Entity[];
}

function matching(world: World, source: Source, query: Query): Entity[] {
  const passes: Predicate =
    query.filter === undefined ? () => true : compileFilter(query.filter, source.columns, source.type, world);
  return guard(world, source.entities.filter(passes), query.allowedOnly);
}

function listReply(world: World, call: Call, source: Source, query: Query): Reply {
  const found = sorted(matching(world, source, query), query, source.columns);
  const links = !query.format.includes('nometadata');
  const project = projectionOf(query.select, source.columns, source.type, world, links);
  const page = found.slice(query.skip, query.top === undefined ? undefined : query.skip + query.top);
  return {
    status: 200,
    json: {
      ...(links ? { 'odata.metadata': `${call.base}/$metadata#${source.set}` } : {}),
      ...(query.count ? { 'odata.count': String(found.length) } : {}),
      value: page.map(project),
    },
  };
}

function oneReply(world: World, call: Call, type: EntityType, entity: Entity, query: Query, status = 200): Reply {
  guard(world, [entity], false);
  const links = !query.format.includes('nometadata');
  const project = projectionOf(query.select, type.columns, type, world, links);
  const head = links ? { 'odata.metadata': `${call.base}/$metadata#${type.set}/@Element` } : {};
  return { status, json: { ...head, ...project(entity) } };
}

function tableSource(world: World, { owner, table, columns }: NonNullable<ReturnType<typeof tableSet>>): Source {
  const entities = world
    .all(owner.set)
    .flatMap((entity) =>
      rowsOf(entity, table).map((row: Row): Entity => ({ Ref_Key: textOf(entity, 'Ref_Key'), ...row })),
    );
  return { set: `${owner.set}_${table}`, columns: new Map([...REF, ...columns]), type: undefined, entities };
}

function unquoted(argument: string | undefined): string | undefined {
  return argument?.replace(/^(?:datetime)?'([\s\S]*)'$/, '$1').replaceAll("''", "'");
}

/** The newest record of each combination of dimensions, `Period` aside. */
function sliceLast(world: World, type: EntityType, args: string | undefined, query: Query): Source {
  if (type.key[0] !== 'Period') throw new OnecRefusal(400, 11, 'Метод "SliceLast" не найден');
  const given = namedArguments(args ?? '');
  const period = unquoted(given.get('Period') ?? query.period);
  const condition = unquoted(given.get('Condition')) ?? query.condition;
  const passes: Predicate = condition ? compileFilter(condition, type.columns, type, world) : () => true;
  const newest = new Map<string, Entity>();
  for (const record of world.all(type.set)) {
    if ((period !== undefined && textOf(record, 'Period') > period) || !passes(record)) continue;
    const key = type.key
      .slice(1)
      .map((part) => textOf(record, part))
      .join('|');
    const before = newest.get(key);
    if (!before || textOf(before, 'Period') <= textOf(record, 'Period')) newest.set(key, record);
  }
  return { set: type.set, columns: type.columns, type, entities: [...newest.values()] };
}

/** A whole set: list, count, virtual table, or a new entity in it. */
function onSet(
  world: World,
  call: Call,
  type: EntityType,
  rest: string,
  args: string | undefined,
  query: Query,
): Reply {
  const whole = (): Source => ({ set: type.set, columns: type.columns, type, entities: world.all(type.set) });
  if (rest === '$count')
    return { status: 200, text: `\uFEFF${matching(world, whole(), query).length}`, type: 'text/plain' };
  if (rest === 'SliceLast') return listReply(world, call, sliceLast(world, type, args, query), query);
  if (rest !== '') throw new OnecRefusal(400, 11, `Метод "${rest}" не найден`);
  if (call.method === 'GET') return listReply(world, call, whole(), query);
  if (call.method !== 'POST') throw noMethod(call.method);
  if (type.kind === 'register') {
    const record = createRecord(world, type, call.body);
    return oneReply(world, call, type, record, query, world.options.recordStatus);
  }
  const entity = createObject(world, type, call.body, isLoading(call));
  const reply = oneReply(world, call, type, entity, query, 201);
  return { ...reply, location: `${call.base}/${type.set}(guid'${textOf(entity, 'Ref_Key')}')` };
}

function isLoading({ headers }: Call): boolean {
  return headers['1c_odata-dataloadmode'] === 'true';
}

function onRecord(world: World, call: Call, type: EntityType, key: string, query: Query): Reply {
  const record = recordAt(world, type, key);
  if (!record) throw new OnecRefusal(404, 9, `Экземпляр сущности "${type.set}" не найден`);
  if (call.method === 'GET') return oneReply(world, call, type, record, query);
  if (call.method === 'PATCH') return oneReply(world, call, type, changeRecord(world, type, record, call.body), query);
  if (call.method !== 'DELETE') throw noMethod(call.method);
  meetLock(world);
  world.remove(type.set, world.keyOf(type, record));
  return { status: 204 };
}

function onObject(world: World, call: Call, type: EntityType, key: string, rest: string, query: Query): Reply {
  const ref = objectKey(key);
  // A GET on this address posts too (facts: 1C developer's guide 17.4).
  if (type.kind === 'document' && (rest === 'Post' || rest === 'Unpost')) {
    postObject(world, type, ref, rest === 'Post' ? 'post' : 'unpost');
    return { status: 200, text: '', type: 'text/plain' };
  }
  const entity = world.get(type.set, ref);
  if (!entity) throw new OnecRefusal(404, 9, `Экземпляр сущности "${type.set}" с ключом "${ref}" не найден`);
  const columns = type.tables.get(rest);
  if (columns && call.method === 'GET') {
    guard(world, [entity], false);
    const entities = rowsOf(entity, rest).map((row): Entity => ({ Ref_Key: ref, ...row }));
    const source = { set: `${type.set}_${rest}`, columns: new Map([...REF, ...columns]), type: undefined, entities };
    return listReply(world, call, source, query);
  }
  if (rest !== '') throw new OnecRefusal(400, 6, `Неверный URL: сегмент "${rest}" не найден`);
  if (call.method === 'GET') return oneReply(world, call, type, entity, query);
  if (call.method !== 'PATCH' && call.method !== 'DELETE') throw noMethod(call.method);
  checkVersion(world, type, ref, call.headers['if-match']);
  if (call.method === 'DELETE') {
    deleteObject(world, type, ref);
    return { status: 204 };
  }
  const changed = changeObject(world, type, ref, call.body, { loading: isLoading(call) });
  return oneReply(world, call, type, changed, query);
}

/** Answers one request of an authorised user. Throws an `OnecRefusal` for what 1C refuses. */
export function serveCall(world: World, call: Call): Reply {
  const query = parseQuery(call.rawQuery);
  if (call.path === '$metadata') return { status: 200, text: metadataXml(), type: 'application/xml;charset=utf-8' };
  if (call.path === '') {
    const value = setNames().map((name) => ({ name, url: name }));
    return { status: 200, json: { 'odata.metadata': `${call.base}/$metadata`, value } };
  }
  const { set, key, rest, args } = parseAddress(call.path);
  const table = tableSet(set);
  if (table) {
    if (call.method !== 'GET') throw new OnecRefusal(400, 13, 'Строки табличной части не могут быть созданы отдельно');
    const source = tableSource(world, table);
    if (rest === '$count')
      return { status: 200, text: `\uFEFF${matching(world, source, query).length}`, type: 'text/plain' };
    if (key !== undefined || rest !== '') throw new OnecRefusal(400, 6, `Неверный URL: "${call.path}"`);
    return listReply(world, call, source, query);
  }
  const type = ENTITY_TYPES.get(set);
  if (!type) throw noSet(set);
  if (key === undefined) return onSet(world, call, type, rest, args, query);
  if (type.kind === 'register') return onRecord(world, call, type, key, query);
  return onObject(world, call, type, key, rest, query);
}
