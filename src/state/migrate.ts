import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sql } from 'kysely';
import { AppError, assert, configError, ExitCode } from '../base/errors.ts';
import { type Database, type OpenOptions, openDatabase, type Tx } from './database.ts';
import { setMetaOnce } from './meta.ts';

/** How long a process waits for another one that migrates. */
const LOCK_WAIT_MS = 120_000;

const MIGRATE_HINT = 'Run `sdelka migrate`.';

export interface Migration {
  version: number;
  name: string;
}

export interface MigrateOptions extends OpenOptions {
  /** The folder that holds `sqlite/` and `postgres/`; the program's own unless a test says otherwise. */
  folder?: string;
}

export interface MigrateResult {
  applied: Migration[];
  /** How many stood already. */
  already: number;
}

export interface MigrationStatus extends Migration {
  /** `changed`: the file is not the one that was applied. `unknown`: applied by a newer program. */
  state: 'applied' | 'pending' | 'changed' | 'unknown';
  appliedAt: string | undefined;
}

interface MigrationFile extends Migration {
  path: string;
}

/** migrations/ of the package, looked for upwards, since this file runs from src/state/ and from the bundle in dist/. */
function packageFolder(): string {
  for (let dir = dirname(fileURLToPath(import.meta.url)); ; dir = dirname(dir)) {
    const folder = join(dir, 'migrations');
    if (existsSync(join(folder, 'sqlite'))) return folder;
    assert(dirname(dir) !== dir, 'the program was installed without its migrations folder');
  }
}

function listFiles(dialect: Database['dialect'], folder = packageFolder()): MigrationFile[] {
  const dir = join(folder, dialect);
  return readdirSync(dir)
    .flatMap((file) => {
      const [, version, name] = /^(\d{4})_([a-z0-9_]+)\.sql$/.exec(file) ?? [];
      return version === undefined || name === undefined
        ? []
        : [{ version: Number(version), name, path: join(dir, file) }];
    })
    .sort((a, b) => a.version - b.version);
}

/** The schema that this program was written for; a folder listing, since it is asked for at every start. */
export function newestVersion(dialect: Database['dialect']): number {
  return listFiles(dialect).at(-1)?.version ?? 0;
}

interface AppliedRow extends Migration {
  checksum: string | null;
  applied_at: string;
}

async function hasSchema(database: Database): Promise<boolean> {
  const query =
    database.dialect === 'sqlite'
      ? sql<{
          found: number;
        }>`SELECT count(*) AS found FROM sqlite_master WHERE type = 'table' AND name = 'schema_migrations'`
      : sql<{ found: number }>`SELECT count(to_regclass('schema_migrations')) AS found`;
  const { rows } = await query.execute(database.db);
  return rows[0]?.found === 1;
}

/** One query where there is a schema, which is nearly always. */
async function readApplied(database: Database): Promise<AppliedRow[]> {
  try {
    return await database.db.selectFrom('schema_migrations').selectAll().orderBy('version').execute();
  } catch (error) {
    if (error instanceof AppError || (await hasSchema(database))) throw error;
    return [];
  }
}

function refuseNewer(database: Database, applied: readonly Migration[], known: readonly Migration[]): void {
  const unknown = applied.filter((row) => !known.some((file) => file.version === row.version));
  if (unknown.length === 0) return;
  throw configError(
    'SCHEMA_NEWER',
    `the schema of the database (${database.description}) is newer than this program`,
    'Install the newer version of sdelka that made it; a schema is never taken back.',
    unknown.map((row) => `unknown migration ${row.version} (${row.name})`),
  );
}

/** Throws 78 unless the schema is the one that this program was written for; one query. */
export async function requireSchema(database: Database): Promise<void> {
  const known = listFiles(database.dialect);
  const applied = await readApplied(database);
  refuseNewer(database, applied, known);
  if (applied.length === 0) {
    throw configError('SCHEMA_MISSING', `the database (${database.description}) has no schema yet`, MIGRATE_HINT);
  }
  if (applied.length < known.length) {
    throw configError(
      'SCHEMA_OLDER',
      `the schema of the database (${database.description}) is older than this program`,
      MIGRATE_HINT,
    );
  }
}

async function readMigrationFile(file: MigrationFile): Promise<{ text: string; checksum: string }> {
  const [{ readFile }, { createHash }] = await Promise.all([import('node:fs/promises'), import('node:crypto')]);
  const text = await readFile(file.path, 'utf8');
  // A checkout with CRLF line ends is the same migration.
  const checksum = createHash('sha256').update(text.replaceAll('\r\n', '\n')).digest('hex');
  return { text, checksum };
}

/** Every migration, the program's and the database's, in order. */
export async function migrationStatus(database: Database, folder?: string): Promise<MigrationStatus[]> {
  const known = listFiles(database.dialect, folder);
  const applied = await readApplied(database);
  const ours = await Promise.all(
    known.map(async (file): Promise<MigrationStatus> => {
      const row = applied.find((one) => one.version === file.version);
      const { version, name } = file;
      if (row === undefined) return { version, name, state: 'pending', appliedAt: undefined };
      const same = row.checksum === null || row.checksum === (await readMigrationFile(file)).checksum;
      return { version, name, state: same ? 'applied' : 'changed', appliedAt: row.applied_at };
    }),
  );
  const theirs = applied
    .filter((row) => !known.some((file) => file.version === row.version))
    .map(
      ({ version, name, applied_at }): MigrationStatus => ({ version, name, state: 'unknown', appliedAt: applied_at }),
    );
  return [...ours, ...theirs];
}

async function recordChecksum(tx: Tx, version: number, checksum: string): Promise<void> {
  await tx
    .updateTable('schema_migrations')
    .set({ checksum })
    .where('version', '=', version)
    .where('checksum', 'is', null)
    .execute();
}

/** Runs one file if it has not been run, by us or by hand; gives whether it did. */
async function applyFile(database: Database, file: MigrationFile, row: AppliedRow | undefined): Promise<boolean> {
  const { text, checksum } = await readMigrationFile(file);
  if (row?.checksum && row.checksum !== checksum) {
    throw configError(
      'MIGRATION_CHANGED',
      `the migration file ${file.version} (${file.name}) is not the one that this database (${database.description}) was made with`,
      'Put the original file back, by installing sdelka anew; what is to change comes in a migration of its own.',
    );
  }
  // The file is a transaction that records itself, without its checksum: a kill in between leaves it whole or not begun.
  if (row === undefined) await database.script(text);
  if (!row?.checksum) await recordChecksum(database.db, file.version, checksum);
  return row === undefined;
}

async function markBirth(database: Database, now: Date): Promise<void> {
  const { randomUUID } = await import('node:crypto');
  await database.transaction(async (tx) => {
    await setMetaOnce(tx, 'database_born', now.toISOString(), now);
    await setMetaOnce(tx, 'database_id', randomUUID(), now);
  });
}

async function applyAll(database: Database, files: readonly MigrationFile[]): Promise<MigrateResult> {
  const rows = await readApplied(database);
  refuseNewer(database, rows, files);
  const applied: Migration[] = [];
  for (const file of files) {
    const row = rows.find((one) => one.version === file.version);
    if (await applyFile(database, file, row)) applied.push({ version: file.version, name: file.name });
  }
  await markBirth(database, new Date());
  return { applied, already: files.length - applied.length };
}

/**
 * Brings the database to this program's schema, and makes the SQLite file where `create` says so. Any number of processes may call it at
 * once: they go one after the other. A file run by hand counts as applied. `database_born` (the moment from which on everything
 * planned is new) and `database_id` are written once. Errors: those of `openDatabase`; 78 for a changed file or a newer schema.
 */
export async function migrate(options: MigrateOptions): Promise<MigrateResult> {
  const database = await openDatabase(options);
  try {
    const lock = await database.lock('migrate', { waitMs: LOCK_WAIT_MS });
    if (lock === undefined) {
      throw new AppError({
        code: 'MIGRATION_BUSY',
        kind: 'transient',
        exit: ExitCode.Unavailable,
        message: `another process has been migrating the database (${database.description}) for more than ${LOCK_WAIT_MS / 1000} seconds`,
        hint: 'Run `sdelka migrate` again when it is done.',
      });
    }
    return await applyAll(database, listFiles(database.dialect, options.folder));
  } finally {
    await database.close();
  }
}
