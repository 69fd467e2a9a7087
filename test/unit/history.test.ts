import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { Secret } from '../../src/base/secret.ts';
import { httpCore, type RequestOptions } from '../../src/http/core.ts';
import type { CallsJobContext, EnterpriseAccess } from '../../src/jobs/calls-access.ts';
import { cancelledCodes, changedIn, type HistoryEntry } from '../../src/jobs/history-changes.ts';
import { retailSyncHistory } from '../../src/jobs/retail-sync-history.ts';
import { emptyCounts } from '../../src/runner/run-job.ts';
import { type RunningStandin, serve } from '../../src/sandbox/kit.ts';
import { RETAILCRM_SANDBOX_KEY, type RetailcrmOptions, retailcrmStandin } from '../../src/sandbox/retailcrm.ts';
import { callBook } from '../../src/state/calls.ts';
import { retailcrmSystems } from '../../src/systems/retailcrm/ask.ts';
import { retailcrmClient } from '../../src/systems/retailcrm/client.ts';
import { type FreshDatabase, freshDatabase } from '../support/databases.ts';

const NOW = new Date('2026-11-20T09:00:00.000Z');
const DAY_MS = 86_400_000;
const minus = (days: number) => new Date(NOW.getTime() - days * DAY_MS);

const entry = (of: number | undefined, more: Partial<HistoryEntry> = {}): HistoryEntry => ({
  ...{ of, deleted: false, combinedTo: undefined, source: 'user', field: 'phones', ...more },
});

test('a page of entries comes to what is to be read, what is gone, and who was merged', () => {
  const segments = { source: 'code', field: 'segments' };
  expect(
    changedIn([
      ...[entry(9), entry(3), entry(9), entry(undefined), entry(4, segments), entry(5, { source: 'code' })],
      ...[entry(6), entry(6, { deleted: true, field: 'id' })],
      ...[
        entry(7),
        entry(7, { deleted: true, combinedTo: 3 }),
        entry(8, { combinedTo: 7 }),
        entry(2, { combinedTo: 2 }),
      ],
    ]),
  ).toEqual({
    ...{ read: [2, 3, 5, 9], gone: [6] },
    merged: [
      { from: 7, into: 3 },
      { from: 8, into: 7 },
    ],
  });
  const statuses = [
    ...[
      { code: 'new', group: 'new' },
      { code: 'no-call', group: 'cancel' },
      { code: 'odd', group: undefined },
    ],
  ];
  expect([...cancelledCodes(statuses)]).toEqual(['no-call']);
});

describe('a pass', () => {
  let fresh: FreshDatabase;
  let cleanUp: (() => unknown)[];

  beforeEach(async () => {
    fresh = await freshDatabase('sqlite');
    cleanUp = [() => fresh.dispose()];
  });
  afterEach(async () => {
    for (const undo of cleanUp.reverse()) await undo();
  });

  /** An account, as one enterprise has it; `asked` lists the paths of its requests. */
  async function account(number: string, options: Partial<RetailcrmOptions> = {}, country = 'BY') {
    let now = NOW.getTime();
    const crm = retailcrmStandin({ now: () => now, rps: 0, ...options });
    crm.seed({ users: [{ id: 24 }] });
    const running: RunningStandin = await serve(crm);
    const { signal } = new AbortController();
    const core = httpCore({ clock: systemClock, signal, userAgent: 'sdelka-test/1.0', retryDelayMs: 1 });
    cleanUp.push(
      () => running.close(),
      () => core.close(),
    );
    const systems = retailcrmSystems(running.url, new Secret(RETAILCRM_SANDBOX_KEY));
    const quick = { limit: { requests: 500, perMs: 10 } };
    const asked: string[] = [];
    const watched = (system: typeof systems.api) => {
      const http = core.for({ ...system, ...quick });
      return {
        ...http,
        request: <T>(given: RequestOptions<T>) => {
          asked.push(given.path);
          return http.request(given);
        },
      };
    };
    const client = retailcrmClient(
      { api: watched(systems.api), telephony: watched(systems.telephony) },
      { signal, sleep: async () => undefined, zone: 'Europe/Moscow', site: 'shop' },
    );
    const access = { enterprise: { number }, country, crm: client } as unknown as EnterpriseAccess;
    const at = (instant: Date) => {
      now = instant.getTime();
    };
    return { crm, access, asked, at };
  }

  const book = (dryRun = false) => callBook(fresh.database, dryRun);

  async function pass(enterprises: EnterpriseAccess[], { flags = [] as string[], dryRun = false, days = 30 } = {}) {
    const counts = emptyCounts();
    const context = {
      ...{ clients: { enterprises }, now: NOW, windowStart: minus(days), log: silentLogger, counts },
      ...{ tables: { calls: book(dryRun) }, signal: new AbortController().signal, flags: new Set(flags) },
    };
    await retailSyncHistory.run(context as unknown as CallsJobContext);
    return [counts.fetched, counts.updated];
  }

  async function owners(enterprise = '0001') {
    const rows = await fresh.database.db
      .selectFrom('retailcrm_customers')
      .select(['phone', 'retailcrm_customer_id as id'])
      .where('enterprise_number', '=', enterprise)
      .orderBy('phone')
      .execute();
    return rows.map(({ phone, id }) => `${phone} ${id}`);
  }
  const orders = () => fresh.database.db.selectFrom('retailcrm_orders').selectAll().orderBy('order_id').execute();
  const phones = (...numbers: string[]) => numbers.map((number) => ({ number }));

  test('phones as people write them, orders with their sums, and then nothing but two questions', async () => {
    const { crm, access, asked } = await account('0001', { segmentNoise: 2 });
    crm.seed({
      customers: [
        { id: 5, firstName: 'Анна', phones: phones('8 (029) 111-22-33', '+375291112233', 'нет') },
        { id: 6, firstName: 'Пётр', phones: phones('8 029 4445566') },
      ],
      orders: [
        {
          id: 70,
          customer: { id: 5 },
          phone: '80291112233',
          managerId: 24,
          createdAt: '2026-11-20 11:00:00',
        },
        { id: 71, customer: { id: 6 }, status: 'no-call', number: 'N-71' },
      ],
    });
    const { ordersByIds } = access.crm;
    access.crm.ordersByIds = async (ids) => {
      const found = [...(await ordersByIds(ids))];
      return new Map(found.map(([id, order]) => [id, { ...order, totalSumm: id + 0.5 }]));
    };
    expect(await pass([access])).toEqual([8, 4]);
    expect(await owners()).toEqual(['+375291112233 5', '+375294445566 6']);
    expect(await orders()).toEqual([
      expect.objectContaining({
        ...{ order_id: 70, number: '70A', retailcrm_customer_id: 5, phone: '+375291112233', manager_id: 24 },
        ...{ status: 'new', cancelled: 0, total: 70.5, ordered_at: '2026-11-20T08:00:00.000Z' },
      }),
      expect.objectContaining({ order_id: 71, number: 'N-71', phone: null, manager_id: null, cancelled: 1 }),
    ]);
    asked.length = 0;
    expect(await pass([access])).toEqual([0, 0]);
    expect(asked).toEqual(['/api/v5/customers/history', '/api/v5/orders/history']);
  });

  test('what was changed, deleted and merged, also by our own key', async () => {
    const { crm, access, asked } = await account('0001');
    const people = [5, 6, 7, 8].map((id) => ({ id, firstName: `К${id}`, phones: phones(`+37529111220${id}`) }));
    crm.seed({ customers: people, orders: [{ id: 70, customer: { id: 7 } }] });
    await pass([access]);
    crm.edit({ kind: 'customer', id: 5, set: { phones: phones('+375291112299') }, by: 'api' });
    crm.seed({ remove: { customer: 6 }, merge: { customers: [7], into: 8 } });
    crm.edit({ kind: 'order', id: 70, set: { status: 'no-call' } });
    asked.length = 0;
    expect(await pass([access])).toEqual([5, 5]);
    expect(await owners()).toEqual(['+375291112207 8', '+375291112208 8', '+375291112299 5']);
    expect(await orders()).toEqual([
      expect.objectContaining({ order_id: 70, retailcrm_customer_id: 8, status: 'no-call', cancelled: 1 }),
    ]);
    expect(asked.filter((path) => path.endsWith('/statuses'))).toHaveLength(1);
  });

  test('the first pass begins at the window, the next ones at the last entry, unless a depth is given', async () => {
    const { crm, access, at } = await account('0001');
    at(minus(40));
    crm.seed({ customers: [{ id: 5, firstName: 'А', phones: phones('+375291112205') }] });
    at(minus(10));
    crm.seed({ customers: [{ id: 6, firstName: 'Б', phones: phones('+375291112206') }] });
    at(NOW);
    expect(await pass([access])).toEqual([1, 1]);
    expect(await owners()).toEqual(['+375291112206 6']);
    const since = await book().historySince('0001', 'customers');
    expect(await pass([access], { days: 60 })).toEqual([0, 0]);
    expect(await pass([access], { days: 60, flags: ['lookback'] })).toEqual([2, 1]);
    expect(await owners()).toEqual(['+375291112205 5', '+375291112206 6']);
    expect(await book().historySince('0001', 'customers')).toBe(since);
  });

  test('a long history takes several passes, each page kept before the next is asked for', async () => {
    const { crm, access, asked } = await account('0001', { segmentNoise: 199 });
    crm.seed({ customers: Array.from({ length: 13 }, (_, n) => ({ id: n + 1, firstName: 'К' })) });
    expect(await pass([access])).toEqual([2500, 0]);
    expect(asked.filter((path) => path.endsWith('/customers/history'))).toHaveLength(25);
    expect(await pass([access])).toEqual([100, 0]);
    const { crm: other, access: second, asked: questions } = await account('0002');
    other.seed({
      customers: Array.from({ length: 250 }, (_, n) => ({ firstName: 'К', phones: phones(`+3752911${10_000 + n}`) })),
    });
    const broken = { ...second, crm: { ...second.crm, customersByIds: failingAt(second.crm.customersByIds, 2) } };
    await expect(pass([broken])).rejects.toThrow('no second page');
    expect(await owners('0002')).toHaveLength(100);
    questions.length = 0;
    expect(await pass([second])).toEqual([150, 150]);
    expect(questions).toHaveLength(5);
  });

  test('an enterprise that refuses us keeps back no other, and is told of at the end', async () => {
    const down = await account('0001', { scopes: [] });
    const well = await account('0002', {}, 'RU');
    well.crm.seed({ customers: [{ id: 5, firstName: 'А', phones: phones('8 (495) 123-45-67') }] });
    await expect(pass([down.access, well.access])).rejects.toMatchObject({ status: 403 });
    expect(await owners('0002')).toEqual(['+74951234567 5']);
    expect(await book().historySince('0001', 'customers')).toBeUndefined();
    const defect = { ...down.access, crm: null } as unknown as EnterpriseAccess;
    await expect(pass([defect, well.access])).rejects.toThrow(TypeError);
  });

  test('a rehearsal tells how many rows would change, and changes none', async () => {
    const { crm, access } = await account('0001');
    crm.seed({ customers: [{ id: 5, firstName: 'А', phones: phones('+375291112205') }], orders: [{ id: 70 }] });
    expect(await pass([access], { dryRun: true })).toEqual([2, 2]);
    expect([await owners(), await orders()]).toEqual([[], []]);
    expect(await book().historySince('0001', 'orders')).toBeUndefined();
  });
});

/** The same, but its nth call fails for a reason that concerns one pass alone. */
function failingAt<A extends unknown[], R>(work: (...given: A) => Promise<R>, nth: number) {
  let calls = 0;
  return async (...given: A): Promise<R> => {
    calls += 1;
    if (calls === nth) throw new Error('no second page');
    return work(...given);
  };
}
