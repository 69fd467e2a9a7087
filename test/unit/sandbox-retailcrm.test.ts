import { describe, expect, test } from 'vitest';
import type { RetailcrmSeed } from '../../src/sandbox/retailcrm.ts';
import { ids, person, said, world } from '../support/retailcrm-world.ts';

describe('access', () => {
  test('the key, its scopes and the paths', async () => {
    const w = await world({}, { scopes: ['customer_read'] });
    expect(said(await w.get('users', {}, { 'x-api-key': '' }))).toBe('403 "apiKey" is missing.');
    expect(said(await w.get('users', {}, { 'x-api-key': 'other' }))).toBe('403 Wrong "apiKey" value.');
    expect(said(await w.get('users'))).toBe('403 Access denied.');
    expect(said(await w.get('credentials'))).toBe('404 API method not found');
    const { json } = await w.get('/api/credentials');
    expect(json).toMatchObject({ success: true, scopes: ['customer_read'], sitesAvailable: ['shop'] });
    expect((await w.get('/api/api-versions')).json.versions).toContain('5.0');
  });

  test('no account: HTML, and 405 on POST', async () => {
    const answer = await (await world({}, { accountMissing: true })).post('customers/create', {});
    expect(answer.status).toBe(405);
    expect(answer.json).toMatch(/^</);
  });

  test('ten requests a second, forty below /telephony, counted apart; bursts with and without Retry-After', async () => {
    const w = await world({}, { rps: 10 });
    const statuses = async (path: string, times: number) => {
      const answers = Array.from({ length: times }, () => w.get(path, { phone: '1' }));
      return (await Promise.all(answers)).map(({ status }) => status).filter((status) => status === 503).length;
    };
    expect(await statuses('users', 12)).toBe(2);
    expect(await statuses('telephony/manager', 41)).toBe(1);
    w.clock.pace += 1000;
    w.crm.configure({ busyTimes: 1, retryAfterSeconds: 2 });
    expect((await w.get('users')).headers.get('retry-after')).toBe('2');
    expect((await w.get('users')).status).toBe(200);
    expect(w.crm.refusals()).toBe(4);
  });

  test('a misspelt switch, choice or seed is an error', async () => {
    const { crm } = await world();
    expect(() => crm.configure({ phoneFilters: 'ignored' })).toThrow('unknown option phoneFilters');
    expect(() => crm.configure({ phoneFilter: 'no' })).toThrow('cannot be "no"');
    expect(() => crm.seed({ clients: [] } as RetailcrmSeed)).toThrow('unknown seed clients');
  });
});

describe('forms and pages', () => {
  test.each([
    ['application/json', JSON.stringify({ customer: person('1') })],
    ['text/plain', 'customer={}'],
    ['application/x-www-form-urlencoded', 'customer[firstName]=Anna'],
  ])('a body of %s that is no JSON in a form has no parameter', async (type, body) => {
    const w = await world();
    expect(said(await w.raw('customers/create', type, body))).toBe("400 Parameter 'customer' is missing");
    expect(w.crm.customers()).toEqual([]);
  });

  test('limit is 20, 50 or 100; errors come as map or list', async () => {
    const w = await world({ customers: Array.from({ length: 21 }, (_, n) => person(String(n))) });
    expect((await w.get('customers', { limit: '30' })).json.errors).toHaveProperty(['children[limit]']);
    w.crm.configure({ errorsAs: 'list' });
    expect((await w.get('customers', { limit: '30' })).json.errors).toEqual([expect.stringContaining('limit')]);
    const { json } = await w.get('customers', { page: '2' });
    expect(json.pagination).toEqual({ limit: 20, totalCount: 21, currentPage: 2, totalPageCount: 2 });
    expect(json.customers).toHaveLength(1);
    expect(json.customers[0].customFields).toEqual([]);
  });

  test('a key of several stores must name one', async () => {
    const w = await world({}, { sites: ['shop', 'spare'] });
    expect(said(await w.post('customers/create', { customer: person('1') }))).toBe("400 Parameter 'site' is missing");
    const made = await w.post('customers/create', { customer: person('1', { externalId: 'x' }), site: 'spare' });
    expect(said(await w.get('customers/x'))).toBe("400 Parameter 'site' is missing");
    expect((await w.get('customers/x', { site: 'spare' })).json.customer.id).toBe(made.json.id);
    expect((await w.get('customers/x', { site: 'shop' })).status).toBe(404);
  });
});

describe('customers', () => {
  const two = { customers: [person('+375 29 000-00-01', { id: 1 }), person('80290000002', { id: 2 })] };

  test.each([
    ['filter[name]', '290000002', {}, [2]],
    ['filter[name]', '29000', { nameFilter: 'whole' as const }, []],
    ['filter[name]', '375290000001', {}, []],
    ['filter[name]', '375290000001', { nameFilter: 'digits' as const }, [1]],
    ['filter[phone]', '375290000001', {}, [1]],
    ['filter[phone]', '375290000001', { phoneFilter: 'ignored' as const, listOrder: 'descending' as const }, [2, 1]],
    ['filter[ids][]', '2', {}, [2]],
    ['filter[number]', '5', {}, [1, 2]],
  ])('%s=%s with %o finds %o', async (name, value, options, found) => {
    const { json } = await (await world(two, options)).get('customers', { [name]: value });
    expect(ids(json.customers)).toEqual(found);
  });

  test('filters may be refused; one that the stand-in lacks is never passed over', async () => {
    const w = await world(two, { phoneFilter: 'refused', unknownFilters: 'refused' });
    expect((await w.get('customers', { 'filter[phone]': '1' })).status).toBe(400);
    expect((await w.get('customers', { 'filter[number]': '1' })).status).toBe(400);
    expect((await w.get('customers', { 'filter[city]': 'x' })).status).toBe(501);
  });

  test('create, edit and the taken externalId; numbers stay as typed; `by` is externalId unless said', async () => {
    const w = await world({}, { phonesOnEdit: 'append' });
    const customer = person('8 (029) 000-00-01', { externalId: 'tel-1', managerId: 24 });
    const made = await w.post('customers/create', { customer });
    expect(made.status).toBe(201);
    expect(said(await w.post('customers/create', { customer }))).toBe('400 Errors in the entity format');
    const path = `customers/${made.json.id}`;
    expect((await w.get(path)).status).toBe(404);
    await w.post(`${path}/edit`, { by: 'id', customer: { phones: [{ number: '+1' }], lastName: 'Ким' } });
    const after = (await w.get(path, { by: 'id' })).json.customer;
    expect(after).toMatchObject({ lastName: 'Ким', phones: [{ number: '8 (029) 000-00-01' }, { number: '+1' }] });
    expect((await w.post('customers/create', { customer: { fistName: 'x' } })).json.errors).toHaveProperty('fistName');
  });

  test('upload takes fifty, and 460 tells what was refused', async () => {
    const w = await world({}, { refusedInUpload: ['b'] });
    const customers = ['a', 'b'].map((externalId) => ({ externalId }));
    const { status, json } = await w.post('customers/upload', { customers });
    expect([status, json.success, json.failedCustomers]).toEqual([460, false, [{ externalId: 'b' }]]);
    expect(json.uploadedCustomers).toEqual([{ id: w.crm.customers()[0]?.id, externalId: 'a' }]);
    w.crm.configure({ takenInUpload: 'updated', refusedInUpload: [] });
    expect((await w.post('customers/upload', { customers })).status).toBe(201);
    expect(w.crm.customers()).toHaveLength(2);
    expect((await w.post('customers/upload', { customers: Array(51).fill({}) })).status).toBe(400);
  });

  test('history goes by sinceId, says who changed what, and names what a merged customer became', async () => {
    const w = await world(two, { combineDelayMs: 5000, segmentNoise: 1 });
    const first = (await w.get('customers/history')).json.history;
    expect(first[0]).toMatchObject({ created: true, field: 'id', newValue: 1, source: 'user', customer: { id: 1 } });
    expect(first.at(-1)).toMatchObject({ source: 'code', field: 'segments' });
    const since = { 'filter[sinceId]': String(first.at(-1).id) };
    expect((await w.get('customers/history', { ...since, page: '1' })).status).toBe(400);
    const combine = await w.post('customers/combine', { customers: [{ id: 2 }], resultCustomer: { id: 1 } });
    expect(combine.json).toEqual({ success: true });
    expect((await w.get('customers/history', since)).json.history).toEqual([]);
    w.clock.now += 5000;
    const gone = await w.get('customers/2', { by: 'id' });
    expect([gone.status, gone.json.combinedTo]).toEqual([404, { id: 1 }]);
    const { json } = await w.get('customers/history', since);
    expect(json.history[0]).toMatchObject({ deleted: true, oldValue: 2, combinedTo: { id: 1 } });
    expect(json.history[0]).toMatchObject({ apiKey: { current: true }, createdAt: '2026-09-14 09:00:05' });
    expect(json.history[1]).toMatchObject({ field: 'phones', newValue: '80290000002', customer: { id: 1 } });
    expect(json.pagination.totalCount).toBe(json.history.length);
  });
});
