import type { CallsJobContext, EnterpriseAccess } from './calls-access.ts';
import { callReading, missedReading } from './calls-reading.ts';
import { callSource } from './calls-source.ts';
import { defineJob } from './define.ts';
import { eachEnterprise } from './each-enterprise.ts';

const HOUR_MS = 3_600_000;

export const retailSyncCalls = defineJob({
  name: 'retail:sync-calls',
  summary: "The PBX's calls go to RetailCRM with customer, manager and recording; missed ones make tasks",
  systems: ['retailcrm', 'pbx'],
  lookback: 'RETAIL_CALLS_LOOKBACK',
  only: {
    value: 'id,…',
    description: 'only these calls, by external id or linkedid, whatever their dates; the cursor stays',
    example: 'pbx1:1754220600.17',
  },
  // Rows are written when a call is over, under the time at which it began: calls may go on that long while the cursor passes.
  overlapMs: 6 * HOUR_MS,
  sliceMs: 24 * HOUR_MS,
  run: async (context: CallsJobContext) => {
    const { only = [], log, counts } = context;
    const found = new Set<string>();
    await eachEnterprise(context, (access) => readEnterprise(context, access, (name) => found.add(name)));
    for (const name of only.filter((one) => !found.has(one))) {
      if (context.signal.aborted) return;
      log.warn({ call: name }, 'a chosen call is left out: no PBX has it');
      counts.failed += 1;
    }
  },
});

async function readEnterprise(
  context: CallsJobContext,
  access: EnterpriseAccess,
  found: (name: string) => void,
): Promise<void> {
  const { number, missed } = access.enterprise;
  const calls = callSource(context, access, await access.cdr());
  await context.eachPage(callReading(context, { access, calls, found }), number);
  if ((missed.task || missed.order) && !context.signal.aborted) {
    await context.eachPage(missedReading(context, { access, calls }), `${number}:missed`);
  }
  calls.report();
}
