import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Database, openDatabase, parseDatabaseUrl } from '../../src/state/database.ts';
import { dialects, type FreshDatabase, freshDatabase } from '../support/databases.ts';

const INSTANT = '2026-05-01T10:00:00.250Z';

describe.each(dialects)('%s', (dialect) => {
  let fresh: FreshDatabase;
  let database: Database;
  beforeAll(async () => {
    fresh = await freshDatabase(dialect);
    database = fresh.database;
  });
  afterAll(() => fresh.dispose());

  test('values come back as they went in, of the same types on both', async () => {
    const { db } = database;
    await db
      .insertInto('kaspi_orders')
      .values({
        order_code: '1019876543',
        kaspi_id: 'MTAx',
        state: 'NEW',
        status: 'APPROVED_BY_BANK',
        total_price: 12990.5,
        ordered_at: INSTANT,
        created_at: INSTANT,
        updated_at: INSTANT,
      })
      .execute();
    await db
      .insertInto('links')
      .values({
        key: 'amocrm:deal:kaspi:1019876543',
        kind: 'amocrm.deal',
        remote_id: '9007199254740991',
        created_at: INSTANT,
        updated_at: INSTANT,
      })
      .execute();
    expect(await db.selectFrom('processed_orders').selectAll().executeTakeFirst()).toEqual({
      order_code: '1019876543',
      kaspi_id: 'MTAx',
      lead_id: Number.MAX_SAFE_INTEGER,
      contact_id: null,
      state: 'NEW',
      status: 'APPROVED_BY_BANK',
      total_price: 12990.5,
      created_at: INSTANT,
      updated_at: INSTANT,
    });
    const sums = await db
      .selectFrom('kaspi_orders')
      .select((column) => [
        column.fn.countAll<number>().as('count'),
        column.fn.sum<number>('total_price').as('total'),
        column.fn.sum<number>('final').as('final'),
        column.fn.max('ordered_at').as('newest'),
      ])
      .executeTakeFirst();
    expect(sums).toEqual({ count: 1, total: 12990.5, final: 0, newest: INSTANT });
    const changed = await db.updateTable('kaspi_orders').set({ final: 1 }).where('final', '=', 0).executeTakeFirst();
    expect(changed.numUpdatedRows).toBe(1n);
    const { id } = await db
      .insertInto('alerts')
      .values({ kind: 'k', opened_at: INSTANT, message: 'm' })
      .returning('id')
      .executeTakeFirstOrThrow();
    expect(id).toBe(1);
    await db.insertInto('daily_stats').values({ date: '2026-05-01', job: 'j' }).execute();
    expect((await db.selectFrom('daily_stats').select('date').executeTakeFirst())?.date).toBe('2026-05-01');
  });

  test('an integer that a number cannot hold is an error, not a near miss', async () => {
    if (dialect === 'sqlite') return;
    await expect(sql`SELECT 9007199254740993::bigint`.execute(database.db)).rejects.toMatchObject({ exit: 70 });
  });

  test('a statement from elsewhere does not slip into an open transaction', async () => {
    const { db } = database;
    let reached: () => void = () => undefined;
    const inside = new Promise<void>((resolve) => {
      reached = resolve;
    });
    let finish: () => void = () => undefined;
    const mayFail = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const failing = database.transaction(async (tx) => {
      await tx.insertInto('meta').values({ key: 'inside', value: '', updated_at: INSTANT }).execute();
      reached();
      await mayFail;
      throw new Error('undo');
    });
    await inside;
    const outside = db.insertInto('meta').values({ key: 'outside', value: '', updated_at: INSTANT }).execute();
    finish();
    await expect(failing).rejects.toThrow('undo');
    await outside;
    expect(await db.selectFrom('meta').select('key').where('key', 'in', ['inside', 'outside']).execute()).toEqual([
      { key: 'outside' },
    ]);
  });

  test('transactions of one process and of two connections lose no update', async () => {
    const other = await openDatabase({ url: fresh.url, baseDir: fresh.dir });
    await database.db.insertInto('meta').values({ key: 'count', value: '0', updated_at: INSTANT }).execute();
    // On PostgreSQL the row's lock, on SQLite the write lock that each transaction starts with, makes the second wait.
    const add = (target: Database) =>
      target.transaction(async (tx) => {
        await tx.updateTable('meta').set({ updated_at: INSTANT }).where('key', '=', 'count').execute();
        const { value } = await tx
          .selectFrom('meta')
          .select('value')
          .where('key', '=', 'count')
          .executeTakeFirstOrThrow();
        await tx
          .updateTable('meta')
          .set({ value: String(Number(value) + 1) })
          .where('key', '=', 'count')
          .execute();
      });
    if (dialect === 'sqlite') {
      // Two connections in one process would block each other's event loop; that two processes do not is in rate.test.ts.
      await Promise.all(Array.from({ length: 10 }, () => add(database)));
      for (let i = 0; i < 10; i++) await add(other);
    } else {
      await Promise.all(Array.from({ length: 20 }, (_, i) => add(i % 2 ? database : other)));
    }
    const row = await database.db.selectFrom('meta').select('value').where('key', '=', 'count').executeTakeFirst();
    expect(row?.value).toBe('20');
    await other.close();
  });

  test('a transaction in which a statement failed is never taken for committed', async () => {
    const outcome = database.transaction(async (tx) => {
      await tx.insertInto('meta').values({ key: 'lost', value: '', updated_at: INSTANT }).execute();
      await sql`SELECT * FROM nowhere`.execute(tx).catch(() => undefined);
    });
    const read = () => database.db.selectFrom('meta').select('key').where('key', '=', 'lost').executeTakeFirst();
    if (dialect === 'sqlite') {
      await outcome;
      expect(await read()).toEqual({ key: 'lost' });
    } else {
      await expect(outcome).rejects.toMatchObject({ exit: 70 });
      expect(await read()).toBeUndefined();
    }
  });

  test('a read-only database reads, writes nothing, locks nothing', async () => {
    await database.db.insertInto('meta').values({ key: 'seen', value: '1', updated_at: INSTANT }).execute();
    const reader = await openDatabase({ url: fresh.url, baseDir: fresh.dir, readOnly: true });
    const read = (from: Database) => from.db.selectFrom('meta').select('value').where('key', '=', 'seen').execute();
    expect(await read(reader)).toEqual([{ value: '1' }]);
    const write = { key: 'dry', value: '', updated_at: INSTANT };
    const refusal = { code: 'DATABASE_READ_ONLY', exit: 70 };
    await expect(reader.db.insertInto('meta').values(write).execute()).rejects.toMatchObject(refusal);
    const inside = reader.transaction((tx) => tx.insertInto('meta').values(write).execute());
    await expect(inside).rejects.toMatchObject(refusal);
    await expect(reader.lock('kaspi:poll')).rejects.toMatchObject({ exit: 70 });
    expect(
      await reader.transaction((tx) => tx.selectFrom('meta').select('value').where('key', '=', 'seen').execute()),
    ).toEqual([{ value: '1' }]);
    // What others write meanwhile is seen: no snapshot is held between statements.
    await database.db.updateTable('meta').set({ value: '2' }).where('key', '=', 'seen').execute();
    expect(await read(reader)).toEqual([{ value: '2' }]);
    await reader.close();
  });

  test('errors and description hold no password', () => {
    const password = dialect === 'postgres' ? new URL(fresh.url).password : 'none';
    expect(database.description).not.toContain(password);
    expect(database.description).toMatch(
      dialect === 'sqlite' ? /^SQLite \/.*integrator\.db$/ : /^PostgreSQL 127\.0\.0\.1:\d+\/sdelka_\d+$/,
    );
  });
});

test('both dialects hold the same tables and columns', async () => {
  const [sqlite, postgres] = await Promise.all(
    dialects.map(async (dialect) => {
      const fresh = await freshDatabase(dialect);
      const tables = await fresh.database.db.introspection.getTables();
      await fresh.dispose();
      return tables
        .filter((table) => !table.name.startsWith('sqlite_'))
        .map(
          ({ name, isView, columns }) =>
            `${isView ? 'view' : 'table'} ${name}: ${columns.map((c) => c.name).join(' ')}`,
        )
        .sort();
    }),
  );
  expect(sqlite?.length).toBeGreaterThanOrEqual(23);
  expect(postgres).toEqual(sqlite);
});

test.each([
  ['sqlite:integrator.db', { dialect: 'sqlite', path: '/base/integrator.db' }],
  ['sqlite:../up.db', { dialect: 'sqlite', path: '/up.db' }],
  ['sqlite:/var/lib/a.db', { dialect: 'sqlite', path: '/var/lib/a.db' }],
  ['sqlite:///var/lib/a.db', { dialect: 'sqlite', path: '/var/lib/a.db' }],
  [' postgres://u:p@h/d ', { dialect: 'postgres', url: 'postgres://u:p@h/d' }],
  ['postgresql://h/d', { dialect: 'postgres', url: 'postgresql://h/d' }],
])('address %s', (url, location) => {
  expect(parseDatabaseUrl(url, '/base')).toEqual(location);
});

test.each([
  '',
  'integrator.db',
  'mysql://u:s3cret@h/d',
  'sqlite:',
  'sqlite::memory:',
  'sqlite://host/a.db',
  'postgres://u:s3cret@h:port/d',
])('address %s is refused without being repeated', (url) => {
  const attempt = () => parseDatabaseUrl(url, '/base');
  expect(attempt).toThrow(expect.objectContaining({ code: 'DATABASE_URL_INVALID', exit: 78 }));
  expect(attempt).not.toThrow(/s3cret/);
});
