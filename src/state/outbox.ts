import { sql } from 'kysely';
import { assert } from '../base/errors.ts';
import type { Json } from '../base/schema.ts';
import type { Effect, OutboxRow } from '../domain/effect.ts';
import type { Tx } from './database.ts';

/** The condition of the partial index `outbox_open`, word for word, so that both engines use it. */
export const OPEN = sql<boolean>`state NOT IN ('done', 'superseded', 'ignored')`;

/** No statement may carry more parameters than SQLite's oldest limit (999). */
const PARAMETERS = 900;

export function chunks<T>(items: readonly T[], size: number): T[][] {
  const out: T[][] = [];
  for (let at = 0; at < items.length; at += size) out.push(items.slice(at, at + size));
  return out;
}

/**
 * Stores effects that are new; an effect whose key is known is left as it is. Only one that was refused takes what is planned
 * now, for the mapping may have been mended since, and so do those of a failed record that wait for it and were never sent:
 * made by halves from two plans, the record would be none of them. Returns how many were stored or renewed.
 */
export async function storeEffects(
  tx: Tx,
  job: string,
  effects: readonly Effect[],
  lookFirst: boolean,
  now: Date,
): Promise<number> {
  let stored = 0;
  for (const chunk of distinctByKey(effects).flatMap((round) => chunks(round, 80))) {
    const rows = await tx
      .insertInto('outbox')
      .values(
        chunk.map((effect) => ({
          key: effect.key,
          job,
          kind: effect.kind,
          record_kind: effect.record.kind,
          record_key: effect.record.key,
          needs: JSON.stringify(effect.needs),
          payload: JSON.stringify(effect.payload),
          state: 'pending',
          look_first: lookFirst ? 1 : 0,
          created_at: now.toISOString(),
        })),
      )
      .onConflict((conflict) =>
        conflict
          .column('key')
          .doUpdateSet((eb) => ({
            kind: eb.ref('excluded.kind'),
            payload: eb.ref('excluded.payload'),
            needs: eb.ref('excluded.needs'),
          }))
          .where((eb) =>
            eb.or([
              eb('outbox.state', '=', 'failed'),
              eb.and([
                eb('outbox.state', '=', 'pending'),
                eb('outbox.sent_at', 'is', null),
                // A note tells of the moment at which it was planned, and of whether that was a back-fill.
                eb('outbox.kind', '!=', 'amocrm.note'),
                eb('outbox.record_kind', '=', eb.ref('excluded.record_kind')),
                eb('outbox.record_key', '=', eb.ref('excluded.record_key')),
                eb.exists(
                  eb
                    .selectFrom('failed_records')
                    .select('failed_records.id')
                    .whereRef('failed_records.kind', '=', 'outbox.record_kind')
                    .whereRef('failed_records.key', '=', 'outbox.record_key'),
                ),
              ]),
            ]),
          ),
      )
      .returning('id')
      .execute();
    stored += rows.length;
  }
  return stored;
}

/** In rounds without a key that stands twice, for PostgreSQL updates no row twice in one statement; each key's effects stay in their order. */
function distinctByKey(effects: readonly Effect[]): Effect[][] {
  const rounds: Effect[][] = [];
  const times = new Map<string, number>();
  for (const effect of effects) {
    const round = times.get(effect.key) ?? 0;
    times.set(effect.key, round + 1);
    const others = rounds[round];
    if (others) others.push(effect);
    else rounds.push([effect]);
  }
  return rounds;
}

/** Which of the keys stand in the outbox, in whatever state. */
export async function knownKeys(tx: Tx, keys: readonly string[]): Promise<Set<string>> {
  const found = new Set<string>();
  for (const chunk of chunks(keys, PARAMETERS)) {
    const rows = await tx.selectFrom('outbox').select('key').where('key', 'in', chunk).execute();
    for (const row of rows) found.add(row.key);
  }
  return found;
}

/** Which of the keys stand for effects that the target has refused, or that were set aside. */
export async function refusedKeys(tx: Tx, keys: readonly string[]): Promise<Set<string>> {
  const found = new Set<string>();
  for (const chunk of chunks([...new Set(keys)], PARAMETERS)) {
    const rows = await tx
      .selectFrom('outbox')
      .select('key')
      .where('key', 'in', chunk)
      .where('state', 'in', ['failed', 'ignored'])
      .execute();
    for (const row of rows) found.add(row.key);
  }
  return found;
}

const COLUMNS = [
  'id',
  'key',
  'kind',
  'record_kind',
  'record_key',
  'needs',
  'payload',
  'doubts',
  'looks',
  'attempts',
  'look_first',
  'sent_at',
  'created_at',
] as const;

interface Selected {
  id: number;
  key: string;
  kind: string;
  record_kind: string;
  record_key: string;
  needs: string;
  payload: string | null;
  doubts: number;
  looks: number;
  attempts: number;
  look_first: number;
  sent_at: string | null;
  created_at: string;
}

function fromRow(row: Selected): OutboxRow {
  return {
    id: row.id,
    key: row.key,
    kind: row.kind,
    record: { kind: row.record_kind, key: row.record_key },
    needs: JSON.parse(row.needs) as string[],
    payload: JSON.parse(row.payload ?? 'null') as Json,
    doubts: row.doubts,
    looks: row.looks,
    attempts: row.attempts,
    lookFirst: row.look_first === 1,
    sentAt: row.sent_at,
    createdAt: row.created_at,
  };
}

/** Effects of one kind that may be sent now, oldest first, after the given id. */
export async function readyEffects(
  tx: Tx,
  job: string,
  kind: string,
  afterId: number,
  limit: number,
  now: Date,
): Promise<OutboxRow[]> {
  const rows = await tx
    .selectFrom('outbox')
    .select(COLUMNS)
    .where('job', '=', job)
    .where('kind', '=', kind)
    .where(OPEN)
    .where('id', '>', afterId)
    .where((eb) =>
      eb.or([eb('state', '=', 'pending'), eb.and([eb('state', '=', 'failed'), eb('due_at', '<=', now.toISOString())])]),
    )
    .orderBy('id')
    .limit(limit)
    .execute();
  return rows.map(fromRow);
}

/** How many changes of one kind wait to be sent, of things that stood there before: only those are revisions of a link. */
export async function countChanges(tx: Tx, job: string, kind: string): Promise<number> {
  const row = await tx
    .selectFrom('outbox')
    .select((eb) => eb.fn.countAll<number>().as('n'))
    .where('job', '=', job)
    .where('kind', '=', kind)
    .where(OPEN)
    .where('state', '=', 'pending')
    .where('key', 'like', '%#%')
    .executeTakeFirstOrThrow();
  return Number(row.n);
}

/** Effects in doubt of one kind; `dueBy` null: all of them. */
export async function doubtfulEffects(tx: Tx, job: string, kind: string, dueBy: Date | null): Promise<OutboxRow[]> {
  let query = tx
    .selectFrom('outbox')
    .select(COLUMNS)
    .where('job', '=', job)
    .where('kind', '=', kind)
    .where(OPEN)
    .where('state', '=', 'doubt');
  if (dueBy) query = query.where('due_at', '<=', dueBy.toISOString());
  return (await query.orderBy('id').execute()).map(fromRow);
}

/** When the earliest look is due, of all effects in doubt of this job. */
export async function nextLookAt(tx: Tx, job: string): Promise<Date | undefined> {
  const row = await tx
    .selectFrom('outbox')
    .select((eb) => eb.fn.min('due_at').as('at'))
    .where('job', '=', job)
    .where(OPEN)
    .where('state', '=', 'doubt')
    .executeTakeFirst();
  return row?.at ? new Date(row.at) : undefined;
}

/** An effect that a run wants to send. */
export interface ClaimWish {
  id: number;
  reservation: string | undefined;
  /** The remote id that the reservation's key was bound to when the run looked for the thing. */
  bound: string | undefined;
}

/**
 * Takes effects for this run, each with its reservation, by compare-and-set. Returns the ids that were had:
 * a row that another run took, whose reservation another effect holds, or whose thing was made meanwhile is not among them.
 */
export async function claimEffects(
  tx: Tx,
  runId: number,
  wanted: readonly ClaimWish[],
  now: Date,
): Promise<Set<number>> {
  const had = new Set<number>();
  const reserving = wanted.filter((row) => row.reservation !== undefined);
  const held = new Map<string, number>();
  const taken: number[] = [];
  for (const chunk of chunks(reserving, 250)) {
    const rows = await tx
      .insertInto('reservations')
      .values(chunk.map((row) => ({ key: row.reservation ?? '', effect_id: row.id, taken_at: now.toISOString() })))
      .onConflict((conflict) => conflict.column('key').doNothing())
      .returning(['key', 'effect_id'])
      .execute();
    for (const row of rows) held.set(row.key, row.effect_id);
    taken.push(...rows.map((row) => row.effect_id));
    const missed = chunk.filter((row) => !held.has(row.reservation ?? '')).map((row) => row.reservation ?? '');
    if (missed.length === 0) continue;
    const owned = await tx.selectFrom('reservations').select(['key', 'effect_id']).where('key', 'in', missed).execute();
    for (const row of owned) held.set(row.key, row.effect_id);
  }
  const free = wanted.filter((row) => row.reservation === undefined || held.get(row.reservation) === row.id);
  const mine = await withoutNewlyBound(tx, free);
  for (const chunk of chunks(mine, PARAMETERS)) {
    const rows = await tx
      .updateTable('outbox')
      .set({ state: 'claimed', run_id: runId })
      .where(
        'id',
        'in',
        chunk.map((row) => row.id),
      )
      .where('state', 'in', ['pending', 'failed'])
      .returning('id')
      .execute();
    for (const row of rows) had.add(row.id);
  }
  const unused = taken.filter((id) => !had.has(id));
  for (const chunk of chunks(unused, PARAMETERS)) await dropReservations(tx, chunk);
  return had;
}

/**
 * Another job may have made the thing, bound it and freed its reservation since this run looked for it. Read after the
 * reservation was had, for only from then on nobody else can bind it.
 */
async function withoutNewlyBound(tx: Tx, wishes: readonly ClaimWish[]): Promise<ClaimWish[]> {
  const bound = new Map<string, string>();
  for (const chunk of chunks(
    wishes.flatMap((row) => row.reservation ?? []),
    PARAMETERS,
  )) {
    const rows = await tx.selectFrom('links').select(['key', 'remote_id']).where('key', 'in', chunk).execute();
    for (const row of rows) bound.set(row.key, row.remote_id);
  }
  const late = wishes.filter((row) => row.reservation !== undefined && bound.get(row.reservation) !== row.bound);
  if (late.length > 0)
    await dropReservations(
      tx,
      late.map((row) => row.id),
    );
  return wishes.filter((row) => !late.includes(row));
}

/** The last step before the socket is written to. Fails where a row is no longer this run's. */
export async function markSending(tx: Tx, runId: number, ids: readonly number[], now: Date): Promise<void> {
  const rows = await tx
    .updateTable('outbox')
    .set({ state: 'sending', sent_at: now.toISOString() })
    .where('id', 'in', [...ids])
    .where('run_id', '=', runId)
    .where('state', 'in', ['claimed', 'sending'])
    .returning('id')
    .execute();
  assert(rows.length === ids.length, 'an effect about to be sent was taken by another run');
}

async function dropReservations(tx: Tx, ids: readonly number[]): Promise<void> {
  await tx
    .deleteFrom('reservations')
    .where('effect_id', 'in', [...ids])
    .execute();
}

/** Surely not sent, or surely refused: the rows wait again. */
export async function releaseEffects(tx: Tx, ids: readonly number[]): Promise<void> {
  for (const chunk of chunks(ids, PARAMETERS)) {
    await tx
      .updateTable('outbox')
      .set({ state: 'pending', run_id: null, done_at: null })
      .where('id', 'in', chunk)
      .execute();
    await dropReservations(tx, chunk);
  }
}

/** The outcome is unknown: looked up at the target from `dueAt` on, with the reservation kept. */
export async function doubtEffects(tx: Tx, ids: readonly number[], dueAt: Date, reason: string): Promise<void> {
  await tx
    .updateTable('outbox')
    .set((eb) => ({
      state: 'doubt',
      doubts: eb('doubts', '+', 1),
      looks: 0,
      due_at: dueAt.toISOString(),
      last_error: reason,
    }))
    .where('id', 'in', [...ids])
    .execute();
}

/** Done: the remote id stands in the row, the reservation is free. */
export async function finishEffect(tx: Tx, id: number, remoteId: string, now: Date): Promise<void> {
  await tx
    .updateTable('outbox')
    .set({ state: 'done', remote_id: remoteId, done_at: now.toISOString(), due_at: null, last_error: null })
    .where('id', '=', id)
    .execute();
  await dropReservations(tx, [id]);
}

/** Refused for good reason: tried again at `dueAt`. */
export async function failEffect(tx: Tx, id: number, reason: string, dueAt: Date): Promise<void> {
  await tx
    .updateTable('outbox')
    .set((eb) => ({
      state: 'failed',
      attempts: eb('attempts', '+', 1),
      run_id: null,
      done_at: null,
      due_at: dueAt.toISOString(),
      last_error: reason,
    }))
    .where('id', '=', id)
    .execute();
  await dropReservations(tx, [id]);
}

/** A refused detail was left out: the row waits again with what remains. */
export async function amendEffect(tx: Tx, id: number, payload: Json): Promise<void> {
  await tx
    .updateTable('outbox')
    .set({ payload: JSON.stringify(payload) })
    .where('id', '=', id)
    .execute();
  await releaseEffects(tx, [id]);
}

/** It was looked for before its first sending and is not there: it may be sent. */
export async function clearLookFirst(tx: Tx, ids: readonly number[]): Promise<void> {
  for (const chunk of chunks(ids, PARAMETERS)) {
    await tx.updateTable('outbox').set({ look_first: 0 }).where('id', 'in', chunk).execute();
  }
}

/** A look found nothing. After the second one in a row the effect may be sent again. */
export async function lookedInVain(tx: Tx, row: OutboxRow, nextLook: Date): Promise<'again' | 'resend'> {
  const resend = row.looks + 1 >= 2;
  await tx
    .updateTable('outbox')
    .set(
      resend
        ? { state: 'pending', run_id: null, looks: 0, due_at: null }
        : { looks: row.looks + 1, due_at: nextLook.toISOString() },
    )
    .where('id', '=', row.id)
    .where('state', '=', 'doubt')
    .execute();
  return resend ? 'resend' : 'again';
}

/** The look itself could not be had, or cannot be trusted: the doubt stays. */
export async function postponeLook(tx: Tx, ids: readonly number[], nextLook: Date, reason: string): Promise<void> {
  for (const chunk of chunks(ids, PARAMETERS)) {
    await tx
      .updateTable('outbox')
      .set({ due_at: nextLook.toISOString(), last_error: reason })
      .where('id', 'in', chunk)
      .where('state', '=', 'doubt')
      .execute();
  }
}

/**
 * What a dead run of this job left behind; only a run that holds the job's lock may call it. Claimed rows were surely
 * not sent; rows in `sending` are in doubt from then on, looked up once the request's deadline and the quiet time are over.
 */
export async function inheritEffects(tx: Tx, job: string, runId: number, lookAt: (kind: string, sentAt: Date) => Date) {
  const left = await tx
    .selectFrom('outbox')
    .select(['id', 'kind', 'state', 'sent_at'])
    .where('job', '=', job)
    .where(OPEN)
    .where('state', 'in', ['claimed', 'sending'])
    .where((eb) => eb.or([eb('run_id', 'is', null), eb('run_id', '!=', runId)]))
    .execute();
  await releaseEffects(
    tx,
    left.filter((row) => row.state === 'claimed').map((row) => row.id),
  );
  const sending = left.filter((row) => row.state === 'sending');
  for (const row of sending) {
    await doubtEffects(
      tx,
      [row.id],
      lookAt(row.kind, new Date(row.sent_at ?? 0)),
      'the run ended while it was being sent',
    );
  }
  return { claimed: left.length - sending.length, sending: sending.length };
}

/** Open effects of a job by state; also what the backlog consists of. */
export async function countOpen(tx: Tx, job: string): Promise<Record<string, number>> {
  const rows = await tx
    .selectFrom('outbox')
    .select(['state', (eb) => eb.fn.countAll<number>().as('n')])
    .where('job', '=', job)
    .where(OPEN)
    .groupBy('state')
    .execute();
  return Object.fromEntries(rows.map((row) => [row.state, Number(row.n)]));
}

/** Forgets the payloads of effects done before the given time, but for the kinds to keep; keys and ids stay for ever. */
export async function prunePayloads(tx: Tx, before: Date, keep: readonly string[]): Promise<void> {
  await tx
    .updateTable('outbox')
    .set({ payload: null })
    .where('payload', 'is not', null)
    .where((eb) =>
      eb.or([
        eb.and([eb('state', '=', 'done'), eb('done_at', '<', before.toISOString())]),
        eb.and([eb('state', '=', 'superseded'), eb('created_at', '<', before.toISOString())]),
      ]),
    )
    .where('kind', 'not in', ['', ...keep])
    .execute();
}

/**
 * The things that these effects made are gone at the target: they are made anew, looked for first. One whose payload is
 * forgotten is forgotten altogether, so that the next plan that needs it stores it as new.
 */
export async function renewEffects(tx: Tx, keys: readonly string[]): Promise<void> {
  for (const chunk of chunks(keys, PARAMETERS)) {
    await tx
      .updateTable('outbox')
      .set({ state: 'pending', run_id: null, look_first: 1, remote_id: null, done_at: null })
      .where('key', 'in', chunk)
      .where('state', '=', 'done')
      .where('payload', 'is not', null)
      .execute();
    await tx
      .deleteFrom('outbox')
      .where('key', 'in', chunk)
      .where('state', '=', 'done')
      .where('payload', 'is', null)
      .execute();
    await tx.deleteFrom('links').where('key', 'in', chunk).execute();
  }
}
