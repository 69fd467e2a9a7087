import type { Link } from '../domain/effect.ts';
import type { Tx } from './database.ts';
import { chunks } from './outbox.ts';

/** Binds keys to remote ids; a key that was bound before points to the newer id. */
export async function saveLinks(tx: Tx, links: readonly Link[], now: Date): Promise<void> {
  const at = now.toISOString();
  for (const chunk of chunks(links, 100)) {
    await tx
      .insertInto('links')
      .values(
        chunk.map((link) => ({
          key: link.key,
          kind: link.kind,
          remote_id: link.remoteId,
          applied: link.applied === undefined ? null : JSON.stringify(link.applied),
          planned: link.applied === undefined ? null : JSON.stringify(link.applied),
          created_at: at,
          updated_at: at,
        })),
      )
      .onConflict((conflict) =>
        conflict.column('key').doUpdateSet((eb) => ({
          remote_id: eb.ref('excluded.remote_id'),
          applied: eb.ref('excluded.applied'),
          updated_at: at,
        })),
      )
      .execute();
  }
}

/** Remote ids of the keys that are bound. */
export async function remoteIds(tx: Tx, keys: readonly string[]): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const chunk of chunks([...new Set(keys)], 900)) {
    const rows = await tx.selectFrom('links').select(['key', 'remote_id']).where('key', 'in', chunk).execute();
    for (const row of rows) found.set(row.key, row.remote_id);
  }
  return found;
}

/** Unbinds keys whose thing is gone at the target. */
export async function dropLinks(tx: Tx, keys: readonly string[]): Promise<void> {
  for (const chunk of chunks(keys, 900)) await tx.deleteFrom('links').where('key', 'in', chunk).execute();
}

/** The newest bound remote id of a kind: a record known to exist, for positive controls. */
export async function newestRemoteId(tx: Tx, kind: string, boundBefore: Date): Promise<string | undefined> {
  const row = await tx
    .selectFrom('links')
    .select('remote_id')
    .where('kind', '=', kind)
    .where('created_at', '<', boundBefore.toISOString())
    .orderBy('created_at', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row?.remote_id;
}
