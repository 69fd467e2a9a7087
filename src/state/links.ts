import type { Json } from '../base/schema.ts';
import type { Link, LinkState, Revision } from '../domain/effect.ts';
import type { Tx } from './database.ts';
import { forgetFailed } from './failed-records.ts';
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

/** What is known of the linked things of these keys; keys that are not bound are absent. */
export async function linkStates(tx: Tx, keys: readonly string[]): Promise<Map<string, LinkState>> {
  const states = new Map<string, LinkState>();
  for (const chunk of chunks([...new Set(keys)], 400)) {
    const rows = await tx.selectFrom('links').selectAll().where('key', 'in', chunk).execute();
    for (const row of rows) {
      const applied = JSON.parse(row.applied ?? 'null') as Json;
      const planned = JSON.parse(row.planned ?? 'null') as Json;
      states.set(row.key, { key: row.key, remoteId: row.remote_id, applied, planned, revision: row.revision });
    }
    // Not the latest alone: it may wait for an older one whose outcome is not known yet.
    for (const keys of chunks(rows.flatMap(revisionKeys), 900)) {
      const begun = await tx
        .selectFrom('outbox')
        .select(['key', 'state', 'payload'])
        .where('key', 'in', keys)
        .where((eb) =>
          eb.or([
            eb('state', 'in', UNDER_WAY),
            eb.and([eb('state', 'in', ['pending', 'failed', 'superseded']), eb('sent_at', 'is not', null)]),
          ]),
        )
        .execute();
      const done = begun.length === 0 ? new Map<string, number>() : await lastDone(tx, rows, begun);
      for (const { key, state, payload } of begun) {
        const { link, revision } = partsOf(key);
        const known = states.get(link);
        if (!known) continue;
        if (UNDER_WAY.some((one) => one === state))
          known.underWay = { key, payload: JSON.parse(payload ?? 'null') as Json };
        else if (revision > (done.get(link) ?? 0)) known.interrupted = true;
      }
    }
  }
  return states;
}

const UNDER_WAY = ['claimed', 'sending', 'doubt'] as const;

/** The newest revision that was done, of those links that these updates belong to. */
async function lastDone(
  tx: Tx,
  links: readonly { key: string; revision: number }[],
  updates: readonly { key: string }[],
): Promise<Map<string, number>> {
  const newest = new Map<string, number>();
  const concerned = new Set(updates.map(({ key }) => partsOf(key).link));
  for (const keys of chunks(links.filter(({ key }) => concerned.has(key)).flatMap(revisionKeys), 900)) {
    const rows = await tx
      .selectFrom('outbox')
      .select('key')
      .where('key', 'in', keys)
      .where('state', '=', 'done')
      .execute();
    for (const { key } of rows) {
      const { link, revision } = partsOf(key);
      newest.set(link, Math.max(revision, newest.get(link) ?? 0));
    }
  }
  return newest;
}

/** The key of an update: its link and its number, never its value. */
export function revisionKey(link: string, revision: number): string {
  return `${link}#${revision}`;
}

function partsOf(key: string): { link: string; revision: number } {
  const at = key.lastIndexOf('#');
  return { link: key.slice(0, at), revision: Number(key.slice(at + 1)) };
}

function revisionKeys({ key, revision }: { key: string; revision: number }): string[] {
  return Array.from({ length: revision }, (_, index) => revisionKey(key, index + 1));
}

/**
 * Takes the next revision of a link: updates not yet begun are superseded by it, and so are the other effects that it makes
 * needless. Gives the keys of those that are under way, for they must be through before the update is sent; undefined where
 * another run has taken that revision in between. To be called in the transaction that stores the update.
 */
export async function takeRevision(
  tx: Tx,
  { link, revision, planned, supersedes = [] }: Revision,
  now: Date,
): Promise<string[] | undefined> {
  const taken = await tx
    .updateTable('links')
    .set({ revision, planned: JSON.stringify(planned), updated_at: now.toISOString() })
    .where('key', '=', link)
    .where('revision', '=', revision - 1)
    .returning('key')
    .execute();
  if (taken.length === 0) return undefined;
  const needless = [...revisionKeys({ key: link, revision: revision - 1 }), ...supersedes];
  for (const keys of chunks(needless, 900)) {
    const rows = await tx
      .updateTable('outbox')
      .set({ state: 'superseded' })
      .where('key', 'in', keys)
      .where('state', 'in', ['pending', 'failed'])
      .returning(['record_kind', 'record_key', 'attempts'])
      .execute();
    // What was refused is asked for no more.
    for (const { record_kind: kind, record_key: key, attempts } of rows) {
      if (attempts > 0) await forgetFailed(tx, { kind, key });
    }
  }
  const underWay: string[] = [];
  for (const keys of chunks(supersedes, 900)) {
    const rows = await tx
      .selectFrom('outbox')
      .select('key')
      .where('key', 'in', keys)
      .where('state', 'in', UNDER_WAY)
      .execute();
    underWay.push(...rows.map(({ key }) => key));
  }
  return underWay;
}
