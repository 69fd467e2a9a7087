import type { HistoryEffects, StoredOrder } from '../domain/call.ts';
import type { Order } from '../systems/retailcrm/client.ts';
import type { EnterpriseAccess } from './calls-access.ts';
import { type Changed, cancelledCodes, changedIn, type HistoryEntry } from './history-changes.ts';

/** The largest page of a list (vendor's PHP client, read 2026-11). */
const AT_ONCE = 100;

/** E.164, each once, of numbers as people wrote them; what is no full phone is left out. */
type PhoneReader = (numbers: readonly string[]) => string[];

/** How one of RetailCRM's histories is read, and what a page of it comes to. */
export interface HistorySource {
  pages(since: number | Date): AsyncIterable<{ entries: readonly HistoryEntry[]; lastId: number }>;
  effectsOf(entries: readonly HistoryEntry[]): Promise<Omit<HistoryEffects, 'sinceId'>>;
}

/** Customers: what is kept of them is their phones. */
export function customersHistory({ crm, country }: EnterpriseAccess): HistorySource {
  return {
    async *pages(since) {
      for await (const { changes, lastId } of crm.customersHistory(since)) {
        yield { entries: changes.map((change) => ({ ...change, of: change.customer?.id })), lastId };
      }
    },
    effectsOf: async (entries) => {
      const { read, gone, merged } = changedIn(entries);
      const customers = await inPages(read, (ids) => crm.customersByIds(ids));
      const phones = await phonesIn(country, customers.length > 0);
      return {
        customers: customers.map(({ id, phones: written }) => ({
          customerId: id,
          phones: phones(written),
        })),
        goneCustomers: gone,
        merged,
      };
    },
  };
}

/** Orders, for what became of calls. */
export function ordersHistory({ crm, country }: EnterpriseAccess): HistorySource {
  let cancelled: Promise<ReadonlySet<string>> | undefined;
  return {
    async *pages(since) {
      for await (const { changes, lastId } of crm.ordersHistory(since)) {
        yield { entries: changes.map((change) => ({ ...change, of: change.order?.id })), lastId };
      }
    },
    effectsOf: async (entries) => {
      const changed = changedIn(entries);
      const orders = await inPages(changed.read, (ids) => crm.ordersByIds(ids));
      if (orders.length > 0) cancelled ??= crm.statuses().then(cancelledCodes);
      const codes = (await cancelled) ?? new Set<string>();
      const phones = await phonesIn(country, orders.length > 0);
      return {
        orders: orders.map((order) => storedOrder(order, codes, phones)),
        goneOrders: goneOrders(changed),
      };
    },
  };
}

/** An order that was merged into another is no order any more; the calls are the customer's as before. */
function goneOrders({ gone, merged }: Changed): number[] {
  return [...gone, ...merged.map(({ from }) => from)];
}

function storedOrder(order: Order, cancelled: ReadonlySet<string>, phones: PhoneReader): StoredOrder {
  const { id, number, customerId, managerId, status = '', totalSumm, createdAt } = order;
  const [phone] = phones(order.phone === undefined ? [] : [order.phone]);
  return {
    ...{ orderId: id, number, customerId, phone, managerId, status },
    ...{ cancelled: cancelled.has(status), total: totalSumm, orderedAt: createdAt },
  };
}

/** What is missing from the answer is gone by now, and a later entry says so. */
async function inPages<T>(
  ids: readonly number[],
  read: (ids: readonly number[]) => Promise<ReadonlyMap<number, T>>,
): Promise<T[]> {
  const found: T[] = [];
  for (let at = 0; at < ids.length; at += AT_ONCE) {
    found.push(...(await read(ids.slice(at, at + AT_ONCE))).values());
  }
  return found;
}

/** Numbering plans are loaded only where there is something to read with them. */
async function phonesIn(country: string, needed: boolean): Promise<PhoneReader> {
  if (!needed) return () => [];
  const { phonesTyped } = await import('../systems/retailcrm/phones.ts');
  return (numbers) => phonesTyped(numbers, country);
}
