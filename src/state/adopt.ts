import { sql } from 'kysely';
import type { Json } from '../base/schema.ts';
import type { Link } from '../domain/effect.ts';
import { ADOPTER } from './audit.ts';
import type { Tx } from './database.ts';
import { forgetFailed } from './failed-records.ts';
import { saveLinks } from './links.ts';
import { chunks, OPEN } from './outbox.ts';

/** Something of an order that stands at the target. */
export interface AdoptedThing {
  key: string;
  kind: string;
  /** Null: taken as done, though nothing of ours stands there. */
  remoteId: string | null;
  /** What was last written there, where it is kept up to date. */
  applied?: Json;
}

/** A thing that stands at the target already, as delivery would have left it here; a deal that another integrator made, say. */
export interface Adopted {
  record: { kind: string; key: string };
  dealKey: string;
  dealKind: string;
  /** Its id at the target: a deal's number, a document's reference. */
  dealId: number | string;
  /** What the deal shows, as far as we would keep it up to date. */
  applied: Json;
  others: readonly AdoptedThing[];
}

/** Which of these deal keys are bound already. */
export async function boundKeys(tx: Tx, keys: readonly string[]): Promise<Set<string>> {
  const found = new Set<string>();
  for (const chunk of chunks(keys, 900)) {
    const rows = await tx.selectFrom('links').select('key').where('key', 'in', chunk).execute();
    for (const { key } of rows) found.add(key);
  }
  return found;
}

/** The links by which an adopted thing is known from now on. */
export function linksOfAdopted({ dealKey, dealKind, dealId, applied, others }: Adopted): Link[] {
  const deal = { key: dealKey, kind: dealKind, remoteId: String(dealId), applied };
  return [deal, ...others.flatMap(({ remoteId, ...thing }) => (remoteId === null ? [] : [{ ...thing, remoteId }]))];
}

/**
 * Binds a deal as if it had been delivered from here: keys in the outbox, done; links. What waited for it is no more to be
 * made. No run may be alive that could send an effect of this record: the caller holds the locks of its jobs.
 */
export async function adopt(tx: Tx, adopted: Adopted, now: Date, adopter: string = ADOPTER): Promise<void> {
  const { record, dealKey, dealKind, dealId, others } = adopted;
  const things: AdoptedThing[] = [{ key: dealKey, kind: dealKind, remoteId: String(dealId) }, ...others];
  await settleWaiting(tx, record, things, now, adopter);
  const at = now.toISOString();
  await tx
    .insertInto('outbox')
    .values(
      things.map(({ key, kind, remoteId }) => ({
        key,
        job: adopter,
        kind,
        record_kind: record.kind,
        record_key: record.key,
        state: 'done' as const,
        remote_id: remoteId,
        created_at: at,
        done_at: at,
      })),
    )
    .onConflict((conflict) => conflict.column('key').doNothing())
    .execute();
  await saveLinks(tx, linksOfAdopted(adopted), now);
  await forgetFailed(tx, record);
}

/**
 * Effects that were planned before the deal was known. What other records wait for stays: a client or goods may be theirs as
 * well. So do goods of the catalog, which any order may want.
 */
async function settleWaiting(
  tx: Tx,
  record: Adopted['record'],
  things: readonly AdoptedThing[],
  now: Date,
  adopter: string,
): Promise<void> {
  const waiting = await tx
    .selectFrom('outbox')
    .select(['id', 'key', 'kind'])
    .where('record_kind', '=', record.kind)
    .where('record_key', '=', record.key)
    .where('state', 'not in', ['done', 'superseded', 'ignored'])
    .where('kind', '!=', 'amocrm.good')
    .execute();
  const wanted = waiting.length === 0 ? new Set<string>() : await neededByOthers(tx, record);
  for (const { id, key } of waiting) {
    if (wanted.has(key)) continue;
    const thing = things.find((one) => one.key === key);
    await tx
      .updateTable('outbox')
      .set({
        state: thing ? 'done' : 'ignored',
        job: adopter,
        remote_id: thing?.remoteId ?? null,
        payload: null,
        run_id: null,
        done_at: now.toISOString(),
        due_at: null,
        last_error: null,
      })
      .where('id', '=', id)
      .execute();
    await tx.deleteFrom('reservations').where('effect_id', '=', id).execute();
  }
}

/** Keys that open effects of other records need. */
async function neededByOthers(tx: Tx, { kind, key }: Adopted['record']): Promise<Set<string>> {
  const rows = await tx
    .selectFrom('outbox')
    .select('needs')
    .where(OPEN)
    .where(sql<boolean>`needs <> '[]'`)
    .where((eb) => eb.not(eb.and([eb('record_kind', '=', kind), eb('record_key', '=', key)])))
    .execute();
  return new Set(rows.flatMap(({ needs }) => JSON.parse(needs) as string[]));
}
