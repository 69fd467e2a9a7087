import type { HistoryEffects, StoredCall } from '../domain/call.ts';
import type { OutboxRow } from '../domain/effect.ts';
import type { Database, Tx } from './database.ts';
import { getMeta, setMeta } from './meta.ts';
import { chunks } from './outbox.ts';
import { customersOf, giveCalls, planHistory, putCustomers, writeHistory } from './retail-customers.ts';

type HistoryOf = 'customers' | 'orders';

const sinceKey = (enterprise: string, of: HistoryOf) => `retail_history:${enterprise}:${of}`;

/** Calls and what is known of RetailCRM's customers and orders, over one database; in a dry run nothing of its history is written. */
export function callBook(database: Database, dryRun: boolean) {
  return {
    save: saveCalls,
    historySince: (enterprise: string, of: HistoryOf) => historySince(database.db, enterprise, of),
    applyHistory: async (enterprise: string, of: HistoryOf, page: HistoryEffects, now: Date): Promise<number> => {
      if (dryRun) return (await planHistory(database.db, enterprise, page)).changed;
      return database.transaction(async (tx) => {
        const plan = await planHistory(tx, enterprise, page);
        await writeHistory(tx, enterprise, plan, now);
        // A pass over an earlier window reads entries that were read before; the next pass goes on where the furthest one ended.
        if (page.sinceId > ((await historySince(tx, enterprise, of)) ?? -1)) {
          await setMeta(tx, sinceKey(enterprise, of), String(page.sinceId), now);
        }
        return plan.changed;
      });
    },
  };
}

async function historySince(tx: Tx, enterprise: string, of: HistoryOf): Promise<number | undefined> {
  const text = await getMeta(tx, sinceKey(enterprise, of));
  return text === undefined ? undefined : Number(text);
}

/** Keeps calls; a row whose hash is the same is left alone. A new one gets the customer of its phone. Returns how many rows changed. */
async function saveCalls(tx: Tx, given: readonly StoredCall[], now: Date): Promise<number> {
  const calls = [...new Map(given.map((call) => [call.externalId, call])).values()];
  let changed = 0;
  for (const chunk of chunks(calls, 45)) {
    const customers = await customersOfCalls(tx, chunk);
    const rows = await tx
      .insertInto('calls')
      .values(chunk.map((call) => rowOf(call, customers, now)))
      .onConflict((conflict) =>
        conflict
          .column('external_id')
          .doUpdateSet((eb) => ({
            enterprise_number: eb.ref('excluded.enterprise_number'),
            direction: eb.ref('excluded.direction'),
            result: eb.ref('excluded.result'),
            day: eb.ref('excluded.day'),
            started_at: eb.ref('excluded.started_at'),
            ended_at: eb.ref('excluded.ended_at'),
            phone: eb.ref('excluded.phone'),
            extension: eb.ref('excluded.extension'),
            manager: eb.ref('excluded.manager'),
            duration: eb.ref('excluded.duration'),
            wait: eb.ref('excluded.wait'),
            recording_url: eb.ref('excluded.recording_url'),
            line: eb.ref('excluded.line'),
            // A row that came late may show another client.
            retailcrm_customer_id: eb
              .case()
              .when(eb('calls.phone', '=', eb.ref('excluded.phone')))
              .then(eb.ref('calls.retailcrm_customer_id'))
              .else(eb.ref('excluded.retailcrm_customer_id'))
              .end(),
            hash: eb.ref('excluded.hash'),
            updated_at: eb.ref('excluded.updated_at'),
          }))
          .where((eb) =>
            eb.or([
              eb('calls.hash', '!=', eb.ref('excluded.hash')),
              eb('calls.enterprise_number', '!=', eb.ref('excluded.enterprise_number')),
            ]),
          ),
      )
      .returning('id')
      .execute();
    changed += rows.length;
  }
  return changed;
}

const ownerKey = (enterprise: string, phone: string) => `${enterprise} ${phone}`;

async function customersOfCalls(tx: Tx, calls: readonly StoredCall[]): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  for (const enterprise of new Set(calls.map((call) => call.enterprise))) {
    const phones = calls.flatMap((call) => (call.enterprise === enterprise && call.phone ? [call.phone] : []));
    for (const [phone, id] of await customersOf(tx, enterprise, phones)) found.set(ownerKey(enterprise, phone), id);
  }
  return found;
}

function rowOf(call: StoredCall, customers: ReadonlyMap<string, number>, now: Date) {
  const at = now.toISOString();
  return {
    external_id: call.externalId,
    enterprise_number: call.enterprise,
    direction: call.direction,
    result: call.result,
    day: call.day,
    started_at: call.startedAt.toISOString(),
    ended_at: call.endedAt.toISOString(),
    phone: call.phone ?? null,
    extension: call.extension ?? null,
    manager: call.manager ?? null,
    duration: call.talkSeconds,
    wait: call.waitSeconds,
    recording_url: call.recordingUrl ?? null,
    line: call.line ?? null,
    retailcrm_customer_id: (call.phone && customers.get(ownerKey(call.enterprise, call.phone))) || null,
    hash: call.hash,
    created_at: at,
    updated_at: at,
  };
}

/**
 * What a delivered effect of RetailCRM means to the tables: a customer's phone is known from then on, a call counts as uploaded.
 * To be called in the transaction that marks the effect done, for effects of every kind.
 */
export async function settleRetail(tx: Tx, row: OutboxRow, remoteId: string, now: Date): Promise<void> {
  const [, what, enterprise] = /^retailcrm\.(customer|call)@(.+)$/.exec(row.kind) ?? [];
  if (what === undefined || enterprise === undefined) return;
  const { phone, externalId } = (row.payload ?? {}) as { phone?: unknown; externalId?: unknown };
  if (typeof phone !== 'string') return;
  if (what === 'customer') {
    const owner = new Map([[phone, Number(remoteId)]]);
    await putCustomers(tx, enterprise, owner, now);
    await giveCalls(tx, enterprise, owner, now);
    return;
  }
  if (typeof externalId !== 'string') return;
  const at = now.toISOString();
  const customer = (await customersOf(tx, enterprise, [phone])).get(phone);
  await tx
    .updateTable('calls')
    .set((eb) => ({
      uploaded_at: eb.fn.coalesce('uploaded_at', eb.val(at)),
      ...(customer !== undefined && {
        retailcrm_customer_id: eb.fn.coalesce('retailcrm_customer_id', eb.val(customer)),
      }),
      updated_at: at,
    }))
    .where('external_id', '=', externalId)
    .execute();
}
