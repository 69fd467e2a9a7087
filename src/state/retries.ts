import { sql } from 'kysely';
import type { RecordRef } from '../domain/effect.ts';
import type { Tx } from './database.ts';
import { chunks, OPEN } from './outbox.ts';

/** A failed record as `retry` and `ignore` name it. */
export interface FailedRef extends RecordRef {
  id: number;
  job: string;
  ignored: boolean;
}

/** The failed records of these ids, or all that are not set aside; ids that do not exist are simply absent. */
export async function failedRefs(tx: Tx, ids: readonly number[] | 'all', kind?: string): Promise<FailedRef[]> {
  const found: FailedRef[] = [];
  for (const chunk of ids === 'all' ? ['all' as const] : chunks(ids, 900)) {
    let query = tx.selectFrom('failed_records').select(['id', 'kind', 'key', 'job', 'ignored_at']).orderBy('id');
    if (chunk !== 'all') query = query.where('id', 'in', chunk);
    else query = query.where('ignored_at', 'is', null);
    if (kind !== undefined) query = query.where('kind', '=', kind);
    const rows = await query.execute();
    found.push(...rows.map(({ ignored_at, ...row }) => ({ ...row, ignored: ignored_at !== null })));
  }
  return found;
}

/**
 * Makes a failed record due now, with its refused effects; one that was set aside lives again. Returns how many effects
 * that concerns. An effect that another run has in hand is left to it.
 */
export async function reviveRecord(tx: Tx, record: FailedRef, now: Date): Promise<number> {
  const at = now.toISOString();
  await tx
    .updateTable('failed_records')
    .set({ next_attempt_at: at, ignored_at: null, ignored_why: null })
    .where('id', '=', record.id)
    .execute();
  const refused = await tx
    .updateTable('outbox')
    .set({ state: 'failed', due_at: at })
    .where('record_kind', '=', record.kind)
    .where('record_key', '=', record.key)
    .where((eb) => eb.or([eb('state', '=', 'failed'), eb.and([eb('state', '=', 'ignored'), eb('attempts', '>', 0)])]))
    // Without its payload an effect can never be sent again.
    .where('payload', 'is not', null)
    .returning('id')
    .execute();
  // What was never tried only waited for the refused ones. As `failed` it would keep the record among the failed for ever.
  const waiting = await tx
    .updateTable('outbox')
    .set({ state: 'pending' })
    .where('record_kind', '=', record.kind)
    .where('record_key', '=', record.key)
    .where('state', '=', 'ignored')
    .where('payload', 'is not', null)
    .returning('id')
    .execute();
  return refused.length + waiting.length;
}

export interface SetAside {
  /** Effects of the record that leave the backlog. */
  effects: number;
  /** Its effects on their way or in doubt: they are settled all the same. */
  underWay: number;
  /** Other records that wait for one of the effects set aside. */
  waiting: RecordRef[];
}

/** Sets a record aside for good: its refused effects, and those of its own that wait for them, leave the backlog. */
export async function ignoreRecord(tx: Tx, record: FailedRef, why: string, now: Date): Promise<SetAside> {
  await tx
    .updateTable('failed_records')
    .set({ ignored_at: now.toISOString(), ignored_why: why })
    .where('id', '=', record.id)
    .execute();
  const open = await tx
    .selectFrom('outbox')
    .select(['id', 'key', 'needs', 'state'])
    .where('record_kind', '=', record.kind)
    .where('record_key', '=', record.key)
    .where(OPEN)
    .execute();
  const aside = new Set(open.filter(({ state }) => state === 'failed').map(({ key }) => key));
  for (let before = -1; before < aside.size; ) {
    before = aside.size;
    for (const { key, needs, state } of open) {
      if (state === 'pending' && (JSON.parse(needs) as string[]).some((need) => aside.has(need))) aside.add(key);
    }
  }
  const gone: string[] = [];
  for (const chunk of chunks([...aside], 900)) {
    const rows = await tx
      .updateTable('outbox')
      .set({ state: 'ignored', run_id: null })
      .where('key', 'in', chunk)
      .where('state', 'in', ['failed', 'pending'])
      .returning('key')
      .execute();
    gone.push(...rows.map(({ key }) => key));
  }
  const underWay = open.filter(({ state }) => state !== 'failed' && state !== 'pending').length;
  return { effects: gone.length, underWay, waiting: await recordsNeeding(tx, record, gone) };
}

/** Records of open effects that need one of these keys; goods are shared, so that one refused article may hold up many orders. */
async function recordsNeeding(tx: Tx, record: RecordRef, keys: readonly string[]): Promise<RecordRef[]> {
  if (keys.length === 0) return [];
  const rows = await tx
    .selectFrom('outbox')
    .select(['record_kind', 'record_key', 'needs'])
    .where(OPEN)
    .where(sql<boolean>`needs <> '[]'`)
    .execute();
  const wanted = new Set(keys);
  const found = new Map<string, RecordRef>();
  for (const { record_kind: kind, record_key: key, needs } of rows) {
    if (kind === record.kind && key === record.key) continue;
    if ((JSON.parse(needs) as string[]).some((need) => wanted.has(need))) found.set(`${kind}:${key}`, { kind, key });
  }
  return [...found.values()];
}
