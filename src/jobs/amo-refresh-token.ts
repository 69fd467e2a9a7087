import type { JobContext } from '../runner/job.ts';
import { type AmoAuthorization, refreshTokens } from '../systems/amocrm/tokens.ts';
import { defineJob } from './define.ts';

export const amoRefreshToken = defineJob({
  name: 'amo:refresh-token',
  summary: 'The OAuth pair renewed where it is due',
  systems: ['amocrm'],
  overlapMs: 0,
  sliceMs: 86_400_000,
  run: async ({ clients, log, counts }: JobContext<{ amoAuthorization: AmoAuthorization }, unknown, unknown>) => {
    const outcome = await refreshTokens(clients.amoAuthorization);
    if (outcome.renewed) counts.updated += 1;
    log.info({ renewed: outcome.renewed, due: outcome.due, hoursLeft: outcome.hoursLeft }, 'amoCRM token');
  },
});
