import { statSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { sql } from 'kysely';
import { ExitCode } from '../../base/errors.ts';
import type { CoreSettings } from '../../config/settings.ts';
import { type Database, parseDatabaseUrl } from '../../state/database.ts';
import { getMeta } from '../../state/meta.ts';
import type { CommandContext } from '../define.ts';
import type { Findings } from './findings.ts';

const MIB = 1024 ** 2;
const DAY_MS = 86_400_000;
/** Below this a busy day's growth and a backup no longer fit. */
const DISK_WARNING = 500 * MIB;
/** Below this the next pass may find the disk full. */
const DISK_FAILURE = 50 * MIB;
/** SQLite moves the log into the database at 4 MiB; one that grows far beyond is kept open by a reader that never ends. */
const WAL_WARNING = 64 * MIB;

/** Size, disk, journal: what makes a database slow or full before it makes it stop. */
export async function checkDatabase(
  findings: Findings,
  database: Database,
  settings: CoreSettings,
  { environment, clock }: CommandContext,
): Promise<void> {
  const location = parseDatabaseUrl(settings.DATABASE_URL, environment.baseDir);
  if (location.dialect === 'sqlite') await checkFile(findings, database, location.path);
  await checkSize(findings, database, settings, clock.now());
}

async function checkFile(findings: Findings, database: Database, path: string): Promise<void> {
  const { bavail, bsize } = await statfs(dirname(path));
  checkDisk(findings, bavail * bsize);
  const { rows } = await sql<{ journal_mode: string }>`PRAGMA journal_mode`.execute(database.db);
  const mode = rows[0]?.journal_mode ?? 'unknown';
  const wal = sizeOf(`${path}-wal`);
  if (mode !== 'wal') {
    findings.warn(
      'journal',
      `the database works in mode ${mode}: reading waits for writing`,
      'The next pass switches to WAL by itself; if this returns, the folder does not allow the files that WAL needs.',
    );
  } else if (wal > WAL_WARNING) {
    findings.warn(
      'journal',
      `WAL of ${mib(wal)}: something keeps the database open and lets it grow`,
      'Look for a program that has hung with the database open, e.g. with `fuser` or `lsof`, and end it.',
    );
  } else {
    findings.ok('journal', `WAL of ${mib(wal)}`);
  }
}

/** `free` in bytes. */
export function checkDisk(findings: Findings, free: number): void {
  const message = `${mib(free)} free beside the database`;
  const remedy = 'Make room: old logs first; then backups.';
  if (free < DISK_FAILURE) findings.wrong('disk', message, remedy, ExitCode.Unavailable);
  else if (free < DISK_WARNING) findings.warn('disk', message, remedy);
  else findings.ok('disk', message);
}

/** By the highest number, for rows are never deleted and counting millions of them would take seconds. */
async function checkSize(findings: Findings, { db }: Database, settings: CoreSettings, now: Date): Promise<void> {
  const row = await db
    .selectFrom('outbox')
    .select((eb) => eb.fn.max('id').as('last'))
    .executeTakeFirst();
  const message = `${row?.last ?? 0} effects planned so far; their contents are dropped after ${settings.OUTBOX_KEEP_DAYS} days`;
  const pruned = await getMeta(db, 'pruned_at');
  if (pruned !== undefined && now.getTime() - Date.parse(pruned) > 3 * DAY_MS) {
    const late = `${message}, but that was last done on ${pruned.slice(0, 10)}`;
    findings.warn('outbox', late, 'It is done at the end of a pass, once a day: see whether passes end at all.');
  } else {
    findings.ok('outbox', message);
  }
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

function mib(bytes: number): string {
  return `${Math.round(bytes / MIB)} MiB`;
}
