import type { Clock } from '../base/clock.ts';
import type { Database } from './database.ts';
import { getMeta, setMeta } from './meta.ts';

const KEY = 'mapping_read';

/** What stood in the mapping file that was read last, by the hash of its text; a dry run keeps nothing. */
export function mappingMemory(database: Database, clock: Clock, dryRun: boolean) {
  return {
    get: async (hash: string): Promise<unknown> => {
      const text = await getMeta(database.db, KEY);
      if (text === undefined) return undefined;
      const kept = JSON.parse(text) as { hash: string; value: unknown };
      return kept.hash === hash ? kept.value : undefined;
    },
    put: async (hash: string, value: unknown): Promise<void> => {
      if (dryRun) return;
      await setMeta(database.db, KEY, JSON.stringify({ hash, value }), clock.now());
    },
  };
}
