import type { Tx } from './database.ts';
import { type Instant, instantText } from './instant.ts';
import type { InstantText } from './tables.ts';

/** The value under a key of `meta`, or undefined. */
export async function getMeta(tx: Tx, key: string): Promise<string | undefined> {
  const row = await tx.selectFrom('meta').select('value').where('key', '=', key).executeTakeFirst();
  return row?.value;
}

/** Sets a key of `meta`, whatever stood there. */
export async function setMeta(tx: Tx, key: string, value: string, now: Instant): Promise<void> {
  const row = { value, updated_at: instantText(now) };
  await tx
    .insertInto('meta')
    .values({ key, ...row })
    .onConflict((conflict) => conflict.column('key').doUpdateSet(row))
    .execute();
}

/** Sets a key of `meta` where there is none yet; gives the value that stands then, its own or an earlier one. */
export async function setMetaOnce(tx: Tx, key: string, value: string, now: Instant): Promise<string> {
  await tx
    .insertInto('meta')
    .values({ key, value, updated_at: instantText(now) })
    .onConflict((conflict) => conflict.column('key').doNothing())
    .execute();
  return (await getMeta(tx, key)) ?? value;
}

export async function deleteMeta(tx: Tx, key: string): Promise<void> {
  await tx.deleteFrom('meta').where('key', '=', key).execute();
}

/** How far the job has read, or undefined where it never finished a slice. */
export function readCursor(tx: Tx, job: string): Promise<InstantText | undefined> {
  return getMeta(tx, `cursor:${job}`);
}

/** The job's cursor, and those of its parts (`<job>/<part>`) where it reads several sources. */
export async function cursorsOf(tx: Tx, job: string): Promise<{ name: string; cursor: InstantText }[]> {
  const rows = await tx
    .selectFrom('meta')
    .select(['key', 'value'])
    .where((eb) => eb.or([eb('key', '=', `cursor:${job}`), eb('key', 'like', `cursor:${job}/%`)]))
    .orderBy('key')
    .execute();
  return rows.map(({ key, value }) => ({ name: key.slice('cursor:'.length), cursor: value }));
}

/** Moves the job's cursor to `to`; an earlier `to` leaves it where it is. To be called in the transaction that stores the last effects before `to`. */
export async function advanceCursor(tx: Tx, job: string, to: Instant, now: Instant): Promise<void> {
  const row = { value: instantText(to), updated_at: instantText(now) };
  await tx
    .insertInto('meta')
    .values({ key: `cursor:${job}`, ...row })
    .onConflict((conflict) => conflict.column('key').doUpdateSet(row).where('meta.value', '<', row.value))
    .execute();
}

/** Notes that the job's pass ended well at `now`; the watchdog reads it. */
export function setHeartbeat(tx: Tx, job: string, now: Instant): Promise<void> {
  return setMeta(tx, `heartbeat:${job}`, instantText(now), now);
}

/** When the job's last good pass ended, or undefined. */
export function getHeartbeat(tx: Tx, job: string): Promise<InstantText | undefined> {
  return getMeta(tx, `heartbeat:${job}`);
}
