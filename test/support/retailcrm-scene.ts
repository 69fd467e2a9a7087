import { silentLogger } from '../../src/base/log.ts';
import { Secret } from '../../src/base/secret.ts';
import type { Effect } from '../../src/domain/effect.ts';
import { httpCore } from '../../src/http/core.ts';
import { type Counts, deliver } from '../../src/runner/deliver.ts';
import { serve } from '../../src/sandbox/kit.ts';
import {
  RETAILCRM_SANDBOX_KEY,
  type RetailcrmOptions,
  type RetailcrmSeed,
  retailcrmStandin,
} from '../../src/sandbox/retailcrm.ts';
import { callBook } from '../../src/state/calls.ts';
import { linkStates, remoteIds } from '../../src/state/links.ts';
import { storeEffects } from '../../src/state/outbox.ts';
import { retailMemory } from '../../src/state/retail.ts';
import { retailcrmSystems } from '../../src/systems/retailcrm/ask.ts';
import { retailcrmClient } from '../../src/systems/retailcrm/client.ts';
import { retailEffects } from '../../src/systems/retailcrm/effects/index.ts';
import {
  asJson,
  type CallPayload,
  type CustomerPayload,
  type OrderPayload,
  retailKeys,
  retailKinds,
  type TaskPayload,
} from '../../src/systems/retailcrm/effects/payloads.ts';
import { freshDatabase } from './databases.ts';

export const E = '0001';
const KINDS = retailKinds(E);
const BEGIN = Date.parse('2026-11-20T09:00:00Z');
const record = (key: string) => ({ kind: 'call', key });

export const phoneOf = (n: number) => `+37529${String(1_000_000 + n)}`;
export const customerKey = (phone: string) => retailKeys.customer(E, phone);

export function customerEffect(phone: string, more: Partial<CustomerPayload> = {}): Effect {
  const payload = asJson({ externalId: `tel-${phone.slice(1)}`, phone, firstName: phone, ...more });
  return { key: customerKey(phone), kind: KINDS.customer, record: record(phone), needs: [], payload };
}

export function callEffect(n: number, more: Partial<CallPayload> = {}, needs: readonly string[] = []): Effect {
  const externalId = `pbx1:1795000000.${n}`;
  const payload = asJson({
    ...{ externalId, date: new Date(BEGIN + n * 1000).toISOString(), type: 'in', phone: phoneOf(n), code: '201' },
    ...{ result: 'answered', duration: 61, durationWaiting: 5, ...more },
  });
  return { key: retailKeys.call(externalId), kind: KINDS.call, record: record(externalId), needs, payload };
}

export function taskEffect(n: number, more: Partial<TaskPayload> = {}): Effect {
  const externalId = `pbx1:1795000000.${n}`;
  const due = new Date(BEGIN + 900_000).toISOString();
  const payload = asJson({ text: 'Call back', marker: `sdelka ${externalId}`, due, phone: phoneOf(n), ...more });
  const needs = more.customerKey === undefined ? [] : [more.customerKey];
  return { key: retailKeys.task(externalId), kind: KINDS.task, record: record(externalId), needs, payload };
}

export function orderEffect(n: number, more: Partial<OrderPayload> = {}): Effect {
  const externalId = `missed-pbx1-1795000000.${n}`;
  const payload = asJson({ externalId, phone: phoneOf(n), firstName: phoneOf(n), comment: 'missed call', ...more });
  const needs = more.customerKey === undefined ? [] : [more.customerKey];
  return { key: retailKeys.order(externalId), kind: KINDS.order, record: record(externalId), needs, payload };
}

/** RetailCRM's stand-in with a module and two managers, an outbox in SQLite, and runs that deliver it, an hour apart. */
export async function retailScene(options: Partial<RetailcrmOptions> = {}, seed: RetailcrmSeed = {}) {
  const crm = retailcrmStandin({ now: () => ms, rps: 0, telephonyRps: 0, ...options });
  let ms = BEGIN;
  crm.seed({
    ...seed,
    users: [{ id: 24, email: 'anna@retail.example' }, { id: 25, active: false }, ...(seed.users ?? [])],
    modules: { pbx: { integrations: { telephony: { additionalCodes: [{ userId: 24, code: '201' }] } } } },
  });
  const served = await serve(crm);
  const fresh = await freshDatabase('sqlite');
  const { database } = fresh;
  const clock = {
    now: () => new Date(ms),
    sleep: async (pause: number) => {
      ms += pause;
    },
  };
  const controller = new AbortController();
  const { signal } = controller;
  const core = httpCore({ clock, signal, userAgent: 'sdelka-test/1.0', retryDelayMs: 1 });
  const systems = retailcrmSystems(served.url, new Secret(RETAILCRM_SANDBOX_KEY));
  const quick = { limit: { requests: 100, perMs: 1 } };
  const https = {
    api: core.for({ ...systems.api, ...quick, timeoutMs: 2000 }),
    telephony: core.for({ ...systems.telephony, ...quick, timeoutMs: 2000 }),
  };
  const client = retailcrmClient(https, { sleep: clock.sleep, signal, site: 'shop' });
  const memory = retailMemory(database, E, clock, false);
  const parts = { enterprise: E, crm: client, memory, country: 'BY', now: clock.now, signal };
  let runs = 0;

  /** One run, an hour after the one before; `requests`: what it asked, without what the zone and the users cost. */
  async function run(): Promise<{ counts: Counts; requests: string[]; error?: unknown }> {
    const counts: Counts = { fetched: 0, created: 0, updated: 0, skipped: 0, failed: 0 };
    served.journal.splice(0);
    ms += 3_600_000;
    runs += 1;
    const error: unknown = await deliver({
      ...{ database, job: 'test', runId: runs, clock, signal, log: silentLogger, counts },
      ...{ handlers: retailEffects(parts), quietMs: 1000, requestMs: 1000, maxChanges: 0 },
      guard: async () => undefined,
    }).catch((thrown: unknown) => thrown);
    const requests = served.journal
      .map((one) => `${one.method} ${one.path.replace('/api/v5/', '')}`)
      .filter((one) => !/ (settings|users)$/.test(one));
    return { counts, requests, ...(error !== undefined && { error }) };
  }

  return {
    crm,
    client,
    memory,
    parts,
    run,
    fault: served.fault,
    deliver: async (effects: readonly Effect[], lookFirst = false) => {
      await database.transaction((tx) => storeEffects(tx, 'test', effects, lookFirst, clock.now()));
      return run();
    },
    idOf: async (key: string) => (await remoteIds(database.db, [key])).get(key),
    linkOf: async (key: string) => (await linkStates(database.db, [key])).get(key),
    /** As RetailCRM's history tells of it. */
    merge: (from: number, into: number) =>
      callBook(database, false).applyHistory(E, 'customers', { sinceId: 1, merged: [{ from, into }] }, clock.now()),
    alerts: () => database.db.selectFrom('alerts').select(['kind', 'subject', 'message']).execute(),
    /** State and last error of what the outbox holds under this key. */
    rowOf: (key: string) =>
      database.db.selectFrom('outbox').select(['state', 'last_error']).where('key', '=', key).executeTakeFirstOrThrow(),
    close: async () => {
      core.close();
      await served.close();
      await fresh.dispose();
    },
  };
}

export type RetailScene = Awaited<ReturnType<typeof retailScene>>;
