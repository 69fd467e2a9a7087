import { resolve } from 'node:path';
import type { Kysely } from 'kysely';
import { configError } from '../base/errors.ts';
import type { Tables } from './tables.ts';

/** What repositories take: the database itself, or the transaction that the caller owns (Kysely's `Transaction` is one). */
export type Tx = Kysely<Tables>;

export interface LockOptions {
  /** How long to wait for the holder, in milliseconds; 0 (default) = look once. */
  waitMs?: number;
  /** Ends the waiting early, as if the time were over. */
  signal?: AbortSignal;
}

/** A lock held by this process; its death frees it, whatever kills it. */
export interface Lock {
  name: string;
  /** Proves that the lock is still held; else an AppError `LOCK_LOST` (69). To be called before each batch of writes. */
  ping(): Promise<void>;
  /** Frees the lock; a second call does nothing. */
  release(): Promise<void>;
}

export interface Database {
  dialect: 'sqlite' | 'postgres';
  db: Kysely<Tables>;
  /**
   * Runs `work` in one transaction (SQLite: `IMMEDIATE`), rolled back if it throws. Inside, use `tx` only: on SQLite a call of
   * `db` or `transaction` waits for the one connection, which the open transaction holds, for ever. No network calls inside.
   */
  transaction<T>(work: (tx: Tx) => Promise<T>): Promise<T>;
  /** Takes the named lock, or gives undefined where another process (or another holder in this one) keeps it. Not on a read-only database. */
  lock(name: string, options?: LockOptions): Promise<Lock | undefined>;
  /** Runs the statements of a migration file as they stand, its own BEGIN and COMMIT included; nothing of it stays if one fails. */
  script(sql: string): Promise<void>;
  /** Where it is, without user name or password. */
  description: string;
  /** Closes connections and frees locks still held. */
  close(): Promise<void>;
}

export interface OpenOptions {
  /** `sqlite:PATH` or `postgres://…`. */
  url: string;
  /** The folder that a relative SQLite path starts from (that of the settings file), not the working directory of cron. */
  baseDir: string;
  /** For dry runs: no byte of the database changes, and every write fails. */
  readOnly?: boolean;
  /** Makes the SQLite file where there is none; jobs never set it. */
  create?: boolean;
}

/** What DATABASE_URL says; a SQLite path is absolute. */
export type DatabaseLocation = { dialect: 'sqlite'; path: string } | { dialect: 'postgres'; url: string };

const URL_HINT = 'Set DATABASE_URL to sqlite:PATH or postgres://user:password@host:5432/name.';

function parseSqlitePath(path: string, baseDir: string): string {
  if (path === '' || path === ':memory:' || path.includes('\0') || /^\/\/(?!\/)/.test(path)) {
    throw configError('DATABASE_URL_INVALID', 'DATABASE_URL names no SQLite file', URL_HINT);
  }
  return resolve(baseDir, path);
}

function parsePostgresUrl(text: string): string {
  if (!URL.canParse(text)) {
    throw configError(
      'DATABASE_URL_INVALID',
      'DATABASE_URL is not a valid address',
      `${URL_HINT} Special characters in the password are to be percent-encoded.`,
    );
  }
  return text;
}

/** Parses DATABASE_URL; throws `DATABASE_URL_INVALID` (78) without repeating it, for it may hold a password. */
export function parseDatabaseUrl(url: string, baseDir: string): DatabaseLocation {
  const text = url.trim();
  if (/^sqlite:/i.test(text)) {
    return { dialect: 'sqlite', path: parseSqlitePath(text.slice('sqlite:'.length), baseDir) };
  }
  if (/^postgres(ql)?:\/\//i.test(text)) return { dialect: 'postgres', url: parsePostgresUrl(text) };
  throw configError('DATABASE_URL_INVALID', 'DATABASE_URL starts neither with sqlite: nor with postgres://', URL_HINT);
}

/**
 * Opens the database; loads only the driver that the address asks for. The schema is not looked at: `requireSchema` does that.
 * Errors: 78 (address, missing or damaged file, network file system, unknown database), 77 (password refused), 69 (unreachable, busy).
 */
export async function openDatabase(options: OpenOptions): Promise<Database> {
  const location = parseDatabaseUrl(options.url, options.baseDir);
  const readOnly = options.readOnly ?? false;
  if (location.dialect === 'sqlite') {
    const { openSqlite } = await import('./sqlite.ts');
    return openSqlite({ path: location.path, readOnly, create: options.create ?? false });
  }
  const { openPostgres } = await import('./postgres.ts');
  return openPostgres({ url: location.url, readOnly });
}
