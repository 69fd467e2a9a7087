import type { CallsJobContext, EnterpriseAccess } from './calls-access.ts';
import { defineJob } from './define.ts';
import { eachEnterprise } from './each-enterprise.ts';
import { customersHistory, type HistorySource, ordersHistory } from './history-pages.ts';

/** Pages of 100 entries in one pass, of customers and of orders each: as many as the vendor's own modules take. */
const MOST_PAGES = 25;

export const retailSyncHistory = defineJob({
  name: 'retail:sync-history',
  summary: "RetailCRM's changes of customers and orders kept in the local tables",
  systems: ['retailcrm'],
  lookback: 'RETAIL_HISTORY_LOOKBACK',
  overlapMs: 0,
  // It reads no slices: RetailCRM's history is gone through by the ids of its entries.
  sliceMs: 86_400_000,
  run: (context: CallsJobContext) =>
    eachEnterprise(context, async (access) => {
      await follow(context, access, 'customers', customersHistory(access));
      await follow(context, access, 'orders', ordersHistory(access));
    }),
});

/**
 * Goes on after the last entry that was applied. Where none was, or where the operator gives a look-back depth, from the
 * window's start; entries that are applied twice change nothing the second time.
 */
async function follow(
  { tables, counts, log, signal, now, windowStart, flags }: CallsJobContext,
  { enterprise: { number: enterprise } }: EnterpriseAccess,
  of: 'customers' | 'orders',
  source: HistorySource,
): Promise<void> {
  const known = flags.has('lookback') ? undefined : await tables.calls.historySince(enterprise, of);
  let pages = 0;
  for await (const page of source.pages(known ?? windowStart)) {
    if (signal.aborted) return;
    const effects = await source.effectsOf(page.entries);
    const changed = await tables.calls.applyHistory(enterprise, of, { ...effects, sinceId: page.lastId }, now);
    counts.fetched += page.entries.length;
    counts.updated += changed;
    log.info({ enterprise, of, entries: page.entries.length, changed }, 'a page of history: rows that it changes');
    pages += 1;
    // A window that was asked for is read to its end, for the next pass would not go on there.
    if (pages >= MOST_PAGES && !flags.has('lookback')) {
      log.info({ enterprise, of, pages }, 'what is left of the history is for the next pass');
      return;
    }
  }
}
