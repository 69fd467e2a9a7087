import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { HistoryEffects, StoredCall, StoredOrder } from '../../src/domain/call.ts';
import type { OutboxRow } from '../../src/domain/effect.ts';
import { callBook, settleRetail } from '../../src/state/calls.ts';
import type { Database } from '../../src/state/database.ts';
import { healthFacts } from '../../src/state/health-facts.ts';
import { retailMemory, saveClick, settleClick } from '../../src/state/retail.ts';
import { dialects, type FreshDatabase, freshDatabase } from '../support/databases.ts';

const NOW = new Date('2026-11-20T10:00:00.000Z');
const LATER = new Date('2026-11-20T11:00:00.000Z');
const clock = { now: () => NOW, sleep: async () => undefined };
const phone = (n: number) => `+37529000000${n}`;

const call = (id: string, more: Partial<StoredCall> = {}): StoredCall => ({
  externalId: `pbx1:${id}`,
  enterprise: '0001',
  direction: 'in',
  result: 'answered',
  day: '2026-11-20',
  startedAt: new Date('2026-11-20T09:05:07.000Z'),
  endedAt: new Date('2026-11-20T09:06:00.000Z'),
  phone: phone(1),
  extension: '201',
  manager: 'manager@company.example',
  talkSeconds: 40,
  waitSeconds: 13,
  hash: 'h1',
  ...more,
});

const order = (orderId: number, more: Partial<StoredOrder> = {}): StoredOrder => ({
  ...{ orderId, number: `${orderId}A`, customerId: 5, phone: phone(1), managerId: 24, status: 'new', cancelled: false },
  ...{ total: 120.5, orderedAt: NOW, ...more },
});

const effect = (kind: string, payload: OutboxRow['payload']): OutboxRow => ({
  ...{
    id: 1,
    key: 'k',
    kind,
    record: { kind: 'call', key: 'x' },
    needs: [],
    payload,
    doubts: 0,
    looks: 0,
    attempts: 0,
  },
  ...{ lookFirst: false, sentAt: null, createdAt: NOW.toISOString() },
});

describe.each(dialects)('%s', (dialect) => {
  let fresh: FreshDatabase;
  let database: Database;

  beforeEach(async () => {
    fresh = await freshDatabase(dialect);
    database = fresh.database;
  });
  afterEach(() => fresh.dispose());

  const book = () => callBook(database, false);
  const save = (calls: StoredCall[], now = NOW) => database.transaction((tx) => book().save(tx, calls, now));
  const settle = (row: OutboxRow, remoteId: string, now = NOW) =>
    database.transaction((tx) => settleRetail(tx, row, remoteId, now));
  const rows = () => database.db.selectFrom('calls').selectAll().orderBy('external_id').execute();
  const orders = () => database.db.selectFrom('retailcrm_orders').selectAll().orderBy('order_id').execute();
  const apply = (page: Partial<HistoryEffects>, of: 'customers' | 'orders' = 'customers', now = NOW) =>
    book().applyHistory('0001', of, { sinceId: 1, ...page }, now);
  const owners = async (enterprise = '0001') => {
    const found = await database.db
      .selectFrom('retailcrm_customers')
      .select(['phone', 'retailcrm_customer_id'])
      .where('enterprise_number', '=', enterprise)
      .orderBy('phone')
      .execute();
    return found.map((row) => `${row.phone.slice(-1)}:${row.retailcrm_customer_id}`).join(' ');
  };

  test('calls that tell neither in nor out are found for a day, each firm by itself', async () => {
    const unknown = { direction: 'unknown' } as const;
    await save([
      call('1'),
      call('2', unknown),
      call('3', unknown),
      call('4', { ...unknown, enterprise: '0002' }),
      call('5', { ...unknown, startedAt: new Date('2026-11-19T09:59:59.000Z') }),
    ]);
    const facts = await healthFacts(database, { now: NOW, jobs: ['none'], listeners: [], runs: 1, orderJob: 'none' });
    expect(facts.undirected).toEqual([
      { enterprise: '0001', count: 2, example: 'pbx1:2' },
      { enterprise: '0002', count: 1, example: 'pbx1:4' },
    ]);
  });

  test('a call is kept once, and rewritten only when its hash changes', async () => {
    expect(await save([call('1'), call('1'), call('2', { phone: undefined, direction: 'unknown' })])).toBe(2);
    await settle(effect('retailcrm.call@0001', { externalId: 'pbx1:1', phone: phone(1) }), 'pbx1:1');
    expect(await save([call('1'), call('2', { phone: undefined, direction: 'unknown' })], LATER)).toBe(0);
    expect(await save([call('1', { hash: 'h2', talkSeconds: 55 })], LATER)).toBe(1);
    const [first, second] = await rows();
    expect(first).toMatchObject({
      ...{ duration: 55, wait: 13, day: '2026-11-20', started_at: '2026-11-20T09:05:07.000Z', hash: 'h2' },
      ...{ uploaded_at: NOW.toISOString(), created_at: NOW.toISOString(), updated_at: LATER.toISOString() },
    });
    expect(second).toMatchObject({ phone: null, uploaded_at: null, updated_at: NOW.toISOString() });
  });

  test('hundreds of calls in one page', async () => {
    const many = Array.from({ length: 1000 }, (_, n) => call(String(n), { phone: `+3752911${10_000 + n}` }));
    expect(await save(many)).toBe(1000);
    expect(await save(many)).toBe(0);
  });

  test("a customer's phone is known once it was made, and calls that nobody had are his", async () => {
    await save([call('1'), call('2', { phone: phone(2) }), call('3', { enterprise: '0002' })]);
    await settle(effect('retailcrm.customer@0001', { externalId: 'tel-1', phone: phone(1), firstName: '1' }), '77');
    expect((await rows()).map((row) => row.retailcrm_customer_id)).toEqual([77, null, null]);
    expect([await owners(), await owners('0002')]).toEqual(['1:77', '']);
    await save([call('4')]);
    expect((await rows()).at(-1)?.retailcrm_customer_id).toBe(77);
    // The first upload's time stays, and so does whose call it was.
    await settle(effect('retailcrm.customer@0001', { externalId: 'tel-1', phone: phone(1), firstName: '1' }), '78');
    await settle(effect('retailcrm.call@0001', { externalId: 'pbx1:1', phone: phone(1) }), 'pbx1:1');
    await settle(effect('retailcrm.call@0001', { externalId: 'pbx1:1', phone: phone(1) }), 'pbx1:1', LATER);
    expect((await rows())[0]).toMatchObject({ retailcrm_customer_id: 77, uploaded_at: NOW.toISOString() });
    expect(await owners()).toBe('1:78');
  });

  test("a call whose client turns out to be another is the other one's", async () => {
    await save([call('1'), call('2'), call('3', { phone: undefined })]);
    for (const n of [1, 2]) await settle(effect('retailcrm.customer@0001', { phone: phone(n) }), String(70 + n));
    const late = { hash: 'h2', talkSeconds: 41 };
    await save([call('1', late), call('2', { ...late, phone: phone(2) }), call('3', { ...late, phone: phone(2) })]);
    expect((await rows()).map((row) => row.retailcrm_customer_id)).toEqual([71, 72, 72]);
    await save([call('1', { hash: 'h3', phone: phone(4) }), call('2', { hash: 'h3', phone: undefined })]);
    expect((await rows()).map((row) => row.retailcrm_customer_id)).toEqual([null, null, 72]);
  });

  test('effects of other kinds change nothing', async () => {
    await save([call('1')]);
    for (const kind of ['retailcrm.task@0001', 'retailcrm.order@0001', 'amocrm.contact', 'retailcrm.customer@']) {
      await settle(effect(kind, { externalId: 'pbx1:1', phone: phone(1) }), '9');
    }
    await settle(effect('retailcrm.customer@0001', null), '9');
    expect(await owners()).toBe('');
    expect((await rows())[0]).toMatchObject({ uploaded_at: null, retailcrm_customer_id: null });
  });

  test("a customer's phones are replaced; another's phone stays his", async () => {
    expect(
      await apply({
        customers: [
          { customerId: 5, phones: [phone(1), phone(2)] },
          { customerId: 6, phones: [phone(2), phone(3)] },
        ],
      }),
    ).toBe(3);
    expect(await owners()).toBe('1:5 2:5 3:6');
    expect(await apply({ customers: [{ customerId: 5, phones: [phone(1), phone(4)] }] })).toBe(2);
    expect(await owners()).toBe('1:5 3:6 4:5');
    // 1 goes from one to the other within a page, in whatever order they stand there.
    const swapped = [
      { customerId: 4, phones: [phone(1), phone(3)] },
      { customerId: 5, phones: [phone(4)] },
    ];
    expect(await apply({ customers: swapped })).toBe(1);
    expect(await owners()).toBe('1:4 3:6 4:5');
    expect(await apply({ customers: swapped })).toBe(0);
    expect(await apply({ goneCustomers: [6, 99] })).toBe(1);
    expect(await owners()).toBe('1:4 4:5');
  });

  test('phones, calls and orders of a merged customer go over to the one that remains', async () => {
    await apply({
      customers: [5, 6, 7].map((customerId) => ({ customerId, phones: [phone(customerId)] })),
    });
    await save([call('1', { phone: phone(5) }), call('2', { phone: phone(6) }), call('3', { phone: phone(8) })]);
    await apply({ orders: [order(1), order(2, { customerId: 9 })] }, 'orders');
    const merged = [
      { from: 5, into: 6 },
      { from: 6, into: 7 },
    ];
    const customers = [{ customerId: 7, phones: [phone(5), phone(6), phone(7), phone(8)] }];
    expect(await apply({ merged, goneCustomers: [5], customers })).toBe(3);
    expect(await owners()).toBe('5:7 6:7 7:7 8:7');
    expect((await rows()).map((row) => row.retailcrm_customer_id)).toEqual([7, 7, 7]);
    expect((await orders()).map((row) => row.retailcrm_customer_id)).toEqual([7, 9]);
    expect(await apply({ merged, customers })).toBe(0);
  });

  test('a merge in a circle ends', async () => {
    await apply({ customers: [{ customerId: 5, phones: [phone(5)] }] });
    const merged = [
      { from: 5, into: 6 },
      { from: 6, into: 5 },
    ];
    await apply({ merged });
    expect(await owners()).toMatch(/^5:[56]$/);
  });

  test('orders follow, and an order that is the same is left alone', async () => {
    const first = [order(1), order(2, { customerId: undefined, phone: undefined, managerId: undefined })];
    expect(await apply({ orders: first }, 'orders')).toBe(2);
    expect(await apply({ orders: [order(1), order(2, { total: 0 })] }, 'orders', LATER)).toBe(1);
    expect(await apply({ orders: [order(1, { status: 'no-call', cancelled: true })], goneOrders: [2] }, 'orders')).toBe(
      2,
    );
    expect(await orders()).toEqual([
      expect.objectContaining({
        ...{ order_id: 1, number: '1A', cancelled: 1, status: 'no-call', total: 120.5, phone: phone(1) },
        ...{ ordered_at: NOW.toISOString(), created_at: NOW.toISOString() },
      }),
    ]);
    expect(await callBook(database, false).historySince('0002', 'orders')).toBeUndefined();
  });

  test('the last entry is kept with its page, and never goes back', async () => {
    const since = () => book().historySince('0001', 'customers');
    expect(await since()).toBeUndefined();
    await apply({ sinceId: 2700 });
    await apply({ sinceId: 999 });
    await apply({ sinceId: 10_000 }, 'orders');
    expect([await since(), await book().historySince('0001', 'orders')]).toEqual([2700, 10_000]);
    // Nothing of a page stays if a part of it cannot be stored.
    const broken = [order(3, { total: Number.NaN }), order(4, { orderedAt: new Date(Number.NaN) })];
    await expect(
      apply({ sinceId: 2800, customers: [{ customerId: 5, phones: [phone(1)] }], orders: broken }),
    ).rejects.toThrow();
    expect([await since(), await owners()]).toEqual([2700, '']);
  });

  test('a dry run says how many rows would change, and writes none', async () => {
    await apply({ customers: [{ customerId: 5, phones: [phone(1)] }] });
    const page = { sinceId: 9, customers: [{ customerId: 5, phones: [phone(2)] }], orders: [order(1)] };
    expect(await callBook(database, true).applyHistory('0001', 'customers', page, NOW)).toBe(3);
    expect([await owners(), await orders()]).toEqual(['1:5', []]);
    expect(await book().historySince('0001', 'customers')).toBe(1);
  });

  test("an enterprise's memory: phones keep their customer, facts and answers are its own", async () => {
    const memory = retailMemory(database, '0001', clock, false);
    const other = retailMemory(database, '0002', clock, false);
    await memory.put([
      { customerId: 5, phones: [phone(1), phone(2)] },
      { customerId: 6, phones: [phone(2), phone(3)] },
    ]);
    await memory.put([{ customerId: 9, phones: [phone(1)] }]);
    const found = async (from: typeof memory) => {
      const known = await from.customers([phone(1), phone(2), phone(4)]);
      return [...known].map(([number, id]) => `${number.slice(-1)}:${id}`).sort();
    };
    expect([await found(memory), await found(other)]).toEqual([['1:5', '2:5'], []]);
    await memory.drop([phone(1)]);
    expect(await found(memory)).toEqual(['2:5']);
    await memory.setFact('index', 'done');
    expect([await memory.fact('index'), await other.fact('index')]).toEqual(['done', undefined]);
    let asked = 0;
    const users = () => memory.cached('users', 1000, async () => ({ asked: ++asked }));
    expect([await users(), await users(), await other.cached('users', 1000, async () => 'own')]).toEqual([
      { asked: 1 },
      { asked: 1 },
      'own',
    ]);

    const dry = retailMemory(database, '0001', clock, true);
    await dry.put([{ customerId: 9, phones: [phone(1), phone(2)] }]);
    await dry.setFact('index', 'again');
    expect([await found(dry), await dry.fact('index')]).toEqual([['1:9', '2:5'], 'again']);
    await dry.drop([phone(2)]);
    await dry.put([{ customerId: 8, phones: [phone(2)] }]);
    expect(await found(dry)).toEqual(['1:9', '2:8']);
    expect([await found(memory), await memory.fact('index'), asked]).toEqual([['2:5'], 'done', 1]);
  });

  test('a second click on the same number is seen', async () => {
    const click = { id: 'crm-1', enterprise: '0001', extension: '201', phone: phone(1), requestedAt: NOW };
    const ago = (ms: number) => new Date(NOW.getTime() - ms);
    expect(await saveClick(database, click, ago(5000))).toBe(true);
    expect(await saveClick(database, { ...click, id: 'crm-2' }, ago(5000))).toBe(false);
    expect(await saveClick(database, { ...click, id: 'crm-3', extension: '202' }, ago(5000))).toBe(true);
    // One that surely rang nobody stands in nobody's way.
    await settleClick(database, 'crm-3', 'REMOTE_REFUSED');
    expect(await saveClick(database, { ...click, id: 'crm-5', extension: '202' }, ago(5000))).toBe(true);
    expect(await saveClick(database, { ...click, id: 'crm-4' })).toBe(true);
    await settleClick(database, 'crm-1', 'dialled');
    const kept = await database.db.selectFrom('call_clicks').select(['id', 'outcome']).orderBy('id').execute();
    expect(kept.map(({ id, outcome }) => `${id} ${outcome}`)).toEqual([
      'crm-1 dialled',
      'crm-3 REMOTE_REFUSED',
      'crm-4 null',
      'crm-5 null',
    ]);
  });
});
