import { coreSettings, readSettings } from '../config/settings.ts';
import { dailyStats, type Figures, type StatsReport } from '../insight/stats.ts';
import { type Cell, defineCommand, type Output, wholeNumber } from './define.ts';
import { readState } from './open-state.ts';

const LONGEST_DAYS = 3660;
const HEAD = ['date', 'job', 'fetched', 'created', 'updated', 'skipped', 'failed', 'requests'];

export const statsCommand = defineCommand({
  name: 'stats',
  summary: 'The daily figures',
  details: 'Days are those of TIMEZONE; today counts as one of them.',
  options: {
    days: {
      value: 'number',
      description: 'how many days, today included',
      parse: wholeNumber(1, LONGEST_DAYS),
      fallback: 7,
    },
  },
  examples: ['stats', 'stats --days 30 --json'],
  quiet: true,
  run: async (ctx, _args, { days }) => {
    const settings = readSettings(ctx.environment, [coreSettings]);
    const report = await readState(ctx, settings, (database) =>
      dailyStats(database, ctx.clock.now(), days, settings.TIMEZONE),
    );
    await ctx.out.result(report, () => renderStats(report, ctx.out));
    return undefined;
  },
});

async function renderStats(report: StatsReport, out: Output): Promise<string> {
  if (report.days.length === 0) {
    return `no pass between ${report.from} and ${report.to}`;
  }
  const rows = report.days.map(({ date, job, ...figures }) => [date, job, ...cells(figures)]);
  return await out.table(HEAD, [...rows, ['total', '', ...cells(report.total)]]);
}

function cells({ fetched, created, updated, skipped, failed, requests }: Figures): Cell[] {
  return [fetched, created, updated, skipped, failed, requests];
}
