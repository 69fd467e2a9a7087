import type { RecordRef } from '../domain/effect.ts';
import type { Database, Tx } from '../state/database.ts';
import { cursorsOf } from '../state/meta.ts';
import { documentsByNumber } from '../state/onec-documents.ts';
import {
  callsByLinkedid,
  type EffectFacts,
  type RecordFacts,
  type RunFacts,
  readRecord,
  readSurroundings,
  recordsOfRemote,
} from './explain/facts.ts';
import { type NextAction, nextAction } from './explain/next.ts';
import { type TimelineEntry, timelineOf } from './explain/timeline.ts';

export type { NextAction } from './explain/next.ts';
export type { TimelineEntry } from './explain/timeline.ts';

/** One record with its history and what happens next. */
export interface RecordStory {
  kind: string;
  key: string;
  order: RecordFacts['order'];
  document: RecordFacts['document'];
  call: RecordFacts['call'];
  timeline: TimelineEntry[];
  effects: EffectFacts[];
  failure: RecordFacts['failure'];
  alerts: RecordFacts['alerts'];
  runs: readonly RunFacts[];
  next: NextAction;
}

export interface Explanation {
  kind: string;
  id: string;
  found: boolean;
  /** Where it was looked for, and how far the jobs have read; of use where nothing was found. */
  looked_for: string[];
  records: RecordStory[];
  /** Records left out: a contact may have hundreds of orders. */
  more: number;
  next: NextAction;
}

/** How the id of a kind leads to records. A new stream adds a line here. */
interface Kind {
  /** What an id looks like, for who typed another. */
  expects: string;
  /** The id as the database has it; undefined where the text is none. */
  parse: (text: string) => string | undefined;
  find: (db: Tx, id: string) => Promise<RecordRef[]>;
  lookedFor: (id: string) => string;
}

const MOST_RECORDS = 20;

const amoId = (text: string): string | undefined => /^(?:https?:\/\/\S+\/)?(\d{1,15})\/?$/.exec(text.trim())?.[1];

const KINDS: Readonly<Record<string, Kind>> = {
  'kaspi-order': {
    expects: "the order's code, as Kaspi's cabinet shows it",
    parse: (text) => /^[#№]?\s*([\w-]{1,64})$/.exec(text.trim())?.[1],
    find: async (_db, id) => [{ kind: 'kaspi-order', key: id }],
    lookedFor: (id) => `Kaspi order ${id}: among the orders seen, the planned effects and the failed records`,
  },
  'onec-doc': {
    expects: "the document's number, as 1C shows it, or its reference",
    parse: (text) => /^[№]?\s*([\p{L}\d/_-]{1,64})$/u.exec(text.trim())?.[1],
    find: documentRecords,
    lookedFor: (id) => `1C document ${id}: among the documents seen, the planned effects and the failed records`,
  },
  call: {
    expects: "the call's id as RetailCRM has it (`pbx1:1754220600.17`), or its linkedid in the PBX's call records",
    parse: (text) => /^[\w.:@-]{1,200}$/.exec(text.trim())?.[0],
    find: callRecords,
    lookedFor: (id) => `call ${id}: among the calls folded, the planned effects and the failed records`,
  },
  lead: {
    expects: "the deal's number, or its address in amoCRM",
    parse: amoId,
    find: async (db, id) => [
      ...(await recordsOfRemote(db, 'amocrm.deal', id)).filter(({ kind }) => kind !== 'lead'),
      { kind: 'lead', key: id },
    ],
    lookedFor: (id) => `deal ${id}: among the deals that sdelka made or adopted`,
  },
  contact: {
    expects: "the contact's number, or its address in amoCRM",
    parse: amoId,
    find: (db, id) => recordsOfRemote(db, 'amocrm.contact', id),
    lookedFor: (id) => `contact ${id}: among the contacts that sdelka made or used`,
  },
};

/** By its number, which may have come back in another year, or by its reference. */
async function documentRecords(db: Tx, id: string): Promise<RecordRef[]> {
  const refs = (await documentsByNumber(db, id)).map(({ ref }) => ref);
  return (refs.length > 0 ? refs : [id.toLowerCase()]).map((key) => ({ kind: 'onec-doc', key }));
}

/** By its external id, or by its linkedid, which two hosts may have given to two calls. */
async function callRecords(db: Tx, id: string): Promise<RecordRef[]> {
  const ids = id.includes(':') ? [id] : await callsByLinkedid(db, id);
  return (ids.length > 0 ? ids : [id]).flatMap((key) => [
    { kind: 'call', key },
    { kind: 'missed-call', key },
  ]);
}

export const explainKinds: readonly string[] = Object.keys(KINDS);

/** What an id of this kind looks like. */
export function idExpected(kind: string): string | undefined {
  return KINDS[kind]?.expects;
}

/** The id as it is stored; undefined for an unknown kind or a text that is no id of it. */
export function parseId(kind: string, text: string): string | undefined {
  return KINDS[kind]?.parse(text);
}

/** Everything known of one thing; each query goes through an index, so that it is as fast with a million orders. Only a call without its host's code is searched for. */
export async function explain({ db }: Database, kind: string, id: string, now: Date): Promise<Explanation> {
  const refs = (await KINDS[kind]?.find(db, id)) ?? [];
  const around = await readSurroundings(db, now);
  const records: RecordStory[] = [];
  for (const ref of refs.slice(0, MOST_RECORDS)) {
    const facts = await readRecord(db, ref);
    if (isKnown(facts)) records.push(storyOf(facts, nextAction(facts, around)));
  }
  const found = records.length > 0;
  return {
    kind,
    id,
    found,
    looked_for: found ? [] : [KINDS[kind]?.lookedFor(id) ?? '', ...(await progress(db))],
    records,
    more: Math.max(0, refs.length - MOST_RECORDS),
    next: found ? mostUrgent(records) : notFound(kind),
  };
}

function isKnown({ order, document, call, click, effects, failure }: RecordFacts): boolean {
  return [order, document, call, click, failure].some((one) => one !== null) || effects.length > 0;
}

function storyOf(facts: RecordFacts, next: NextAction): RecordStory {
  const { record, order, document, call, effects, failure, alerts, runs } = facts;
  const timeline = timelineOf(facts);
  return {
    kind: record.kind,
    key: record.key,
    order,
    document,
    call,
    timeline,
    effects: [...effects],
    failure,
    alerts,
    runs,
    next,
  };
}

/** Several records of one contact: the one that still needs something speaks for all. */
function mostUrgent(records: readonly RecordStory[]): NextAction {
  const open = records.find(({ next }) => next.action !== 'none' && next.action !== 'ignored');
  const story = open ?? records[0];
  if (story === undefined) return { action: 'none', at: null, text: 'nothing to do' };
  if (records.length === 1) return story.next;
  return open === undefined
    ? { action: 'none', at: null, text: `nothing to do: all ${records.length} records are settled` }
    : { ...story.next, text: `${story.kind} ${story.key}: ${story.next.text}` };
}

const NEVER_SEEN: Readonly<Record<string, string>> = {
  'kaspi-order':
    'sdelka has never seen it; `sdelka --dry-run kaspi:poll --lookback 14d` shows what Kaspi gives and why an order is passed over',
  'onec-doc':
    'sdelka has never seen it; `sdelka onec:list --lookback 3d` shows the documents of the window and their exchange state',
  call: "sdelka has never seen it; internal calls are not kept, a call that is not over yet is not either; `sdelka --dry-run retail:sync-calls --lookback 3d` shows what the PBX's call records give",
};

function notFound(kind: string): NextAction {
  const text = NEVER_SEEN[kind] ?? 'sdelka neither made nor used it, so it will not change it either';
  return { action: 'none', at: null, text };
}

const READERS = ['kaspi:poll', 'onec:export', 'onec:import', 'retail:sync-calls'];

async function progress(db: Tx): Promise<string[]> {
  const lines: string[] = [];
  for (const job of READERS) {
    for (const { name, cursor } of await cursorsOf(db, job)) lines.push(`${name} has read up to ${cursor}`);
  }
  return lines.length > 0 ? lines : [`${READERS.join(' and ')} have never finished reading`];
}
