import { defineJob } from './define.ts';
import { dealReading } from './onec-import-reading.ts';
import type { OnecJobContext } from './onec-reading.ts';

export const onecImport = defineJob({
  name: 'onec:import',
  summary: 'amoCRM deals become 1C documents, and the states of documents follow their deals',
  systems: ['onec', 'amocrm'],
  lookback: 'ONEC_IMPORT_LOOKBACK',
  only: {
    value: 'id,…',
    description: 'only these deals, by id, whenever they changed; the cursor stays',
    example: '19099049',
  },
  // Lists of changed deals lag behind writes; integrators read ten minutes again.
  overlapMs: 10 * 60_000,
  sliceMs: 31 * 86_400_000,
  run: (context: OnecJobContext) => context.eachPage(dealReading(context)),
});
