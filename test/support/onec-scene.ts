import { silentLogger } from '../../src/base/log.ts';
import { Secret } from '../../src/base/secret.ts';
import { readOnecMapping } from '../../src/config/mapping-onec.ts';
import type { OnecMapping } from '../../src/config/mapping-onec-types.ts';
import type { Effect, Revision } from '../../src/domain/effect.ts';
import { httpCore } from '../../src/http/core.ts';
import { type Counts, deliver } from '../../src/runner/deliver.ts';
import { serve } from '../../src/sandbox/kit.ts';
import {
  ONEC_SANDBOX_PASSWORD,
  ONEC_SANDBOX_PATH,
  ONEC_SANDBOX_USER,
  type OnecOptions,
  onecStandin,
} from '../../src/sandbox/onec.ts';
import { linkStates, remoteIds, saveLinks, takeRevision } from '../../src/state/links.ts';
import { onecMemory } from '../../src/state/onec-memory.ts';
import { storeEffects } from '../../src/state/outbox.ts';
import { onecEffects } from '../../src/systems/onec/effects/index.ts';
import { onecOdata, onecSystem } from '../../src/systems/onec/odata.ts';
import { onecReader } from '../../src/systems/onec/reader.ts';
import { freshDatabase } from './databases.ts';

export type OnecScene = Awaited<ReturnType<typeof onecScene>>;

/** The preset of Alfa-Auto, and what a test lays over it. */
export function alfaMapping(own: object = {}): OnecMapping {
  const faults: string[] = [];
  const read = readOnecMapping(own, ['onec'], (path, message) => faults.push(`${path.join('.')}: ${message}`));
  if (read === undefined) throw new Error(faults.join('; '));
  return read;
}

export interface OnecSceneOptions {
  standin?: Partial<OnecOptions>;
  mapping?: OnecMapping;
}

/** A 1C stand-in, an empty database, and effects delivered from it by the real runner and client, a run at a time. */
export async function onecScene({ standin: given = {}, mapping = alfaMapping() }: OnecSceneOptions = {}) {
  let ms = Date.parse('2026-05-04T07:00:00.000Z');
  const clock = {
    now: () => new Date(ms),
    sleep: async (by: number) => {
      ms += by;
    },
  };
  const onec = await serve(onecStandin({ now: () => ms, ...given }));
  const fresh = await freshDatabase('sqlite');
  const { database } = fresh;
  let runs = 0;

  /** What one process would hold. */
  function parts() {
    const core = httpCore({
      clock,
      signal: new AbortController().signal,
      userAgent: 'sdelka-test',
      retryDelayMs: 1,
    });
    const system = onecSystem(`${onec.url}${ONEC_SANDBOX_PATH}`, ONEC_SANDBOX_USER, new Secret(ONEC_SANDBOX_PASSWORD));
    const zone = 'Europe/Moscow';
    const odata = onecOdata(core.for(system), {
      now: clock.now,
      zone,
      skewMs: () => core.skewMs.get(system.system),
      sleep: clock.sleep,
    });
    const memory = onecMemory(database, clock, false);
    const reader = onecReader({ odata, mapping, zone, country: 'RU', cache: memory, log: silentLogger });
    return {
      odata,
      reader,
      handlers: onecEffects({ odata, reader, mapping, memory, zone, quietMs: 60_000, requestMs: 1000 }),
    };
  }

  async function store(effects: readonly Effect[], lookFirst = false): Promise<void> {
    const plain = effects.filter((effect) => effect.revises === undefined);
    const updates = effects.filter((effect): effect is Effect & { revises: Revision } => effect.revises !== undefined);
    await database.transaction(async (tx) => {
      await storeEffects(tx, 'test', plain, lookFirst, clock.now());
      for (const effect of updates) await takeRevision(tx, effect.revises, clock.now());
      await storeEffects(tx, 'test', updates, false, clock.now());
    });
  }

  /** One run, an hour after the one before; `requests`: what it asked of 1C. */
  async function run(): Promise<{ counts: Counts; requests: string[] }> {
    const counts: Counts = { fetched: 0, created: 0, updated: 0, skipped: 0, failed: 0 };
    const { handlers } = parts();
    onec.journal.splice(0);
    ms += 3_600_000;
    runs += 1;
    await deliver({
      database,
      job: 'test',
      runId: runs,
      clock,
      signal: new AbortController().signal,
      log: silentLogger,
      counts,
      handlers,
      quietMs: 1000,
      requestMs: 1000,
      maxChanges: 0,
      guard: async () => undefined,
    });
    return { counts, requests: onec.journal.map((one) => `${one.method} ${shortPath(one.path)}`) };
  }

  return {
    onec,
    base: onec.standin,
    database,
    parts,
    store,
    run,
    deliver: async (effects: readonly Effect[], lookFirst = false) => {
      await store(effects, lookFirst);
      return run();
    },
    idOf: async (key: string) => (await remoteIds(database.db, [key])).get(key),
    linkOf: async (key: string) => (await linkStates(database.db, [key])).get(key),
    bind: (key: string, kind: string, remoteId: string, applied?: object) =>
      database.transaction((tx) =>
        saveLinks(
          tx,
          [{ key, kind, remoteId, ...(applied === undefined ? {} : { applied: JSON.parse(JSON.stringify(applied)) }) }],
          clock.now(),
        ),
      ),
    alerts: async () =>
      (await database.db.selectFrom('alerts').select(['kind', 'subject', 'message']).execute()).map((row) => row),
    /** State and last error of what the outbox holds under this key. */
    rowOf: (key: string) =>
      database.db.selectFrom('outbox').select(['state', 'last_error']).where('key', '=', key).executeTakeFirstOrThrow(),
    close: async () => {
      await onec.close();
      await fresh.dispose();
    },
  };
}

function shortPath(path: string): string {
  return decodeURIComponent(path).replace(`${ONEC_SANDBOX_PATH}/`, '');
}
