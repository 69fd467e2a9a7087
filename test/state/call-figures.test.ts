import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { callFigures } from '../../src/insight/calls/figures.ts';
import { saveLinks } from '../../src/state/links.ts';
import { dialects, type FreshDatabase, freshDatabase } from '../support/databases.ts';

const AT = '2026-05-01T00:00:00.000Z';
const ANNA = 'anna@firm.example';
const one = '+77010000001';
const two = '+77010000002';

interface Seen {
  at: string;
  phone?: string | null;
  direction?: string;
  result?: string;
  extension?: string | null;
  manager?: string | null;
  talk?: number;
  wait?: number;
  customer?: number;
  enterprise?: string;
}

describe.each(dialects)('%s', (dialect) => {
  let fresh: FreshDatabase;
  let made: number;

  beforeEach(async () => {
    fresh = await freshDatabase(dialect);
    made = 0;
  });

  afterEach(async () => {
    await fresh.dispose();
  });

  const call = async (seen: Seen) => {
    made += 1;
    const { at, talk = 60, wait = 10, direction = 'in', result = 'answered', enterprise = '0001' } = seen;
    const row = await fresh.database.db
      .insertInto('calls')
      .values({
        ...{ external_id: `pbx1:${made}`, enterprise_number: enterprise, direction, result, wait, hash: 'h' },
        ...{ day: at.slice(0, 10), started_at: `${at}.000Z`, ended_at: `${at}.000Z`, created_at: AT, updated_at: AT },
        phone: seen.phone === undefined ? one : seen.phone,
        extension: seen.extension === undefined ? '201' : seen.extension,
        manager: seen.manager === undefined ? ANNA : seen.manager,
        duration: result === 'answered' ? talk : 0,
        retailcrm_customer_id: seen.customer ?? null,
      })
      .returning('id')
      .executeTakeFirstOrThrow();
    return row.id;
  };

  const order = async (
    id: number,
    at: string,
    owner: { phone?: string; customer?: number },
    { cancelled = 0, total = 1000.5, enterprise = '0001' } = {},
  ) =>
    await fresh.database.db
      .insertInto('retailcrm_orders')
      .values({
        ...{ enterprise_number: enterprise, order_id: id, number: String(id), status: 'new', cancelled, total },
        ...{ phone: owner.phone ?? null, retailcrm_customer_id: owner.customer ?? null, manager_id: null },
        ...{ ordered_at: `${at}.000Z`, created_at: AT, updated_at: AT },
      })
      .execute();

  const figures = (more: { from?: string; to?: string; enterprise?: string; withinDays?: number } = {}) =>
    callFigures(fresh.database, { from: '2026-05-01', to: '2026-05-31', withinDays: 30, ...more });

  const facts = async () =>
    await fresh.database.db
      .selectFrom('call_facts')
      .select(['id', 'missed', 'called_back_at', 'callback_seconds', 'order_id', 'order_total', 'order_seconds'])
      .orderBy('id')
      .execute();

  test('a missed call is called back by the first answered one with that phone, in or out, whenever it was', async () => {
    await call({ at: '2026-05-02T09:00:00', result: 'no answer' });
    await call({ at: '2026-05-02T09:01:00', result: 'busy', direction: 'out' });
    await call({ at: '2026-05-02T09:02:00', phone: two });
    await call({ at: '2026-06-02T09:00:30', direction: 'out' });
    await call({ at: '2026-06-03T09:00:00', result: 'no answer' });
    await call({ at: '2026-06-03T09:01:00', result: 'no answer', phone: null, extension: null, manager: null });
    await call({ at: '2026-06-03T09:02:00', direction: 'unknown' });
    await call({ at: '2026-06-03T09:02:00', enterprise: '0002' });
    expect((await facts()).map((row) => [row.id, row.missed, row.called_back_at, row.callback_seconds])).toEqual([
      [1, 1, '2026-06-02T09:00:30.000Z', 31 * 86_400 + 30],
      [2, 0, null, null],
      [3, 0, null, null],
      [4, 0, null, null],
      [5, 1, null, null],
      [6, 1, null, null],
      [8, 0, null, null],
    ]);
    const { total } = await figures({ to: '2026-06-30', enterprise: '0001' });
    // The anonymous one was missed, but nobody could call it back.
    expect(total).toMatchObject({ calls: 6, incoming: 4, outgoing: 2, answered: 2, missed: 3, never_called_back: 1 });
    expect(total.average_callback).toBe(31 * 86_400 + 30);
    expect((await figures()).total).toMatchObject({ missed: 1, never_called_back: 0 });
  });

  test('a draft that was made of a missed call counts once somebody has put goods into it', async () => {
    const missed = await call({ at: '2026-05-02T09:00:00', result: 'no answer' });
    const link = { kind: 'retailcrm.order@0001', remoteId: '8', key: 'retailcrm:order:pbx1:1' };
    await fresh.database.transaction((tx) => saveLinks(tx, [link], new Date(AT)));
    await order(8, '2026-05-02T09:05:00', { phone: one }, { total: 0 });
    expect((await figures()).total).toMatchObject({ orders: 0 });
    await fresh.database.db.updateTable('retailcrm_orders').set({ total: 500 }).execute();
    expect((await figures()).total).toMatchObject({ orders: 1, order_total: 500 });
    expect((await facts()).map((row) => [row.id, row.order_id])).toEqual([[missed, 8]]);
  });

  test('an order belongs to the last call before it, by phone or by customer, and counts once; cancelled ones do not', async () => {
    const early = await call({ at: '2026-05-02T09:00:00', customer: 7 });
    const last = await call({ at: '2026-05-02T10:00:00', phone: two, customer: 7 });
    const other = await call({ at: '2026-05-02T11:00:00', phone: '+77010000003' });
    await call({ at: '2026-05-09T09:00:00' });
    await order(1, '2026-05-02T10:30:00', { phone: one, customer: 7 });
    await order(2, '2026-05-02T10:40:00', { customer: 7 });
    await order(3, '2026-05-02T09:10:00', { phone: one }, { cancelled: 1 });
    await order(4, '2026-05-01T09:10:00', { phone: two });
    await order(5, '2026-05-12T11:00:00', { phone: '+77010000003' }, { total: 0.25 });
    await order(6, '2026-05-02T12:00:00', { phone: '+77010000003' }, { enterprise: '0002' });
    const found = (await facts()).filter((row) => row.order_id !== null);
    expect(found.map((row) => [row.id, row.order_id, row.order_total, row.order_seconds])).toEqual([
      [last, 1, 1000.5, 1800],
      [other, 5, 0.25, 864_000],
    ]);
    expect(early).toBe(1);
    expect((await figures()).total).toMatchObject({
      orders: 2,
      order_total: 1000.75,
      conversion: 50,
      average_to_order: 432_900,
    });
    expect((await figures({ withinDays: 9 })).total).toMatchObject({ orders: 1, order_total: 1000.5, conversion: 25 });
  });

  test('an order later than 30 days is no fact of its call, though a longer question finds it', async () => {
    await call({ at: '2026-05-02T09:00:00' });
    await order(1, '2026-06-02T09:00:00', { phone: one });
    expect((await facts())[0]?.order_id).toBeNull();
    expect((await figures()).total.orders).toBe(0);
    expect((await figures({ withinDays: 31 })).total.orders).toBe(1);
  });

  test('waiting is that of answered incoming calls; nine of ten wait no longer than the percentile, by nearest rank', async () => {
    for (let wait = 1; wait <= 11; wait += 1) await call({ at: `2026-05-02T09:00:${wait + 10}`, wait, talk: 100 });
    await call({ at: '2026-05-02T10:00:00', wait: 500, result: 'no answer' });
    await call({ at: '2026-05-02T10:01:00', wait: 500, direction: 'out', talk: 40 });
    const { total } = await figures();
    expect(total).toMatchObject({ average_wait: 6, p90_wait: 10, talk_seconds: 1140, average_talk: 95 });
  });

  test('rows by day and by manager, which the views give too', async () => {
    await call({ at: '2026-05-02T09:00:00', wait: 4 });
    await call({ at: '2026-05-02T09:30:00', wait: 9, extension: '202', phone: two });
    await call({ at: '2026-05-03T09:00:00', extension: '204', manager: null, result: 'busy', direction: 'out' });
    await call({ at: '2026-05-03T09:30:00', extension: null, manager: null, result: 'no answer' });
    await call({ at: '2026-05-03T09:40:00', extension: '87011234567', manager: null, enterprise: '0002' });
    await order(1, '2026-05-02T09:40:00', { phone: two }, { total: 99.5 });
    const all = await figures();
    expect(all.days.map(({ day, calls }) => [day, calls])).toEqual([
      ['2026-05-02', 2],
      ['2026-05-03', 3],
    ]);
    // A number that is somebody's own telephone is not shown.
    expect(
      all.managers.map(({ enterprise, manager, extensions, calls }) => [enterprise, manager, extensions, calls]),
    ).toEqual([
      ['0001', ANNA, ['201', '202'], 2],
      ['0001', null, [], 1],
      ['0001', null, ['204'], 1],
      ['0002', null, ['8********67'], 1],
    ]);
    const ours = await figures({ enterprise: '0001' });
    const { db } = fresh.database;
    const byDay = await db
      .selectFrom('calls_by_day')
      .selectAll()
      .where('enterprise_number', '=', '0001')
      .orderBy('day')
      .execute();
    const byManager = await db
      .selectFrom('calls_by_manager')
      .selectAll()
      .where('enterprise_number', '=', '0001')
      .execute();
    const shared = ({ average_callback: _a, average_to_order: _b, ...rest }: Record<string, unknown>) => rest;
    expect(byDay).toEqual(ours.days.map((row) => ({ enterprise_number: '0001', ...shared({ ...row }) })));
    for (const { enterprise, manager, extensions, ...row } of ours.managers) {
      const name = manager ?? extensions[0] ?? null;
      expect(byManager).toContainEqual({ enterprise_number: enterprise, manager: name, ...shared(row) });
    }
    expect(byManager).toHaveLength(3);
    expect(byDay[0]).toMatchObject({ average_wait: 6.5, p90_wait: 9, orders: 1, order_total: 99.5, conversion: 50 });
  });

  test('a range without calls gives zeros and no averages', async () => {
    await call({ at: '2026-05-02T09:00:00' });
    const report = await figures({ from: '2026-05-03' });
    expect(report).toMatchObject({ days: [], managers: [] });
    expect(report.total).toMatchObject({
      calls: 0,
      orders: 0,
      order_total: 0,
      average_wait: null,
      p90_wait: null,
      conversion: null,
    });
  });
});
