import { type FileHandle, open, stat } from 'node:fs/promises';
import type { CdrRow } from '../../../domain/call.ts';
import type { Range } from '../../../domain/range.ts';
import type { CdrAbout, CdrPlace, CdrSource } from '../api.ts';
import { callId } from '../rows.ts';
import { type CdrField, columnsOf, type RowReading, rowOf } from './columns.ts';
import { type CsvRecord, csvRecords } from './csv-records.ts';
import { codeOf, missing, otherFault, refused, unfitColumns } from './errors.ts';
import { inOrder } from './order.ts';
import { wallClock } from './wall-clock.ts';

/** As cdr_csv writes them with loguniqueid and loguserfield on, as its sample has it. Source: Asterisk's cdr_csv.c. */
const usual = [
  ...[
    'accountcode',
    'src',
    'dst',
    'dcontext',
    'clid',
    'channel',
    'dstchannel',
    'lastapp',
    'lastdata',
    'start',
    'answer',
  ],
  ...['end', 'duration', 'billsec', 'disposition', 'amaflags', 'uniqueid', 'userfield'],
];
/** With newcdrcolumns on besides. */
const extended = [...usual, 'peeraccount', 'linkedid', 'sequence'];

const REMEDY =
  'Set loguniqueid=yes and loguserfield=yes in the [csv] section of cdr.conf (newcdrcolumns=yes too, so that transfers stay one call), or list the columns in their order as cdr.columns in the mapping.';

const PIECE_BYTES = 128 * 1024;

/** Rows of a chunk. */
const CHUNK = 2000;

/** Where each field stands in a record. */
type Layout = ReadonlyMap<CdrField, number>;

/** A row that waits for its turn: as text it takes a quarter of what it takes as a row. */
interface Waiting {
  start: number;
  text: string;
}

/**
 * A file of cdr_csv or cdr_custom, `path` absolute, and `path.1` where it was rotated within the range asked for. Times are in the
 * place's zone: with `usegmtime` on, as the shipped sample of cdr.conf has it, the operator sets that to UTC. Throws `CDR_COLUMNS`
 * (78) where the columns given lack one that is needed.
 */
export async function openCsvCdr(place: CdrPlace, path: string): Promise<CdrSource> {
  const source = new CsvSource(place, path);
  await source.check();
  return source;
}

class CsvSource implements CdrSource {
  skipped = 0;
  readonly #place: CdrPlace;
  readonly #path: string;
  readonly #layouts: ReadonlyMap<number, Layout>;
  readonly #reading: RowReading;

  constructor(place: CdrPlace, path: string) {
    this.#place = place;
    this.#path = path;
    const known = place.columns === undefined ? [usual, extended] : [place.columns];
    this.#layouts = new Map(known.map((columns) => [columns.length, layoutOf(columns)]));
    this.#reading = { host: place.host, clock: wallClock(place.zone), instants: new Set() };
  }

  /** Opens what is there, so that a wrong path shows itself at once. */
  async check(): Promise<void> {
    const files = await this.#open();
    for (const file of files) await file?.close();
  }

  async *rows({ from, to }: Range): AsyncGenerator<readonly CdrRow[]> {
    const waiting: Waiting[] = [];
    for await (const { row, text } of this.#read(+from)) {
      if (row.start >= from && row.start < to) waiting.push({ start: +row.start, text });
    }
    // The file is in order of the end of calls. Last ones first here, so that what was given can be let go of.
    waiting.sort((one, other) => other.start - one.start);
    while (waiting.length > 0) {
      const some: Waiting[] = [];
      for (let next = waiting.at(-1); next !== undefined; next = waiting.at(-1)) {
        if (some.length >= CHUNK && next.start !== some.at(-1)?.start) break;
        some.push(next);
        waiting.pop();
      }
      yield (await this.#again(some)).sort(inOrder);
    }
  }

  async rowsOf(linkedid: string): Promise<CdrRow[]> {
    const found: CdrRow[] = [];
    for await (const { row } of this.#read(0)) if (callId(row) === linkedid) found.push(row);
    return found.sort(inOrder);
  }

  async about(): Promise<CdrAbout> {
    let newest = 0;
    let columns: readonly string[] = this.#place.columns ?? usual;
    for await (const { row, layout } of this.#read(Number.POSITIVE_INFINITY)) {
      newest = Math.max(newest, +row.start);
      if (layout === this.#layouts.get(extended.length)) columns = this.#place.columns ?? extended;
    }
    return { columns, newest: newest === 0 ? undefined : new Date(newest) };
  }

  async close(): Promise<void> {}

  /**
   * The file, and the one before it where rows may stand there that started at or after `fromMs`: those that ended before the
   * file's first row. Opened in this order, so that a rotation in between shows rows twice, and loses none.
   */
  async *#read(fromMs: number): AsyncGenerator<{ row: CdrRow; text: string; layout: Layout }> {
    const tally = { read: 0, unfit: 0, fields: 0 };
    const [current, before] = await this.#open();
    try {
      const began = current === undefined ? undefined : await this.#firstEnd(current);
      if (before !== undefined && (began === undefined || fromMs < began)) yield* this.#rowsIn(before, tally);
      if (current !== undefined) yield* this.#rowsIn(current, tally);
    } finally {
      await current?.close();
      await before?.close();
    }
    if (tally.read === 0 && tally.unfit > 0) {
      const expected = [...this.#layouts.keys()].join(' or ');
      throw unfitColumns(`the lines of ${this.#path} have ${tally.fields} columns, not ${expected}`, REMEDY);
    }
  }

  async #open(): Promise<readonly [FileHandle | undefined, FileHandle | undefined]> {
    const current = await openFile(this.#path);
    const before = await openFile(`${this.#path}.1`);
    if (current === undefined && before === undefined) {
      throw missing(
        `there is no file ${this.#path}`,
        'Correct the path in CDR_URL; a relative one starts at the settings file. Asterisk writes /var/log/asterisk/cdr-csv/Master.csv.',
      );
    }
    // Rotated between the two openings: one file, opened twice.
    if (current !== undefined && before !== undefined && (await current.stat()).ino === (await before.stat()).ino) {
      await before.close();
      return [current, undefined];
    }
    return [current, before];
  }

  /** When the first readable row of a file ended: rows before it, in the file before, had ended by then. */
  async #firstEnd(file: FileHandle): Promise<number | undefined> {
    for await (const records of csvRecords(this.#pieces(file))) {
      for (const record of records) {
        const row = this.#rowOf(record)?.row;
        if (row !== undefined) return +(row.end ?? row.start);
      }
    }
    return undefined;
  }

  async *#rowsIn(file: FileHandle, tally: { read: number; unfit: number; fields: number }) {
    for await (const records of csvRecords(this.#pieces(file))) {
      this.#place.signal.throwIfAborted();
      for (const record of records) {
        const fields = record.fields?.length ?? 0;
        if (!this.#layouts.has(fields)) [tally.unfit, tally.fields] = [tally.unfit + 1, fields];
        const found = this.#rowOf(record);
        if (found === undefined) {
          this.skipped += 1;
          continue;
        }
        tally.read += 1;
        yield { ...found, text: record.text };
      }
    }
  }

  /** From its beginning, whatever was read of it before; bytes that are not UTF-8 become replacement characters. */
  async *#pieces(file: FileHandle): AsyncGenerator<string> {
    const decoder = new TextDecoder();
    const buffer = Buffer.allocUnsafe(PIECE_BYTES);
    for (let position = 0; ; ) {
      const { bytesRead } = await file.read(buffer, 0, PIECE_BYTES, position).catch((error: unknown) => {
        throw faultOf(this.#path, error);
      });
      if (bytesRead === 0) return;
      position += bytesRead;
      yield decoder.decode(buffer.subarray(0, bytesRead), { stream: true });
    }
  }

  #rowOf({ fields }: CsvRecord): { row: CdrRow; layout: Layout } | undefined {
    const layout = fields && this.#layouts.get(fields.length);
    if (layout === undefined) return undefined;
    const raw: { [field in CdrField]?: string } = {};
    for (const [field, index] of layout) raw[field] = fields?.[index] ?? '';
    const row = rowOf(raw, this.#reading);
    return row && { row, layout };
  }

  async #again(waiting: readonly Waiting[]): Promise<CdrRow[]> {
    const text = waiting.map((one) => one.text).join('');
    const rows: CdrRow[] = [];
    for await (const records of csvRecords(once(text))) {
      rows.push(...records.flatMap((record) => this.#rowOf(record)?.row ?? []));
    }
    return rows;
  }
}

async function* once(text: string): AsyncGenerator<string> {
  yield text;
}

function layoutOf(columns: readonly string[]): Layout {
  const places = columnsOf(columns, REMEDY);
  return new Map([...places].map(([field, name]) => [field, columns.indexOf(name)]));
}

async function openFile(path: string): Promise<FileHandle | undefined> {
  try {
    if (!(await stat(path)).isFile()) return undefined;
    return await open(path, 'r');
  } catch (error) {
    if (/^(ENOENT|ENOTDIR)$/.test(codeOf(error))) return undefined;
    throw faultOf(path, error);
  }
}

function faultOf(path: string, error: unknown): unknown {
  const code = codeOf(error);
  if (code === 'EACCES' || code === 'EPERM') {
    return refused(path, code, 'Let the account that cron runs under read the file and its folder.');
  }
  return otherFault(path, error);
}
