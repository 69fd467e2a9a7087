import type { Tx } from './database.ts';
import { type Instant, instantText } from './instant.ts';

/**
 * An answer stored under `key`, if it was asked for at most `maxAgeMs` before `now`. `T` is what the caller stored there: keys name the
 * shape too, so that a later version of the program does not meet an older one's.
 */
export async function getCached<T>(tx: Tx, key: string, maxAgeMs: number, now: Date): Promise<T | undefined> {
  const oldest = instantText(new Date(now.getTime() - maxAgeMs));
  const row = await tx
    .selectFrom('remote_cache')
    .select('value')
    .where('key', '=', key)
    .where('fetched_at', '>=', oldest)
    .executeTakeFirst();
  return row === undefined ? undefined : (JSON.parse(row.value) as T);
}

/** Stores an answer (anything that JSON holds) with the time of asking, in place of an earlier one. */
export async function putCached(tx: Tx, key: string, value: unknown, fetchedAt: Instant): Promise<void> {
  const row = { value: JSON.stringify(value), fetched_at: instantText(fetchedAt) };
  await tx
    .insertInto('remote_cache')
    .values({ key, ...row })
    .onConflict((conflict) => conflict.column('key').doUpdateSet(row))
    .execute();
}

/** Forgets an answer that proved stale. */
export async function dropCached(tx: Tx, key: string): Promise<void> {
  await tx.deleteFrom('remote_cache').where('key', '=', key).execute();
}
