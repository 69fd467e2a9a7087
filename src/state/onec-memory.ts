import type { Clock } from '../base/clock.ts';
import { amoMemory, newestBound, overlayMemory } from './amo-memory.ts';
import type { Database, Tx } from './database.ts';

/** What the 1C stream remembers between runs; a dry run keeps its writes in memory. */
export function onecMemory(database: Database, clock: Clock, dryRun: boolean) {
  const durable = amoMemory(database, clock);
  const { cached, fact, setFact } = dryRun ? overlayMemory(durable) : durable;
  return {
    cached,
    fact,
    setFact,
    controls: (kind: string, before: Date) => newestBound(database.db, kind, before),
    knownMark: (set: string) => knownMark(database.db, set),
  };
}

/** An object of the set whose id we have written into 1C: its link's remote id reads `<set>:<ref>`. */
async function knownMark(tx: Tx, set: string): Promise<string | undefined> {
  const row = await tx
    .selectFrom('links')
    .select('remote_id')
    .where('kind', '=', 'onec.id')
    .where('remote_id', 'like', `${set}:%`)
    .limit(1)
    .executeTakeFirst();
  return row?.remote_id.slice(set.length + 1);
}
