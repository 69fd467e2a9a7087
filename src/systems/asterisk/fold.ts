import { createHash } from 'node:crypto';
import type { Call, CallDirection, CallResult, CdrRow } from '../../domain/call.ts';
import {
  clientNumber,
  dialledNumber,
  isOriginated,
  type Leg,
  leadsOutside,
  legsOf,
  type PartyRules,
} from './parties.ts';
import { callId, compare, distinctRows, recordingOf, skewOf, textOf } from './rows.ts';

export interface FoldRules extends PartyRules {
  /** A call is closed when its last row ended that long ago; more than the PBX's batch time. */
  quietMs: number;
  now: Date;
}

/**
 * While a call goes on, rows of its loops may stand in the table long before that of its first channel. Without the
 * latter a call waits that long, in case that row was lost or filtered out.
 */
const rootlessMs = 2 * 60 * 60 * 1000;

/** One row with its ends told apart; times in ms since the epoch. */
interface Path {
  row: CdrRow;
  a: Leg;
  b: Leg;
  status: CallResult;
  start: number;
  answer: number;
  end: number;
}

/** What is known of a call while it is folded. */
interface Group {
  /** In order of time. */
  paths: readonly Path[];
  /** The first path of the channel that the call began with, where its row has come. */
  root: Path | undefined;
  byChannel: ReadonlyMap<string, readonly Path[]>;
  rules: FoldRules;
}

/** A stretch in which a person of ours spoke with the client. */
interface Talk {
  from: number;
  to: number;
  extension: string | undefined;
}

/**
 * Rows of call records → calls, oldest first. Every row belongs to the call of its (host, linkedid), or of its uniqueid
 * where the table has no linkedid; repeats count once; the order of rows does not matter. Give all rows of a call:
 * a row that comes late changes the call, never its externalId. A consultation that a SIP phone began itself may have
 * a linkedid of its own, and is then a call of its own.
 * Source: Asterisk's CDR specification and main/cdr.c; FreePBX's cdr and core modules.
 */
export function foldCalls(rows: readonly CdrRow[], rules: FoldRules): Call[] {
  const groups = groupBy(rows, (row) => `${row.host}:${callId(row)}`);
  return [...groups]
    .map(([externalId, group]) => foldGroup(externalId, group, rules))
    .sort((one, other) => +one.startedAt - +other.startedAt || compare(one.externalId, other.externalId));
}

function groupBy<T>(list: readonly T[], keyOf: (one: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const one of list) {
    const group = groups.get(keyOf(one));
    if (group) group.push(one);
    else groups.set(keyOf(one), [one]);
  }
  return groups;
}

function foldGroup(externalId: string, rows: readonly CdrRow[], rules: FoldRules): Call {
  const distinct = distinctRows(rows);
  const paths = distinct.map((row) => pathOf(row, rules));
  const root = paths.find(({ row }) => row.uniqueid === callId(row));
  const byChannel = groupBy(paths, ({ row }) => row.channel);
  const group: Group = { paths, root, byChannel, rules };
  const [first] = paths as [Path];

  const direction = directionOf(group);
  const talks = talksOf(group, direction);
  const people = peopleOf(group, direction, talks);
  const ended = Math.max(...paths.map(({ end }) => end));
  const answeredAt = talks[0]?.from;
  return {
    host: first.row.host,
    linkedid: callId(first.row),
    externalId,
    direction,
    phone: phoneOf(group, direction),
    firstExtension: people[0],
    lastExtension: people.at(-1),
    answered: answeredAt !== undefined,
    result: answeredAt === undefined ? failureOf(group, direction) : 'answered',
    startedAt: new Date(first.start),
    endedAt: new Date(ended),
    waitSeconds: seconds((answeredAt ?? ended) - first.start),
    talkSeconds: seconds(union(talks)),
    recording: recordingOf(distinct),
    did: distinct.map(({ did }) => did).find(Boolean),
    closed: +rules.now - ended >= (root ? rules.quietMs : Math.max(rules.quietMs, rootlessMs)),
    skewSeconds: skewOf(distinct),
    hash: createHash('sha256').update(distinct.map(textOf).join('\n')).digest('hex').slice(0, 32),
  };
}

/** Where the disposition's column is numeric, Asterisk stores numbers. Source: include/asterisk/cdr.h. */
const dispositions: Record<string, CallResult> = {
  ANSWERED: 'answered',
  NOANSWER: 'no answer',
  CANCEL: 'no answer',
  BUSY: 'busy',
  FAILED: 'failed',
  CONGESTION: 'failed',
  '0': 'no answer',
  '1': 'no answer',
  '2': 'failed',
  '4': 'busy',
  '8': 'answered',
  '16': 'failed',
};

function pathOf(row: CdrRow, rules: FoldRules): Path {
  const start = +row.start;
  const end = Math.max(start, row.end ? +row.end : start + row.duration * 1000);
  const answer = Math.max(start, row.answer ? +row.answer : end - row.billsec * 1000);
  const disposition = row.disposition.toUpperCase().replace(/[\s_]/g, '');
  const status = Object.hasOwn(dispositions, disposition) ? dispositions[disposition] : undefined;
  return { row, ...legsOf(row, rules), status: status ?? 'unknown', start, answer: Math.min(answer, end), end };
}

/** FreePBX's contexts of calls from outside. A's last context is often another one, so that this is only one of the signs. */
const fromOutside = /^(from-trunk|from-pstn|from-did-direct|ext-did)/;

function directionOf({ paths, root, rules }: Group): CallDirection {
  if (paths.some(({ row }) => row.did)) return 'in';
  if (paths.some(({ row }) => isOriginated(row))) return 'out';
  // Any other path may be the middle of a call: a consultation looks like a call between colleagues.
  if (root === undefined) return 'unknown';
  // A channel that runs AppDial was dialled by the PBX itself: a call file to the outside line.
  if (root.a.kind === 'trunk') return /^appdial/i.test(root.row.lastapp) ? 'out' : 'in';
  if (!isOwn(root.a)) return fromOutside.test(root.row.dcontext) ? 'in' : 'unknown';
  return paths.some((path) => isOwn(path.a) && goesOutside(path, rules)) ? 'out' : 'internal';
}

/** An extension, or a loop to one. */
function isOwn(leg: Leg): boolean {
  return leg.extension !== undefined;
}

function goesOutside({ row, b }: Path, rules: FoldRules): boolean {
  return b.kind === 'trunk' || (!isOwn(b) && leadsOutside(row, rules));
}

/** Incoming: whom the first channel belongs to. Outgoing: what was dialled outside first. */
function phoneOf({ paths, root, rules }: Group, direction: CallDirection): string | undefined {
  if (direction === 'in') {
    const callers = paths.filter(({ row }) => row.uniqueid === (root ?? paths[0])?.row.uniqueid);
    return firstOf(callers, ({ row }) => clientNumber(row.src, rules) ?? clientNumber(row.cnum ?? '', rules));
  }
  if (direction !== 'out') return undefined;
  return (
    firstOf(paths, (path) => (path.b.kind === 'trunk' ? dialledNumber(path.row, rules) : undefined)) ??
    firstOf(paths, (path) => (goesOutside(path, rules) ? dialledNumber(path.row, rules) : undefined)) ??
    // A click-to-call that the manager did not pick up: the client's number is only shown to him as the caller's.
    firstOf(paths, ({ row }) => clientNumber(row.src, rules) ?? clientNumber(row.cnum ?? '', rules))
  );
}

function firstOf<T, R>(list: readonly T[], read: (one: T) => R | undefined): R | undefined {
  for (const one of list) {
    const found = read(one);
    if (found !== undefined) return found;
  }
  return undefined;
}

/**
 * The paths that have the client at one end, or a loop that leads to him: a consultation between colleagues says nothing
 * of him.
 */
function clientPaths({ paths, root }: Group, direction: CallDirection): readonly Path[] {
  if (direction === 'out') return paths.filter(({ a, b }) => !(isOwn(a) && isOwn(b)));
  if (direction !== 'in') return paths;
  // The first channel is the client's, even where his number looks like an extension.
  const fromColleague = ({ row, a }: Path) => a.kind === 'extension' && row.uniqueid !== root?.row.uniqueid;
  const byCalled = groupBy(paths, ({ row }) => row.dstchannel);
  return paths.filter((path) => {
    const before = path.a.kind === 'local' ? byCalled.get(otherHalf(path.row.channel)) : undefined;
    return !(before ?? [path]).every(fromColleague);
  });
}

function talksOf(group: Group, direction: CallDirection): Talk[] {
  return clientPaths(group, direction)
    .flatMap((path) => {
      const picked = pickedUp(path, group, new Set());
      if (picked === undefined) return [];
      const own = direction === 'out' && isOwn(path.a) ? path.a.extension : picked.extension;
      return [{ from: picked.at, to: Math.max(picked.at, path.end), extension: own }];
    })
    .sort((one, other) => one.from - other.from || one.to - other.to);
}

/**
 * When a person answered at the far end of a path, and whose phone it was. The near half of a loop is up before any
 * phone rings, so the rows of its far half say it, where there are any. The time billed says nothing: the PBX
 * itself may have answered before.
 */
function pickedUp(
  path: Path,
  group: Group,
  seen: Set<Path>,
): { at: number; extension: string | undefined } | undefined {
  const { row, b, status, answer } = path;
  if (status !== 'answered' || seen.has(path) || /^voicemail/i.test(row.lastapp) || /^vm[a-z]\d/.test(row.dst)) {
    return undefined;
  }
  if (b.kind === 'none' || b.kind === 'service') return undefined;
  const beyond = b.kind === 'local' ? (group.byChannel.get(otherHalf(row.dstchannel)) ?? []) : [];
  if (beyond.length > 0) {
    seen.add(path);
    const found = beyond.flatMap((next) => pickedUp(next, group, seen) ?? []);
    const [first] = found.sort(
      (one, other) => one.at - other.at || compare(one.extension ?? '', other.extension ?? ''),
    );
    return first && { at: Math.max(first.at, answer), extension: first.extension ?? b.extension };
  }
  const isPlace = b.kind === 'local' && !isOwn(b) && b.outside !== true;
  return isPlace ? undefined : { at: answer, extension: b.extension };
}

/** `Local/102@from-queue-00000002;1` → `…;2`, and back. */
function otherHalf(channel: string): string {
  return channel.replace(/;([12])$/, (_, half) => (half === '1' ? ';2' : ';1'));
}

/** Who of ours took part, in order of time: who spoke, else who dialled, else whose phone rang. */
function peopleOf(group: Group, direction: CallDirection, talks: readonly Talk[]): string[] {
  if (talks.length > 0) return talks.flatMap(({ extension }) => extension ?? []);
  const concerned = clientPaths(group, direction);
  if (direction !== 'out') return concerned.flatMap(({ b }) => b.extension ?? []);
  const dialled = concerned.flatMap(({ a }) => a.extension ?? []);
  return dialled.length > 0 ? dialled : group.paths.flatMap(({ a, b }) => a.extension ?? b.extension ?? []);
}

/** Why nobody spoke, by the attempts to reach somebody: one phone that rang out outweighs others that were busy. */
function failureOf(group: Group, direction: CallDirection): CallResult {
  const concerned = clientPaths(group, direction);
  const attempts = concerned.filter(({ b }) => b.kind !== 'none' && b.kind !== 'service');
  const judged = [attempts, concerned, group.paths].find(({ length }) => length > 0) ?? [];
  const statuses = new Set(judged.map(({ status }) => status));
  // Answered all the same, but by a menu, a queue or voicemail.
  if (statuses.has('no answer') || statuses.has('answered')) return 'no answer';
  return statuses.has('busy') ? 'busy' : statuses.has('failed') ? 'failed' : 'unknown';
}

/** Length of what the talks cover together, in ms. They come sorted by their beginning. */
function union(talks: readonly Talk[]): number {
  let [sum, covered] = [0, Number.NEGATIVE_INFINITY];
  for (const { from, to } of talks) {
    sum += Math.max(0, to - Math.max(from, covered));
    covered = Math.max(covered, to);
  }
  return sum;
}

function seconds(ms: number): number {
  return Math.round(ms / 1000);
}
