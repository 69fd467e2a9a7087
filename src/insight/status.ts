import type { Selectable } from 'kysely';
import type { Audit } from '../domain/audit.ts';
import type { Database } from '../state/database.ts';
import { OPEN } from '../state/outbox.ts';
import type { OutboxState, RunsTable } from '../state/tables.ts';
import { lastAudit } from './audit.ts';
import { lastRuns } from './last-runs.ts';

/** The last pass of a job, and how far it has read. Times are UTC, ISO-8601. */
export interface JobStatus {
  job: string;
  /** Null where the job has never run here. */
  last_run: LastRun | null;
  cursor: string | null;
  /** Of the last good pass. */
  heartbeat_at: string | null;
  heartbeat_age_seconds: number | null;
}

export interface LastRun {
  id: number;
  started_at: string;
  finished_at: string | null;
  /** `running` also stands for a pass that was killed: nobody was left to write its end. */
  outcome: 'ok' | 'partial' | 'failed' | 'running';
  exit_code: number | null;
  fetched: number;
  created: number;
  updated: number;
  skipped: number;
  failed: number;
  requests: number;
  error: string | null;
  host: string | null;
  pid: number | null;
}

/** Effects on their way, by state; those that are finished or were set aside are no backlog. */
export type Backlog = Partial<Record<OutboxState, number>>;

export interface TokenStatus {
  system: string;
  expires_at: string;
  /** Below 0 once expired. */
  hours_left: number;
}

export interface BreakerStatus {
  system: string;
  /** No request leaves before. */
  open_until: string;
}

export interface OpenAlert {
  kind: string;
  subject: string;
  opened_at: string;
  message: string;
}

export interface StatusReport {
  time: string;
  /** Where the database is, without credentials. */
  database: string;
  jobs: JobStatus[];
  backlog: Backlog;
  /** When the oldest effect still on its way was planned. */
  backlog_since: string | null;
  /** Records that could not be planned or delivered and are tried again, by kind. */
  failed_records: Record<string, number>;
  /** Records that a person set aside. */
  ignored_records: number;
  tokens: TokenStatus[];
  breakers: BreakerStatus[];
  alerts: OpenAlert[];
  /** What the last comparison of both sides came to; null where none was made here. */
  audit: Pick<Audit, 'stream' | 'at' | 'counts' | 'differences'> | null;
}

const CURSOR = 'cursor:';
const HEARTBEAT = 'heartbeat:';
const HOUR_MS = 3_600_000;

/**
 * Everything that `status` shows, read in a handful of indexed queries. `jobs` are listed even where they never ran; other
 * jobs that left traces here follow. `longLived`: a token that stands in the settings; a pair in the database is not used beside it.
 */
export async function statusReport(
  database: Database,
  now: Date,
  jobs: readonly string[],
  longLived?: { system: string; expiresAt: Date },
): Promise<StatusReport> {
  return {
    time: now.toISOString(),
    database: database.description,
    jobs: await jobStatuses(database, now, jobs),
    ...(await backlog(database)),
    failed_records: await failedRecords(database),
    ignored_records: await ignoredRecords(database),
    tokens: longLived ? [longLivedStatus(longLived, now)] : await tokens(database, now),
    breakers: await breakers(database, now),
    alerts: await openAlerts(database),
    audit: await auditResult(database),
  };
}

async function jobStatuses({ db }: Database, now: Date, jobs: readonly string[]): Promise<JobStatus[]> {
  const runs = await lastRuns(db);
  const meta = await db
    .selectFrom('meta')
    .select(['key', 'value'])
    .where((where) => where.or([where('key', 'like', `${CURSOR}%`), where('key', 'like', `${HEARTBEAT}%`)]))
    .execute();
  const values = new Map(meta.map(({ key, value }) => [key, value]));
  // A listener has no runs, only a heartbeat.
  const beating = [...values.keys()]
    .filter((key) => key.startsWith(HEARTBEAT))
    .map((key) => key.slice(HEARTBEAT.length));
  const names = new Set([...jobs, ...runs.map((run) => run.job).sort(), ...beating.sort()]);
  return [...names].map((job) => {
    const run = runs.find((row) => row.job === job);
    const heartbeat = values.get(HEARTBEAT + job) ?? null;
    return {
      job,
      last_run: run === undefined ? null : lastRun(run),
      cursor: cursorOf(job, values),
      heartbeat_at: heartbeat,
      heartbeat_age_seconds: heartbeat === null ? null : secondsSince(heartbeat, now),
    };
  });
}

/** Of a job that reads several sources the one that is furthest behind. */
function cursorOf(job: string, values: ReadonlyMap<string, string>): string | null {
  const own = [...values].filter(([key]) => key === CURSOR + job || key.startsWith(`${CURSOR}${job}/`));
  return own.map(([, cursor]) => cursor).sort()[0] ?? null;
}

function secondsSince(instant: string, now: Date): number {
  return Math.round((now.getTime() - Date.parse(instant)) / 1000);
}

function lastRun(run: Selectable<RunsTable>): LastRun {
  return {
    id: run.id,
    started_at: run.started_at,
    finished_at: run.finished_at,
    outcome: run.outcome ?? 'running',
    exit_code: run.exit_code,
    fetched: run.fetched,
    created: run.created,
    updated: run.updated,
    skipped: run.skipped,
    failed: run.failed,
    requests: run.requests,
    error: run.error,
    host: run.host,
    pid: run.pid,
  };
}

async function backlog({ db }: Database): Promise<Pick<StatusReport, 'backlog' | 'backlog_since'>> {
  const rows = await db
    .selectFrom('outbox')
    .select(['state', (f) => f.fn.countAll().as('count'), (f) => f.fn.min('created_at').as('since')])
    // The words of the partial index: as parameters, no engine could know that they are the same.
    .where(OPEN)
    .groupBy('state')
    .orderBy('state')
    .execute();
  return {
    backlog: Object.fromEntries(rows.map(({ state, count }) => [state, Number(count)])),
    backlog_since: rows.map(({ since }) => since).sort()[0] ?? null,
  };
}

async function failedRecords({ db }: Database): Promise<Record<string, number>> {
  const rows = await db
    .selectFrom('failed_records')
    .select(['kind', (f) => f.fn.countAll().as('count')])
    .where('ignored_at', 'is', null)
    .groupBy('kind')
    .orderBy('kind')
    .execute();
  return Object.fromEntries(rows.map(({ kind, count }) => [kind, Number(count)]));
}

async function ignoredRecords({ db }: Database): Promise<number> {
  const row = await db
    .selectFrom('failed_records')
    .select((f) => f.fn.countAll().as('count'))
    .where('ignored_at', 'is not', null)
    .executeTakeFirstOrThrow();
  return Number(row.count);
}

async function tokens({ db }: Database, now: Date): Promise<TokenStatus[]> {
  const rows = await db.selectFrom('tokens').select(['system', 'expires_at']).orderBy('system').execute();
  return rows.map((row) => ({ ...row, hours_left: hoursUntil(row.expires_at, now) }));
}

function longLivedStatus({ system, expiresAt }: { system: string; expiresAt: Date }, now: Date): TokenStatus {
  const expires_at = expiresAt.toISOString();
  return { system, expires_at, hours_left: hoursUntil(expires_at, now) };
}

function hoursUntil(instant: string, now: Date): number {
  return Math.round(((Date.parse(instant) - now.getTime()) / HOUR_MS) * 10) / 10;
}

async function breakers({ db }: Database, now: Date): Promise<BreakerStatus[]> {
  const rows = await db
    .selectFrom('rate_limits')
    .select(['system', 'open_until'])
    .where('open_until', '>', now.getTime())
    .orderBy('system')
    .execute();
  return rows.map(({ system, open_until }) => ({ system, open_until: new Date(open_until).toISOString() }));
}

async function openAlerts({ db }: Database): Promise<OpenAlert[]> {
  return await db
    .selectFrom('alerts')
    .select(['kind', 'subject', 'opened_at', 'message'])
    .where('closed_at', 'is', null)
    .orderBy('opened_at')
    .execute();
}

async function auditResult(database: Database): Promise<StatusReport['audit']> {
  const audit = await lastAudit(database);
  if (audit === undefined) return null;
  const { stream, at, counts, differences } = audit;
  return { stream, at, counts, differences };
}
