import { type Selectable, sql } from 'kysely';
import type { Tx } from '../state/database.ts';
import type { RunsTable } from '../state/tables.ts';

/**
 * The newest run of each job. Jobs are few and runs are half a million a year, so the index on (job, id) is skipped through
 * from name to name instead of being read.
 */
export async function lastRuns(db: Tx): Promise<Selectable<RunsTable>[]> {
  const { rows } = await sql<{ id: number }>`
    WITH RECURSIVE names (job) AS (
      SELECT min(job) FROM runs
      UNION ALL
      SELECT (SELECT min(r.job) FROM runs r WHERE r.job > names.job) FROM names WHERE names.job IS NOT NULL
    )
    SELECT (SELECT max(r.id) FROM runs r WHERE r.job = names.job) AS id FROM names WHERE names.job IS NOT NULL`.execute(
    db,
  );
  if (rows.length === 0) return [];
  // Not as one statement: PostgreSQL takes the recursion for a hundred rows and would then read all runs to join them.
  const ids = rows.map(({ id }) => id);
  return await db.selectFrom('runs').selectAll().where('id', 'in', ids).orderBy('job').execute();
}

/** When the last runs of a job began, the newest first. */
export async function lastStarts(db: Tx, job: string, most: number): Promise<string[]> {
  const rows = await db
    .selectFrom('runs')
    .select('started_at')
    .where('job', '=', job)
    .orderBy('id', 'desc')
    .limit(most)
    .execute();
  return rows.map(({ started_at }) => started_at);
}
