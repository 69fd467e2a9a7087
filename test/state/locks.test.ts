import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Database, openDatabase } from '../../src/state/database.ts';
import { lockSlug } from '../../src/state/locks.ts';
import { lockNumber } from '../../src/state/postgres.ts';
import { type Children, children } from '../support/child.ts';
import { dialects, type FreshDatabase, freshDatabase } from '../support/databases.ts';

describe.each(dialects)('%s', (dialect) => {
  let fresh: FreshDatabase;
  let database: Database;
  let other: Database;
  let processes: Children | undefined;

  beforeEach(async () => {
    fresh = await freshDatabase(dialect);
    database = fresh.database;
    other = await openDatabase({ url: fresh.url, baseDir: fresh.dir });
    processes = undefined;
  });
  afterEach(async () => {
    await processes?.dispose();
    await other.close();
    await fresh.dispose();
  });

  test('one holder at a time; another name is another lock', async () => {
    const lock = await database.lock('kaspi:poll');
    expect(lock?.name).toBe('kaspi:poll');
    await lock?.ping();
    expect(await other.lock('kaspi:poll')).toBeUndefined();
    expect(await database.lock('kaspi:poll')).toBeUndefined();
    const second = await other.lock('kaspi:reconcile');
    expect(second).toBeDefined();
    await lock?.release();
    await lock?.release();
    const third = await other.lock('kaspi:poll');
    await third?.ping();
    await expect(lock?.ping()).rejects.toMatchObject({ code: 'LOCK_LOST', exit: 69 });
  });

  test('who waits has the lock once it is free', async () => {
    const lock = await database.lock('kaspi:poll');
    const waiting = other.lock('kaspi:poll', { waitMs: 60_000 });
    await lock?.release();
    expect(await waiting).toBeDefined();
  });

  test('waiting ends with its time, and with the signal', async () => {
    await database.lock('kaspi:poll');
    expect(await other.lock('kaspi:poll', { waitMs: 1 })).toBeUndefined();
    const stop = new AbortController();
    const waiting = other.lock('kaspi:poll', { waitMs: 3_600_000, signal: stop.signal });
    stop.abort();
    expect(await waiting).toBeUndefined();
  });

  test('closing the database frees its locks', async () => {
    await other.lock('kaspi:poll');
    await other.close();
    expect(await database.lock('kaspi:poll', { waitMs: 10_000 })).toBeDefined();
  });

  test('a lock held neither blocks the database nor is ended by its transactions', async () => {
    const lock = await database.lock('kaspi:poll');
    await database.transaction((tx) =>
      tx.insertInto('meta').values({ key: 'k', value: '', updated_at: '2026-05-01T00:00:00.000Z' }).execute(),
    );
    await other.db.deleteFrom('meta').where('key', '=', 'k').execute();
    await lock?.ping();
    expect(await other.lock('kaspi:poll')).toBeUndefined();
  });

  test('kill -9 of the holder frees the lock', async () => {
    processes = await children();
    const holder = processes.start('lock', fresh.url, fresh.dir, 'kaspi:poll');
    expect(await holder.next()).toEqual({ held: true });
    expect(await database.lock('kaspi:poll')).toBeUndefined();
    holder.process.kill('SIGKILL');
    expect(await holder.ended).toBe('SIGKILL');
    expect(await database.lock('kaspi:poll', { waitMs: 60_000 })).toBeDefined();
  });

  test('a lock that was lost says so', async () => {
    const lock = await database.lock('kaspi:poll');
    if (dialect === 'sqlite') await rm(join(fresh.dir, 'integrator.db.lock-kaspi-poll'));
    else {
      await sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sdelka kaspi:poll' AND datname = current_database()`.execute(
        other.db,
      );
    }
    await expect(lock?.ping()).rejects.toMatchObject({ code: 'LOCK_LOST', kind: 'transient', exit: 69 });
    expect(await other.lock('kaspi:poll', { waitMs: 10_000 })).toBeDefined();
  });
});

describe('postgres', () => {
  test("the server's time-outs do not end a lock", async () => {
    const fresh = await freshDatabase('postgres');
    const name = new URL(fresh.url).pathname.slice(1);
    for (const setting of ['idle_in_transaction_session_timeout', 'transaction_timeout']) {
      await sql.raw(`ALTER DATABASE ${name} SET ${setting} = '300ms'`).execute(fresh.database.db);
    }
    // New connections only; hence a database opened anew for the lock's.
    const lock = await fresh.database.lock('kaspi:poll');
    await sql`SELECT pg_sleep(0.8)`.execute(fresh.database.db);
    await lock?.ping();
    expect(lock).toBeDefined();
    await fresh.dispose();
  });
});

const JOBS = [
  'kaspi:poll kaspi:reconcile kaspi:push onec:export onec:import retail:sync-calls retail:sync-history amo:refresh-token',
  'leads:push passport:sync tbank:poll intake:drain watchdog audit tick migrate amo-token',
].flatMap((line) => line.split(' '));

test('no two locks share a file or a number', () => {
  expect(new Set(JOBS.map(lockSlug)).size).toBe(JOBS.length);
  expect(new Set(JOBS.map(lockNumber)).size).toBe(JOBS.length);
});

test('lock numbers stay what they were, or two versions of the program would not see each other', () => {
  expect(lockNumber('kaspi:poll')).toBe('3012241481520838689');
});
