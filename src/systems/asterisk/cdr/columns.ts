import type { CdrRow } from '../../../domain/call.ts';
import { epochOf } from '../rows.ts';
import { unfitColumns } from './errors.ts';
import { parseTime, type WallClock } from './wall-clock.ts';

/**
 * What a row is read from, and the names that PBXs give the column, the usual one first. Sources: Asterisk's CDR specification and
 * its schema for ODBC; FreePBX's cdr.sql; MikoPBX's `cdr_general` (`endtime`, `src_num`, `dst_num`, `src_chan`, `dst_chan`).
 */
const spellings = {
  // Where a table has both, `start` is the one that an alias (`start => calldate`) leaves empty.
  start: ['calldate', 'start'],
  answer: ['answer'],
  end: ['end', 'endtime'],
  uniqueid: ['uniqueid'],
  linkedid: ['linkedid'],
  sequence: ['sequence'],
  duration: ['duration'],
  billsec: ['billsec'],
  src: ['src', 'src_num'],
  dst: ['dst', 'dst_num'],
  dcontext: ['dcontext'],
  channel: ['channel', 'src_chan'],
  dstchannel: ['dstchannel', 'dst_chan'],
  lastapp: ['lastapp'],
  lastdata: ['lastdata'],
  disposition: ['disposition'],
  did: ['did'],
  recordingfile: ['recordingfile'],
  cnum: ['cnum'],
  accountcode: ['accountcode'],
  userfield: ['userfield'],
} as const;

export type CdrField = keyof typeof spellings;

const fields = Object.keys(spellings) as CdrField[];

/** A call cannot be told without these, and what is to be done where one is not there. */
const needed: readonly (readonly [CdrField, string])[] = [
  ['start', 'the beginning (calldate or start)'],
  ['uniqueid', 'uniqueid'],
  ['src', 'src'],
  ['dst', 'dst'],
  ['channel', 'channel'],
];

/**
 * Which column of a source holds which field, in the source's spelling; case does not matter. Throws `CDR_COLUMNS` (78) naming
 * those that are missing; `remedy` is what its operator is to do.
 */
export function columnsOf(names: readonly string[], remedy: string): ReadonlyMap<CdrField, string> {
  const bySpelling = new Map(names.map((name) => [name.trim().toLowerCase(), name]));
  const found = new Map<CdrField, string>();
  for (const field of fields) {
    const name = spellings[field].map((spelling) => bySpelling.get(spelling)).find((known) => known !== undefined);
    if (name !== undefined) found.set(field, name);
  }
  const lacking = needed.filter(([field]) => !found.has(field)).map(([, text]) => text);
  if (lacking.length > 0) throw unfitColumns(`they have no column for ${lacking.join(', ')}`, remedy);
  return found;
}

/** A row as its source gave it: every value as text, absent ones null or missing. */
export type RawRow = { readonly [field in CdrField]?: string | null };

export interface RowReading {
  host: string;
  clock: WallClock;
  /** Fields whose times are UTC whatever the PBX's zone is. */
  instants: ReadonlySet<CdrField>;
}

/** Clocks of ids and of rows are one, but an id is made a moment before or after its record. */
const SLACK_MS = 2000;

/** 31 days. Longer ones are what a clock that was set leaves behind: such a call would never be over. */
const LONGEST_SECONDS = 31 * 86_400;

/** MikoPBX gives each row an id of its own, `mikopbx-1754220600.13_aB3dE5gH7j`: the channel's and letters by chance. */
const ownSuffix = /(\d{9,11}\.\d+)_[A-Za-z0-9]{6,16}$/;

/**
 * A row, or undefined where it has no readable beginning or no uniqueid. Of the two instants of an hour that comes twice, the
 * beginning is the first one that the channel, whose birth its id tells in UTC, could have had; the end is what the duration says.
 */
export function rowOf(raw: RawRow, reading: RowReading): CdrRow | undefined {
  const text = (field: CdrField) => raw[field]?.trim() ?? '';
  const uniqueid = text('uniqueid').replace(ownSuffix, '$1');
  const born = epochOf(uniqueid);
  const start = instantOf('start', raw, reading, born === undefined ? 0 : born * 1000);
  if (start === undefined || uniqueid === '') return undefined;

  const told = secondsOf(text('duration'));
  const end = instantOf('end', raw, reading, start + (told ?? 0) * 1000);
  const isEnd = end !== undefined && end >= start && end - start <= LONGEST_SECONDS * 1000;
  const ended = isEnd ? end : start + (told ?? 0) * 1000;
  // Some backends write the year 1970 for no answer.
  const answered = instantOf('answer', raw, reading, start);
  const answer = answered !== undefined && answered >= start - SLACK_MS ? Math.max(answered, start) : undefined;
  const linkedid = text('linkedid');
  const sequence = text('sequence');
  return {
    host: reading.host,
    uniqueid,
    // One string where two are equal: hours of rows are held in memory.
    linkedid: linkedid === uniqueid ? uniqueid : linkedid,
    sequence: /^\d{1,15}(\.0+)?$/.test(sequence) ? Number(sequence) : undefined,
    start: new Date(start),
    answer: answer === undefined ? undefined : new Date(answer),
    end: new Date(ended),
    duration: told ?? Math.round((ended - start) / 1000),
    billsec: secondsOf(text('billsec')) ?? (answer === undefined ? 0 : Math.round((ended - answer) / 1000)),
    src: text('src'),
    dst: text('dst'),
    dcontext: text('dcontext'),
    channel: text('channel'),
    dstchannel: text('dstchannel'),
    lastapp: text('lastapp'),
    lastdata: text('lastdata'),
    disposition: text('disposition'),
    did: text('did') || undefined,
    recordingfile: text('recordingfile') || undefined,
    cnum: text('cnum') || undefined,
    accountcode: text('accountcode') || undefined,
    userfield: text('userfield') || undefined,
  };
}

/** The first instant that is not before another one; else the last. */
function instantOf(field: CdrField, raw: RawRow, reading: RowReading, notBefore: number): number | undefined {
  const time = parseTime(raw[field] ?? '');
  if (time === undefined) return undefined;
  if (time.instantMs !== undefined) return time.instantMs;
  if (reading.instants.has(field)) return time.wallMs;
  const possible = reading.clock.instantsOf(time.wallMs);
  return possible.find((instant) => instant >= notBefore - SLACK_MS) ?? possible.at(-1);
}

function secondsOf(text: string): number | undefined {
  if (!/^\d+([.,]\d+)?$/.test(text)) return undefined;
  const seconds = Math.round(Number(text.replace(',', '.')));
  return seconds <= LONGEST_SECONDS ? seconds : undefined;
}
