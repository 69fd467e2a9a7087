import { readdirSync, readFileSync, statSync } from 'node:fs';
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openDatabase } from '../../src/state/database.ts';
import { getMeta, setMeta } from '../../src/state/meta.ts';
import { networkFileSystem } from '../../src/state/network-file-system.ts';
import { openSqlite } from '../../src/state/sqlite.ts';
import { translateSqliteError } from '../../src/state/sqlite-errors.ts';
import { type Children, children } from '../support/child.ts';
import { type DatabasePlace, emptyPlace, freshDatabase } from '../support/databases.ts';

const NOW = new Date('2026-05-01T10:00:00Z');

describe('read-only', () => {
  let place: DatabasePlace;
  let file: string;
  let processes: Children | undefined;

  beforeEach(async () => {
    const fresh = await freshDatabase('sqlite');
    place = fresh;
    file = join(fresh.dir, 'integrator.db');
    await setMeta(fresh.database.db, 'seen', 'before', NOW);
    await fresh.database.close();
    processes = undefined;
  });
  afterEach(async () => {
    await processes?.dispose();
    await rm(place.dir, { recursive: true });
  });

  const names = () => readdirSync(place.dir).sort();
  const bytes = () => readFileSync(file);

  async function look(): Promise<string | undefined> {
    const reader = await openDatabase({ url: place.url, baseDir: place.dir, readOnly: true });
    const value = await getMeta(reader.db, 'seen');
    await expect(setMeta(reader.db, 'seen', 'by a dry run', NOW)).rejects.toMatchObject({ code: 'DATABASE_READ_ONLY' });
    await reader.close();
    return value;
  }

  test('leaves every byte and the folder as they were', async () => {
    const before = { bytes: bytes(), changed: statSync(file).mtimeMs };
    expect(names()).toEqual(['integrator.db']);
    expect(await look()).toBe('before');
    expect(names()).toEqual(['integrator.db']);
    expect({ bytes: bytes(), changed: statSync(file).mtimeMs }).toEqual(before);
  });

  test('sees what another process wrote and did not yet move into the file, and does not move it', async () => {
    const writer = new Sqlite(file);
    writer.pragma('wal_autocheckpoint = 0');
    writer.prepare("UPDATE meta SET value = 'in the wal' WHERE key = 'seen'").run();
    const before = names();
    expect(before).toContain('integrator.db-wal');
    const size = statSync(`${file}-wal`).size;
    expect(await look()).toBe('in the wal');
    expect(names()).toEqual(before);
    expect(statSync(`${file}-wal`).size).toBe(size);
    writer.close();
  });

  test('leaves what a killed process left', async () => {
    processes = await children();
    // Holds the database open, hence -wal and -shm stand when it is killed.
    const holder = processes.start('lock', place.url, place.dir, 'kaspi:poll');
    await holder.next();
    holder.process.kill('SIGKILL');
    await holder.ended;
    const before = { names: names(), bytes: bytes() };
    expect(before.names).toContain('integrator.db-wal');
    expect(await look()).toBe('before');
    expect({ names: names(), bytes: bytes() }).toEqual(before);
  });

  test('a database made by hand, not in WAL mode, keeps its mode', async () => {
    const shell = new Sqlite(file);
    shell.pragma('journal_mode = DELETE');
    shell.close();
    const before = bytes();
    expect(await look()).toBe('before');
    expect(names()).toEqual(['integrator.db']);
    expect(bytes()).toEqual(before);
  });
});

describe('opening', () => {
  let place: DatabasePlace;
  beforeEach(async () => {
    place = await emptyPlace('sqlite');
  });
  afterEach(() => place.dispose());

  const open = (url = place.url) => openDatabase({ url, baseDir: place.dir });

  test('commits survive a power cut: WAL, synchronous FULL', async () => {
    await (await openDatabase({ url: place.url, baseDir: place.dir, create: true })).close();
    const database = await open();
    const pragma = async (name: string) => {
      return Object.values(
        (await sql.raw<Record<string, unknown>>(`PRAGMA ${name}`).execute(database.db)).rows[0] ?? {},
      );
    };
    expect(await pragma('journal_mode')).toEqual(['wal']);
    expect(await pragma('synchronous')).toEqual([2]);
    expect(await pragma('busy_timeout')).toEqual([10_000]);
    await database.close();
  });

  test('a statement that was run before sees a table as another process has changed it since', async () => {
    const database = await openDatabase({ url: place.url, baseDir: place.dir, create: true });
    await sql`CREATE TABLE things (name TEXT)`.execute(database.db);
    const things = async () => (await sql`SELECT * FROM things ORDER BY name`.execute(database.db)).rows;
    const add = (name: string) => sql`INSERT INTO things (name) VALUES (${name})`.execute(database.db);
    await add('first');
    expect(await things()).toEqual([{ name: 'first' }]);
    const other = new Sqlite(join(place.dir, 'integrator.db'));
    other.exec(
      "ALTER TABLE things ADD COLUMN price INTEGER NOT NULL DEFAULT 5; INSERT INTO things VALUES ('other', 7)",
    );
    other.close();
    await add('second');
    expect(await things()).toEqual([
      { name: 'first', price: 5 },
      { name: 'other', price: 7 },
      { name: 'second', price: 5 },
    ]);
    await database.close();
  });

  test('a missing file is not made by a job', async () => {
    await expect(open()).rejects.toMatchObject({
      code: 'DATABASE_MISSING',
      exit: 78,
      hint: expect.stringContaining('sdelka migrate'),
    });
    await expect(openDatabase({ url: place.url, baseDir: place.dir, readOnly: true })).rejects.toMatchObject({
      code: 'DATABASE_MISSING',
    });
    expect(readdirSync(place.dir)).toEqual([]);
  });

  test('a missing folder', async () => {
    const options = { url: 'sqlite:no/such/a.db', baseDir: place.dir, create: true };
    await expect(openDatabase(options)).rejects.toMatchObject({ code: 'DATABASE_DIRECTORY_MISSING', exit: 78 });
  });

  test.each([
    ['text', 'SQLite format 3, it is not. '.repeat(300)],
    ['a broken header', `SQLite format 3\0${'\xff'.repeat(5000)}`],
  ])('a file that is %s', async (_, content) => {
    await writeFile(join(place.dir, 'integrator.db'), content, 'latin1');
    await expect(open()).rejects.toMatchObject({ code: 'DATABASE_DAMAGED', exit: 78 });
  });

  test('a folder in place of the file', async () => {
    await mkdir(join(place.dir, 'integrator.db'));
    await expect(open()).rejects.toMatchObject({ code: 'DATABASE_DAMAGED', exit: 78 });
  });

  test('pages destroyed in a good file', async () => {
    const fresh = await freshDatabase('sqlite');
    await fresh.database.close();
    const file = join(fresh.dir, 'integrator.db');
    const good = readFileSync(file);
    const shell = new Sqlite(file);
    const roots = shell
      .prepare<[], { rootpage: number }>('SELECT rootpage FROM sqlite_master WHERE rootpage > 1')
      .all();
    shell.close();
    const content = Buffer.from(good).fill(0xff, 4096);
    await writeFile(file, content);
    await expect(openDatabase({ url: fresh.url, baseDir: fresh.dir })).rejects.toMatchObject({
      code: 'DATABASE_DAMAGED',
    });
    // Damage behind the schema's pages shows itself only to the statement that reads it.
    content.set(good);
    for (const { rootpage } of roots) content.fill(0xff, (rootpage - 1) * 4096, rootpage * 4096);
    await writeFile(file, content);
    const database = await openDatabase({ url: fresh.url, baseDir: fresh.dir });
    const reading = sql`SELECT * FROM meta, runs, outbox, schema_migrations, amo_index`.execute(database.db);
    await expect(reading).rejects.toMatchObject({ code: 'DATABASE_DAMAGED', exit: 78 });
    await database.close();
    await rm(fresh.dir, { recursive: true });
  });

  test('a network file system is refused, with advice', async () => {
    const path = join(place.dir, 'integrator.db');
    const opening = openSqlite({ path, readOnly: false, create: true, networkFileSystem: () => 'NFS' });
    await expect(opening).rejects.toMatchObject({
      code: 'DATABASE_ON_NETWORK',
      exit: 78,
      message: expect.stringContaining('NFS'),
      hint: expect.stringContaining('PostgreSQL'),
    });
    expect(readdirSync(place.dir)).toEqual([]);
    expect(networkFileSystem(place.dir)).toBeUndefined();
  });

  // The superuser may write anything; what the driver would say to others is translated below.
  test.skipIf(process.getuid?.() === 0)('a file that may not be written', async () => {
    await (await openDatabase({ url: place.url, baseDir: place.dir, create: true })).close();
    await chmod(join(place.dir, 'integrator.db'), 0o400);
    await expect(open()).rejects.toMatchObject({ code: 'DATABASE_NOT_WRITABLE', exit: 78 });
  });

  test('another program that keeps a transaction open: 69 after the time-out, not a stack trace', async () => {
    const database = await openDatabase({ url: place.url, baseDir: place.dir, create: true });
    const shell = new Sqlite(join(place.dir, 'integrator.db'));
    shell.exec('BEGIN IMMEDIATE');
    await sql`PRAGMA busy_timeout = 1`.execute(database.db);
    await expect(database.transaction(async () => undefined)).rejects.toMatchObject({
      code: 'DATABASE_BUSY',
      exit: 69,
    });
    shell.close();
    await database.transaction(async () => undefined);
    await database.close();
  });
});

test.each([
  ['SQLITE_READONLY', 'DATABASE_NOT_WRITABLE', 78],
  ['SQLITE_READONLY_DIRECTORY', 'DATABASE_NOT_WRITABLE', 78],
  ['SQLITE_CANTOPEN', 'DATABASE_UNREADABLE', 78],
  ['SQLITE_CORRUPT_VTAB', 'DATABASE_DAMAGED', 78],
  ['SQLITE_BUSY_SNAPSHOT', 'DATABASE_BUSY', 69],
  ['SQLITE_FULL', 'DATABASE_DISK_FULL', 69],
  ['SQLITE_IOERR_FSYNC', 'DATABASE_IO', 69],
])('%s becomes %s (%d)', (code, ours, exit) => {
  const error = translateSqliteError(new Sqlite.SqliteError('x', code), { path: '/a.db', readOnly: false });
  expect(error).toMatchObject({ code: ours, exit, message: expect.stringContaining('/a.db') });
});

test('an error that nobody foresaw stays as it was', () => {
  const error = new Sqlite.SqliteError('UNIQUE constraint failed: outbox.key', 'SQLITE_CONSTRAINT_UNIQUE');
  expect(translateSqliteError(error, { path: '/a.db', readOnly: false })).toBe(error);
});
