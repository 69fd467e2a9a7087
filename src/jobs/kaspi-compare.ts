import type { BoundDeal } from '../runner/job.ts';
import type { AmocrmClient } from '../systems/amocrm/client.ts';
import { type DealState, keys } from '../systems/amocrm/effects/payloads.ts';
import type { AmoMemory } from '../systems/amocrm/memory.ts';
import type { Deal } from '../systems/amocrm/schema.ts';
import { type KaspiJobContext, ORDER_RECORD } from './kaspi-orders.ts';

const PREFIX = keys.deal({ system: 'kaspi', id: '' });
const PAGE = 250;
/** Pages of changed deals that one pass reads at the most; what is older is the daily audit's. */
const MAX_PAGES = 4;
/** Rows that changed within the last moments may be missing from a list. */
const OVERLAP_MS = 600_000;
const COMPARED_FACT = 'kaspi:reconcile:compared';
/** The budget, as alerts of updates name it too. */
const BUDGET = 'the budget';

export interface AmoAccess {
  client: AmocrmClient;
  memory: AmoMemory;
}

/**
 * What people have done to deals since the last pass: one page of what changed, not a read for each deal. A budget that
 * is neither what we wrote nor what we want is a person's; it is reported once and left alone.
 */
export async function compareChangedDeals(context: KaspiJobContext, { client, memory }: AmoAccess): Promise<void> {
  const { now, tables, signal } = context;
  const last = await memory.fact(COMPARED_FACT);
  const from = new Date((last === undefined ? now.getTime() - 86_400_000 : Date.parse(last)) - OVERLAP_MS);
  for (let page = 1; page <= MAX_PAGES && !signal.aborted; page++) {
    const query = { page, limit: PAGE, order: { by: 'updated_at', direction: 'desc' } } as const;
    const { rows } = await client.listDeals(query);
    const changed = rows.filter((deal) => deal.updatedAt * 1000 >= from.getTime());
    const deals = new Map(changed.map((deal) => [deal.id, deal]));
    for (const bound of await tables.deals.byRemoteIds(PREFIX, [...deals.keys()])) {
      const deal = deals.get(bound.dealId);
      if (deal) await judge(context, bound, deal);
    }
    if (rows.length < PAGE || changed.length < rows.length) break;
  }
  await memory.setFact(COMPARED_FACT, now.toISOString());
}

async function judge({ tables, now }: KaspiJobContext, bound: BoundDeal, deal: Deal): Promise<void> {
  const applied = bound.applied as DealState | null;
  const planned = bound.planned as DealState | null;
  if (applied === null || planned === null) return;
  const subject = `${ORDER_RECORD}:${bound.id}:${BUDGET}`;
  if (deal.price === applied.price || deal.price === planned.price) {
    await tables.deals.clear('conflict', subject, now);
    return;
  }
  const message = `${ORDER_RECORD} ${bound.id}: ${BUDGET} of deal ${deal.id} was changed in amoCRM by someone else; it is left as it is`;
  await tables.deals.report('conflict', subject, message, now);
}

/** Deals that people have deleted are forgotten, at the operator's word, so that this very pass makes them anew. */
export async function forgetDeletedDeals(context: KaspiJobContext, { client }: AmoAccess): Promise<void> {
  const { tables, now, windowStart, log } = context;
  const bound = await tables.deals.ofOrdersSince(PREFIX, windowStart);
  const standing = await client.dealsByIds(bound.map(({ dealId }) => dealId));
  for (const { id, dealId } of bound) {
    if (standing.has(dealId)) continue;
    const links = [keys.dealGoods({ system: 'kaspi', id })];
    const forgotten = await tables.deals.forget(ORDER_RECORD, id, links);
    if (!forgotten) continue;
    await tables.deals.clear('deal_gone', `${ORDER_RECORD}:${id}`, now);
    log.warn({ record: id, deal: dealId }, 'a deleted deal is made anew');
  }
}
