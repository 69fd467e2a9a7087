import { assert, configError } from '../base/errors.ts';
import { dateInUsualZone, usualZones } from '../base/zone.ts';
import type { Tx } from './database.ts';
import { type Instant, instantText } from './instant.ts';
import type { DayText } from './tables.ts';

export interface RunCounts {
  fetched: number;
  created: number;
  updated: number;
  skipped: number;
  failed: number;
}

export interface RunStart {
  job: string;
  startedAt: Instant;
  host: string;
  pid: number;
}

export interface RunEnd {
  job: string;
  finishedAt: Instant;
  outcome: 'ok' | 'partial' | 'failed';
  exitCode: number;
  counts: RunCounts;
  /** Requests sent to remote systems. */
  requests: number;
  /** One sentence, without personal data; null where nothing failed. */
  error: string | null;
  /** The IANA zone whose day the counts belong to. */
  zone: string;
}

const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(zone: string): Intl.DateTimeFormat {
  const known = formats.get(zone);
  if (known !== undefined) return known;
  try {
    const made = new Intl.DateTimeFormat('en-US-u-ca-gregory-nu-latn', {
      timeZone: zone,
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
    });
    formats.set(zone, made);
    return made;
  } catch {
    throw configError('TIMEZONE_INVALID', 'TIMEZONE is not a known time zone', 'Set an IANA name such as Asia/Almaty.');
  }
}

/** The calendar day of an instant in an IANA zone; `TIMEZONE_INVALID` (78) for an unknown one. */
export function dayIn(zone: string, instant: Instant): DayText {
  const at = new Date(instantText(instant));
  const { year, month, day } = usualZones.has(zone) ? dateInUsualZone(zone, at) : dateIn(zone, at);
  return `${String(year).padStart(4, '0')}-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}`;
}

function dateIn(zone: string, at: Date): { year: number; month: number; day: number } {
  const parts = formatOf(zone).formatToParts(at);
  const part = (type: Intl.DateTimeFormatPartTypes) => Number(parts.find((one) => one.type === type)?.value);
  return { year: part('year'), month: part('month'), day: part('day') };
}

/** Opens the row of a run; gives its id. */
export async function openRun(tx: Tx, run: RunStart): Promise<number> {
  const { id } = await tx
    .insertInto('runs')
    .values({ job: run.job, started_at: instantText(run.startedAt), host: run.host, pid: run.pid })
    .returning('id')
    .executeTakeFirstOrThrow();
  return id;
}

async function addToDay(tx: Tx, date: DayText, job: string, counts: RunCounts & { requests: number }): Promise<void> {
  await tx
    .insertInto('daily_stats')
    .values({ date, job, ...counts })
    .onConflict((conflict) =>
      conflict.columns(['date', 'job']).doUpdateSet((column) => ({
        fetched: column('daily_stats.fetched', '+', counts.fetched),
        created: column('daily_stats.created', '+', counts.created),
        updated: column('daily_stats.updated', '+', counts.updated),
        skipped: column('daily_stats.skipped', '+', counts.skipped),
        failed: column('daily_stats.failed', '+', counts.failed),
        requests: column('daily_stats.requests', '+', counts.requests),
      })),
    )
    .execute();
}

/**
 * Closes the row of a run and adds its counts to the day on which it ended. Two statements: to be called in a transaction, or a kill
 * between them leaves the day short. A run is closed once.
 */
export async function closeRun(tx: Tx, id: number, end: RunEnd): Promise<void> {
  const { fetched, created, updated, skipped, failed } = end.counts;
  const counts = { fetched, created, updated, skipped, failed, requests: end.requests };
  const date = dayIn(end.zone, end.finishedAt);
  const row = await tx
    .updateTable('runs')
    .set({
      finished_at: instantText(end.finishedAt),
      outcome: end.outcome,
      exit_code: end.exitCode,
      error: end.error,
      ...counts,
    })
    .where('id', '=', id)
    .where('job', '=', end.job)
    .where('finished_at', 'is', null)
    .returning('id')
    .executeTakeFirst();
  assert(row !== undefined, 'a run is closed that is not open');
  await addToDay(tx, date, end.job, counts);
}
