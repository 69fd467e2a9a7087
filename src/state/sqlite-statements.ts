import type Sqlite from 'better-sqlite3';
import type { SqliteDatabase } from 'kysely';

/** Longer ones carry values of many rows: few of them come again, and each takes memory by its length. */
const LONGEST = 1500;
const MOST = 150;

/** A database that prepares a short statement once: preparing takes longer than most statements take to run. */
export function remembering(handle: Sqlite.Database): SqliteDatabase {
  const statements = new Map<string, Sqlite.Statement<unknown[]>>();
  const prepare = (sql: string) => {
    const known = statements.get(sql);
    if (known !== undefined) return known;
    const statement = handle.prepare<unknown[]>(sql);
    if (sql.length > LONGEST) return statement;
    const [oldest] = statements.keys();
    if (statements.size >= MOST && oldest !== undefined) statements.delete(oldest);
    statements.set(sql, statement);
    return statement;
  };
  return {
    prepare: (sql) => prepare(sql) as unknown as ReturnType<SqliteDatabase['prepare']>,
    close: () => {
      handle.close();
    },
  };
}
