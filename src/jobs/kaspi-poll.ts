import { SLICE_MS } from '../systems/kaspi/client.ts';
import { defineJob } from './define.ts';
import { type KaspiJobContext, orderReading } from './kaspi-orders.ts';

export const kaspiPoll = defineJob({
  name: 'kaspi:poll',
  summary: 'New Kaspi orders become amoCRM deals',
  systems: ['kaspi', 'amocrm'],
  lookback: 'KASPI_POLL_LOOKBACK',
  // Above the minutes that an order may take to show in Kaspi's list, and any difference of clocks.
  overlapMs: 10 * 60_000,
  sliceMs: SLICE_MS,
  run: (context: KaspiJobContext) => context.eachPage(orderReading(context, { keepUpToDate: false })),
});
