import type { Call, CdrRow } from '../../domain/call.ts';
import type { Range } from '../../domain/range.ts';
import type { CdrSource } from './api.ts';
import { type FoldRules, foldCalls } from './fold.ts';
import { callId } from './rows.ts';

export interface CallsInOptions {
  /** How long after a call's first row another row of it may start; default 6 hours. */
  longestMs?: number;
  /** Calls of a page; default 500. */
  pageSize?: number;
}

const HOUR_MS = 3_600_000;

/**
 * Calls that began in [from, to), in order of their beginning, each made of all its rows that the source has now, for rows of a
 * call may start long after the range. Only rows of calls that are still open at that place of the stream are held. Errors: those
 * of the source.
 */
export async function* callsIn(
  source: CdrSource,
  range: Range,
  rules: FoldRules,
  { longestMs = 6 * HOUR_MS, pageSize = 500 }: CallsInOptions = {},
): AsyncGenerator<readonly Call[]> {
  const window = { from: new Date(+range.from - longestMs), to: new Date(+range.to + longestMs) };
  const open = new OpenCalls(range);
  let page: Call[] = [];
  for await (const rows of source.rows(window)) {
    for (const row of rows) {
      for (const complete of open.upTo(+row.start - longestMs)) page.push(...foldCalls(complete, rules));
      open.add(row);
      if (page.length < pageSize) continue;
      yield page;
      page = [];
    }
  }
  for (const complete of open.upTo(Number.POSITIVE_INFINITY)) {
    page.push(...foldCalls(complete, rules));
    if (page.length < pageSize) continue;
    yield page;
    page = [];
  }
  if (page.length > 0) yield page;
}

/** Rows come in order of their start, so calls stand here in order of theirs. */
class OpenCalls {
  readonly #range: Range;
  readonly #rows = new Map<string, Held>();
  /** Calls that began before the range, or were given already: later rows of theirs begin no call. */
  readonly #past = new Set<string>();

  constructor(range: Range) {
    this.#range = range;
  }

  add(row: CdrRow): void {
    const id = callId(row);
    const known = this.#rows.get(id);
    if (known !== undefined) {
      known.rows.push(packed(row));
      return;
    }
    if (this.#past.has(id)) return;
    if (row.start < this.#range.from) this.#past.add(id);
    else if (row.start < this.#range.to) this.#rows.set(id, { start: +row.start, rows: [packed(row)] });
  }

  /** The rows of each call whose first row started before an instant; they are held no longer. */
  *upTo(instantMs: number): Generator<readonly CdrRow[]> {
    for (const [id, { start, rows }] of this.#rows) {
      if (start >= instantMs) return;
      this.#rows.delete(id);
      this.#past.add(id);
      yield rows.map(unpacked);
    }
  }
}

/** An open call: when its first row started, and its rows as text, which takes a quarter of what rows take. */
interface Held {
  start: number;
  rows: string[];
}

const texts = [
  ...([
    'host',
    'uniqueid',
    'linkedid',
    'src',
    'dst',
    'dcontext',
    'channel',
    'dstchannel',
    'lastapp',
    'lastdata',
  ] as const),
  ...(['disposition', 'did', 'recordingfile', 'cnum', 'accountcode', 'userfield'] as const),
];
const numbers = ['sequence', 'duration', 'billsec'] as const;
const times = ['start', 'answer', 'end'] as const;

function packed(row: CdrRow): string {
  const others = [...texts, ...numbers].map((field) => row[field]);
  return JSON.stringify([...others, ...times.map((field) => row[field]?.getTime())]);
}

function unpacked(text: string): CdrRow {
  const values = (JSON.parse(text) as (string | number | null)[]).map((value) => value ?? undefined);
  const fields = [...texts, ...numbers].map((field, index) => [field, values[index]]);
  const dates = times.map((field, index) => {
    const time = values[fields.length + index];
    return [field, time === undefined ? undefined : new Date(time)];
  });
  return Object.fromEntries([...fields, ...dates]) as CdrRow;
}
