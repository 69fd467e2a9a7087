import { CompiledQuery, type KyselyPlugin } from 'kysely';
import type { Database } from '../../src/state/database.ts';

/** How an engine carries out one statement. */
export interface QueryPlan {
  sql: string;
  lines: string[];
}

/** Does the work on the database and tells how the engine carried out each of its statements. */
export async function plansOf(database: Database, work: (watched: Database) => Promise<unknown>): Promise<QueryPlan[]> {
  const seen: CompiledQuery[] = [];
  const listening: KyselyPlugin = {
    transformQuery: ({ node, queryId }) => {
      seen.push(database.db.getExecutor().compileQuery(node, queryId));
      return node;
    },
    transformResult: async ({ result }) => result,
  };
  await work({ ...database, db: database.db.withPlugin(listening) });
  const plans: QueryPlan[] = [];
  for (const { sql, parameters } of seen) plans.push({ sql, lines: await explained(database, sql, parameters) });
  return plans;
}

async function explained({ db, dialect }: Database, sql: string, parameters: readonly unknown[]): Promise<string[]> {
  const prefix = dialect === 'sqlite' ? 'EXPLAIN QUERY PLAN ' : 'EXPLAIN ';
  const { rows } = await db.executeQuery<Record<string, unknown>>(CompiledQuery.raw(prefix + sql, [...parameters]));
  return rows.map((row) => String(row.detail ?? row['QUERY PLAN']));
}

/** Tables that grow with every order or pass; reading one of them through is what a million orders do not forgive. */
const GROWING = 'outbox|links|kaspi_orders|runs|reservations';

/** The lines in which a growing table is read through, without an index. */
export function fullScans(plans: readonly QueryPlan[]): string[] {
  const scan = new RegExp(
    `SCAN (?:${GROWING}|r)\\b(?! USING (?:INDEX|COVERING INDEX) outbox_open)|Seq Scan on (?:${GROWING})\\b`,
  );
  return plans.flatMap(({ sql, lines }) => lines.filter((line) => scan.test(line)).map((line) => `${line} | ${sql}`));
}
