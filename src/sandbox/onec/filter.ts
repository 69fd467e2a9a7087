import { badFilter, type FilterNode, type Operator, parseFilter } from './filter-parse.ts';
import {
  type Column,
  type Columns,
  type Entity,
  type EntityType,
  handlerRefusal,
  OnecRefusal,
  type Row,
  rowsOf,
  TYPE_PREFIX,
  textOf,
} from './model.ts';
import { ENTITY_TYPES } from './types.ts';
import type { World } from './world.ts';

export type Predicate = (row: Entity | Row) => boolean;

type Plain = string | number | boolean | undefined;
type ValueType = 'string' | 'number' | 'bool' | 'date' | 'guid' | 'composite';

/** One side of a comparison, compiled. Composites are `type|value`. */
interface Operand {
  type: ValueType;
  get(row: Scope): Plain;
  /** Set where the value is the same for every row. */
  constant?: Plain;
  /** Set where it is a column of the row itself, so that many comparisons of it become one look-up. */
  path?: string;
}

/** The row that is asked about, and the row of its table part inside a lambda. */
interface Scope {
  row: Entity | Row;
  inner?: Row;
}

interface Place {
  world: World;
  columns: Columns;
  /** Absent in a table part's own set. */
  type: EntityType | undefined;
  alias: string;
  inner: Columns | undefined;
}

const VALUE_TYPES: Readonly<Record<Column['type'], ValueType | undefined>> = {
  string: 'string',
  int16: 'number',
  int32: 'number',
  int64: 'number',
  double: 'number',
  bool: 'bool',
  date: 'date',
  ref: 'guid',
  any: 'composite',
  types: undefined,
};

function readColumn(column: Column, world: World): { type: ValueType; read(row: Entity | Row): Plain } {
  const { name } = column;
  const type = name === 'Ref_Key' ? 'guid' : VALUE_TYPES[column.type];
  if (type === undefined) throw badFilter(`поле "${name}" недоступно для сравнения`);
  if (type === 'composite') return { type, read: (row) => `${row[`${name}_Type`]}|${row[name]}` };
  if (type === 'number') return { type, read: (row) => Number(row[name]) };
  if (column.fixed && column.length > 0) {
    const { length } = column;
    return {
      type,
      read: (row) => (world.options.paddedCodes ? String(row[name]).padEnd(length) : (row[name] as Plain)),
    };
  }
  return { type, read: (row) => row[name] as Plain };
}

function compilePath(parts: readonly string[], place: Place): Operand {
  const isInner = place.inner !== undefined && parts[0] === place.alias;
  const columns = isInner ? place.inner : place.columns;
  const [first = '', second, ...more] = isInner ? parts.slice(1) : parts;
  if (more.length > 0) throw badFilter(`слишком длинный путь "${parts.join('/')}"`);
  const of = (scope: Scope) => (isInner ? (scope.inner ?? {}) : scope.row);
  if (second === undefined) {
    const column = columns?.get(first);
    if (!column) throw badFilter(`сегмент пути "${first}" не найден`);
    const { type, read } = readColumn(column, place.world);
    return { type, get: (scope) => read(of(scope)), path: `${isInner ? '*' : ''}${first}` };
  }
  const link = columns?.get(`${first}_Key`);
  const target = link?.type === 'ref' ? ENTITY_TYPES.get(link.to) : undefined;
  const column = target?.columns.get(second);
  if (!link || !target || !column) throw badFilter(`сегмент пути "${first}/${second}" не найден`);
  const { type, read } = readColumn(column, place.world);
  const follow = (scope: Scope): Plain => {
    const found = place.world.get(target.set, textOf(of(scope) as Entity, link.name));
    return found ? read(found) : undefined;
  };
  return { type, get: follow };
}

const PRIMITIVES: Readonly<Record<string, { type: ValueType; edm: string }>> = {
  Number: { type: 'number', edm: 'Edm.Double' },
  String: { type: 'string', edm: 'Edm.String' },
  Date: { type: 'date', edm: 'Edm.DateTime' },
  Boolean: { type: 'bool', edm: 'Edm.Boolean' },
};

function compileCast([what, as]: readonly FilterNode[], place: Place): Operand {
  if (!what || as?.kind !== 'literal' || as.type !== 'string') throw badFilter('неверные параметры cast');
  const name = String(as.value);
  if (what.kind === 'literal' && what.type === 'guid') {
    if (!ENTITY_TYPES.has(name)) throw badFilter(`тип "${name}" не найден`);
    const constant = `${TYPE_PREFIX}${name}|${what.value}`;
    return { type: 'composite', get: () => constant, constant };
  }
  const primitive = PRIMITIVES[name];
  const value = compileOperand(what, place);
  if (!primitive || value.type !== 'composite') throw badFilter(`приведение к "${name}" невозможно`);
  if (place.world.options.castUnsupported) throw new OnecRefusal(400, 21, 'Функция "cast" не поддерживается');
  const head = `${primitive.edm}|`;
  const get = (scope: Scope): Plain => {
    const text = String(value.get(scope));
    if (place.world.options.filterLies || !text.startsWith(head)) return undefined;
    const rest = text.slice(head.length);
    return primitive.type === 'number' ? Number(rest) : primitive.type === 'bool' ? rest === 'true' : rest;
  };
  return { type: primitive.type, get };
}

function compileOperand(node: FilterNode, place: Place): Operand {
  if (node.kind === 'path') return compilePath(node.parts, place);
  if (node.kind === 'literal') return { type: node.type, get: () => node.value, constant: node.value };
  if (node.kind === 'call' && node.name === 'cast') return compileCast(node.args, place);
  const test = compileTest(node, place);
  return { type: 'bool', get: test };
}

type Test = (scope: Scope) => boolean;

function orderOf(operator: Operator): (sign: number) => boolean {
  if (operator === 'gt') return (sign) => sign > 0;
  if (operator === 'ge') return (sign) => sign >= 0;
  if (operator === 'lt') return (sign) => sign < 0;
  return (sign) => sign <= 0;
}

/** A reference of one type may be compared with a cast guid; a composite with a bare guid gives nothing, and no error. */
function settleTypes(left: Operand, right: Operand): [Operand, Operand] | 'never' {
  if (left.type === right.type) return [left, right];
  const types = new Set([left.type, right.type]);
  if (types.has('composite') && types.has('guid')) {
    const bare = (side: Operand): Operand =>
      side.type === 'composite' && side.constant !== undefined
        ? {
            ...side,
            type: 'guid',
            get: () => String(side.constant).split('|')[1],
            constant: String(side.constant).split('|')[1],
          }
        : side;
    const [one, other] = [bare(left), bare(right)];
    return one.type === other.type && (one.path ?? other.path) !== undefined ? [one, other] : 'never';
  }
  if (types.has('composite')) return 'never';
  throw badFilter('сравнение значений разных типов');
}

function compileCompare(operator: Operator, leftNode: FilterNode, rightNode: FilterNode, place: Place): Test {
  const settled = settleTypes(compileOperand(leftNode, place), compileOperand(rightNode, place));
  if (settled === 'never') return () => false;
  const [left, right] = settled;
  if (left.type === 'composite' && place.world.options.filterLies) return () => false;
  if (operator === 'eq') return (scope) => left.get(scope) === right.get(scope);
  if (operator === 'ne') return (scope) => left.get(scope) !== right.get(scope);
  if (left.type === 'guid') throw handlerRefusal('Операция сравнения не определена для значений типа Ссылка');
  if (left.type === 'composite') throw badFilter('сравнение составных значений');
  const fits = orderOf(operator);
  return (scope) => {
    const [one, other] = [left.get(scope), right.get(scope)];
    if (one === undefined || other === undefined) return false;
    return fits(one < other ? -1 : one > other ? 1 : 0);
  };
}

function leaves(node: FilterNode): FilterNode[] {
  return node.kind === 'or' ? [...leaves(node.left), ...leaves(node.right)] : [node];
}

/** `X eq a or X eq b or …` over thousands of rows is one look-up a row instead of twenty comparisons. */
function compileOr(node: FilterNode, place: Place): Test {
  const wanted = new Map<string, { get: Operand['get']; values: Set<Plain> }>();
  const rest: Test[] = [];
  for (const leaf of leaves(node)) {
    const settled =
      leaf.kind === 'compare' && leaf.operator === 'eq'
        ? settleTypes(compileOperand(leaf.left, place), compileOperand(leaf.right, place))
        : 'never';
    const [left, right] = settled === 'never' ? [] : settled;
    const plain = left?.path !== undefined && right?.constant !== undefined;
    if (!left || !right || !plain || (left.type === 'composite' && place.world.options.filterLies)) {
      rest.push(compileTest(leaf, place));
      continue;
    }
    const entry = wanted.get(left.path ?? '') ?? { get: left.get, values: new Set<Plain>() };
    entry.values.add(right.constant);
    wanted.set(left.path ?? '', entry);
  }
  const groups = [...wanted.values()];
  return (scope) => groups.some(({ get, values }) => values.has(get(scope))) || rest.some((test) => test(scope));
}

function compileText(name: string, args: readonly FilterNode[], place: Place): Test {
  const [first, second] = args.map((arg) => compileOperand(arg, place));
  if (!first || !second || args.length !== 2 || first.type !== 'string' || second.type !== 'string') {
    throw badFilter(`неверные параметры ${name}`);
  }
  const text = (side: Operand, scope: Scope) => String(side.get(scope) ?? '');
  if (name === 'startswith') return (scope) => text(first, scope).startsWith(text(second, scope));
  if (name === 'endswith') return (scope) => text(first, scope).endsWith(text(second, scope));
  return (scope) => text(second, scope).includes(text(first, scope));
}

function compileIsOf([what, as]: readonly FilterNode[], place: Place): Test {
  if (!what || as?.kind !== 'literal' || as.type !== 'string') throw badFilter('неверные параметры isof');
  const name = String(as.value);
  const value = compileOperand(what, place);
  const edm = PRIMITIVES[name]?.edm ?? (ENTITY_TYPES.has(name) ? `${TYPE_PREFIX}${name}` : undefined);
  if (edm === undefined || value.type !== 'composite') throw badFilter(`тип "${name}" не найден`);
  return (scope) => !place.world.options.filterLies && String(value.get(scope)).startsWith(`${edm}|`);
}

function compileLambda(node: FilterNode & { kind: 'lambda' }, place: Place): Test {
  if (place.world.options.lambdaUnsupported) throw new OnecRefusal(400, 21, 'Лямбда-выражения не поддерживаются');
  const inner = place.inner ? undefined : place.type?.tables.get(node.table);
  if (!inner) throw badFilter(`сегмент пути "${node.table}" не найден`);
  if (!node.body) return ({ row }) => rowsOf(row as Entity, node.table).length > 0;
  const test = compileTest(node.body, { ...place, alias: node.alias, inner });
  const over = (scope: Scope) => rowsOf(scope.row as Entity, node.table);
  if (node.name === 'all') return (scope) => over(scope).every((row) => test({ row: scope.row, inner: row }));
  return (scope) => over(scope).some((row) => test({ row: scope.row, inner: row }));
}

function compileTest(node: FilterNode, place: Place): Test {
  if (node.kind === 'or') return compileOr(node, place);
  if (node.kind === 'and') {
    const [left, right] = [compileTest(node.left, place), compileTest(node.right, place)];
    return (scope) => left(scope) && right(scope);
  }
  if (node.kind === 'not') {
    const test = compileTest(node.of, place);
    return (scope) => !test(scope);
  }
  if (node.kind === 'compare') return compileCompare(node.operator, node.left, node.right, place);
  if (node.kind === 'lambda') return compileLambda(node, place);
  if (node.kind === 'call' && node.name === 'isof') return compileIsOf(node.args, place);
  if (node.kind === 'call' && node.name !== 'cast') return compileText(node.name, node.args, place);
  const value = compileOperand(node, place);
  if (value.type !== 'bool') throw badFilter('ожидалось логическое выражение');
  return (scope) => value.get(scope) === true;
}

/**
 * A filter's text as a test of a set's rows. `type` gives lambdas their table parts; a table part's own set has none.
 * Throws an `OnecRefusal` for what 1C, or this stand-in, does not understand.
 */
export function compileFilter(text: string, columns: Columns, type: EntityType | undefined, world: World): Predicate {
  const test = compileTest(parseFilter(text), { world, columns, type, alias: '', inner: undefined });
  return (row) => test({ row });
}
