import type { CdrRow } from '../../../domain/call.ts';
import type { Range } from '../../../domain/range.ts';
import type { CdrPlace, CdrSource } from '../api.ts';
import { callId, epochOf } from '../rows.ts';
import { type CdrField, columnsOf, type RawRow, type RowReading, rowOf } from './columns.ts';
import { missing } from './errors.ts';
import { inOrder, Pending } from './order.ts';
import { parseTime, wallClock } from './wall-clock.ts';

/** One database as a driver gives it. Every fault comes out as a `RemoteError`. */
export interface SqlDriver {
  /** Of the table: its columns in their own spelling; none where there is no such table. */
  columns: readonly { name: string; instant: boolean }[];
  /** The table as it is written in a query, quoted. */
  table: string;
  quote(name: string): string;
  /** An expression whose value comes as text. */
  asText(expression: string): string;
  /** The place of the n-th value, from 1. */
  value(n: number): string;
  /** Runs one query that only reads; every value that comes is text or null. */
  query(sql: string, values: readonly string[]): Promise<Record<string, string | null>[]>;
  close(): Promise<void>;
}

/** Rows of one query: few enough to be held, and enough that a table without an index is not read over and over. */
const PAGE = 5000;

/** A row's local time may be off by the change of clocks, so a range is asked for wider and cut afterwards. */
const MARGIN_MS = 2 * 3_600_000;

const DAY_MS = 86_400_000;

const REMEDY =
  'Add the columns to the table and to what the PBX writes (cdr_adaptive_odbc.conf, cdr_pgsql.conf, cdr_sqlite3_custom.conf), or set cdr.table in the mapping to the right table.';

/** Call records in a table. Throws `CDR_MISSING` and `CDR_COLUMNS` (78) where the table is not there or is another one. */
export function sqlSource(place: CdrPlace, driver: SqlDriver): CdrSource {
  if (driver.columns.length === 0) {
    throw missing(
      `there is no table ${place.table} that this user may see`,
      'Set cdr.table in the mapping to the table of the call records, `schema.table` where it is in another schema.',
    );
  }
  return new SqlSource(place, driver);
}

class SqlSource implements CdrSource {
  skipped = 0;
  readonly #place: CdrPlace;
  readonly #driver: SqlDriver;
  readonly #columns: ReadonlyMap<CdrField, string>;
  readonly #reading: RowReading;

  constructor(place: CdrPlace, driver: SqlDriver) {
    this.#place = place;
    this.#driver = driver;
    this.#columns = columnsOf(
      driver.columns.map(({ name }) => name),
      REMEDY,
    );
    const utc = new Set(driver.columns.filter(({ instant }) => instant).map(({ name }) => name));
    const instants = new Set([...this.#columns].filter(([, name]) => utc.has(name)).map(([field]) => field));
    this.#reading = { host: place.host, clock: wallClock(place.zone), instants };
  }

  async *rows(range: Range): AsyncGenerator<readonly CdrRow[]> {
    const pending = new Pending();
    for await (const page of this.#pages(this.#bound(+range.from - MARGIN_MS), this.#bound(+range.to + MARGIN_MS))) {
      pending.add(this.#read(page).filter(({ start }) => start >= range.from && start < range.to));
      const last = parseTime(page.at(-1)?.start ?? '');
      if (last === undefined) continue;
      const floor = this.#reading.instants.has('start') ? last.wallMs : this.#reading.clock.earliestFrom(last.wallMs);
      yield* pending.upTo(last.instantMs ?? floor);
    }
    yield* pending.upTo(Number.POSITIVE_INFINITY);
  }

  async rowsOf(linkedid: string): Promise<CdrRow[]> {
    const { value } = this.#driver;
    const ids = (['linkedid', 'uniqueid'] as const).filter((field) => this.#columns.has(field));
    const named = ids.map((field, index) => `${this.#column(field)} = ${value(index + 1)}`).join(' OR ');
    const values: string[] = ids.map(() => linkedid);
    // FreePBX's table has no index of linkedid, but one of calldate.
    const epoch = epochOf(linkedid);
    if (epoch !== undefined) {
      values.push(this.#bound(epoch * 1000 - DAY_MS), this.#bound(epoch * 1000 + 2 * DAY_MS));
    }
    const start = this.#column('start');
    const during =
      epoch === undefined ? '' : ` AND ${start} >= ${value(ids.length + 1)} AND ${start} < ${value(ids.length + 2)}`;
    const raw = await this.#driver.query(`${this.#select()} WHERE (${named})${during} LIMIT ${PAGE}`, values);
    // A database may compare ids as numbers, to which .1 and .10 are equal.
    return this.#read(raw)
      .filter((row) => callId(row) === linkedid)
      .sort(inOrder);
  }

  async about() {
    const start = this.#column('start');
    const newest = await this.#driver.query(
      `${this.#select()} WHERE ${start} IS NOT NULL ORDER BY ${start} DESC LIMIT 1`,
      [],
    );
    const row = newest[0] && rowOf(newest[0] as RawRow, this.#reading);
    return { columns: this.#driver.columns.map(({ name }) => name), newest: row?.start };
  }

  close(): Promise<void> {
    return this.#driver.close();
  }

  /**
   * Pages in order of the local start. A page's last start may go on in the next one, so its rows are left to that: nothing
   * hangs on the order of rows that start at once, of which a table without a key promises nothing.
   */
  async *#pages(from: string, to: string): AsyncGenerator<readonly RawRow[]> {
    const { query, value } = this.#driver;
    const start = this.#column('start');
    const where = `WHERE ${start} >= ${value(1)} AND ${start} < ${value(2)} ORDER BY ${start}`;
    for (let [after, limit] = [from, PAGE]; ; ) {
      this.#place.signal.throwIfAborted();
      const page: RawRow[] = await query(`${this.#select()} ${where} LIMIT ${limit}`, [after, to]);
      if (page.length < limit) {
        yield page;
        return;
      }
      const last = page.at(-1)?.start ?? '';
      const whole = page.filter((row) => row.start !== last);
      if (whole.length === 0 || last === after) {
        limit *= 2;
        continue;
      }
      yield whole;
      [after, limit] = [last, PAGE];
    }
  }

  #read(page: readonly RawRow[]): CdrRow[] {
    const rows = page.flatMap((raw) => rowOf(raw, this.#reading) ?? []);
    this.skipped += page.length - rows.length;
    return rows;
  }

  #select(): string {
    const { quote, asText, table } = this.#driver;
    const list = [...this.#columns.keys()].map((field) => `${asText(this.#column(field))} AS ${quote(field)}`);
    return `SELECT ${list.join(', ')} FROM ${table} ${quote('r')}`;
  }

  /** With the table's alias: a bare name in ORDER BY would mean the text that is selected, which no index is of. */
  #column(field: CdrField): string {
    const { quote } = this.#driver;
    return `${quote('r')}.${quote(this.#columns.get(field) ?? field)}`;
  }

  #bound(instantMs: number): string {
    if (!this.#reading.instants.has('start')) return this.#reading.clock.textOf(instantMs);
    return new Date(instantMs).toISOString().slice(0, 19).replace('T', ' ');
  }
}
