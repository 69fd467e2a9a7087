import type { OrderHead } from '../domain/order.ts';
import type { Tx } from './database.ts';
import { chunks } from './outbox.ts';

/** Keeps what was last seen of Kaspi orders; a row that says the same already is left alone. Returns how many changed. */
export async function saveKaspiOrders(tx: Tx, orders: readonly OrderHead[], now: Date): Promise<number> {
  const at = now.toISOString();
  let changed = 0;
  for (const chunk of chunks(orders, 90)) {
    const rows = await tx
      .insertInto('kaspi_orders')
      .values(
        chunk.map((order) => ({
          order_code: order.code,
          kaspi_id: order.id,
          state: order.state,
          status: order.status,
          total_price: order.totalMinor / 100,
          ordered_at: order.createdAt.toISOString(),
          final: order.final ? 1 : 0,
          created_at: at,
          updated_at: at,
        })),
      )
      .onConflict((conflict) =>
        conflict
          .column('order_code')
          .doUpdateSet((eb) => ({
            state: eb.ref('excluded.state'),
            status: eb.ref('excluded.status'),
            total_price: eb.ref('excluded.total_price'),
            final: eb.ref('excluded.final'),
            updated_at: at,
          }))
          .where((eb) =>
            eb.or([
              eb('kaspi_orders.state', '!=', eb.ref('excluded.state')),
              eb('kaspi_orders.status', '!=', eb.ref('excluded.status')),
              eb('kaspi_orders.total_price', '!=', eb.ref('excluded.total_price')),
            ]),
          ),
      )
      .returning('order_code')
      .execute();
    changed += rows.length;
  }
  return changed;
}

export interface DueOptions {
  /** Completed orders that are older than this are settled. */
  completedSince: Date;
  limit: number;
  /** Orders that this pass has seen already. */
  besides: ReadonlySet<string>;
}

/** Orders that are not settled, those first that were not looked at for longest. */
export async function dueKaspiOrders(tx: Tx, { completedSince, limit, besides }: DueOptions) {
  const rows = await tx
    .selectFrom('kaspi_orders')
    .select(['order_code', 'kaspi_id'])
    .where('final', '=', 0)
    .where((eb) => eb.or([eb('status', '!=', 'COMPLETED'), eb('ordered_at', '>=', completedSince.toISOString())]))
    .orderBy((eb) => eb.fn.coalesce('looked_at', 'created_at'))
    .limit(limit + besides.size)
    .execute();
  return rows
    .filter((row) => !besides.has(row.order_code))
    .slice(0, limit)
    .map((row) => ({ code: row.order_code, kaspiId: row.kaspi_id }));
}

/** Puts the order to the end of the queue. */
export async function markKaspiOrderLooked(tx: Tx, code: string, now: Date): Promise<void> {
  await tx.updateTable('kaspi_orders').set({ looked_at: now.toISOString() }).where('order_code', '=', code).execute();
}
