import { statSync } from 'node:fs';
import Sqlite from 'better-sqlite3';
import type { CdrPlace, CdrSource } from '../api.ts';
import { codeOf, damaged, missing, otherFault, refused } from './errors.ts';
import { sqlSource } from './sql.ts';

/** How long a query waits while the PBX writes; its own transactions last milliseconds. */
const BUSY_TIMEOUT_MS = 10_000;

/** SQLite, as cdr_sqlite3_custom and MikoPBX have it. Times are the PBX's own unless an offset follows. `path` is absolute. */
export async function openSqliteCdr(place: CdrPlace, path: string): Promise<CdrSource> {
  const handle = guarded(path, () => {
    if (!statSync(path).isFile()) throw damaged(path);
    return new Sqlite(path, { readonly: true, fileMustExist: true, timeout: BUSY_TIMEOUT_MS });
  });
  const query = async (sql: string, values: readonly string[]) =>
    guarded(path, () => handle.prepare<unknown[], Record<string, string | null>>(sql).all(...values));
  const close = async () => {
    handle.close();
  };
  try {
    const [table = '', schema] = place.table.split('.').reverse();
    const columns = await query(
      `SELECT name FROM pragma_table_info(?${schema === undefined ? '' : ', ?'})`,
      schema === undefined ? [table] : [table, schema],
    );
    return sqlSource(place, {
      table: place.table.split('.').map(quote).join('.'),
      columns: columns.map(({ name }) => ({ name: name ?? '', instant: false })),
      quote,
      asText: (expression) => `CAST(${expression} AS TEXT)`,
      value: () => '?',
      query,
      close,
    });
  } catch (error) {
    handle.close();
    throw error;
  }
}

function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function guarded<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw faultOf(path, error);
  }
}

function faultOf(path: string, error: unknown): unknown {
  const code = codeOf(error);
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return missing(
      `there is no file ${path}`,
      'Correct the path in CDR_URL; a relative one starts at the settings file.',
    );
  }
  if (/^(SQLITE_(CANTOPEN|PERM|READONLY|AUTH)|EACCES|EPERM)/.test(code)) {
    const hint =
      'Let the account that cron runs under read the file and its folder; a database in WAL mode wants its folder to be writable.';
    return refused(path, code, hint);
  }
  if (/^SQLITE_(NOTADB|CORRUPT)/.test(code)) return damaged(path);
  return otherFault(path, error);
}
