import { hostname } from 'node:os';
import { sql } from 'kysely';
import { lastRuns } from '../../insight/last-runs.ts';
import type { Database } from '../../state/database.ts';
import type { Findings } from './findings.ts';

const MINUTE_MS = 60_000;
/** A first pass over a large shop takes a quarter of an hour; nothing takes this long. */
const LONG_MS = 120 * MINUTE_MS;

/** A run that has begun and not ended. */
export interface OpenRun {
  id: number;
  job: string;
  started_at: string;
  host: string | null;
  pid: number | null;
}

/** Whose lock is held, and whether who holds it lives. Locks themselves are only looked at, never taken: a pass would be skipped. */
export async function checkLocks(findings: Findings, database: Database, now: Date): Promise<void> {
  const open = (await lastRuns(database.db)).filter(({ finished_at }) => finished_at === null);
  const held = database.dialect === 'postgres' ? await heldOnPostgres(database) : undefined;
  for (const run of open) {
    const alive = held === undefined ? livesHere(run) : held.has(run.job);
    judgeRun(findings, run, alive, now);
  }
  for (const job of held ?? []) {
    if (open.some((run) => run.job === job)) continue;
    findings.ok(`lock ${job}`, 'held by a run that is just beginning or ending');
  }
  if (open.length === 0 && (held?.size ?? 0) === 0) findings.ok('locks', 'no job is running');
}

/** `alive` undefined: the run is another host's, and cannot be seen from here. */
export function judgeRun(findings: Findings, run: OpenRun, alive: boolean | undefined, now: Date): void {
  const check = `lock ${run.job}`;
  const minutes = Math.round((now.getTime() - Date.parse(run.started_at)) / MINUTE_MS);
  const who = `run ${run.id}, process ${run.pid ?? '?'} on ${run.host ?? '?'}, for ${minutes} minutes`;
  if (alive === false) {
    const remedy = 'Nothing is to be done: the next pass settles what it left. If it returns, look for what kills it.';
    findings.warn(check, `free; ${who} ended without a word, as a killed process does`, remedy);
  } else if (minutes * MINUTE_MS > LONG_MS) {
    const remedy = `If its log stands still: \`kill ${run.pid ?? 'PID'}\` there; the next pass settles what it leaves.`;
    findings.warn(check, `held by ${who}`, remedy);
  } else {
    findings.ok(check, alive ? `held by ${who}` : `${who}: another host's, not to be seen from here`);
  }
}

function livesHere({ host, pid }: OpenRun): boolean | undefined {
  if (host !== hostname() || pid === null) return undefined;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it lives, and is another user's.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** Jobs whose advisory lock is held, by the name that each lock's connection bears. */
async function heldOnPostgres({ db }: Database): Promise<Set<string>> {
  const { rows } = await sql<{ name: string }>`
    SELECT DISTINCT a.application_name AS name
    FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
    WHERE l.locktype = 'advisory' AND l.granted AND a.datname = current_database()
      AND a.application_name LIKE 'sdelka %'`.execute(db);
  return new Set(rows.map(({ name }) => name.slice('sdelka '.length)));
}
