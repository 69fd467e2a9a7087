import type { CoreSettings } from '../config/settings.ts';
import type { Database, Tx } from '../state/database.ts';
import type { CommandContext } from './define.ts';

/**
 * Opens the database for reading, does the work and closes it again. 78 where there is none or its schema is not this
 * program's; no byte of it changes. The database layer is loaded here, not with the command.
 */
export async function readState<T>(
  ctx: CommandContext,
  settings: Pick<CoreSettings, 'DATABASE_URL'>,
  work: (database: Database) => Promise<T>,
): Promise<T> {
  const [{ openDatabase }, { requireSchema }] = await Promise.all([
    import('../state/database.ts'),
    import('../state/migrate.ts'),
  ]);
  const database = await openDatabase({
    url: settings.DATABASE_URL,
    baseDir: ctx.environment.baseDir,
    readOnly: true,
  });
  try {
    await requireSchema(database);
    return await work(database);
  } finally {
    await database.close();
  }
}

/**
 * Opens the database for one transaction. `write` does its work, or nothing in a dry run, which opens the database for
 * reading only and gives undefined.
 */
export async function changeState<T>(
  ctx: CommandContext,
  settings: Pick<CoreSettings, 'DATABASE_URL'>,
  work: (tx: Tx, write: <W>(change: () => Promise<W>) => Promise<W | undefined>) => Promise<T>,
): Promise<T> {
  if (ctx.globals.dryRun) return readState(ctx, settings, ({ db }) => work(db, async () => undefined));
  const [{ openDatabase }, { requireSchema }] = await Promise.all([
    import('../state/database.ts'),
    import('../state/migrate.ts'),
  ]);
  const database = await openDatabase({ url: settings.DATABASE_URL, baseDir: ctx.environment.baseDir });
  try {
    await requireSchema(database);
    return await database.transaction((tx) => work(tx, (change) => change()));
  } finally {
    await database.close();
  }
}
