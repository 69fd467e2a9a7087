import {
  type Cell,
  type Column,
  type Columns,
  type Entity,
  type EntityType,
  OnecRefusal,
  type Row,
  rowsOf,
  textOf,
} from './model.ts';
import { presentationOf, type World } from './world.ts';

/** What a selection leaves of an entity. */
type Projection = (entity: Entity) => Record<string, unknown>;

function cellReader({ fixed, length, name }: Column, world: World): (row: Entity | Row) => unknown {
  if (!fixed || length === 0) return (row) => row[name];
  return (row) => (world.options.paddedCodes ? String(row[name] ?? '').padEnd(length) : row[name]);
}

function rowsProjection(columns: Columns, names: readonly string[] | undefined, world: World) {
  const wanted = [...columns.values()].filter(({ name }) => !names || names.includes(name));
  const readers = wanted.map((column) => [column.name, cellReader(column, world)] as const);
  return (rows: readonly Row[], ref: Cell | undefined) =>
    rows.map((row) => ({
      Ref_Key: ref,
      ...Object.fromEntries(readers.map(([name, read]) => [name, read(row)])),
    }));
}

/** `X____Presentation`: the text of a reference, given only where it is asked for by name. */
function presentation(columns: Columns, name: string, world: World): ((row: Entity) => string) | undefined {
  const base = /^(.+)____Presentation$/.exec(name)?.[1];
  const link = columns.get(`${base}_Key`) ?? (base === undefined ? undefined : columns.get(base));
  if (!link) return undefined;
  return (row) => {
    const set = link.type === 'any' ? textOf(row, `${link.name}_Type`).replace('StandardODATA.', '') : link.to;
    const ref = textOf(row, link.name);
    return /^(Catalog|Document|ChartOf\w+)_/.test(set) ? presentationOf(set, world.get(set, ref)) : ref;
  };
}

function notFound(name: string): OnecRefusal {
  return new OnecRefusal(400, 10, `Свойство "${name}" не найдено`);
}

/**
 * Compiles `$select` for a set of objects, or of a table part's rows (`type` undefined). `links` adds the addresses of
 * references that JSON with minimal metadata carries. Unknown names are refused with 400/10.
 */
export function projectionOf(
  select: readonly string[] | undefined,
  columns: Columns,
  type: EntityType | undefined,
  world: World,
  links: boolean,
): Projection {
  const names = select ?? ['*'];
  const parts: ((entity: Entity, out: Record<string, unknown>) => void)[] = [];
  const tables = new Map<string, string[] | undefined>();
  const addColumn = (column: Column) => {
    const read = cellReader(column, world);
    parts.push((entity, out) => {
      out[column.name] = read(entity);
    });
    if (column.type !== 'ref' || !links || !type || type.kind === 'register') return;
    const name = column.name.replace(/_Key$/, '');
    parts.push((entity, out) => {
      out[`${name}@navigationLinkUrl`] = `${type.set}(guid'${textOf(entity, 'Ref_Key')}')/${name}`;
    });
  };
  for (const name of names) {
    const [table = '', field] = name.split('/');
    const column = columns.get(name);
    const shown = presentation(columns, name, world);
    if (name === '*' || name === '**') {
      for (const one of columns.values()) addColumn(one);
      if (name === '*') for (const each of type?.tables.keys() ?? []) tables.set(each, undefined);
    } else if (column) addColumn(column);
    else if (shown) {
      parts.push((entity, out) => {
        out[name] = shown(entity);
      });
    } else if (type?.tables.has(table)) {
      if (field !== undefined && field !== '*' && !type.tables.get(table)?.has(field)) throw notFound(name);
      const before = tables.get(table);
      const whole = field === undefined || field === '*' || (tables.has(table) && before === undefined);
      tables.set(table, whole ? undefined : [...(before ?? []), field ?? '']);
    } else throw notFound(name);
  }
  for (const [table, fields] of tables) {
    const project = rowsProjection(type?.tables.get(table) ?? new Map(), fields, world);
    parts.push((entity, out) => {
      out[table] = project(rowsOf(entity, table), entity.Ref_Key as Cell);
    });
  }
  return (entity) => {
    const out: Record<string, unknown> = {};
    for (const part of parts) part(entity, out);
    return out;
  };
}
