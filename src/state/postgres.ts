import { createHash } from 'node:crypto';
import { Socket } from 'node:net';
import {
  type CompiledQuery,
  type DatabaseConnection,
  type Driver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type QueryResult,
} from 'kysely';
import { Client, type ClientConfig, Pool, type PoolClient } from 'pg';
import { assert, configError } from '../base/errors.ts';
import type { Database, Lock, LockOptions } from './database.ts';
import { lockLost, pollForLock } from './locks.ts';
import { isConnectionFault, type PostgresPlace, translatePostgresError } from './postgres-errors.ts';
import { postgresTypes } from './postgres-types.ts';
import type { Tables } from './tables.ts';

const CONNECT_TIMEOUT_MS = 10_000;
/** A server that vanished without a word must not hold a job for ever; our statements take milliseconds. */
const QUERY_TIMEOUT_MS = 60_000;
const MAX_CONNECTIONS = 4;

export interface PostgresOptions {
  url: string;
  readOnly: boolean;
}

/**
 * The address with `sslmode` meaning what libpq (psql, hosts' control panels) means by it: `require` encrypts without checking the
 * certificate. Without the switch pg takes it for `verify-full` and prints a warning to stderr, where every line has to be JSON.
 */
function libpqUrl(text: string): string {
  const url = new URL(text);
  const mode = url.searchParams.get('sslmode');
  if (mode !== null && /^(prefer|require|verify-ca)$/.test(mode) && !url.searchParams.has('uselibpqcompat')) {
    url.searchParams.set('uselibpqcompat', 'true');
  }
  return url.href;
}

function configFor(url: string, applicationName: string): ClientConfig {
  return {
    connectionString: libpqUrl(url),
    application_name: applicationName,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    types: postgresTypes,
  };
}

/**
 * The sockets that pg opens, so that they can be destroyed where connecting fails: pg leaves some half open (asked for a password that it
 * does not have), and such a one keeps the process alive until the server gives up, a minute later.
 */
function socketKeeper() {
  const sockets = new Set<Socket>();
  const stream = () => {
    const socket = new Socket();
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    return socket;
  };
  const destroy = () => {
    for (const socket of sockets) socket.destroy();
  };
  return { stream, destroy };
}

/** Where the address points, by pg's own reading of it (environment defaults included). */
function placeOf(options: PostgresOptions): PostgresPlace {
  try {
    const { host, port, database } = new Client(configFor(options.url, 'sdelka'));
    return { where: `${host}:${port}/${database ?? ''}`, readOnly: options.readOnly };
  } catch {
    // The error is not passed on: it may repeat the address.
    throw configError(
      'DATABASE_URL_INVALID',
      'DATABASE_URL has options that cannot be used',
      'Check sslmode, sslrootcert and the port; sslmode=verify-ca needs sslrootcert.',
    );
  }
}

class PostgresConnection implements DatabaseConnection {
  readonly client: PoolClient;
  readonly #place: PostgresPlace;
  broken = false;

  constructor(client: PoolClient, place: PostgresPlace) {
    this.client = client;
    this.#place = place;
  }

  /** Runs one statement; gives its command tag too, which COMMIT needs. */
  async run<R>(sql: string, parameters: readonly unknown[] = []): Promise<QueryResult<R> & { command: string }> {
    try {
      const { command, rowCount, rows } = await this.client.query(sql, [...parameters]);
      const changed = /^(INSERT|UPDATE|DELETE|MERGE)$/.test(command);
      return { command, rows: rows as R[], ...(changed ? { numAffectedRows: BigInt(rowCount ?? 0) } : {}) };
    } catch (error) {
      const translated = translatePostgresError(error, this.#place);
      if (isConnectionFault(translated)) this.broken = true;
      throw translated;
    }
  }

  executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    return this.run<R>(query.sql, query.parameters);
  }

  // biome-ignore lint/correctness/useYield: Kysely's interface asks for the method; nothing here streams.
  async *streamQuery<R>(): AsyncIterableIterator<QueryResult<R>> {
    assert(false, 'queries are not streamed');
  }
}

/**
 * Kysely's interface over pg's pool. On a read-only database each use of a connection is one READ ONLY transaction, rolled back at
 * its end: unlike a session's `default_transaction_read_only`, this holds behind a pooling proxy and leaves nothing in its sessions.
 */
class PostgresDriver implements Driver {
  readonly #pool: Pool;
  readonly #place: PostgresPlace;

  constructor(pool: Pool, place: PostgresPlace) {
    this.#pool = pool;
    this.#place = place;
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<PostgresConnection> {
    const client = await this.#pool.connect().catch((error: unknown) => {
      throw translatePostgresError(error, this.#place);
    });
    const connection = new PostgresConnection(client, this.#place);
    if (!this.#place.readOnly) return connection;
    try {
      await connection.run('BEGIN READ ONLY');
      return connection;
    } catch (error) {
      client.release(true);
      throw error;
    }
  }

  async beginTransaction(connection: PostgresConnection): Promise<void> {
    if (!this.#place.readOnly) await connection.run('BEGIN');
  }

  async commitTransaction(connection: PostgresConnection): Promise<void> {
    if (this.#place.readOnly) return;
    const { command } = await connection.run('COMMIT');
    // To the COMMIT of a transaction in which a statement failed, PostgreSQL answers ROLLBACK, and no error.
    assert(command === 'COMMIT', 'a transaction in which a statement had failed was committed');
  }

  async rollbackTransaction(connection: PostgresConnection): Promise<void> {
    if (this.#place.readOnly) return;
    // What failed before tells more than a failing rollback would; the connection is thrown away then, which rolls back too.
    await connection.run('ROLLBACK').catch(() => {
      connection.broken = true;
    });
  }

  async releaseConnection(connection: PostgresConnection): Promise<void> {
    if (this.#place.readOnly) {
      await connection.run('ROLLBACK').catch(() => {
        connection.broken = true;
      });
    }
    connection.client.release(connection.broken);
  }

  async destroy(): Promise<void> {
    if (!this.#pool.ended) await this.#pool.end();
  }
}

/** A lock's number: the first 64 bits of the name's SHA-256, signed, as text. */
export function lockNumber(name: string): string {
  return createHash('sha256').update(`sdelka:${name}`).digest().readBigInt64BE(0).toString();
}

// Only those that the server knows are set (transaction_timeout came with version 17). The time-outs would end a lock that is
// idle by nature. The keepalives let the server notice in two minutes, not two hours, that the holder's host is gone.
const LOCK_BEGIN = `
  BEGIN;
  SELECT set_config(s.name, v.value, true)
  FROM (VALUES ('idle_in_transaction_session_timeout', '0'), ('transaction_timeout', '0'),
    ('tcp_keepalives_idle', '60'), ('tcp_keepalives_interval', '10'), ('tcp_keepalives_count', '6')) AS v (name, value)
  JOIN pg_settings s ON s.name = v.name`;

async function connect(config: ClientConfig, place: PostgresPlace, onLost: () => void): Promise<Client> {
  const { stream, destroy } = socketKeeper();
  const client = new Client({ ...config, stream });
  // Without a listener the loss of an idle connection would end the process.
  client.on('error', onLost);
  client.on('end', onLost);
  try {
    await client.connect();
    return client;
  } catch (error) {
    destroy();
    throw translatePostgresError(error, place);
  }
}

function advisoryLock(name: string, client: Client, isLost: () => boolean, held: Set<Lock>): Lock {
  let released = false;
  const lock: Lock = {
    name,
    async ping() {
      if (released || isLost()) throw lockLost(name);
      await client.query('SELECT 1').catch(() => {
        throw lockLost(name);
      });
    },
    async release() {
      if (released) return;
      released = true;
      held.delete(lock);
      // Rolled back before the connection ends, for the server notices an end only after a while, and the next
      // holder may ask at once. If the connection is gone, so is the lock.
      await client.query('ROLLBACK').catch(() => undefined);
      await client.end().catch(() => undefined);
    },
  };
  held.add(lock);
  return lock;
}

/**
 * A transaction-level advisory lock in a transaction kept open on a connection of its own: unlike a session-level one it also holds
 * behind a proxy that pools transactions.
 */
async function takeLock(
  url: string,
  place: PostgresPlace,
  held: Set<Lock>,
  name: string,
  options?: LockOptions,
): Promise<Lock | undefined> {
  let lost = false;
  const config = { ...configFor(url, `sdelka ${name}`), query_timeout: CONNECT_TIMEOUT_MS };
  const client = await connect(config, place, () => {
    lost = true;
  });
  try {
    await client.query(LOCK_BEGIN);
    const had = await pollForLock(async () => {
      const { rows } = await client.query<{ had: boolean }>('SELECT pg_try_advisory_xact_lock($1::bigint) AS had', [
        lockNumber(name),
      ]);
      return rows[0]?.had === true ? true : undefined;
    }, options);
    if (had) return advisoryLock(name, client, () => lost, held);
    await client.end();
    return undefined;
  } catch (error) {
    await client.end().catch(() => undefined);
    throw translatePostgresError(error, place);
  }
}

/** On a connection of its own, since making an index may take longer than QUERY_TIMEOUT_MS; its end rolls back what is open. */
async function runScript(url: string, place: PostgresPlace, sql: string): Promise<void> {
  const client = await connect(configFor(url, 'sdelka migrate'), place, () => undefined);
  try {
    await client.query(sql);
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw translatePostgresError(error, place);
  } finally {
    await client.end().catch(() => undefined);
  }
}

function openPool(url: string, stream: () => Socket): Pool {
  const config = { ...configFor(url, 'sdelka'), stream };
  const pool = new Pool({ ...config, max: MAX_CONNECTIONS, query_timeout: QUERY_TIMEOUT_MS });
  // Without listeners the loss of a connection would end the process: the pool tells of idle ones and replaces them, those in
  // use tell of themselves, between statements too; the next statement fails then.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));
  return pool;
}

function kyselyOver(driver: Driver): Kysely<Tables> {
  return new Kysely<Tables>({
    dialect: {
      createAdapter: () => new PostgresAdapter(),
      createDriver: () => driver,
      createIntrospector: (db) => new PostgresIntrospector(db),
      createQueryCompiler: () => new PostgresQueryCompiler(),
    },
  });
}

/** Opens a PostgreSQL database and connects once, so that a wrong address shows itself here; see `openDatabase` for the errors. */
export async function openPostgres(options: PostgresOptions): Promise<Database> {
  const { url, readOnly } = options;
  const place = placeOf(options);
  const { stream, destroy } = socketKeeper();
  const pool = openPool(url, stream);
  const driver = new PostgresDriver(pool, place);
  try {
    await driver.releaseConnection(await driver.acquireConnection());
  } catch (error) {
    destroy();
    await pool.end();
    throw error;
  }
  const db = kyselyOver(driver);
  const held = new Set<Lock>();
  return {
    dialect: 'postgres',
    db,
    description: `PostgreSQL ${place.where}`,
    transaction: (work) => db.transaction().execute(work),
    async lock(name, lockOptions) {
      assert(!readOnly, 'a read-only database takes no locks');
      return takeLock(url, place, held, name, lockOptions);
    },
    script: (sql) => runScript(url, place, sql),
    async close() {
      for (const lock of [...held]) await lock.release();
      await driver.destroy();
    },
  };
}
