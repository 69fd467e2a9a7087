import { SLICE_MS } from '../systems/kaspi/client.ts';
import { defineJob } from './define.ts';
import { compareChangedDeals, forgetDeletedDeals } from './kaspi-compare.ts';
import { type KaspiJobContext, orderReading } from './kaspi-orders.ts';

export const kaspiReconcile = defineJob({
  name: 'kaspi:reconcile',
  summary: 'Kaspi orders of the window: missed ones created, changed ones updated in amoCRM',
  systems: ['kaspi', 'amocrm'],
  lookback: 'KASPI_RECONCILE_LOOKBACK',
  overlapMs: 10 * 60_000,
  sliceMs: SLICE_MS,
  flags: { recreateDeleted: 'make deals anew that were deleted in amoCRM' },
  run: async (context: KaspiJobContext) => {
    if (context.flags.has('recreateDeleted')) await forgetDeletedDeals(context, await context.clients.amocrm());
    await context.eachPage(orderReading(context, { keepUpToDate: true }));
    await compareChangedDeals(context, await context.clients.amocrm());
  },
});
