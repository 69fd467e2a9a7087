import { loadMapping } from '../config/mapping.ts';
import { type CoreSettings, coreSettings, readSettings } from '../config/settings.ts';
import { httpCore } from '../http/core.ts';
import { type Database, openDatabase } from '../state/database.ts';
import { requireSchema } from '../state/migrate.ts';
import type { CommandContext } from './define.ts';
import { type EnterpriseNeed, enterpriseGroup, peekEnterprises } from './enterprise-settings.ts';
import { callsEnterprises, type EnterpriseParts, retailParts } from './retail-parts.ts';
import { USER_AGENT } from './user-agent.ts';

/** The enterprises of the calls' stream for a command. */
export interface RetailAtHand {
  enterprises: readonly EnterpriseParts[];
  settings: CoreSettings & Readonly<Record<string, unknown>>;
  database: Database;
}

/** Does work with RetailCRM's accounts or their PBXes outside a job. `readOnly`: as in a dry run, nothing is written anywhere. */
export async function withRetail<T>(
  ctx: CommandContext,
  { readOnly, needs }: { readOnly: boolean; needs: readonly EnterpriseNeed[] },
  work: (given: RetailAtHand) => Promise<T>,
): Promise<T> {
  const { environment, globals, log, clock, signal } = ctx;
  const { baseDir } = environment;
  const peeked = await peekEnterprises(environment, globals.mappingFile);
  const settings = readSettings(environment, [coreSettings, enterpriseGroup(peeked, needs)]) as CoreSettings &
    Readonly<Record<string, unknown>>;
  const enterprises = await callsEnterprises(await loadMapping({ baseDir, file: globals.mappingFile }));
  const database = await openDatabase({ url: settings.DATABASE_URL, baseDir, readOnly });
  const core = httpCore({ clock, signal, userAgent: USER_AGENT, log });
  const parts = retailParts({ enterprises, settings, baseDir, database, core, clock, log, signal, dryRun: readOnly });
  try {
    await requireSchema(database);
    return await work({ enterprises: parts.enterprises, settings, database });
  } finally {
    await parts.close();
    core.close();
    await database.close();
  }
}
