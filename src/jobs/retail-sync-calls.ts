import { AppError } from '../base/errors.ts';
import type { CallsJobContext, EnterpriseAccess } from './calls-access.ts';
import { callReading, missedReading } from './calls-reading.ts';
import { callSource } from './calls-source.ts';
import { defineJob } from './define.ts';

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
    const { clients, only = [], log, counts } = context;
    const found = new Set<string>();
    let failure: AppError | undefined;
    for (const access of clients.enterprises) {
      if (context.signal.aborted) break;
      try {
        await readEnterprise(context, access, (name) => found.add(name));
      } catch (error) {
        // The PBX's records end in the middle of a query with what stopped us, which is no failure.
        if (context.signal.aborted && error === context.signal.reason) return;
        if (!(error instanceof AppError) || error.kind === 'bug') throw error;
        failure ??= error;
        const { number } = access.enterprise;
        log.warn(
          { enterprise: number, code: error.code, reason: error.message },
          'the calls of an enterprise were not read',
        );
      }
    }
    if (failure !== undefined) throw failure;
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
