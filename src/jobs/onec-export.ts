import { defineJob } from './define.ts';
import { documentReading } from './onec-export-reading.ts';
import { type OnecJobContext, usableOnec } from './onec-reading.ts';

export const onecExport = defineJob({
  name: 'onec:export',
  summary: '1C work orders and customer orders become amoCRM deals, and deals follow them',
  systems: ['onec', 'amocrm'],
  lookback: 'ONEC_EXPORT_LOOKBACK',
  only: {
    value: 'number,…',
    description: 'only these documents, by number or reference, whatever their dates; the cursor stays',
    example: 'ТК000001281',
  },
  // Above the minutes in which a document that is being written may not show yet, and any difference of clocks.
  overlapMs: 10 * 60_000,
  sliceMs: 31 * 86_400_000,
  run: async (context: OnecJobContext) => {
    const onec = await usableOnec(
      context.clients.onec,
      { kinds: ['workOrder', 'customerOrder'], properties: ['lead', 'client', 'item', 'exportedAt'] },
      context.log,
    );
    await context.eachPage(documentReading(context, onec));
  },
});
