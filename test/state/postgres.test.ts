import { createServer, type Server } from 'node:net';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Database, openDatabase } from '../../src/state/database.ts';
import { getMeta, setMeta } from '../../src/state/meta.ts';
import { translatePostgresError } from '../../src/state/postgres-errors.ts';
import { instantFromPostgres } from '../../src/state/postgres-types.ts';
import { type FreshDatabase, freshDatabase } from '../support/databases.ts';

const NOW = new Date('2026-05-01T10:00:00Z');

let fresh: FreshDatabase;
beforeAll(async () => {
  fresh = await freshDatabase('postgres');
});
afterAll(() => fresh.dispose());

function open(change: (url: URL) => void): Promise<Database> {
  const url = new URL(fresh.url);
  change(url);
  return openDatabase({ url: url.href, baseDir: fresh.dir });
}

/** A port on which `server` listens, or, without one, nobody. */
async function port(server?: Server): Promise<string> {
  const socket = server ?? createServer();
  await new Promise<void>((resolve) => socket.listen(0, '127.0.0.1', resolve));
  const address = socket.address();
  if (server === undefined) await new Promise((resolve) => socket.close(resolve));
  return typeof address === 'object' && address ? String(address.port) : '';
}

describe('opening', () => {
  test('nobody listens: 69', async () => {
    const nobody = await port();
    const opening = open((url) => {
      url.port = nobody;
    });
    await expect(opening).rejects.toMatchObject({ code: 'DATABASE_UNREACHABLE', kind: 'transient', exit: 69 });
  });

  test('the connection is dropped: 69', async () => {
    const rude = createServer((socket) => socket.destroy());
    const rudePort = await port(rude);
    const opening = open((url) => {
      url.port = rudePort;
    });
    await expect(opening).rejects.toMatchObject({ code: 'DATABASE_UNREACHABLE', exit: 69 });
    rude.close();
  });

  test('the host has no address: 69', async () => {
    const opening = open((url) => {
      url.hostname = 'no-such-host.invalid';
    });
    await expect(opening).rejects.toMatchObject({ code: 'DATABASE_UNREACHABLE', exit: 69 });
  });

  test('the password is refused: 77, and is not repeated', async () => {
    const opening = open((url) => {
      url.password = 'wr0ng-s3cret';
    });
    await expect(opening).rejects.toMatchObject({ code: 'DATABASE_REFUSED', exit: 77 });
    await expect(opening).rejects.not.toThrow(/s3cret/);
  });

  test('no password where one is asked for: 77', async () => {
    const opening = open((url) => {
      url.password = '';
    });
    await expect(opening).rejects.toMatchObject({ code: 'DATABASE_REFUSED', exit: 77 });
    // Nothing may stay half open: it would keep the process alive until the server gives up, after a minute.
    const halfOpen = () =>
      sql<{
        n: number;
      }>`SELECT count(*) AS n FROM pg_stat_activity WHERE backend_type = 'client backend' AND datname IS NULL`
        .execute(fresh.database.db)
        .then(({ rows }) => rows[0]?.n);
    await expect.poll(halfOpen, { timeout: 10_000 }).toBe(0);
  });

  test('an unknown database: 78', async () => {
    const opening = open((url) => {
      url.pathname = '/nowhere';
    });
    await expect(opening).rejects.toMatchObject({ code: 'DATABASE_MISSING', exit: 78 });
  });

  test('TLS asked of a server that has none: 78', async () => {
    const opening = open((url) => url.searchParams.set('sslmode', 'require'));
    await expect(opening).rejects.toMatchObject({ code: 'DATABASE_TLS', exit: 78 });
  });

  test('TLS options that cannot be used: 78, and the address is not repeated', async () => {
    const opening = open((url) => url.searchParams.set('sslrootcert', '/no/such/file.pem'));
    await expect(opening).rejects.toMatchObject({ code: 'DATABASE_URL_INVALID', exit: 78 });
    await expect(opening).rejects.not.toThrow(new URL(fresh.url).password);
  });
});

test('a connection lost in the middle is 69, and the next statement has a new one', async () => {
  const database = await openDatabase({ url: fresh.url, baseDir: fresh.dir });
  const lost = database.transaction(async (tx) => {
    await setMeta(tx, 'lost', 'x', NOW);
    const { rows } = await sql<{ pid: number }>`SELECT pg_backend_pid() AS pid`.execute(tx);
    await sql`SELECT pg_terminate_backend(${rows[0]?.pid})`.execute(fresh.database.db);
    await setMeta(tx, 'lost', 'y', NOW);
  });
  await expect(lost).rejects.toMatchObject({ code: 'DATABASE_UNREACHABLE', exit: 69 });
  expect(await getMeta(database.db, 'lost')).toBeUndefined();
  await database.close();
});

test('errors that nobody foresaw hold no values of rows', async () => {
  await setMeta(fresh.database.db, '+77001234567', 'x', NOW);
  const clash = fresh.database.db
    .insertInto('meta')
    .values({ key: '+77001234567', value: '', updated_at: NOW.toISOString() })
    .execute();
  const error = await clash.catch((caught: unknown) => caught);
  expect(error).toMatchObject({ code: '23505' });
  expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain('7700');
});

test.each([
  ['2026-05-01 15:00:00+05', '2026-05-01T10:00:00.000Z'],
  ['2026-05-01 15:00:00.5+05', '2026-05-01T10:00:00.500Z'],
  ['2026-05-01 15:30:00.123456+05:30', '2026-05-01T10:00:00.123Z'],
  ['2026-05-01 06:30:00.001-03:30', '2026-05-01T10:00:00.001Z'],
])('%s is %s', (text, instant) => {
  expect(instantFromPostgres(text)).toBe(instant);
});

test('an instant in another style is refused, not guessed', () => {
  expect(() => instantFromPostgres('01.05.2026 15:00:00 +05')).toThrow(expect.objectContaining({ exit: 70 }));
});

test.each([
  ['28P01', 'DATABASE_REFUSED', 77],
  ['53300', 'DATABASE_UNREACHABLE', 69],
  ['57P03', 'DATABASE_UNREACHABLE', 69],
  ['08006', 'DATABASE_UNREACHABLE', 69],
  ['ETIMEDOUT', 'DATABASE_UNREACHABLE', 69],
  ['42501', 'DATABASE_FORBIDDEN', 78],
  ['40P01', 'DATABASE_BUSY', 69],
  ['53100', 'DATABASE_DISK_FULL', 69],
  ['25006', 'DATABASE_NOT_WRITABLE', 69],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'DATABASE_TLS', 78],
])('%s becomes %s (%d)', (code, ours, exit) => {
  const error = Object.assign(new Error('password for "u" at postgres://u:s3cret@h'), { code });
  const translated = translatePostgresError(error, { where: 'h:5432/d', readOnly: false });
  expect(translated).toMatchObject({ code: ours, exit, message: expect.stringContaining('h:5432/d') });
  expect(translated).not.toMatchObject({ message: expect.stringContaining('s3cret') });
});
