import { readdirSync } from 'node:fs';
import { cp, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Sqlite from 'better-sqlite3';
import { sql } from 'kysely';
import { Client } from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Database, openDatabase } from '../../src/state/database.ts';
import { getMeta } from '../../src/state/meta.ts';
import { migrate, migrationStatus, newestVersion, requireSchema } from '../../src/state/migrate.ts';
import { type Children, children } from '../support/child.ts';
import { type DatabasePlace, type Dialect, dialects, emptyPlace } from '../support/databases.ts';
import { THOROUGH } from '../support/stride.ts';

const migrations = fileURLToPath(new URL('../../migrations', import.meta.url));
const files = readdirSync(join(migrations, 'sqlite')).sort();
/** `0002_amocrm.sql` as version and name; three of them are written out below, so that a renamed one shows. */
const known = files.map((file) => ({ version: Number(file.slice(0, 4)), name: file.slice(5, -4) }));
const next = known.length + 1;

/** A third of a second of a processor each. */
const PROCESSES = THOROUGH ? 20 : 6;

/** What `sqlite3 integrator.db < file` or `psql -f file` does. */
async function runByHand(dialect: Dialect, place: DatabasePlace, text: string): Promise<void> {
  if (dialect === 'sqlite') {
    const file = new Sqlite(join(place.dir, 'integrator.db'));
    file.exec(text);
    file.close();
    return;
  }
  const client = new Client({ connectionString: place.url });
  await client.connect();
  try {
    await client.query(text);
  } finally {
    await client.end();
  }
}

/** Looks until `look` says yes; the test's own time-out ends it otherwise. */
async function until(look: () => Promise<boolean>): Promise<void> {
  while (!(await look())) await new Promise((resolve) => setTimeout(resolve, 20));
}

describe.each(dialects)('%s', (dialect) => {
  let place: DatabasePlace;
  let opened: Database[];
  let folder: string | undefined;
  let processes: Children | undefined;

  beforeEach(async () => {
    place = await emptyPlace(dialect);
    opened = [];
    folder = undefined;
    processes = undefined;
  });

  afterEach(async () => {
    await processes?.dispose();
    for (const database of opened) await database.close();
    await place.dispose();
    if (folder) await rm(folder, { recursive: true });
  });

  const options = () => ({ url: place.url, baseDir: place.dir, create: true });

  async function open(): Promise<Database> {
    const database = await openDatabase({ url: place.url, baseDir: place.dir });
    opened.push(database);
    return database;
  }

  async function folderWith(name: string, text: string): Promise<string> {
    folder = await mkdtemp(join(tmpdir(), 'sdelka-migrations-'));
    await cp(migrations, folder, { recursive: true });
    await writeFile(join(folder, dialect, name), text);
    return folder;
  }

  test('a new database gets every migration, a second run none', async () => {
    expect(await migrate(options())).toEqual({ applied: known, already: 0 });
    expect(known.slice(0, 4)).toEqual([
      { version: 1, name: 'state' },
      { version: 2, name: 'amocrm' },
      { version: 3, name: 'kaspi' },
      { version: 4, name: 'alerts' },
    ]);
    expect(await migrate(options())).toEqual({ applied: [], already: known.length });
    const database = await open();
    await requireSchema(database);
    expect((await migrationStatus(database)).map(({ version, state }) => [version, state])).toEqual(
      known.map(({ version }) => [version, 'applied']),
    );
    const { applied_at, checksum } = await database.db
      .selectFrom('schema_migrations')
      .selectAll()
      .where('version', '=', 1)
      .executeTakeFirstOrThrow();
    expect(applied_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(Math.abs(Date.now() - Date.parse(applied_at))).toBeLessThan(600_000);
    expect(checksum).toMatch(/^[0-9a-f]{64}$/);
  });

  test('birth and identity are written once', async () => {
    await migrate(options());
    const database = await open();
    const read = () => Promise.all([getMeta(database.db, 'database_born'), getMeta(database.db, 'database_id')]);
    const [born, id] = await read();
    expect(born).toMatch(/^\d{4}-\d\d-\d\dT/);
    expect(id).toMatch(/^[0-9a-f-]{36}$/);
    await migrate(options());
    expect(await read()).toEqual([born, id]);
  });

  test('files run by hand count, and get their checksum later', async () => {
    await runByHand(dialect, place, await readFile(join(migrations, dialect, '0001_state.sql'), 'utf8'));
    const before = await open();
    await expect(requireSchema(before)).rejects.toMatchObject({ code: 'SCHEMA_OLDER', exit: 78 });
    const [, ...later] = known;
    expect((await migrationStatus(before)).map(({ state }) => state)).toEqual([
      'applied',
      ...later.map(() => 'pending'),
    ]);
    expect(await migrate(options())).toMatchObject({ applied: later, already: 1 });
    const rows = await before.db.selectFrom('schema_migrations').select('checksum').execute();
    expect(rows.map((row) => row.checksum?.length)).toEqual(known.map(() => 64));
    await requireSchema(before);
  });

  test('all files run by hand: migrate adds only checksums, birth and identity', async () => {
    for (const file of files) await runByHand(dialect, place, await readFile(join(migrations, dialect, file), 'utf8'));
    await requireSchema(await open());
    expect(await migrate(options())).toEqual({ applied: [], already: known.length });
    expect(await getMeta((await open()).db, 'database_id')).toBeDefined();
  });

  test('a file run twice by hand changes nothing', async () => {
    const text = await readFile(join(migrations, dialect, '0001_state.sql'), 'utf8');
    await runByHand(dialect, place, text);
    await expect(runByHand(dialect, place, text)).rejects.toThrow(/schema_migrations/);
  });

  test('a database without a schema is refused with the cure', async () => {
    if (dialect === 'sqlite') await writeFile(join(place.dir, 'integrator.db'), '');
    await expect(requireSchema(await open())).rejects.toMatchObject({
      code: 'SCHEMA_MISSING',
      exit: 78,
      hint: 'Run `sdelka migrate`.',
    });
  });

  test('a newer schema is refused, by jobs and by migrate', async () => {
    const newer = await folderWith(file(next, 'future'), `BEGIN; ${record(next, 'future')}; COMMIT;`);
    await migrate({ ...options(), folder: newer });
    await expect(requireSchema(await open())).rejects.toMatchObject({ code: 'SCHEMA_NEWER', exit: 78 });
    await expect(migrate(options())).rejects.toMatchObject({ code: 'SCHEMA_NEWER', exit: 78 });
    expect((await migrationStatus(await open())).at(-1)).toMatchObject({ version: next, state: 'unknown' });
  });

  test('a changed file is refused; other line ends are not a change', async () => {
    await migrate(options());
    const text = await readFile(join(migrations, dialect, '0002_amocrm.sql'), 'utf8');
    const changed = await folderWith('0002_amocrm.sql', text.replaceAll('\n', '\r\n'));
    expect(await migrate({ ...options(), folder: changed })).toMatchObject({ already: known.length });
    await writeFile(join(changed, dialect, '0002_amocrm.sql'), `${text}-- afterthought\n`);
    await expect(migrate({ ...options(), folder: changed })).rejects.toMatchObject({
      code: 'MIGRATION_CHANGED',
      exit: 78,
    });
    expect((await migrationStatus(await open(), changed)).map(({ version, state }) => [version, state])).toEqual(
      known.map(({ version }) => [version, version === 2 ? 'changed' : 'applied']),
    );
  });

  test('a file that fails leaves nothing of itself', async () => {
    const broken = await folderWith(
      file(next, 'broken'),
      `BEGIN; CREATE TABLE half (a INTEGER); SELECT * FROM nowhere; COMMIT;`,
    );
    await expect(migrate({ ...options(), folder: broken })).rejects.toThrow(/nowhere/);
    const database = await open();
    expect((await migrationStatus(database)).map(({ state }) => state)).toEqual(known.map(() => 'applied'));
    await expect(sql`SELECT * FROM half`.execute(database.db)).rejects.toThrow(/half/);
  });

  test('a kill in the middle leaves nothing half done', async () => {
    await migrate(options());
    const endless =
      dialect === 'sqlite'
        ? 'WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n'
        : 'SELECT pg_sleep(600)';
    const slow = await folderWith(
      file(next, 'slow'),
      `BEGIN; CREATE TABLE half (a INTEGER); ${record(next, 'slow')}; ${endless}; COMMIT;`,
    );
    const database = await open();
    processes = await children();
    const child = processes.start('migrate', place.url, place.dir, slow);
    await until(async () => {
      if (dialect === 'sqlite') return isWriteLocked(join(place.dir, 'integrator.db'));
      const found =
        await sql`SELECT 1 FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND state = 'active' AND pid <> pg_backend_pid() AND datname = current_database()`.execute(
          database.db,
        );
      return found.rows.length > 0;
    });
    child.process.kill('SIGKILL');
    expect(await child.ended).toBe('SIGKILL');
    if (dialect === 'postgres') {
      // The server notices the end of a client only when the statement is over.
      await sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid() AND datname = current_database()`.execute(
        database.db,
      );
    }
    expect(await migrate(options())).toEqual({ applied: [], already: known.length });
    await expect(sql`SELECT * FROM half`.execute(database.db)).rejects.toThrow(/half/);
    await requireSchema(database);
  });

  test(`${PROCESSES} processes at once apply each migration once`, async () => {
    processes = await children();
    const { start } = processes;
    const all = Array.from({ length: PROCESSES }, () => start('migrate', place.url, place.dir));
    const results = (await Promise.all(all.map((child) => child.next()))) as { applied: unknown[]; already: number }[];
    expect(await Promise.all(all.map((child) => child.ended))).toEqual(all.map(() => 0));
    expect(results.flatMap((result) => result.applied)).toHaveLength(known.length);
    for (const result of results) expect(result.applied.length + result.already).toBe(known.length);
    await requireSchema(await open());
  });
});

function file(version: number, name: string): string {
  return `${String(version).padStart(4, '0')}_${name}.sql`;
}

function record(version: number, name: string): string {
  return `INSERT INTO schema_migrations (version, name, applied_at) VALUES (${version}, '${name}', '2026-05-01T00:00:00.000Z')`;
}

function isWriteLocked(path: string): boolean {
  const file = new Sqlite(path, { timeout: 0 });
  try {
    file.exec('BEGIN IMMEDIATE; ROLLBACK');
    return false;
  } catch {
    return true;
  } finally {
    file.close();
  }
}

test('both dialects hold the same migrations', () => {
  expect(newestVersion('sqlite')).toBe(known.length);
  expect(newestVersion('postgres')).toBe(newestVersion('sqlite'));
});

test('the file is for the owner alone', async () => {
  const place = await emptyPlace('sqlite');
  await migrate({ url: place.url, baseDir: place.dir, create: true });
  expect((await stat(join(place.dir, 'integrator.db'))).mode & 0o777).toBe(0o600);
  await place.dispose();
});
