import type { Clock } from '../base/clock.ts';
import type { Link } from '../domain/effect.ts';
import { getCached, putCached } from './cache.ts';
import type { Database, Tx } from './database.ts';
import { dropLinks, remoteIds, saveLinks } from './links.ts';
import { getMeta, setMeta } from './meta.ts';
import { chunks } from './outbox.ts';

interface IndexedPerson {
  id: number;
  phones: readonly string[];
  emails: readonly string[];
}

async function findIndexed(tx: Tx, entity: string, kind: string, values: readonly string[]) {
  const found = new Map<string, number[]>();
  for (const chunk of chunks([...new Set(values)], 800)) {
    const rows = await tx
      .selectFrom('amo_index')
      .select(['entity_id', 'value'])
      .where('entity', '=', entity)
      .where('kind', '=', kind)
      .where('value', 'in', chunk)
      .orderBy('entity_id')
      .execute();
    for (const row of rows) found.set(row.value, [...(found.get(row.value) ?? []), row.entity_id]);
  }
  return found;
}

async function dropIndexed(tx: Tx, entity: string, ids: readonly number[]): Promise<void> {
  for (const chunk of chunks(ids, 800)) {
    await tx.deleteFrom('amo_index').where('entity', '=', entity).where('entity_id', 'in', chunk).execute();
  }
}

async function putIndexed(tx: Tx, entity: string, people: readonly IndexedPerson[]): Promise<void> {
  await dropIndexed(
    tx,
    entity,
    people.map((person) => person.id),
  );
  const rows = people.flatMap((person) => [
    ...[...new Set(person.phones)].map((value) => ({ entity, entity_id: person.id, kind: 'phone', value })),
    ...[...new Set(person.emails)].map((value) => ({ entity, entity_id: person.id, kind: 'email', value })),
  ]);
  for (const chunk of chunks(rows, 200)) {
    await tx
      .insertInto('amo_index')
      .values(chunk)
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }
}

/** Remote ids of the newest links of a kind that were bound before the time. */
export async function newestBound(tx: Tx, kind: string, before: Date): Promise<string[]> {
  const rows = await tx
    .selectFrom('links')
    .select('remote_id')
    .where('kind', '=', kind)
    .where('created_at', '<', before.toISOString())
    .orderBy('created_at', 'desc')
    .limit(5)
    .execute();
  return rows.map((row) => row.remote_id);
}

/** What the amoCRM effects remember between runs, in the database. */
export function amoMemory(database: Database, clock: Clock) {
  const { db } = database;
  return {
    bound: (keys: readonly string[]) => remoteIds(db, keys),
    bind: (links: readonly Link[]) => database.transaction((tx) => saveLinks(tx, links, clock.now())),
    unbind: (keys: readonly string[]) => database.transaction((tx) => dropLinks(tx, keys)),
    controls: async (kind: string, before: Date) =>
      (await newestBound(db, kind, before)).map(Number).filter(Number.isSafeInteger),
    index: {
      find: (entity: string, kind: string, values: readonly string[]) => findIndexed(db, entity, kind, values),
      put: (entity: string, people: readonly IndexedPerson[]) =>
        database.transaction((tx) => putIndexed(tx, entity, people)),
      drop: (entity: string, ids: readonly number[]) => database.transaction((tx) => dropIndexed(tx, entity, ids)),
    },
    fact: (key: string) => getMeta(db, key),
    setFact: (key: string, value: string) => database.transaction((tx) => setMeta(tx, key, value, clock.now())),
    peek: <T>(key: string, maxAgeMs: number) => getCached<T>(db, key, maxAgeMs, clock.now()),
    cached: async <T>(key: string, maxAgeMs: number, load: () => Promise<T>): Promise<T> => {
      const known = await getCached<T>(db, key, maxAgeMs, clock.now());
      if (known !== undefined) return known;
      const value = await load();
      await database.transaction((tx) => putCached(tx, key, value, clock.now()));
      return value;
    },
  };
}

/** The same for a dry run: reads the database, keeps writes in memory for this run alone. */
export function overlayMemory(memory: ReturnType<typeof amoMemory>): ReturnType<typeof amoMemory> {
  const links = new Map<string, string | undefined>();
  const facts = new Map<string, string>();
  const answers = new Map<string, unknown>();
  const people = new Map<string, IndexedPerson | undefined>();
  const id = (entity: string, personId: number) => `${entity}:${personId}`;
  return {
    ...memory,
    bound: async (keys) => {
      const found = new Map(await memory.bound(keys));
      for (const key of keys) {
        if (!links.has(key)) continue;
        const remoteId = links.get(key);
        if (remoteId === undefined) found.delete(key);
        else found.set(key, remoteId);
      }
      return found;
    },
    bind: async (added) => {
      for (const link of added) links.set(link.key, link.remoteId);
    },
    unbind: async (keys) => {
      for (const key of keys) links.set(key, undefined);
    },
    index: {
      find: async (entity, kind, values) => {
        const found = new Map<string, number[]>();
        for (const [value, ids] of await memory.index.find(entity, kind, values)) {
          const left = ids.filter((personId) => !people.has(id(entity, personId)));
          if (left.length > 0) found.set(value, left);
        }
        for (const [key, person] of people) {
          if (!person || !key.startsWith(`${entity}:`)) continue;
          for (const value of kind === 'phone' ? person.phones : person.emails) {
            if (!values.includes(value)) continue;
            found.set(
              value,
              [...(found.get(value) ?? []), person.id].sort((a, b) => a - b),
            );
          }
        }
        return found;
      },
      put: async (entity, added) => {
        for (const person of added) people.set(id(entity, person.id), person);
      },
      drop: async (entity, ids) => {
        for (const personId of ids) people.set(id(entity, personId), undefined);
      },
    },
    fact: async (key) => facts.get(key) ?? memory.fact(key),
    setFact: async (key, value) => {
      facts.set(key, value);
    },
    cached: async <T>(key: string, maxAgeMs: number, load: () => Promise<T>): Promise<T> => {
      if (answers.has(key)) return answers.get(key) as T;
      const value = (await memory.peek<T>(key, maxAgeMs)) ?? (await load());
      answers.set(key, value);
      return value;
    },
  };
}
