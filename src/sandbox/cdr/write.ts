import { closeSync, openSync, writeSync } from 'node:fs';
import Sqlite from 'better-sqlite3';
import type { CdrRecord } from './model.ts';

/** FreePBX's columns in FreePBX's order (its cdr.sql and the upgrades since). */
const COLUMNS = [
  ...['calldate', 'clid', 'src', 'dst', 'dcontext', 'channel', 'dstchannel', 'lastapp', 'lastdata', 'duration'],
  ...['billsec', 'disposition', 'amaflags', 'accountcode', 'uniqueid', 'userfield', 'did', 'recordingfile', 'cnum'],
  ...['cnam', 'outbound_cnum', 'outbound_cnam', 'dst_cnam', 'linkedid', 'peeraccount', 'sequence'],
] as const satisfies readonly (keyof CdrRecord)[];

const NUMBERS: readonly string[] = ['duration', 'billsec', 'amaflags', 'sequence'];
const KEYS = ['calldate', 'dst', 'accountcode', 'uniqueid', 'did', 'recordingfile'];
/** Where FreePBX's differs from 80. */
const WIDTHS: Readonly<Record<string, number>> = {
  ...{ disposition: 45, accountcode: 20, uniqueid: 32, userfield: 255, did: 50, recordingfile: 255, linkedid: 32 },
};

export type SqlDialect = 'sqlite' | 'postgres' | 'mysql';

function columnType(column: string, dialect: SqlDialect): string {
  if (column === 'calldate') {
    const type = dialect === 'postgres' ? 'timestamp' : 'datetime';
    return `${type} NOT NULL DEFAULT '1970-01-01 00:00:00'`;
  }
  if (NUMBERS.includes(column)) return `${dialect === 'mysql' ? 'int(11)' : 'integer'} NOT NULL DEFAULT 0`;
  return `varchar(${WIDTHS[column] ?? 80}) NOT NULL DEFAULT ''`;
}

/** FreePBX's table: no answer, no end, no primary key. One statement an entry; `table` may name its schema. */
export function cdrTable(dialect: SqlDialect, table = 'cdr'): string[] {
  const columns = COLUMNS.map((column) => `${column} ${columnType(column, dialect)}`);
  const name = table.replace(/\W/g, '_');
  // MySQL needs the length of its keys to be small; all of these are.
  const keys = KEYS.map((key) => `CREATE INDEX ${name}_${key} ON ${table} (${key})`);
  return [`CREATE TABLE ${table} (${columns.join(', ')})`, ...keys];
}

function literal(value: string | number, dialect: SqlDialect): string {
  if (typeof value === 'number') return String(value);
  const text = dialect === 'mysql' ? value.replaceAll('\\', '\\\\') : value;
  return `'${text.replaceAll("'", "''")}'`;
}

/** INSERT statements of `most` rows each. */
export function* cdrInserts(
  records: readonly CdrRecord[],
  dialect: SqlDialect,
  table = 'cdr',
  most = 500,
): Generator<string> {
  for (let from = 0; from < records.length; from += most) {
    const rows = records.slice(from, from + most).map((record) => {
      const values = COLUMNS.map((column) => literal(record[column], dialect));
      return `(${values.join(',')})`;
    });
    yield `INSERT INTO ${table} (${COLUMNS.join(', ')}) VALUES ${rows.join(',')}`;
  }
}

/** Adds rows to a SQLite file, in one transaction; the table is made where it is not there. */
export function writeCdrSqlite(file: string, records: readonly CdrRecord[], table = 'cdr'): void {
  const database = new Sqlite(file);
  try {
    const known = database.prepare(`SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?`).get(table);
    if (known === undefined) for (const statement of cdrTable('sqlite', table)) database.exec(statement);
    const places = COLUMNS.map(() => '?').join(', ');
    const insert = database.prepare(`INSERT INTO ${table} (${COLUMNS.join(', ')}) VALUES (${places})`);
    database.transaction(() => {
      for (const record of records) insert.run(COLUMNS.map((column) => record[column]));
    })();
  } finally {
    database.close();
  }
}

/** What `cdr_csv` writes: 18 columns with loguniqueid and loguserfield, and three more with newcdrcolumns. */
export function cdrCsv(records: readonly CdrRecord[], columns: 18 | 21 = 18): string {
  const text = (value: string) => `"${value.replaceAll('"', '""')}"`;
  const date = (value: string) => (value === '' ? '' : text(value));
  return records
    .map((one) => {
      const head = [one.accountcode, one.src, one.dst, one.dcontext, one.clid, one.channel, one.dstchannel].map(text);
      const times = [date(one.calldate), date(one.answer), date(one.end), one.duration, one.billsec];
      const tail = [text(one.disposition), text('DOCUMENTATION'), text(one.uniqueid), text(one.userfield)];
      const added = columns === 18 ? [] : [text(one.peeraccount), text(one.linkedid), one.sequence];
      return `${[...head, text(one.lastapp), text(one.lastdata), ...times, ...tail, ...added].join(',')}\n`;
    })
    .join('');
}

/** Appends rows to a Master.csv, which is made where it is not there. */
export function writeCdrCsv(file: string, records: readonly CdrRecord[], columns: 18 | 21 = 18): void {
  const handle = openSync(file, 'a', 0o600);
  try {
    for (let from = 0; from < records.length; from += 5000) {
      writeSync(handle, cdrCsv(records.slice(from, from + 5000), columns));
    }
  } finally {
    closeSync(handle);
  }
}
