import { afterEach, describe, expect, test } from 'vitest';
import { retailEffects } from '../../src/systems/retailcrm/effects/index.ts';
import {
  customerEffect,
  customerKey,
  orderEffect,
  phoneOf,
  type RetailScene,
  retailScene,
  taskEffect,
} from '../support/retailcrm-scene.ts';

let open: RetailScene | undefined;
async function scene(...given: Parameters<typeof retailScene>): Promise<RetailScene> {
  open = await retailScene(...given);
  return open;
}
afterEach(async () => {
  await open?.close();
  open = undefined;
});

const subjects = async (it: RetailScene) => (await it.alerts()).map(({ kind, subject }) => `${kind} ${subject}`).sort();
const person = (id: number, n: number, more = {}) => ({
  id,
  firstName: 'Анна',
  phones: [{ number: phoneOf(n) }],
  ...more,
});

describe('tasks', () => {
  test('go to the one asked for, with the customer, the phone and a time without seconds', async () => {
    const it = await scene();
    const key = customerKey(phoneOf(1));
    const task = taskEffect(1, { performer: 'anna@retail.example', customerKey: key });
    const { counts } = await it.deliver([customerEffect(phoneOf(1)), task]);
    expect(counts).toMatchObject({ created: 2, failed: 0 });
    expect(it.crm.tasks()).toMatchObject([
      {
        ...{ text: 'Call back', commentary: 'sdelka pbx1:1795000000.1', datetime: '2026-11-20 12:15', performer: 24 },
        ...{ customer: { id: Number(await it.idOf(key)) }, phone: phoneOf(1), phoneSite: 'shop' },
      },
    ]);
    expect(await it.alerts()).toEqual([]);
  });

  test('nobody asked for: the manager of the customer, else the first who manages, which is told once', async () => {
    const users = [{ id: 5, isManager: false, isAdmin: true }, { id: 3, active: false }, { id: 30 }];
    const it = await scene({}, { users, customers: [person(700, 1, { managerId: 30 }), person(701, 2)] });
    const key = (n: number) => customerKey(phoneOf(n));
    await it.deliver([
      ...[1, 2].map((n) => customerEffect(phoneOf(n))),
      ...[1, 2, 3].map((n) => taskEffect(n, n < 3 ? { customerKey: key(n) } : {})),
    ]);
    expect(it.crm.tasks().map(({ performer, customer }) => [performer, customer?.id])).toEqual([
      [30, 700],
      [24, 701],
      [24, undefined],
    ]);
    expect(await subjects(it)).toEqual(['retail_user 0001:task']);
  });

  test('whose customer it is, is asked once for all tasks of a phone', async () => {
    const it = await scene({}, { customers: [person(700, 1, { managerId: 25 })] });
    await it.deliver([customerEffect(phoneOf(1))]);
    const task = (n: number) => taskEffect(n, { customerKey: customerKey(phoneOf(1)), phone: phoneOf(1) });
    const { requests } = await it.deliver([task(1), task(2), task(3)]);
    expect(it.crm.tasks().map(({ performer }) => performer)).toEqual([25, 25, 25]);
    expect(requests.filter((line) => line.includes('telephony/manager'))).toHaveLength(1);
  });

  test('a user or a customer who is no more keeps no task back', async () => {
    const it = await scene({}, { customers: [person(700, 1)] });
    const customerOfOne = customerKey(phoneOf(1));
    await it.deliver([customerEffect(phoneOf(1))]);
    it.crm.seed({ remove: { customer: 700 } });
    const { counts } = await it.deliver([
      taskEffect(1, { performer: 24, customerKey: customerOfOne }),
      taskEffect(2, { performer: 999 }),
      taskEffect(3, { performer: 'nobody@retail.example' }),
    ]);
    expect([counts.created, counts.failed]).toEqual([3, 0]);
    expect(it.crm.tasks().map(({ performer, customer }) => [performer, customer])).toEqual(
      Array(3).fill([24, undefined]),
    );
    expect((await it.memory.customers([phoneOf(1)])).size).toBe(0);
    expect(await subjects(it)).toEqual([
      'retail_mapping 0001:customer',
      'retail_user 0001:n***@***.example',
      'retail_user 0001:performer',
      'retail_user 0001:task',
    ]);
  });

  test('one whose customer was merged since goes to the one who remains, and so does an order', async () => {
    const it = await scene({}, { customers: [person(700, 1), person(701, 2)] });
    const key = customerKey(phoneOf(1));
    await it.deliver([customerEffect(phoneOf(1))]);
    await it.merge(700, 701);
    it.crm.seed({ remove: { customer: 700 } });
    const more = { customerKey: key };
    const { counts } = await it.deliver([taskEffect(1, { performer: 24, ...more }), orderEffect(1, more)]);
    expect([counts.created, counts.failed, await it.idOf(key)]).toEqual([2, 0, '700']);
    expect([it.crm.tasks()[0]?.customer?.id, it.crm.orders()[0]?.customerId]).toEqual([701, 701]);
    expect(await it.alerts()).toEqual([]);
  });

  test('one whose customer was merged a moment ago goes to the one who remains, and so does an order', async () => {
    const it = await scene({}, { customers: [person(700, 1), person(701, 2)] });
    await it.deliver([customerEffect(phoneOf(1))]);
    it.crm.seed({ merge: { customers: [700], into: 701 } });
    const more = { customerKey: customerKey(phoneOf(1)) };
    const { counts } = await it.deliver([taskEffect(1, { performer: 24, ...more }), orderEffect(1, more)]);
    expect([counts.created, counts.failed]).toEqual([2, 0]);
    expect([it.crm.tasks()[0]?.customer?.id, it.crm.orders()[0]?.customerId]).toEqual([701, 701]);
    expect(await it.alerts()).toEqual([]);
  });

  test('whose answer was lost is found by its marker among many, and sent again only where it is not there', async () => {
    const it = await scene();
    for (let n = 100; n < 325; n++)
      await it.client.createTask({ text: 'other', commentary: `sdelka:${n}`, performerId: 24 });
    it.fault({ match: 'tasks/create', kind: 'lost' });
    await it.deliver([taskEffect(1)]);
    await it.run();
    expect(it.crm.tasks().filter(({ commentary }) => commentary?.includes('pbx1'))).toHaveLength(1);
    it.fault({ match: 'tasks/create', kind: 'reset' });
    await it.deliver([taskEffect(2)]);
    await it.run();
    await it.run();
    const made = it.crm.tasks().filter(({ commentary }) => commentary?.includes('pbx1'));
    expect(made.map(({ id }) => String(id))).toEqual([
      await it.idOf(taskEffect(1).key),
      await it.idOf(taskEffect(2).key),
    ]);
  });

  test('a filter by customer that shows nobody proves nothing; a list without end leaves it open', async () => {
    const it = await scene({}, { customers: [person(700, 1), person(701, 2)] });
    const [, , tasks] = retailEffects(it.parts);
    const row = { id: 1, kind: '', doubts: 1, looks: 0, attempts: 0, lookFirst: false, sentAt: '', createdAt: '' };
    const look = async (customerId: number) => {
      await it.memory.drop([phoneOf(1)]);
      await it.memory.put([{ customerId, phones: [phoneOf(1)] }]);
      const effect = taskEffect(1, { customerKey: 'c' });
      const delivery = { row: { ...row, ...effect }, ids: new Map([['c', String(customerId)]]), since: new Date(0) };
      return (await tasks?.look([delivery]))?.get(1);
    };
    await it.client.createTask({
      text: 'x',
      commentary: 'sdelka pbx1:1795000000.12',
      performerId: 24,
      customerId: 700,
    });
    expect(await look(700)).toEqual({ state: 'absent' });
    const id = await it.client.createTask({
      text: 'x',
      commentary: 'Позвонить до обеда. sdelka  pbx1:1795000000.1\nждёт',
      performerId: 24,
      customerId: 700,
    });
    // Asked for another customer's, the filter shows nothing: the whole list has to be walked.
    expect(await look(701)).toEqual({ state: 'found', remoteId: String(id) });
    // One that shows only what was not asked for has been misunderstood.
    const others = { id: 1, commentary: undefined, customerId: 702, createdAt: new Date() };
    const odd = {
      ...it.client,
      tasksOf: async function* (customer?: number) {
        if (customer === undefined) yield* it.client.tasksOf(undefined);
        else yield { rows: [others], total: 1 };
      },
    };
    const ids = new Map([['c', '701']]);
    const one = { row: { ...row, ...taskEffect(1, { customerKey: 'c' }) }, ids, since: new Date(0) };
    const found = await retailEffects({ ...it.parts, crm: odd })[2]?.look([one]);
    expect(found?.get(1)).toEqual({ state: 'found', remoteId: String(id) });
    const pages = async function* () {
      for (let page = 1; page <= 60; page++) {
        yield { rows: [{ id: page, commentary: undefined, customerId: 1, createdAt: new Date() }], total: undefined };
      }
    };
    const endless = retailEffects({ ...it.parts, crm: { ...it.client, tasksOf: pages } })[2];
    const delivery = { row: { ...row, ...taskEffect(1) }, ids: new Map(), since: new Date(0) };
    expect((await endless?.look([delivery]))?.get(1)).toMatchObject({ state: 'unknown' });
  });
});

test('tasks and orders are shown without the phone that their texts hold; a task is sought back to its call', () => {
  const it = { parts: {} } as unknown as Pick<RetailScene, 'parts'>;
  const [, , tasks, , orders] = retailEffects(it.parts);
  const calledAt = '2026-11-20T08:45:00.000Z';
  const task = taskEffect(1, { phone: '2345678', text: 'Call back 2345678, now', calledAt }).payload;
  expect(JSON.stringify(tasks?.describe(task))).not.toContain('2345678');
  expect(tasks?.since?.(task)).toEqual(new Date('2026-11-19T08:45:00Z'));
  expect(tasks?.since?.(taskEffect(1).payload)).toEqual(new Date('2026-10-20T09:15:00Z'));
  const order = orderEffect(1, { phone: '0291000001', comment: 'Call back 0291000001' }).payload;
  expect(JSON.stringify(orders?.describe(order))).not.toContain('0291000001');
});

describe('draft orders', () => {
  test('are made with the customer, to be called, once', async () => {
    const it = await scene();
    const more = { customerKey: customerKey(phoneOf(1)), manager: 24, method: 'missed-call', status: 'new' };
    it.fault({ match: 'orders/create', kind: 'lost' });
    await it.deliver([customerEffect(phoneOf(1)), orderEffect(1, more)]);
    await it.run();
    expect(it.crm.orders()).toMatchObject([
      {
        ...{ externalId: 'missed-pbx1-1795000000.1', orderMethod: 'missed-call', status: 'new', call: true },
        ...{ managerId: 24, customerId: it.crm.customers()[0]?.id, customerComment: 'missed call', phone: phoneOf(1) },
      },
    ]);
    expect(await it.idOf(orderEffect(1).key)).toBe(String(it.crm.orders()[0]?.id));
  });

  test('go without what the account does not know', async () => {
    const it = await scene();
    const { counts } = await it.deliver([
      orderEffect(1, { method: 'smoke', status: 'signals', manager: 999 }),
      orderEffect(2),
    ]);
    expect([counts.created, counts.failed]).toEqual([2, 0]);
    expect(it.crm.orders().map(({ orderMethod, status, managerId }) => [orderMethod, status, managerId])).toEqual(
      Array(2).fill(['shopping-cart', 'new', undefined]),
    );
    expect(await subjects(it)).toEqual(
      ['manager', 'orderMethod', 'status'].map((field) => `retail_mapping 0001:${field}`),
    );
  });

  test('one that stands there already is found, not made', async () => {
    const it = await scene({}, { orders: [{ id: 77, externalId: 'missed-pbx1-1795000000.1', phone: '1' }] });
    expect((await it.deliver([orderEffect(1)])).requests).toEqual(['GET orders/missed-pbx1-1795000000.1']);
    expect(await it.idOf(orderEffect(1).key)).toBe('77');
  });
});
