import { describe, expect, test } from 'vitest';
import { ids, person, said, world } from '../support/retailcrm-world.ts';

const CALL = { date: '2026-09-14 08:59:00', type: 'in', phone: '375290000001', result: 'answered', duration: 30 };

describe('orders, tasks, references', () => {
  test('an order is made with its customer, and its status is told by the history', async () => {
    const w = await world({ customers: [person('1', { id: 7 })] });
    const made = await w.post('orders/create', { order: { externalId: 'm-1', customer: { id: 7 }, call: true } });
    expect(made).toMatchObject({ status: 201, json: { order: { status: 'new', customer: { id: 7 }, fromApi: true } } });
    expect((await w.post('orders/create', { order: { externalId: 'm-1' } })).status).toBe(400);
    expect((await w.post('orders/create', { order: { status: 'unheard-of' } })).json.errors).toHaveProperty('status');
    w.crm.edit({ kind: 'order', id: made.json.id, set: { status: 'complete' } });
    const [born, moved] = (await w.get('orders/history')).json.history;
    expect(born).toMatchObject({
      created: true,
      field: 'status',
      newValue: { code: 'new' },
      apiKey: { current: true },
    });
    expect(moved).toMatchObject({ oldValue: { code: 'new' }, newValue: { code: 'complete' }, source: 'user' });
    const query = { 'filter[customerId]': '7', 'filter[createdAtFrom]': '2026-09-14' };
    expect(ids((await w.get('orders', query)).json.orders)).toEqual([made.json.id]);
    expect((await w.get('orders', { 'filter[createdAtFrom]': '2026-09-14 00:00:00' })).status).toBe(400);
  });

  test('a task has no seconds and nothing that keeps it from being made twice', async () => {
    const w = await world();
    const task = { text: 'Перезвонить', datetime: '2026-09-14 10:30', performerId: 24, phone: '+375290000001' };
    await w.post('tasks/create', { task });
    expect((await w.post('tasks/create', { task })).status).toBe(201);
    expect((await w.post('tasks/create', { task: { ...task, datetime: '2026-09-14 10:30:00' } })).status).toBe(400);
    const { json } = await w.get('tasks', { 'filter[performers][]': '24', 'filter[status]': 'performing' });
    expect(json.tasks).toMatchObject([{ performer: 24, performerType: 'user' }, { text: 'Перезвонить' }]);
  });

  test('users, stores, statuses and the zone', async () => {
    const w = await world({}, { timeZone: 'Asia/Almaty' });
    expect(ids((await w.get('users', { 'filter[active]': '1' })).json.users)).toEqual([24]);
    expect((await w.get('reference/sites')).json.sites.shop.code).toBe('shop');
    expect((await w.get('reference/statuses')).json.statuses['no-call'].group).toBe('cancel');
    expect((await w.get('settings')).json.settings.timezone.value).toBe('Asia/Almaty');
    expect((await w.get('customers/history')).json.generatedAt).toBe('2026-09-14 11:00:00');
  });
});

describe('telephony', () => {
  test('is refused until an active module is registered; a later edit replaces the extensions as a whole', async () => {
    const w = await world({ modules: {} });
    const upload = () => w.post('telephony/calls/upload', { calls: [CALL] });
    expect(said(await upload())).toBe('200 Telephony not enabled or not supports calls upload');
    const telephony = (...codes: string[]) => ({
      integrations: { telephony: { additionalCodes: codes.map((code) => ({ userId: 24, code })) } },
    });
    const edit = (integrationModule: object) => w.post('integration-modules/pbx/edit', { integrationModule });
    expect((await edit(telephony('201'))).json.errors).toHaveProperty('logo');
    const about = { name: 'PBX', logo: 'https://a.example/l.svg', baseUrl: 'https://a.example', clientId: 'c' };
    expect((await edit({ ...about, ...telephony('201', '202') })).status).toBe(201);
    expect((await edit(telephony('203'))).status).toBe(200);
    const { json } = await w.get('integration-modules/pbx');
    expect(json.integrationModule.integrations.telephony.additionalCodes).toEqual([{ userId: 24, code: '203' }]);
    expect(said(await upload())).toBe('200 true');
    await edit({ active: false });
    expect(said(await w.post('telephony/call/event', { event: {} }))).toBe('200 Telephony not enabled');
  });

  test('events: unknown extensions are named; a hangup is spelt its own way', async () => {
    const w = await world();
    const event = { phone: '+375290000001', type: 'in', codes: ['201', '999'], callExternalId: 'pbx:1' };
    expect((await w.post('telephony/call/event', { event })).json).toEqual({ success: true, notExistCodes: ['999'] });
    const hangup = { ...event, type: 'hangup', hangupStatus: 'no answer' };
    expect((await w.post('telephony/call/event', { event: hangup })).json.errors).toHaveProperty('hangupStatus');
    expect(w.crm.events()).toEqual([{ ...event, at: '2026-09-14 09:00:00' }]);
  });

  test('upload: duplicates are named and kept once, tied to customer and manager; one bad call refuses all', async () => {
    const w = await world({ customers: [person('80290000001', { id: 7 })] });
    const calls = [{ ...CALL, externalId: 'pbx:1', code: '201' }];
    const again = [
      { ...calls[0], recordUrl: 'https://r.example/1' },
      { ...CALL, externalId: 'pbx:2' },
    ];
    const upload = (rows: object[]) => w.post('telephony/calls/upload', { calls: rows });
    expect((await upload(calls)).json).toEqual({ success: true, processedCallsCount: 1, duplicateCalls: [] });
    expect((await upload(again)).json).toMatchObject({ processedCallsCount: 1, duplicateCalls: ['pbx:1'] });
    expect(w.crm.calls()[0]).toMatchObject({ externalId: 'pbx:1', customerId: 7, managerId: 24 });
    expect(w.crm.calls()[0]).not.toHaveProperty('recordUrl');
    const mixed = [
      { ...CALL, externalId: 'pbx:3' },
      { ...CALL, result: 'no answered' },
    ];
    expect((await upload(mixed)).json.errors).toHaveProperty(['calls[1][result]']);
    expect(w.crm.calls()).toHaveLength(2);
    w.crm.configure({ badCallInUpload: 'partial', duplicateUpdates: true });
    expect((await upload(mixed)).status).toBe(460);
    await upload(again);
    expect(w.crm.calls().map(({ externalId }) => externalId)).toEqual(['pbx:1', 'pbx:2', 'pbx:3']);
    expect(w.crm.calls()[0]).toHaveProperty('recordUrl');
    expect((await upload(Array(51).fill(CALL))).status).toBe(400);
  });

  test('the manager of a number, unless his status forbids; with details whose it is', async () => {
    const w = await world({ customers: [person('+375290000001', { id: 7, managerId: 25 })] });
    const ask = async (query: object) => (await w.get('telephony/manager', { phone: '80290000001', ...query })).json;
    expect(await ask({})).toEqual({ success: true });
    expect(await ask({ ignoreStatus: '1', details: '1' })).toMatchObject({ manager: { id: 25 }, customer: { id: 7 } });
  });

  test('an unknown extension in an upload is kept without a manager, or refused', async () => {
    const w = await world();
    const calls = [{ ...CALL, externalId: 'pbx:1', code: '999', userId: null }];
    expect((await w.post('telephony/calls/upload', { calls })).json.processedCallsCount).toBe(1);
    expect(w.crm.calls()[0]).not.toHaveProperty('managerId');
    w.crm.configure({ unknownCodeInUpload: 'refused' });
    expect((await w.post('telephony/calls/upload', { calls })).json.errors).toHaveProperty(['calls[0][code]']);
  });

  test('switches: telephony off, a manager demanded, extensions kept, ids as text', async () => {
    const w = await world({}, { managerDemanded: true, codesWhenAbsent: 'kept', stringIds: true });
    const event = { phone: '1', type: 'in' };
    expect((await w.post('telephony/call/event', { event })).json.errors).toHaveProperty('codes');
    await w.post('integration-modules/pbx/edit', {
      integrationModule: { integrations: { telephony: { makeCallUrl: 'https://a.example/call' } } },
    });
    const { telephony } = (await w.get('integration-modules/pbx')).json.integrationModule.integrations;
    expect(telephony.additionalCodes).toEqual([{ userId: '24', code: '201' }]);
    w.crm.configure({ telephonyOff: true, telephonyRefusalStatus: 400 });
    expect(said(await w.post('telephony/call/event', { event }))).toBe('400 Telephony not enabled');
  });
});

test('the snapshot holds what a person did: a customer changed, merged step by step, removed', async () => {
  const w = await world({ customers: [1, 2, 3, 4].map((id) => person(`+37529000000${id}`, { id })) });
  w.crm.seed({ edit: { kind: 'customer', id: 3, set: { email: 'a@b.example' } }, remove: { customer: 4 } });
  w.crm.seed({ merge: { customers: [1], into: 2 } });
  w.crm.seed({ merge: { customers: [2], into: 3 } });
  const { customers, merged, history } = w.crm.snapshot();
  expect(customers).toMatchObject([{ id: 3, email: 'a@b.example', phones: { length: 3 } }]);
  expect(merged.map(({ id, into }) => [id, into])).toEqual([
    [1, 2],
    [2, 3],
  ]);
  expect((await w.get('customers/1', { by: 'id' })).json.combinedTo).toEqual({ id: 2 });
  expect(history.customers.filter(({ deleted }) => deleted).map(({ oldValue }) => oldValue)).toEqual([4, 1, 2]);
  expect(() => w.crm.seed({ remove: { customer: 4 } })).toThrow('no customer 4');
});
