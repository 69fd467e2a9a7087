import { defineJob } from './define.ts';
import { exportRules } from './onec-export-options.ts';
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
    const rules = exportRules(context);
    // By another mapping documents that stood still may ask for something else. Who chooses a document wants it compared, too.
    const isMended = (await context.tables.onec.rules()) !== rules;
    await context.eachPage(documentReading(context, onec, { anew: isMended || context.only !== undefined }));
    const wasAll = context.only === undefined && !context.signal.aborted;
    if (isMended && wasAll) await context.tables.onec.keepRules(rules, context.now);
  },
});
