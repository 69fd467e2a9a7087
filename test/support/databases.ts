import { accessSync, constants } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inject } from 'vitest';
import { type Database, openDatabase } from '../../src/state/database.ts';
import { migrate } from '../../src/state/migrate.ts';

export const dialects = ['sqlite', 'postgres'] as const;

export type Dialect = (typeof dialects)[number];

/** A place for a database that exists (PostgreSQL) or may be made (SQLite), still without a schema unless asked for. */
export interface DatabasePlace {
  url: string;
  /** A folder of its own; SQLite's file is `integrator.db` in it. */
  dir: string;
  dispose(): Promise<void>;
}

export interface FreshDatabase extends DatabasePlace {
  database: Database;
}

async function askControl(method: 'POST' | 'DELETE', query: Record<string, string>): Promise<string> {
  const address = `${inject('postgresControl')}?${new URLSearchParams(query)}`;
  const response = await fetch(address, { method, headers: { connection: 'close' } });
  const text = await response.text();
  if (!response.ok) throw new Error(text);
  return text;
}

/** Memory where the system offers it: processes are killed here, never the machine, and a disk makes every commit wait. */
function scratch(): string {
  try {
    accessSync('/dev/shm', constants.W_OK);
    return '/dev/shm';
  } catch {
    return tmpdir();
  }
}

let sqliteTemplate: Promise<Buffer> | undefined;

/** The bytes of a migrated database, kept in memory: migrating anew for each test would cost a dozen syncs of the disk. */
async function makeSqliteTemplate(): Promise<Buffer> {
  const dir = await mkdtemp(join(tmpdir(), 'sdelka-template-'));
  try {
    await migrate({ url: 'sqlite:template.db', baseDir: dir, create: true });
    return await readFile(join(dir, 'template.db'));
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** A place without a schema. */
export async function emptyPlace(dialect: Dialect): Promise<DatabasePlace> {
  return makePlace(dialect, false);
}

/** A migrated place that nobody has opened. */
export async function migratedPlace(dialect: Dialect): Promise<DatabasePlace> {
  return makePlace(dialect, true);
}

async function makePlace(dialect: Dialect, migrated: boolean): Promise<DatabasePlace> {
  const dir = await mkdtemp(join(scratch(), 'sdelka-test-'));
  const removeDir = () => rm(dir, { recursive: true, force: true });
  if (dialect === 'sqlite') {
    if (migrated) {
      sqliteTemplate ??= makeSqliteTemplate();
      await writeFile(join(dir, 'integrator.db'), await sqliteTemplate, { mode: 0o600 });
    }
    return { url: `sqlite:${join(dir, 'integrator.db')}`, dir, dispose: removeDir };
  }
  const url = await askControl('POST', { template: migrated ? 'migrated' : 'none' });
  const name = new URL(url).pathname.slice(1);
  return {
    url,
    dir,
    dispose: async () => {
      await askControl('DELETE', { name });
      await removeDir();
    },
  };
}

/** A migrated database of its own, opened; `dispose` closes and removes it. */
export async function freshDatabase(dialect: Dialect): Promise<FreshDatabase> {
  const place = await makePlace(dialect, true);
  const database = await openDatabase({ url: place.url, baseDir: place.dir });
  return {
    ...place,
    database,
    dispose: async () => {
      await database.close();
      await place.dispose();
    },
  };
}
