import type { CoreSettings } from '../../config/settings.ts';
import { lastStarts } from '../../insight/last-runs.ts';
import type { Database } from '../../state/database.ts';
import { cursorsOf, getHeartbeat } from '../../state/meta.ts';
import type { CommandContext } from '../define.ts';
import { configured, intervalOf } from '../job-settings.ts';
import type { Findings } from './findings.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** Kaspi's list takes a range of at most 14 days; what is longer is read in slices. */
const WINDOW_DAYS = 13;
const STARTS = 8;
/** Later than this share of its interval, a pass is missing. */
const TOLERANCE = 2.5;

/** What is known of a job's passes; times are ISO-8601, the newest start first. */
export interface JobFacts {
  job: string;
  everyMs: number;
  /** No alarm before this much time has passed. */
  leastMs: number;
  starts: readonly string[];
  heartbeat: string | undefined;
  cursor: string | undefined;
  now: Date;
}

/** Whether cron really starts the jobs that are configured, and whether their passes end well. */
export async function checkJobs(
  findings: Findings,
  { db }: Database,
  settings: CoreSettings,
  { entries, environment, clock }: CommandContext,
): Promise<void> {
  for (const entry of entries.filter(({ isJob }) => isJob)) {
    const everyMs = intervalOf(settings, entry.name);
    if (everyMs === undefined || (await configured(entry, environment)).faults.length > 0) continue;
    judgeJob(findings, {
      job: entry.name,
      everyMs,
      leastMs: settings.ALERT_HEARTBEAT_MINUTES * MINUTE_MS,
      starts: await lastStarts(db, entry.name, STARTS),
      heartbeat: await getHeartbeat(db, entry.name),
      cursor: (await cursorsOf(db, entry.name)).map(({ cursor }) => cursor).sort()[0],
      now: clock.now(),
    });
  }
}

export function judgeJob(findings: Findings, facts: JobFacts): void {
  const { job, everyMs, leastMs, starts, heartbeat, now } = facts;
  const check = `cron ${job}`;
  const allowed = Math.max(leastMs, TOLERANCE * everyMs);
  const [last] = starts;
  if (last === undefined) {
    findings.warn(check, 'it has never been started here', '`sdelka crontab` prints the line for it.');
    return;
  }
  const sinceStart = ageOf(last, now);
  const gap = medianGap(starts);
  if (sinceStart > allowed) {
    const message = `last started ${spoken(sinceStart)} ago, though it should be every ${spoken(everyMs)}`;
    findings.warn(
      check,
      message,
      'Cron does not start it: look at `crontab -l` and whether cron runs (`systemctl status cron`).',
    );
  } else if (heartbeat === undefined || ageOf(heartbeat, now) > allowed) {
    const since =
      heartbeat === undefined
        ? 'no pass ever ended well'
        : `the last good pass was ${spoken(ageOf(heartbeat, now))} ago`;
    findings.warn(
      check,
      `it is started, but ${since}`,
      '`sdelka status` shows the last error; the log has all of them.',
    );
  } else if (gap !== undefined && gap > TOLERANCE * everyMs) {
    const message = `started every ${spoken(gap)} instead of every ${spoken(everyMs)}`;
    findings.warn(check, message, 'Compare the crontab with `sdelka crontab`, or set the interval that is meant.');
  } else {
    findings.ok(check, `last good pass ${spoken(ageOf(heartbeat, now))} ago`);
  }
  judgeWindow(findings, facts);
}

function judgeWindow(findings: Findings, { job, cursor, now }: JobFacts): void {
  if (cursor === undefined || ageOf(cursor, now) <= WINDOW_DAYS * DAY_MS) return;
  findings.warn(
    `window ${job}`,
    `it has read up to ${cursor.slice(0, 16).replace('T', ' ')} only, longer ago than the 14 days that one request covers`,
    'Nothing is lost: the next good pass reads the gap slice by slice. It takes longer; run it by hand and watch it.',
  );
}

/** The gap that half of the starts keep: one pass that ran long does not count. */
function medianGap(starts: readonly string[]): number | undefined {
  const gaps = starts.slice(1).map((start, at) => Date.parse(starts[at] ?? start) - Date.parse(start));
  return gaps.length < 3 ? undefined : gaps.sort((a, b) => a - b)[Math.floor(gaps.length / 2)];
}

function ageOf(instant: string, now: Date): number {
  return now.getTime() - Date.parse(instant);
}

function spoken(ms: number): string {
  const minutes = Math.max(0, ms) / MINUTE_MS;
  if (minutes < 1.5) return minutes < 0.75 ? `${Math.round(minutes * 60)} s` : '1 min';
  return minutes < 120 ? `${Math.round(minutes)} min` : `${Math.round(minutes / 60)} h`;
}
