/** How a column's value travels (facts: 1C developer's guide 17.4, types). `any` is a composite: the value and its `_Type` beside it. */
export type ColumnType = 'string' | 'int16' | 'int32' | 'int64' | 'double' | 'bool' | 'date' | 'ref' | 'any' | 'types';

export interface Column {
  /** As OData spells it: a reference of one type ends in `_Key`. */
  name: string;
  type: ColumnType;
  /** Strings: longer ones are cut. 0 = unlimited. */
  length: number;
  /** Filled up with blanks on the right where the switch `paddedCodes` is on. */
  fixed: boolean;
  /** Set that a reference of one type points to. */
  to: string;
}

export type Columns = ReadonlyMap<string, Column>;

export interface EntityType {
  set: string;
  kind: 'catalog' | 'document' | 'register';
  columns: Columns;
  tables: ReadonlyMap<string, Columns>;
  /** Registers: dimensions, and Period where it is periodic, as properties: `Объект`, `Объект_Type`, `Свойство_Key`. Objects: `Ref_Key`. */
  key: readonly string[];
}

/** A value as JSON has it; Int64 is text. */
export type Cell = string | number | boolean | null | { [key: string]: unknown };
export type Row = { [property: string]: Cell };
/** An object or a record, table parts as lists. */
export type Entity = { [property: string]: Cell | Row[] };

export const EMPTY_REF = '00000000-0000-0000-0000-000000000000';
export const EMPTY_DATE = '0001-01-01T00:00:00';
export const UNDEFINED_TYPE = 'StandardODATA.Undefined';
export const TYPE_PREFIX = 'StandardODATA.';

const LETTERS: Readonly<Record<string, ColumnType>> = {
  s: 'string',
  f: 'string',
  h: 'int16',
  i: 'int32',
  l: 'int64',
  d: 'double',
  b: 'bool',
  t: 'date',
  types: 'types',
};

function column(name: string, type: ColumnType, extra: Partial<Column> = {}): Column {
  return { name, type, length: 0, fixed: false, to: '', ...extra };
}

/**
 * Columns out of a line of words: `Имя:s50` text of 50, `:f9` text of fixed length, `:h` `:i` `:l` integers of 16, 32, 64 bits,
 * `:d` number, `:b` boolean, `:t` date, `Имя>Catalog_X` a reference of one type, `Имя*` a composite.
 */
export function columnsOf(text: string): Map<string, Column> {
  const columns = new Map<string, Column>();
  const add = (one: Column) => columns.set(one.name, one);
  for (const word of text.split(/\s+/).filter(Boolean)) {
    const [, name = '', kind = '', rest = ''] = /^([^:>*]+)([:>*])(.*)$/.exec(word) ?? [];
    if (kind === '>') add(column(`${name}_Key`, 'ref', { to: rest }));
    else if (kind === '*') {
      add(column(name, 'any'));
      add(column(`${name}_Type`, 'string'));
    } else {
      const [, letters = '', length = '0'] = /^([a-z]+)(\d*)$/.exec(rest) ?? [];
      const type = LETTERS[letters];
      if (type === undefined) throw new Error(`1C stand-in: no column type in "${word}"`);
      add(column(name, type, { length: Number(length), fixed: letters === 'f' }));
    }
  }
  return columns;
}

/** What an empty column holds. */
export function emptyCell({ type, name }: Column): Cell {
  if (type === 'bool') return false;
  if (type === 'int64') return '0';
  if (type === 'int16' || type === 'int32' || type === 'double') return 0;
  if (type === 'date') return EMPTY_DATE;
  if (type === 'ref' || name === 'Ref_Key') return EMPTY_REF;
  if (type === 'types') return { Types: [] };
  return name.endsWith('_Type') ? UNDEFINED_TYPE : '';
}

export function textOf(entity: Entity | undefined, property: string): string {
  const value = entity?.[property];
  return typeof value === 'string' ? value : '';
}

export function rowsOf(entity: Entity, table: string): Row[] {
  const rows = entity[table];
  return Array.isArray(rows) ? rows : [];
}

/** An error answer of 1C (facts: 1C developer's guide 17.4, error codes). */
export class OnecRefusal extends Error {
  readonly status: number;
  readonly code: string;
  constructor(status: number, code: number, message: string) {
    super(message);
    this.status = status;
    this.code = String(code);
  }
}

/** An exception in a handler, a failed posting, a lock: all of them are 500 with code -1, and only the text tells them apart. */
export function handlerRefusal(message: string): OnecRefusal {
  return new OnecRefusal(500, -1, message);
}
