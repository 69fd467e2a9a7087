import type { Selectable } from 'kysely';
import type { Json } from '../../base/schema.ts';
import type { RecordRef } from '../../domain/effect.ts';
import type { Tx } from '../../state/database.ts';
import { chunks } from '../../state/outbox.ts';
import type {
  AlertsTable,
  CallClicksTable,
  CallsTable,
  FailedRecordsTable,
  KaspiOrdersTable,
  OnecSeenTable,
  OutboxState,
  OutboxTable,
  RunsTable,
} from '../../state/tables.ts';

/** An effect as the outbox holds it; `waits_for`: keys of effects whose remote ids it still lacks. */
export interface EffectFacts {
  id: number;
  key: string;
  kind: string;
  job: string;
  record: RecordRef;
  state: OutboxState;
  needs: readonly string[];
  waits_for: readonly string[];
  run_id: number | null;
  attempts: number;
  doubts: number;
  looks: number;
  planned_at: string;
  sent_at: string | null;
  due_at: string | null;
  done_at: string | null;
  remote_id: string | null;
  last_error: string | null;
  payload: Json;
}

export type RunFacts = Pick<
  Selectable<RunsTable>,
  'id' | 'job' | 'started_at' | 'finished_at' | 'outcome' | 'exit_code' | 'error' | 'host' | 'pid'
>;

/** Everything that the database knows of one record. */
export interface RecordFacts {
  record: RecordRef;
  /** As last seen at Kaspi. */
  order: Selectable<KaspiOrdersTable> | null;
  /** As last seen in 1C. */
  document: Selectable<OnecSeenTable> | null;
  /** As last folded from the PBX's call records. */
  call: Selectable<CallsTable> | null;
  /** What RetailCRM was given of the call; it cannot be corrected there. */
  uploaded: Json;
  /** The click that began the call. */
  click: Selectable<CallClicksTable> | null;
  effects: readonly EffectFacts[];
  /** Effects, also of other records, that unfinished ones wait for, by key. */
  blockers: ReadonlyMap<string, EffectFacts>;
  failure: Selectable<FailedRecordsTable> | null;
  alerts: readonly Selectable<AlertsTable>[];
  /** The runs that had one of its effects in hand last. */
  runs: readonly RunFacts[];
}

/** What holds for all records: pauses and stops that a person or a remote system asked for. */
export interface Surroundings {
  now: Date;
  /** System → when its breaker lets requests through again. */
  breakers: ReadonlyMap<string, string>;
  /** Jobs that stopped before a change of too many records. */
  stopped: ReadonlySet<string>;
}

const UNFINISHED: ReadonlySet<OutboxState> = new Set(['pending', 'claimed', 'sending', 'doubt', 'failed']);
/** Effects wait for goods, contacts and deals, so a chain is short; the bound keeps a damaged one from looping. */
const LONGEST_CHAIN = 5;

export async function readRecord(db: Tx, record: RecordRef): Promise<RecordFacts> {
  const rows = await db
    .selectFrom('outbox')
    .selectAll()
    .where('record_kind', '=', record.kind)
    .where('record_key', '=', record.key)
    .orderBy('id')
    .execute();
  const bound = await boundKeys(db, needsOf(rows));
  const effects = rows.map((row) => effectFrom(row, bound));
  return {
    record,
    order: record.kind === 'kaspi-order' ? await readOrder(db, record.key) : null,
    document: record.kind === 'onec-doc' ? await readDocument(db, record.key) : null,
    ...(await readCall(db, record)),
    effects,
    blockers: await readBlockers(db, effects),
    failure:
      (await db
        .selectFrom('failed_records')
        .selectAll()
        .where('kind', '=', record.kind)
        .where('key', '=', record.key)
        .executeTakeFirst()) ?? null,
    alerts: await readAlerts(db, record, effects),
    runs: await readRuns(db, effects),
  };
}

export async function readSurroundings(db: Tx, now: Date): Promise<Surroundings> {
  const breakers = await db
    .selectFrom('rate_limits')
    .select(['system', 'open_until'])
    .where('open_until', '>', now.getTime())
    .execute();
  const stopped = await db
    .selectFrom('alerts')
    .select('subject')
    .where('kind', '=', 'max_changes')
    .where('closed_at', 'is', null)
    .execute();
  return {
    now,
    breakers: new Map(breakers.map(({ system, open_until }) => [system, new Date(open_until).toISOString()])),
    stopped: new Set(stopped.map(({ subject }) => subject)),
  };
}

/** Keys under which a remote id is bound, with their records, the newest first. */
export async function recordsOfRemote(db: Tx, linkKind: string, remoteId: string): Promise<RecordRef[]> {
  const rows = await db
    .selectFrom('links')
    .innerJoin('outbox', 'outbox.key', 'links.key')
    .select(['outbox.record_kind', 'outbox.record_key', 'outbox.id'])
    .where('links.kind', '=', linkKind)
    .where('links.remote_id', '=', remoteId)
    .orderBy('outbox.id', 'desc')
    .execute();
  const found = new Map(
    rows.map(({ record_kind: kind, record_key: key }) => [`${kind}:${key}`, { kind, key } satisfies RecordRef]),
  );
  return [...found.values()];
}

/** External ids of the calls with this linkedid, one for each PBX host that gave it. */
export async function callsByLinkedid(db: Tx, linkedid: string): Promise<string[]> {
  const rows = await db
    .selectFrom('calls')
    .select('external_id')
    .where('external_id', 'like', `%:${linkedid}`)
    .execute();
  return rows.map((row) => row.external_id).filter((id) => id.slice(id.indexOf(':') + 1) === linkedid);
}

function needsOf(rows: readonly Selectable<OutboxTable>[]): string[] {
  const open = rows.filter((row) => UNFINISHED.has(row.state));
  return [...new Set(open.flatMap((row) => JSON.parse(row.needs) as string[]))];
}

async function boundKeys(db: Tx, keys: readonly string[]): Promise<Set<string>> {
  const bound = new Set<string>();
  for (const chunk of chunks(keys, 900)) {
    const rows = await db.selectFrom('links').select('key').where('key', 'in', chunk).execute();
    for (const { key } of rows) bound.add(key);
  }
  return bound;
}

function effectFrom(row: Selectable<OutboxTable>, bound: ReadonlySet<string>): EffectFacts {
  const { record_kind, record_key, created_at, look_first: _, needs, payload, ...rest } = row;
  const keys = JSON.parse(needs) as string[];
  return {
    ...rest,
    record: { kind: record_kind, key: record_key },
    needs: keys,
    waits_for: UNFINISHED.has(row.state) ? keys.filter((key) => !bound.has(key)) : [],
    planned_at: created_at,
    payload: JSON.parse(payload ?? 'null') as Json,
  };
}

async function readOrder(db: Tx, code: string): Promise<Selectable<KaspiOrdersTable> | null> {
  return (await db.selectFrom('kaspi_orders').selectAll().where('order_code', '=', code).executeTakeFirst()) ?? null;
}

async function readDocument(db: Tx, ref: string): Promise<Selectable<OnecSeenTable> | null> {
  return (await db.selectFrom('onec_seen').selectAll().where('ref', '=', ref).executeTakeFirst()) ?? null;
}

async function readCall(db: Tx, { kind, key }: RecordRef): Promise<Pick<RecordFacts, 'call' | 'uploaded' | 'click'>> {
  if (kind !== 'call') return { call: null, uploaded: null, click: null };
  const call = await db.selectFrom('calls').selectAll().where('external_id', '=', key).executeTakeFirst();
  const link = await db
    .selectFrom('links')
    .select('applied')
    .where('key', '=', `retailcrm:call:${key}`)
    .executeTakeFirst();
  // The id of a click is that of the call's first channel.
  const linkedid = key.slice(key.indexOf(':') + 1);
  const click = await db.selectFrom('call_clicks').selectAll().where('id', '=', linkedid).executeTakeFirst();
  return { call: call ?? null, uploaded: JSON.parse(link?.applied ?? 'null') as Json, click: click ?? null };
}

async function readBlockers(db: Tx, effects: readonly EffectFacts[]): Promise<Map<string, EffectFacts>> {
  const found = new Map<string, EffectFacts>();
  let wanted = [...new Set(effects.flatMap((effect) => effect.waits_for))];
  for (let depth = 0; wanted.length > 0 && depth < LONGEST_CHAIN; depth++) {
    const rows: Selectable<OutboxTable>[] = [];
    for (const chunk of chunks(wanted, 900)) {
      rows.push(...(await db.selectFrom('outbox').selectAll().where('key', 'in', chunk).execute()));
    }
    const bound = await boundKeys(db, needsOf(rows));
    for (const row of rows) found.set(row.key, effectFrom(row, bound));
    wanted = [...new Set(rows.flatMap((row) => found.get(row.key)?.waits_for ?? []))].filter((key) => !found.has(key));
  }
  return found;
}

/**
 * Alerts name a record (`kaspi-order:1019876543`, with or without what it is about) or the key of an effect. Alerts are rare
 * beside records, so they are read through.
 */
async function readAlerts(db: Tx, record: RecordRef, effects: readonly EffectFacts[]) {
  const name = `${record.kind}:${record.key}`;
  const keys = effects.filter((effect) => effect.doubts > 0).map((effect) => effect.key);
  const about = `${name}:`;
  return db
    .selectFrom('alerts')
    .selectAll()
    .where((eb) =>
      eb.or([
        eb('subject', 'in', [name, ...keys.slice(0, 500)]),
        eb(eb.fn<string>('substr', ['subject', eb.lit(1), eb.lit(about.length)]), '=', about),
      ]),
    )
    .orderBy('id')
    .execute();
}

async function readRuns(db: Tx, effects: readonly EffectFacts[]): Promise<RunFacts[]> {
  const ids = [...new Set(effects.flatMap((effect) => effect.run_id ?? []))];
  const runs: RunFacts[] = [];
  for (const chunk of chunks(ids, 900)) {
    const rows = await db
      .selectFrom('runs')
      .select(['id', 'job', 'started_at', 'finished_at', 'outcome', 'exit_code', 'error', 'host', 'pid'])
      .where('id', 'in', chunk)
      .orderBy('id')
      .execute();
    runs.push(...rows);
  }
  return runs;
}
