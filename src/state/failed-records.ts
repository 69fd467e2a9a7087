import type { RecordRef } from '../domain/effect.ts';
import type { Tx } from './database.ts';
import { chunks } from './outbox.ts';

const MINUTE = 60_000;
/** Pauses before the second, third, … attempt; the last one repeats. */
const PAUSES_MS = [MINUTE, 5 * MINUTE, 15 * MINUTE, 60 * MINUTE, 6 * 60 * MINUTE, 24 * 60 * MINUTE];

/** When a record or an effect that has failed `attempts` times is tried again. */
export function nextAttemptAt(attempts: number, now: Date): Date {
  return new Date(now.getTime() + (PAUSES_MS[Math.min(attempts, PAUSES_MS.length) - 1] ?? MINUTE));
}

/** Keeps a record with its reason, or counts one more failure of it. */
export async function keepFailed(tx: Tx, job: string, record: RecordRef, reason: string, now: Date): Promise<void> {
  const known = await tx
    .selectFrom('failed_records')
    .select(['id', 'attempts'])
    .where('kind', '=', record.kind)
    .where('key', '=', record.key)
    .executeTakeFirst();
  const attempts = (known?.attempts ?? 0) + 1;
  const next = nextAttemptAt(attempts, now).toISOString();
  if (known) {
    await tx
      .updateTable('failed_records')
      .set({ attempts, next_attempt_at: next, last_error: reason })
      .where('id', '=', known.id)
      .execute();
    return;
  }
  await tx
    .insertInto('failed_records')
    .values({
      kind: record.kind,
      key: record.key,
      job,
      attempts,
      next_attempt_at: next,
      last_error: reason,
      first_seen_at: now.toISOString(),
    })
    .execute();
}

/** The record is well again, unless an effect of it still waits for its next attempt. */
export function forgetFailed(tx: Tx, record: RecordRef): Promise<void> {
  return forgetAllFailed(tx, [record]);
}

/** The same for many records. */
export async function forgetAllFailed(tx: Tx, records: readonly RecordRef[]): Promise<void> {
  for (const kind of new Set(records.map((record) => record.kind))) {
    const keys = records.flatMap((record) => (record.kind === kind ? [record.key] : []));
    for (const chunk of chunks(keys, 500)) {
      await tx
        .deleteFrom('failed_records')
        .where('kind', '=', kind)
        .where('key', 'in', chunk)
        .where((eb) =>
          eb.not(
            eb.exists(
              eb
                .selectFrom('outbox')
                .select('outbox.id')
                .whereRef('outbox.record_kind', '=', 'failed_records.kind')
                .whereRef('outbox.record_key', '=', 'failed_records.key')
                .where('outbox.state', '=', 'failed'),
            ),
          ),
        )
        .execute();
    }
  }
}

/**
 * Failed records of a kind, whichever job kept them: key → whether its next attempt is due, its own or that of one of its effects, so that an effect
 * is planned anew before it is sent anew. Ignored records are never due.
 */
export async function failedKeys(tx: Tx, kind: string, now: Date): Promise<Map<string, boolean>> {
  const rows = await tx
    .selectFrom('failed_records')
    .select((eb) => [
      'key',
      'next_attempt_at',
      'ignored_at',
      eb
        .selectFrom('outbox')
        .select((inner) => inner.fn.min('outbox.due_at').as('due_at'))
        .whereRef('outbox.record_kind', '=', 'failed_records.kind')
        .whereRef('outbox.record_key', '=', 'failed_records.key')
        .where('outbox.state', '=', 'failed')
        .as('effect_due_at'),
    ])
    .where('kind', '=', kind)
    .execute();
  const due = (at: string | null) => at !== null && at <= now.toISOString();
  return new Map(
    rows.map((row) => [row.key, row.ignored_at === null && (due(row.next_attempt_at ?? '') || due(row.effect_due_at))]),
  );
}
