import { sql } from 'kysely';
import type { CustomerPhones, HistoryEffects, StoredOrder } from '../domain/call.ts';
import type { Tx } from './database.ts';
import { chunks, OPEN } from './outbox.ts';

/** phone (E.164) → the customer of RetailCRM who has it, as far as is known here. */
export async function customersOf(tx: Tx, enterprise: string, phones: readonly string[]): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  for (const chunk of chunks([...new Set(phones)], 800)) {
    const rows = await tx
      .selectFrom('retailcrm_customers')
      .select(['phone', 'retailcrm_customer_id'])
      .where('enterprise_number', '=', enterprise)
      .where('phone', 'in', chunk)
      .execute();
    for (const row of rows) found.set(row.phone, row.retailcrm_customer_id);
  }
  return found;
}

/** Jobs that write at the same time take PostgreSQL's row locks in one order, so that none waits for the other for ever. */
function inOrder(owners: ReadonlyMap<string, number>): [string, number][] {
  return [...owners].sort(([a], [b]) => (a < b ? -1 : 1));
}

/** Says whose phones these are; `known` says what becomes of a phone that has a customer already. */
export async function putCustomers(
  tx: Tx,
  enterprise: string,
  owners: ReadonlyMap<string, number>,
  now: Date,
  known: 'replaced' | 'kept' = 'replaced',
): Promise<void> {
  const at = now.toISOString();
  for (const chunk of chunks(inOrder(owners), 150)) {
    const rows = chunk.map(([phone, id]) => ({
      enterprise_number: enterprise,
      phone,
      retailcrm_customer_id: id,
      created_at: at,
      updated_at: at,
    }));
    await tx
      .insertInto('retailcrm_customers')
      .values(rows)
      .onConflict((conflict) => {
        const same = conflict.columns(['enterprise_number', 'phone']);
        if (known === 'kept') return same.doNothing();
        return same
          .doUpdateSet((eb) => ({
            retailcrm_customer_id: eb.ref('excluded.retailcrm_customer_id'),
            updated_at: at,
          }))
          .whereRef('retailcrm_customers.retailcrm_customer_id', '!=', 'excluded.retailcrm_customer_id');
      })
      .execute();
  }
}

/**
 * Phones that no customer is known to have any more. Who was made for one is bound to it no longer: the next call from there
 * looks for a customer again, and makes one where there is none.
 */
export async function dropCustomers(tx: Tx, enterprise: string, phones: readonly string[]): Promise<void> {
  for (const chunk of chunks(phones, 800)) {
    await tx
      .deleteFrom('retailcrm_customers')
      .where('enterprise_number', '=', enterprise)
      .where('phone', 'in', chunk)
      .execute();
    const keys = chunk.map((phone) => `retailcrm:customer:${enterprise}:${phone}`);
    await tx.deleteFrom('links').where('key', 'in', keys).execute();
    await tx
      .updateTable('outbox')
      .set({ key: sql<string>`key || '~' || id` })
      .where('key', 'in', keys)
      .where('state', '=', 'done')
      .execute();
    // What waits to be sent to him goes without him.
    const needs = keys.map((key) => JSON.stringify([key]));
    await tx.updateTable('outbox').set({ needs: '[]' }).where(OPEN).where('needs', 'in', needs).execute();
  }
}

/** Calls with these phones that nobody has yet are the customers' from now on. */
export async function giveCalls(
  tx: Tx,
  enterprise: string,
  owners: ReadonlyMap<string, number>,
  now: Date,
): Promise<void> {
  for (const [phone, id] of inOrder(owners)) {
    await tx
      .updateTable('calls')
      .set({ retailcrm_customer_id: id, updated_at: now.toISOString() })
      .where('enterprise_number', '=', enterprise)
      .where('phone', '=', phone)
      .where('retailcrm_customer_id', 'is', null)
      .execute();
  }
}

/** What a page of history changes here. */
export interface HistoryPlan {
  /** Rows of customers' phones and of orders that change. */
  changed: number;
  owners: ReadonlyMap<string, number>;
  phonesGone: readonly string[];
  /** Merged customer → the one that remains. */
  survivors: ReadonlyMap<number, number>;
  orders: readonly StoredOrder[];
  ordersGone: readonly number[];
}

/** Compares the page with what stands here; reads only. */
export async function planHistory(tx: Tx, enterprise: string, page: HistoryEffects): Promise<HistoryPlan> {
  const survivors = survivorsOf(page.merged ?? []);
  const before = await ownersBefore(tx, enterprise, page);
  const after = ownersAfter(before, page, survivors);
  const owners = new Map([...after].filter(([phone, id]) => before.get(phone) !== id));
  const phonesGone = [...before.keys()].filter((phone) => !after.has(phone));
  const gone = page.goneOrders ?? [];
  const ordersBefore = await ordersKnown(tx, enterprise, [
    ...(page.orders ?? []).map(({ orderId }) => orderId),
    ...gone,
  ]);
  const latest = new Map((page.orders ?? []).map((order) => [order.orderId, order]));
  for (const id of gone) latest.delete(id);
  const orders = [...latest.values()].filter((order) => ordersBefore.get(order.orderId) !== signature(orderRow(order)));
  const ordersGone = gone.filter((id) => ordersBefore.has(id));
  const changed = owners.size + phonesGone.length + orders.length + ordersGone.length;
  return { changed, owners, phonesGone, survivors, orders, ordersGone };
}

export async function writeHistory(tx: Tx, enterprise: string, plan: HistoryPlan, now: Date): Promise<void> {
  await dropCustomers(tx, enterprise, plan.phonesGone);
  await putCustomers(tx, enterprise, plan.owners, now);
  await giveCalls(tx, enterprise, plan.owners, now);
  for (const [from, into] of plan.survivors) {
    const theirs = { retailcrm_customer_id: into, updated_at: now.toISOString() };
    for (const table of ['calls', 'retailcrm_orders'] as const) {
      await tx
        .updateTable(table)
        .set(theirs)
        .where('enterprise_number', '=', enterprise)
        .where('retailcrm_customer_id', '=', from)
        .execute();
    }
  }
  await saveOrders(tx, enterprise, plan.orders, now);
  for (const chunk of chunks(plan.ordersGone, 800)) {
    await tx
      .deleteFrom('retailcrm_orders')
      .where('enterprise_number', '=', enterprise)
      .where('order_id', 'in', chunk)
      .execute();
  }
}

/** Each merged customer with the one that remains at the end: it may have been merged in its turn. */
function survivorsOf(merged: readonly { from: number; into: number }[]): Map<number, number> {
  const next = new Map(merged.map(({ from, into }) => [from, into]));
  const survivors = new Map<number, number>();
  for (const from of next.keys()) {
    const seen = new Set([from]);
    let into = from;
    for (let after = next.get(into); after !== undefined && !seen.has(after); after = next.get(into)) {
      into = after;
      seen.add(into);
    }
    if (into !== from) survivors.set(from, into);
  }
  return survivors;
}

/** Rows that the page may concern: those of its customers, and those of its phones. */
async function ownersBefore(tx: Tx, enterprise: string, page: HistoryEffects): Promise<Map<string, number>> {
  const people = page.customers ?? [];
  const before = await customersOf(
    tx,
    enterprise,
    people.flatMap(({ phones }) => phones),
  );
  const ids = new Set([
    ...people.map(({ customerId }) => customerId),
    ...(page.goneCustomers ?? []),
    ...(page.merged ?? []).map(({ from }) => from),
  ]);
  for (const chunk of chunks([...ids], 800)) {
    const rows = await tx
      .selectFrom('retailcrm_customers')
      .select(['phone', 'retailcrm_customer_id'])
      .where('enterprise_number', '=', enterprise)
      .where('retailcrm_customer_id', 'in', chunk)
      .execute();
    for (const row of rows) before.set(row.phone, row.retailcrm_customer_id);
  }
  return before;
}

/** A phone that another customer has stays his, unless he has lost it in this very page. */
function ownersAfter(
  before: ReadonlyMap<string, number>,
  page: HistoryEffects,
  survivors: ReadonlyMap<number, number>,
): Map<string, number> {
  const gone = new Set(page.goneCustomers ?? []);
  const people = new Map<number, CustomerPhones>((page.customers ?? []).map((one) => [one.customerId, one]));
  const after = new Map<string, number>();
  for (const [phone, was] of before) {
    const owner = survivors.get(was) ?? was;
    const known = people.get(owner);
    if (known === undefined ? !gone.has(owner) : known.phones.includes(phone)) after.set(phone, owner);
  }
  for (const { customerId, phones } of [...people.values()].sort((a, b) => a.customerId - b.customerId)) {
    for (const phone of phones) if (!after.has(phone)) after.set(phone, customerId);
  }
  return after;
}

type OrderRow = ReturnType<typeof orderRow>;

function orderRow(order: StoredOrder) {
  return {
    order_id: order.orderId,
    number: order.number,
    retailcrm_customer_id: order.customerId ?? null,
    phone: order.phone ?? null,
    manager_id: order.managerId ?? null,
    status: order.status,
    cancelled: order.cancelled ? 1 : 0,
    total: order.total,
    ordered_at: order.orderedAt.toISOString(),
  };
}

function signature(row: OrderRow): string {
  const { number, retailcrm_customer_id, phone, manager_id, status, cancelled, total, ordered_at } = row;
  return JSON.stringify([number, retailcrm_customer_id, phone, manager_id, status, cancelled, total, ordered_at]);
}

async function ordersKnown(tx: Tx, enterprise: string, ids: readonly number[]): Promise<Map<number, string>> {
  const found = new Map<number, string>();
  for (const chunk of chunks(ids, 800)) {
    const rows = await tx
      .selectFrom('retailcrm_orders')
      .selectAll()
      .where('enterprise_number', '=', enterprise)
      .where('order_id', 'in', chunk)
      .execute();
    for (const row of rows) found.set(row.order_id, signature(row));
  }
  return found;
}

async function saveOrders(tx: Tx, enterprise: string, orders: readonly StoredOrder[], now: Date): Promise<void> {
  const at = now.toISOString();
  for (const chunk of chunks(orders, 70)) {
    const rows = chunk.map((order) => ({
      enterprise_number: enterprise,
      ...orderRow(order),
      created_at: at,
      updated_at: at,
    }));
    await tx
      .insertInto('retailcrm_orders')
      .values(rows)
      .onConflict((conflict) =>
        conflict.columns(['enterprise_number', 'order_id']).doUpdateSet((eb) => ({
          number: eb.ref('excluded.number'),
          retailcrm_customer_id: eb.ref('excluded.retailcrm_customer_id'),
          phone: eb.ref('excluded.phone'),
          manager_id: eb.ref('excluded.manager_id'),
          status: eb.ref('excluded.status'),
          cancelled: eb.ref('excluded.cancelled'),
          total: eb.ref('excluded.total'),
          ordered_at: eb.ref('excluded.ordered_at'),
          updated_at: at,
        })),
      )
      .execute();
  }
}
