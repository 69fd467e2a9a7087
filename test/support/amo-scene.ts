import { silentLogger } from '../../src/base/log.ts';
import type { Effect, Revision } from '../../src/domain/effect.ts';
import { type Counts, deliver } from '../../src/runner/deliver.ts';
import type { AmocrmOptions } from '../../src/sandbox/amocrm.ts';
import { amoMemory } from '../../src/state/amo-memory.ts';
import { linkStates, remoteIds, takeRevision } from '../../src/state/links.ts';
import { storeEffects } from '../../src/state/outbox.ts';
import { amocrmClient } from '../../src/systems/amocrm/client.ts';
import { amoEffects } from '../../src/systems/amocrm/effects/index.ts';
import { peopleIndex } from '../../src/systems/amocrm/effects/people-index.ts';
import { amoWorld, bearerOf } from './amocrm.ts';
import { freshDatabase } from './databases.ts';

export type AmoScene = Awaited<ReturnType<typeof amoScene>>;

/** An amoCRM stand-in, an empty database, and effects delivered from it by the real runner, a run at a time. */
export async function amoScene(options: Partial<AmocrmOptions> = {}) {
  const world = await amoWorld(options);
  const fresh = await freshDatabase('sqlite');
  const { database } = fresh;
  const { standin } = world.amo;
  const token = standin.credentials().long_lived_token;
  let runs = 0;

  /** What one process would hold. */
  function parts() {
    const client = amocrmClient(world.http(bearerOf(token)));
    const memory = amoMemory(database, world.clock);
    const signal = new AbortController().signal;
    const index = peopleIndex({ client, memory, country: 'RU', now: world.clock.now, signal });
    return { client, memory, index, signal };
  }

  async function store(effects: readonly Effect[], lookFirst = false): Promise<void> {
    const plain = effects.filter((effect) => effect.revises === undefined);
    const updates = effects.filter((effect): effect is Effect & { revises: Revision } => effect.revises !== undefined);
    await database.transaction(async (tx) => {
      await storeEffects(tx, 'test', plain, lookFirst, world.clock.now());
      for (const effect of updates) await takeRevision(tx, effect.revises, world.clock.now());
      await storeEffects(tx, 'test', updates, false, world.clock.now());
    });
  }

  /** One run over all that is stored; `requests`: what it asked of amoCRM. */
  async function run(): Promise<{ counts: Counts; requests: string[] }> {
    const { client, memory, index, signal } = parts();
    const counts: Counts = { fetched: 0, created: 0, updated: 0, skipped: 0, failed: 0 };
    world.amo.journal.splice(0);
    runs += 1;
    await deliver({
      database,
      job: 'test',
      runId: runs,
      clock: world.clock,
      signal,
      log: silentLogger,
      counts,
      handlers: amoEffects({ client, memory, index, country: 'RU', zone: 'UTC' }),
      quietMs: 1000,
      requestMs: 1000,
      maxChanges: 0,
      guard: async () => undefined,
    });
    return {
      counts,
      requests: world.amo.journal.map(({ method, path }) => `${method} ${path.replace('/api/v4', '')}`),
    };
  }

  return {
    world,
    standin,
    database,
    parts,
    store,
    run,
    /** Stores these and delivers them. */
    deliver: async (effects: readonly Effect[], lookFirst = false) => {
      await store(effects, lookFirst);
      return run();
    },
    /** The remote id that a key is bound to. */
    idOf: async (key: string) => {
      const id = (await remoteIds(database.db, [key])).get(key);
      return id === undefined ? undefined : Number(id);
    },
    linkOf: async (key: string) => (await linkStates(database.db, [key])).get(key),
    alerts: async () =>
      (await database.db.selectFrom('alerts').select(['kind', 'subject']).execute()).map((row) => row),
    /** Adds a custom field as an administrator would; its id. `of`: `contacts`, `catalogs/5501`, … */
    addField: async (of: string, field: { name: string; type: string; code?: string; enums?: object[] }) => {
      const response = await fetch(`${world.amo.url}/api/v4/${of}/custom_fields`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify([field]),
      });
      const body = (await response.json()) as { _embedded: { custom_fields: { id: number }[] } };
      return body._embedded.custom_fields[0]?.id ?? 0;
    },
    close: async () => {
      await world.close();
      await fresh.dispose();
    },
  };
}
