import type { Json } from '../base/schema.ts';
import { closeAlert, openAlert } from './alerts.ts';
import type { Database, Tx } from './database.ts';
import { linkStates } from './links.ts';
import { chunks } from './outbox.ts';

/** A deal that stands for a record of ours. */
export interface BoundDeal {
  /** The record's own id, e.g. the order code. */
  id: string;
  dealId: number;
  /** What was last written there. */
  applied: Json;
  /** What was last asked for; differs from `applied` while a change is under way. */
  planned: Json;
}

/** But for those with a change whose outcome is not known: what they show may be ours as well. */
async function byRemoteIds(tx: Tx, prefix: string, dealIds: readonly number[]): Promise<BoundDeal[]> {
  const found: BoundDeal[] = [];
  for (const chunk of chunks(dealIds, 800)) {
    const rows = await tx
      .selectFrom('links')
      .select(['key', 'remote_id', 'applied', 'planned'])
      .where('kind', '=', 'amocrm.deal')
      .where('remote_id', 'in', chunk.map(String))
      .where('key', 'like', `${prefix}%`)
      .execute();
    const states = await linkStates(
      tx,
      rows.map(({ key }) => key),
    );
    const settled = rows.filter(({ key }) => states.get(key)?.underWay === undefined);
    found.push(...settled.map((row) => boundDeal(prefix, row)));
  }
  return found;
}

async function ofOrdersSince(tx: Tx, prefix: string, since: Date): Promise<BoundDeal[]> {
  const rows = await tx
    .selectFrom('kaspi_orders')
    .innerJoin('links', (join) => join.on('links.key', '=', (eb) => eb(eb.val(prefix), '||', eb.ref('order_code'))))
    .select(['links.key', 'links.remote_id', 'links.applied', 'links.planned'])
    .where('kaspi_orders.ordered_at', '>=', since.toISOString())
    .execute();
  return rows.map((row) => boundDeal(prefix, row));
}

interface LinkRow {
  key: string;
  remote_id: string;
  applied: string | null;
  planned: string | null;
}

function boundDeal(prefix: string, row: LinkRow): BoundDeal {
  return {
    id: row.key.slice(prefix.length),
    dealId: Number(row.remote_id),
    applied: JSON.parse(row.applied ?? 'null') as Json,
    planned: JSON.parse(row.planned ?? 'null') as Json,
  };
}

/** Forgets what was made for a record, so that it is made anew; nothing where something of it is under way. */
async function forgetRecord(tx: Tx, kind: string, key: string, links: readonly string[]): Promise<boolean> {
  const rows = await tx
    .selectFrom('outbox')
    .select(['id', 'key', 'state'])
    .where('record_kind', '=', kind)
    .where('record_key', '=', key)
    .where('kind', '!=', 'amocrm.good')
    .execute();
  if (rows.some(({ state }) => ['claimed', 'sending', 'doubt'].includes(state))) return false;
  for (const chunk of chunks([...rows.map((row) => row.key), ...links], 800)) {
    await tx.deleteFrom('links').where('key', 'in', chunk).execute();
    await tx.deleteFrom('outbox').where('key', 'in', chunk).execute();
  }
  return true;
}

/** What a job that compares deals needs of the state; in a dry run nothing is written. */
export function dealBook(database: Database, dryRun: boolean) {
  const { db } = database;
  return {
    byRemoteIds: (prefix: string, dealIds: readonly number[]) => byRemoteIds(db, prefix, dealIds),
    ofOrdersSince: (prefix: string, since: Date) => ofOrdersSince(db, prefix, since),
    forget: async (kind: string, key: string, links: readonly string[]): Promise<boolean> =>
      dryRun ? false : database.transaction((tx) => forgetRecord(tx, kind, key, links)),
    report: async (kind: string, subject: string, message: string, now: Date): Promise<void> => {
      if (!dryRun) await database.transaction((tx) => openAlert(tx, kind, subject, message, now));
    },
    clear: async (kind: string, subject: string, now: Date): Promise<void> => {
      if (!dryRun) await database.transaction((tx) => closeAlert(tx, kind, subject, now));
    },
  };
}
