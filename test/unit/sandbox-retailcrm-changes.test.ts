import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { sandboxEnv, startSandbox } from '../../src/sandbox/index.ts';
import { person, world } from '../support/retailcrm-world.ts';

const GOODS = [
  { productName: 'Фильтр', initialPrice: 580, quantity: 2 },
  { productName: 'Масло', initialPrice: 3500.5 },
];

test('an order is worth its goods; its history tells of goods, of a new owner, of its end', async () => {
  const { crm, get } = await world({
    customers: [
      { id: 5, ...person('+375290000001') },
      { id: 6, ...person('+79160000002') },
    ],
  });
  crm.seed({ orders: [{ id: 70, customer: { id: 5 }, items: GOODS }] });
  expect(crm.orders()[0]).toMatchObject({ summ: 4660.5, totalSumm: 4660.5, customerId: 5 });
  crm.edit({ kind: 'order', id: 70, set: { items: GOODS.slice(0, 1), customer: { id: 6 } } });
  const { json } = await get('orders', { 'filter[ids][]': '70' });
  expect(json.orders).toMatchObject([{ id: 70, totalSumm: 1160, customer: { id: 6 } }]);
  crm.seed({ remove: { order: 70 } });
  expect((await get('orders', { 'filter[ids][]': '70' })).json.orders).toEqual([]);
  const { history } = (await get('orders/history')).json;
  expect(history).toMatchObject([
    { created: true, field: 'status', order: { id: 70, totalSumm: 4660.5 } },
    { field: 'order_product', order: { id: 70 } },
    { field: 'customer', oldValue: { id: 5 }, newValue: { id: 6 } },
    { deleted: true, field: 'id', oldValue: 70, newValue: null },
  ]);
});

test('a number and an externalId find whom they belong to now, whatever became of the customer', async () => {
  const { crm, get } = await world({
    customers: [
      { id: 5, externalId: 'a', ...person('8 (029) 000-00-01') },
      { id: 6, ...person('+7 916 000-00-02') },
    ],
  });
  const ownerOf = async (phone: string) => (await get('telephony/manager', { phone, details: '1' })).json.customer?.id;
  const statusOf = async (name: string) => (await get(`customers/${name}`, { by: 'externalId' })).status;
  expect([await ownerOf('+375290000001'), await ownerOf('89160000002'), await ownerOf('0000002')]).toEqual([
    5,
    6,
    undefined,
  ]);
  crm.edit({ kind: 'customer', id: 5, set: { phones: [{ number: '+375 33 000-00-03' }], externalId: 'b' } });
  expect([await ownerOf('+375290000001'), await ownerOf('80330000003')]).toEqual([undefined, 5]);
  expect([await statusOf('a'), await statusOf('b')]).toEqual([404, 200]);
  crm.seed({ merge: { customers: [5], into: 6 } });
  expect([await ownerOf('80330000003'), await statusOf('b')]).toEqual([6, 404]);
  crm.seed({ remove: { customer: 6 } });
  expect(await ownerOf('80330000003')).toBeUndefined();
});

test('calls follow a customer that was merged', async () => {
  const { crm, post } = await world({
    customers: [
      { id: 5, ...person('+375290000001') },
      { id: 6, ...person('+79160000002') },
    ],
  });
  const call = { externalId: 'pbx1:1.1', date: '2026-09-14 09:00:00', type: 'in', phone: '+375290000001' };
  expect(
    (await post('telephony/calls/upload', { calls: [call, { ...call, externalId: 'pbx1:1.2' }] })).json
      .processedCallsCount,
  ).toBe(2);
  expect((await post('telephony/calls/upload', { calls: [call] })).json.duplicateCalls).toEqual(['pbx1:1.1']);
  crm.seed({ merge: { customers: [5], into: 6 } });
  expect(crm.calls().map(({ customerId }) => customerId)).toEqual([6, 6]);
});

test('the sandbox: what its settings point to is there, and goes with it', async () => {
  const sandbox = await startSandbox({ calls: 20 });
  try {
    const env = new Map(
      sandboxEnv(sandbox)
        .split('\n')
        .map((line) => line.split(/=(.*)/s) as [string, string]),
    );
    const headers = { 'x-api-key': env.get('RETAILCRM_API_KEY') ?? '' };
    const users = await fetch(`${env.get('RETAILCRM_API_URL')}/api/v5/users?limit=100`, { headers });
    expect(((await users.json()) as { users: { id: number; email: string }[] }).users[0]).toMatchObject({
      id: 24,
      email: 'anna@firm.example',
    });
    expect(sandbox.retail.standin.customers()).toHaveLength(3);
    expect(existsSync(env.get('CDR_URL')?.slice('sqlite:'.length) ?? '')).toBe(true);
    expect(env.get('ASTERISK_AMI_PORT')).toBe(String(sandbox.ami.standin.port));
    await expect(startSandbox({ cdrFile: sandbox.cdr.file })).rejects.toThrow('--cdr');
  } finally {
    await sandbox.close();
  }
  expect(existsSync(sandbox.cdr.file)).toBe(false);
});
