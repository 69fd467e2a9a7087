import type { Clock } from '../base/clock.ts';
import type { CustomerPhones } from '../domain/call.ts';
import { getCached, putCached } from './cache.ts';
import type { Database } from './database.ts';
import { getMeta, setMeta } from './meta.ts';
import { customersOf, dropCustomers, putCustomers } from './retail-customers.ts';

/** What the effects of one enterprise remember between runs, in the database; in a dry run writes stay in memory, for this run alone. */
export function retailMemory(database: Database, enterprise: string, clock: Clock, dryRun: boolean) {
  const memory = storedMemory(database, enterprise, clock);
  return dryRun ? overlay(memory) : memory;
}

function storedMemory(database: Database, enterprise: string, clock: Clock) {
  const { db } = database;
  const named = (key: string) => `retail:${enterprise}:${key}`;
  const peek = <T>(key: string, maxAgeMs: number) => getCached<T>(db, named(key), maxAgeMs, clock.now());
  return {
    customers: async (phones: readonly string[]): Promise<ReadonlyMap<string, number>> =>
      customersOf(db, enterprise, phones),
    put: async (people: readonly CustomerPhones[]): Promise<void> => {
      const owners = firstOwners(people);
      if (owners.size > 0) {
        await database.transaction((tx) => putCustomers(tx, enterprise, owners, clock.now(), 'kept'));
      }
    },
    drop: async (phones: readonly string[]): Promise<void> => {
      if (phones.length > 0) await database.transaction((tx) => dropCustomers(tx, enterprise, phones));
    },
    fact: (key: string) => getMeta(db, named(key)),
    setFact: (key: string, value: string) => database.transaction((tx) => setMeta(tx, named(key), value, clock.now())),
    peek,
    cached: async <T>(key: string, maxAgeMs: number, load: () => Promise<T>): Promise<T> => {
      const known = await peek<T>(key, maxAgeMs);
      if (known !== undefined) return known;
      const value = await load();
      await database.transaction((tx) => putCached(tx, named(key), value, clock.now()));
      return value;
    },
  };
}

function firstOwners(people: readonly CustomerPhones[]): Map<string, number> {
  const owners = new Map<string, number>();
  for (const { customerId, phones } of people) {
    for (const phone of phones) if (!owners.has(phone)) owners.set(phone, customerId);
  }
  return owners;
}

type StoredMemory = ReturnType<typeof storedMemory>;

function overlay(memory: StoredMemory): StoredMemory {
  const owners = new Map<string, number | undefined>();
  const facts = new Map<string, string>();
  const answers = new Map<string, unknown>();
  const customers: StoredMemory['customers'] = async (phones) => {
    const found = new Map(await memory.customers(phones));
    for (const phone of phones) {
      if (!owners.has(phone)) continue;
      const owner = owners.get(phone);
      if (owner === undefined) found.delete(phone);
      else found.set(phone, owner);
    }
    return found;
  };
  return {
    ...memory,
    customers,
    put: async (people) => {
      const given = firstOwners(people);
      const known = await customers([...given.keys()]);
      for (const [phone, id] of given) if (!known.has(phone)) owners.set(phone, id);
    },
    drop: async (phones) => {
      for (const phone of phones) owners.set(phone, undefined);
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

/** A call begun by a click; `id` is that of its first channel in the PBX's call records. */
export interface Click {
  id: string;
  enterprise: string;
  extension: string;
  /** E.164. */
  phone: string;
  requestedAt: Date;
}

/** What has become of a click whose phone may ring still; any other word, such as an error's code, means that it does not. */
const MAY_RING = ['queued', 'answered', 'unknown'];

/**
 * Keeps a click. With `unlessSince`: only where no click of that extension to that phone, made since then, may be ringing still;
 * says whether it was kept.
 */
export async function saveClick(database: Database, click: Click, unlessSince?: Date): Promise<boolean> {
  const { id, enterprise, extension, phone, requestedAt } = click;
  return database.transaction(async (tx) => {
    if (unlessSince !== undefined) {
      const earlier = await tx
        .selectFrom('call_clicks')
        .select('id')
        .where('enterprise_number', '=', enterprise)
        .where('extension', '=', extension)
        .where('phone', '=', phone)
        .where('requested_at', '>=', unlessSince.toISOString())
        .where((eb) => eb.or([eb('outcome', 'is', null), eb('outcome', 'in', MAY_RING)]))
        .executeTakeFirst();
      if (earlier) return false;
    }
    const row = { id, enterprise_number: enterprise, extension, phone, requested_at: requestedAt.toISOString() };
    await tx.insertInto('call_clicks').values(row).execute();
    return true;
  });
}

/** What became of a click, in a word. */
export async function settleClick(database: Database, id: string, outcome: string): Promise<void> {
  await database.transaction((tx) => tx.updateTable('call_clicks').set({ outcome }).where('id', '=', id).execute());
}
