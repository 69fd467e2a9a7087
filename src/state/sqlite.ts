import { accessSync, closeSync, constants, openSync, type Stats, statSync } from 'node:fs';
import { dirname } from 'node:path';
import Sqlite from 'better-sqlite3';
import {
  type DatabaseConnection,
  Kysely,
  type QueryResult,
  SqliteAdapter,
  SqliteDriver,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely';
import { AppError, assert, configError } from '../base/errors.ts';
import type { Database, Lock } from './database.ts';
import { lockLost, lockSlug, pollForLock } from './locks.ts';
import { networkFileSystem } from './network-file-system.ts';
import {
  BUSY_TIMEOUT_MS,
  damaged,
  isBusy,
  notWritable,
  type SqliteFile,
  translateSqliteError,
  unreadable,
} from './sqlite-errors.ts';
import { remembering } from './sqlite-statements.ts';
import type { Tables } from './tables.ts';

export interface SqliteOptions extends SqliteFile {
  create: boolean;
  /** Names the network file system that a folder is on, if it is on one; replaced by tests. */
  networkFileSystem?: (dir: string) => string | undefined;
}

function guarded<T>(file: SqliteFile, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw translateSqliteError(error, file);
  }
}

/** Kysely's connection, with our errors. */
class GuardedConnection implements DatabaseConnection {
  readonly #inner: DatabaseConnection;
  readonly #file: SqliteFile;

  constructor(inner: DatabaseConnection, file: SqliteFile) {
    this.#inner = inner;
    this.#file = file;
  }

  async executeQuery<R>(query: Parameters<DatabaseConnection['executeQuery']>[0]): Promise<QueryResult<R>> {
    try {
      return await this.#inner.executeQuery<R>(query);
    } catch (error) {
      throw translateSqliteError(error, this.#file);
    }
  }

  streamQuery<R>(
    query: Parameters<DatabaseConnection['streamQuery']>[0],
    chunkSize: number,
  ): AsyncIterableIterator<QueryResult<R>> {
    return this.#inner.streamQuery<R>(query, chunkSize);
  }
}

/** Kysely's driver (one connection, transactions one after the other), with transactions that take the write lock at their start. */
class ImmediateDriver extends SqliteDriver {
  readonly #handle: Sqlite.Database;
  readonly #file: SqliteFile;

  constructor(handle: Sqlite.Database, file: SqliteFile) {
    super({ database: remembering(handle) });
    this.#handle = handle;
    this.#file = file;
  }

  override async acquireConnection(): Promise<DatabaseConnection> {
    return new GuardedConnection(await super.acquireConnection(), this.#file);
  }

  override async beginTransaction(): Promise<void> {
    // A deferred transaction that reads first and writes later fails at once, whatever the time-out, if another process
    // wrote in between; hence IMMEDIATE. A reader needs no write lock.
    guarded(this.#file, () => this.#handle.exec(this.#file.readOnly ? 'BEGIN' : 'BEGIN IMMEDIATE'));
  }

  override async rollbackTransaction(): Promise<void> {
    // SQLite itself rolls back on a full disk and the like; a second rollback would hide the error that tells why.
    if (this.#handle.inTransaction) this.#handle.exec('ROLLBACK');
  }
}

function statOrUndefined(path: string): Stats | undefined {
  return statSync(path, { throwIfNoEntry: false });
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function checkFolder(path: string, options: SqliteOptions): void {
  const dir = dirname(path);
  if (!statOrUndefined(dir)?.isDirectory()) {
    throw configError(
      'DATABASE_DIRECTORY_MISSING',
      `the folder ${dir} of the database does not exist`,
      'Make the folder, or set DATABASE_URL to the right place.',
    );
  }
  const remote = (options.networkFileSystem ?? networkFileSystem)(dir);
  if (remote !== undefined) {
    throw configError(
      'DATABASE_ON_NETWORK',
      `the database ${path} lies on a network file system (${remote}), where SQLite's locks do not hold`,
      'Move it to a local disk, or use PostgreSQL (DATABASE_URL=postgres://…).',
    );
  }
}

function checkFile(path: string, options: SqliteOptions): void {
  const found = statOrUndefined(path);
  if (found === undefined && !options.create) {
    throw configError(
      'DATABASE_MISSING',
      `there is no database at ${path}`,
      'Run `sdelka migrate` to make it, or check DATABASE_URL and --env-file: a relative path starts at the folder of the settings file.',
    );
  }
  if (found !== undefined && !found.isFile()) throw damaged(path);
  // The folder too, since -wal, -shm and the lock files are made there.
  const needed = found === undefined ? [dirname(path)] : [dirname(path), path];
  if (!options.readOnly && !needed.every(isWritable)) throw notWritable(path);
  // The file will hold tokens and buyers' phones, so nobody but the owner may read it; -wal and -shm take over its mode.
  if (found === undefined) closeSync(openSync(path, 'a', 0o600));
}

function checkPlace(options: SqliteOptions): void {
  try {
    checkFolder(options.path, options);
    checkFile(options.path, options);
  } catch (error) {
    if (error instanceof AppError || !(error instanceof Error) || !('code' in error)) throw error;
    throw unreadable(options.path, String(error.code));
  }
}

/**
 * Opens for reading without leaving a trace. A read-only connection to a WAL database makes `-wal` and `-shm` and cannot
 * remove them; a writable one removes them when it closes. But where a `-wal` stands already (another process is at work, or
 * was killed), a writable one might move its content into the database file when it closes. Seen with better-sqlite3 12.11.
 */
function openForReading(path: string): Sqlite.Database {
  const walStands = statOrUndefined(`${path}-wal`) !== undefined;
  const handle = new Sqlite(path, { readonly: walStands || !isWritable(path), timeout: BUSY_TIMEOUT_MS });
  handle.pragma('query_only = ON');
  return handle;
}

function switchToWal(handle: Sqlite.Database): void {
  try {
    handle.pragma('journal_mode = WAL');
  } catch (error) {
    // A database made by hand is not in WAL mode yet, and two processes may want to switch it at once. Who loses works on in
    // the mode that stands, which is as safe, only slower; the next opening switches.
    if (!isBusy(error)) throw error;
  }
}

function openForWriting(path: string): Sqlite.Database {
  const handle = new Sqlite(path, { timeout: BUSY_TIMEOUT_MS });
  switchToWal(handle);
  // better-sqlite3 is compiled so that WAL databases default to NORMAL, which may lose the last commits in a power cut; a
  // `sending` mark or a token pair must survive one.
  handle.pragma('synchronous = FULL');
  return handle;
}

function openHandle(options: SqliteOptions): Sqlite.Database {
  return guarded(options, () => {
    const handle = options.readOnly ? openForReading(options.path) : openForWriting(options.path);
    // The first real reading: a file that is not a database shows itself here.
    handle.prepare('SELECT 1 FROM sqlite_master LIMIT 1').get();
    return handle;
  });
}

/** Takes the write lock of a small file beside the database; the operating system frees it when the process dies. */
function tryFileLock(path: string): Sqlite.Database | undefined {
  const handle = guarded({ path, readOnly: false }, () => new Sqlite(path, { timeout: 0 }));
  try {
    // Without this an empty journal would lie beside the lock file.
    handle.pragma('journal_mode = MEMORY');
    handle.exec('BEGIN EXCLUSIVE');
    return handle;
  } catch (error) {
    handle.close();
    if (isBusy(error)) return undefined;
    throw translateSqliteError(error, { path, readOnly: false });
  }
}

function fileLock(name: string, path: string, handle: Sqlite.Database, held: Set<Lock>): Lock {
  const inode = statSync(path).ino;
  const lock: Lock = {
    name,
    async ping() {
      // A lock file that somebody deleted still seems locked to us, while others lock a new one.
      if (!handle.inTransaction || statOrUndefined(path)?.ino !== inode) throw lockLost(name);
    },
    async release() {
      held.delete(lock);
      handle.close();
    },
  };
  held.add(lock);
  return lock;
}

function kyselyOver(handle: Sqlite.Database, file: SqliteFile): Kysely<Tables> {
  const driver = new ImmediateDriver(handle, file);
  return new Kysely<Tables>({
    dialect: {
      createAdapter: () => new SqliteAdapter(),
      createDriver: () => driver,
      createIntrospector: (db) => new SqliteIntrospector(db),
      createQueryCompiler: () => new SqliteQueryCompiler(),
    },
  });
}

function runScript(handle: Sqlite.Database, file: SqliteFile, sql: string): void {
  guarded(file, () => {
    try {
      handle.exec(sql);
    } finally {
      if (handle.inTransaction) handle.exec('ROLLBACK');
    }
  });
}

/** Opens a SQLite database; see `openDatabase` for the errors. `path` is absolute. */
export async function openSqlite(options: SqliteOptions): Promise<Database> {
  const { path, readOnly } = options;
  checkPlace(options);
  const handle = openHandle(options);
  const db = kyselyOver(handle, options);
  const held = new Set<Lock>();
  return {
    dialect: 'sqlite',
    db,
    description: `SQLite ${path}`,
    transaction: (work) => db.transaction().execute(work),
    async lock(name, lockOptions) {
      assert(!readOnly, 'a read-only database takes no locks');
      const lockPath = `${path}.lock-${lockSlug(name)}`;
      const taken = await pollForLock(async () => tryFileLock(lockPath), lockOptions);
      return taken === undefined ? undefined : fileLock(name, lockPath, taken, held);
    },
    // Through Kysely's mutex, so that no transaction of this process is open on the one connection.
    script: (sql) => db.connection().execute(async () => runScript(handle, options, sql)),
    async close() {
      for (const lock of [...held]) await lock.release();
      await db.destroy();
      // Kysely closes only a connection that it has used.
      handle.close();
    },
  };
}
