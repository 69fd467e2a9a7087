import { coreSettings, readSettings } from '../config/settings.ts';
import { type JobStatus, type StatusReport, statusReport } from '../insight/status.ts';
import { defineCommand, type Output } from './define.ts';
import { readState } from './open-state.ts';

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** More codes of one kind would bury the rest of the page. */
const MOST_CODES = 10;
const RUN_HEAD = ['job', 'last run', 'outcome', 'fetched', 'created', 'updated', 'failed', 'good pass', 'cursor'];

export const statusCommand = defineCommand({
  name: 'status',
  summary: "Last runs, cursors, backlog, failures, tokens' expiry",
  details: 'Reads the database alone: no remote system is asked, and nothing is changed. Times are UTC.',
  examples: ['status', 'status --json'],
  quiet: true,
  run: async (ctx) => {
    const settings = readSettings(ctx.environment, [coreSettings]);
    const jobs = ctx.entries.filter((entry) => entry.isJob).map((entry) => entry.name);
    const { longLivedToken } = await import('./long-lived-token.ts');
    const longLived = longLivedToken(ctx.environment);
    const report = await readState(ctx, settings, (database) =>
      statusReport(database, ctx.clock.now(), jobs, longLived),
    );
    await ctx.out.result(report, () => renderStatus(report, ctx.out));
    return undefined;
  },
});

async function renderStatus(report: StatusReport, out: Output): Promise<string> {
  return [
    report.database,
    '',
    await out.table(RUN_HEAD, report.jobs.map(runRow)),
    '',
    `waiting: ${counted(report.backlog)}${report.backlog_since === null ? '' : `, the oldest since ${brief(report.backlog_since)}`}`,
    `failed records: ${counted(report.failed_records)}${report.ignored_records === 0 ? '' : `; set aside: ${report.ignored_records}`}`,
    ...report.jobs.flatMap(runningLine),
    ...report.tokens.map((token) => `token of ${token.system}: ${expiry(token.hours_left)}, ${token.expires_at}`),
    ...report.breakers.map((breaker) => `paused: no request to ${breaker.system} before ${breaker.open_until}`),
    ...auditLines(report),
    ...report.jobs.flatMap(errorLine),
    ...report.alerts.map((alert) => `alert since ${alert.opened_at}: ${alert.message}`),
  ].join('\n');
}

function runRow({ job, last_run, cursor, heartbeat_age_seconds }: JobStatus): (string | number)[] {
  const goodPass = heartbeat_age_seconds === null ? 'never' : `${age(heartbeat_age_seconds)} ago`;
  if (last_run === null) {
    return [job, 'never', '', '', '', '', '', goodPass, brief(cursor)];
  }
  const { started_at, outcome, fetched, created, updated, failed } = last_run;
  return [job, brief(started_at), outcome, fetched, created, updated, failed, goodPass, brief(cursor)];
}

/** The differences by kind with the first codes of each; `--json` has them all. */
function auditLines({ audit }: StatusReport): string[] {
  if (audit === null) return [];
  const head = `audit of ${brief(audit.at)}: ${audit.differences.length === 0 ? 'no differences' : counted(audit.counts)}`;
  const kinds = [...new Set(audit.differences.map(({ kind }) => kind))];
  return [
    head,
    ...kinds.map((kind) => {
      const orders = audit.differences.filter((one) => one.kind === kind).map(({ order }) => order);
      const rest = orders.length > MOST_CODES ? ` and ${orders.length - MOST_CODES} more` : '';
      return `  ${kind}: ${orders.slice(0, MOST_CODES).join(', ')}${rest}`;
    }),
  ];
}

function errorLine({ job, last_run }: JobStatus): string[] {
  return last_run?.error ? [`last error of ${job}: ${last_run.error}`] : [];
}

/** A killed pass leaves its row open, so that the process is named: `doctor` says whether it still lives. */
function runningLine({ job, last_run }: JobStatus): string[] {
  if (last_run?.outcome !== 'running') return [];
  const { id, pid, host, started_at } = last_run;
  return [`running: ${job}, run ${id} since ${brief(started_at)}, process ${pid ?? '?'} on ${host ?? '?'}`];
}

function counted(counts: Readonly<Record<string, number>>): string {
  const parts = Object.entries(counts).map(([name, count]) => `${count} ${name}`);
  return parts.length === 0 ? 'none' : parts.join(', ');
}

function expiry(hoursLeft: number): string {
  return hoursLeft <= 0 ? 'EXPIRED' : `${age(hoursLeft * HOUR)} left`;
}

/** `2026-05-01T10:00:00.000Z` as `2026-05-01 10:00:00`. */
function brief(instant: string | null): string {
  return instant?.slice(0, 19).replace('T', ' ') ?? '';
}

function age(seconds: number): string {
  if (seconds >= 2 * DAY) {
    return `${Math.floor(seconds / DAY)} days`;
  }
  if (seconds >= 2 * HOUR) {
    return `${Math.floor(seconds / HOUR)} h`;
  }
  return seconds >= 2 * MINUTE ? `${Math.floor(seconds / MINUTE)} min` : `${Math.max(0, Math.floor(seconds))} s`;
}
