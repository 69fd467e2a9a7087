import type { Database } from '../state/database.ts';
import { dayIn } from '../state/runs.ts';

const figures = ['fetched', 'created', 'updated', 'skipped', 'failed', 'requests'] as const;

export type Figures = Record<(typeof figures)[number], number>;

export interface DailyRow extends Figures {
  /** The day in `TIMEZONE`, `YYYY-MM-DD`. */
  date: string;
  job: string;
}

export interface StatsReport {
  /** First and last day asked for, both included. */
  from: string;
  to: string;
  days: DailyRow[];
  total: Figures;
}

/** The daily figures of the `days` days that end today in `zone` (IANA name), newest first; days without a pass have no row. */
export async function dailyStats(database: Database, now: Date, days: number, zone: string): Promise<StatsReport> {
  const to = dayIn(zone, now);
  const from = daysBefore(to, days - 1);
  const rows = await database.db
    .selectFrom('daily_stats')
    .select(['date', 'job', ...figures])
    .where('date', '>=', from)
    .where('date', '<=', to)
    .orderBy('date', 'desc')
    .orderBy('job')
    .execute();
  return { from, to, days: rows, total: totalOf(rows) };
}

function totalOf(rows: readonly Figures[]): Figures {
  const total: Figures = { fetched: 0, created: 0, updated: 0, skipped: 0, failed: 0, requests: 0 };
  for (const row of rows) {
    for (const name of figures) {
      total[name] += row[name];
    }
  }
  return total;
}

/** Calendar arithmetic, not hours: a day with a clock change is a day all the same. */
function daysBefore(day: string, count: number): string {
  const date = new Date(`${day}T00:00:00.000Z`);
  date.setUTCDate(date.getUTCDate() - count);
  return date.toISOString().slice(0, 10);
}
