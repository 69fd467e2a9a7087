import { type CoreSettings, coreSettings, readSettings } from '../config/settings.ts';
import { httpCore } from '../http/core.ts';
import { type Database, openDatabase } from '../state/database.ts';
import { requireSchema } from '../state/migrate.ts';
import { type AmoSettings, amoSettings } from '../systems/amocrm/settings.ts';
import { type AmoParts, amoParts } from './amo-parts.ts';
import type { CommandContext } from './define.ts';
import { USER_AGENT } from './user-agent.ts';

/** Does work with amoCRM outside a job: database, shared budget and tokens as the jobs have them. */
export async function withAmo<T>(
  ctx: CommandContext,
  work: (amo: AmoParts, settings: CoreSettings & AmoSettings, database: Database) => Promise<T>,
): Promise<T> {
  const { environment, globals, log, clock, signal } = ctx;
  const settings = readSettings(environment, [coreSettings, amoSettings]);
  const database = await openDatabase({
    url: settings.DATABASE_URL,
    baseDir: environment.baseDir,
    readOnly: globals.dryRun,
  });
  const core = httpCore({ clock, signal, userAgent: USER_AGENT, log });
  try {
    await requireSchema(database);
    const amo = amoParts({ settings, database, core, clock, log, signal, dryRun: globals.dryRun });
    return await work(amo, settings, database);
  } finally {
    core.close();
    await database.close();
  }
}
