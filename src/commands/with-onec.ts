import type { Mapping } from '../config/mapping.ts';
import { loadMapping } from '../config/mapping.ts';
import { type CoreSettings, coreSettings, readSettings } from '../config/settings.ts';
import { httpCore } from '../http/core.ts';
import { type Database, openDatabase } from '../state/database.ts';
import { requireSchema } from '../state/migrate.ts';
import { type AmoSettings, amoSettings } from '../systems/amocrm/settings.ts';
import { type OnecSettings, onecSettings } from '../systems/onec/settings.ts';
import { type AmoParts, amoParts } from './amo-parts.ts';
import type { CommandContext } from './define.ts';
import { type OnecParts, onecMapping, onecParts } from './onec-parts.ts';
import { USER_AGENT } from './user-agent.ts';

/** Both sides of the 1C stream for a command. */
export interface OnecAtHand {
  onec: OnecParts;
  amo: AmoParts;
  settings: CoreSettings & OnecSettings & AmoSettings;
  mapping: Mapping;
  database: Database;
}

/** Does work with 1C and amoCRM outside a job. `readOnly`: as in a dry run, nothing is written anywhere. */
export async function withOnec<T>(
  ctx: CommandContext,
  { readOnly }: { readOnly: boolean },
  work: (given: OnecAtHand) => Promise<T>,
): Promise<T> {
  const { environment, globals, log, clock, signal } = ctx;
  const settings = readSettings(environment, [coreSettings, onecSettings, amoSettings]);
  const mapping = await loadMapping({ baseDir: environment.baseDir, file: globals.mappingFile });
  const part = onecMapping(mapping);
  const database = await openDatabase({ url: settings.DATABASE_URL, baseDir: environment.baseDir, readOnly });
  const core = httpCore({ clock, signal, userAgent: USER_AGENT, log });
  const onec = onecParts({ settings, mapping: part, database, core, clock, log, dryRun: readOnly });
  try {
    await requireSchema(database);
    const amo = amoParts({ settings, database, core, clock, log, signal, dryRun: readOnly });
    return await work({ onec, amo, settings, mapping, database });
  } finally {
    await onec.close();
    core.close();
    await database.close();
  }
}
