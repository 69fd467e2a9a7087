import type { CdrRow } from '../../domain/call.ts';

/** The call that a row belongs to, within its host. */
export function callId(row: CdrRow): string {
  return row.linkedid || row.uniqueid;
}

/**
 * Rows in order of time, each once. The sequence alone is no key: tables that Asterisk does not fill it in hold 0. Of
 * two states of one row, to which a recording was added, the fuller one counts.
 */
export function distinctRows(rows: readonly CdrRow[]): CdrRow[] {
  const byKey = new Map<string, CdrRow>();
  for (const row of rows) {
    const { uniqueid, sequence, start, dstchannel, lastapp, duration } = row;
    const key = JSON.stringify([uniqueid, sequence ?? null, +start, dstchannel, lastapp, duration]);
    const known = byKey.get(key);
    if (!known || compareFull(row, known) > 0) byKey.set(key, row);
  }
  return [...byKey.values()].sort(
    (one, other) =>
      +one.start - +other.start || (one.sequence ?? 0) - (other.sequence ?? 0) || compare(textOf(one), textOf(other)),
  );
}

function compareFull(one: CdrRow, other: CdrRow): number {
  const [mine, its] = [textOf(one), textOf(other)];
  return mine.length - its.length || compare(mine, its);
}

export function compare(one: string, other: string): number {
  return one < other ? -1 : Number(one > other);
}

export function textOf(row: CdrRow): string {
  const times = [row.start, row.answer, row.end].map((time) => (time ? +time : null));
  const numbers = [row.sequence ?? null, row.duration, row.billsec];
  const optional = [row.did, row.recordingfile, row.cnum, row.accountcode, row.userfield].map((text) => text ?? '');
  const { host, uniqueid, linkedid, src, dst, dcontext, channel, dstchannel, lastapp, lastdata, disposition } = row;
  const texts = [host, uniqueid, linkedid, src, dst, dcontext, channel, dstchannel, lastapp, lastdata, disposition];
  return JSON.stringify([...texts, ...times, ...numbers, ...optional]);
}

/** Of the longest row that has one. */
export function recordingOf(rows: readonly CdrRow[]): string | undefined {
  const recorded = rows.filter(({ recordingfile }) => recordingfile);
  const longest = Math.max(...recorded.map(({ billsec }) => billsec));
  return recorded.find(({ billsec }) => billsec === longest)?.recordingfile;
}

/** By how many seconds the rows' clock is ahead of the epoch in their ids, which is UTC. A row starts with its channel or later, so the smallest difference is the clock's. */
export function skewOf(rows: readonly CdrRow[]): number | undefined {
  const differences = rows.flatMap(({ uniqueid, start }) => {
    const epoch = epochOf(uniqueid);
    return epoch === undefined ? [] : Math.round(+start / 1000 - epoch);
  });
  return differences.length > 0 ? Math.min(...differences) : undefined;
}

/** Seconds since 1970, UTC, when the channel of an id was born: `<epoch>.<counter>`, maybe after `<system name>-`. */
export function epochOf(id: string): number | undefined {
  const epoch = /(?:^|-)(\d{9,11})\.\d+$/.exec(id)?.[1];
  return epoch === undefined ? undefined : Number(epoch);
}
