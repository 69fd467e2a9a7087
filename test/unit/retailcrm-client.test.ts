import { afterEach, describe, expect, test } from 'vitest';
import { Secret } from '../../src/base/secret.ts';
import { fromAccount, toAccount } from '../../src/systems/retailcrm/time.ts';
import { AT, account, call, closeAccounts, failure, KEY, no, ok } from '../support/retailcrm-account.ts';

afterEach(closeAccounts);

async function all<T>(pages: AsyncGenerator<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const page of pages) found.push(page);
  return found;
}

describe('what is sent', () => {
  test('a form with JSON in it, the key in a header, dates in the zone of the account', async () => {
    const { client, seen } = await account(() => ok({ processedCallsCount: 1, duplicateCalls: ['pbx1:2'] }));
    expect(await client.uploadCalls([call('pbx1:1'), call('pbx1:2')])).toEqual({
      processed: 1,
      duplicates: ['pbx1:2'],
    });
    const [request] = seen;
    expect([request?.method, request?.path]).toEqual(['POST', '/api/v5/telephony/calls/upload']);
    expect(request?.headers).toMatchObject({
      'x-api-key': KEY,
      'content-type': 'application/x-www-form-urlencoded',
    });
    const wire = { externalId: 'pbx1:1', date: '2026-11-20 14:05:07', site: 'main', result: 'no answer', code: '201' };
    expect(request?.json('calls')).toMatchObject([wire, { externalId: 'pbx1:2' }]);
  });

  test('the zone is asked for once, and a task has a time without seconds', async () => {
    const zone = { settings: { timezone: { value: 'Europe/Moscow' }, work_times: [] } };
    const { client, seen } = await account(({ path }) => ok(path.endsWith('settings') ? zone : { id: 7 }), {
      zone: undefined,
    });
    const task = { text: 'Call back', due: AT, phone: '+375290000001', customerId: 5, performerId: 3 };
    expect([await client.createTask(task), await client.createTask(task)]).toEqual([7, 7]);
    expect(seen.map(({ path }) => path.split('/').pop())).toEqual(['settings', 'create', 'create']);
    expect(seen[1]?.params.get('site')).toBe('main');
    expect(seen[1]?.json('task')).toEqual({
      ...{ text: 'Call back', datetime: '2026-11-20 12:05', phone: '+375290000001', phoneSite: 'main' },
      ...{ performerId: 3, customer: { id: 5 } },
    });
  });

  test.each([
    ['settings without one', ok({ settings: [] })],
    ['no right to the settings', no(403, 'Access denied.')],
    ['no settings', no(404, 'API method not found')],
  ])('%s: the zone is the one at hand, which is warned of once', async (_, settings) => {
    const warned: unknown[] = [];
    const given = { zone: undefined, fallbackZone: 'Europe/Minsk', warn: (fields: object) => warned.push(fields) };
    const answer = ({ path }: { path: string }) => (path.endsWith('settings') ? settings : ok({ id: 7 }));
    const { client, seen } = await account(answer, given);
    for (const text of ['a', 'b']) await client.createTask({ text, due: AT });
    expect(seen.at(-1)?.json('task')).toMatchObject({ datetime: '2026-11-20 12:05' });
    expect([seen.length, warned.length]).toEqual([3, 1]);
    const strict = await account(answer, { zone: undefined });
    await failure(strict.client.createTask({ text: 'a', due: AT }));
    expect(strict.seen).toHaveLength(1);
  });

  test.each([
    ['a page of something in between', { body: '<html></html>' }],
    ['a page that says no', { status: 403, body: '<html></html>' }],
    ['a key that is refused', no(403, 'Wrong "apiKey" value.')],
  ])('%s in the place of the settings: no date is written under another zone', async (_, settings) => {
    const given = { zone: undefined, fallbackZone: 'Europe/Minsk' };
    const { client, seen } = await account(({ path }) => (path.endsWith('settings') ? settings : ok({ id: 7 })), given);
    await failure(client.createTask({ text: 'a', due: AT }));
    expect(seen.map(({ method }) => method)).not.toContain('POST');
  });

  test('a module is sent whole, its secret only there', async () => {
    const stands = { additionalCodes: [{ userId: '16', code: '152' }], externalPhones: [] };
    const { client, seen } = await account(({ method }) =>
      ok(
        method === 'POST'
          ? { info: [] }
          : {
              integrationModule: { code: 'pbx', active: true, clientId: 'abc-1', integrations: { telephony: stands } },
            },
      ),
    );
    const found = await client.module('pbx');
    expect(found?.telephony?.additionalCodes).toEqual([{ userId: 16, code: '152' }]);
    expect([found?.clientId?.reveal(), String(found?.clientId)]).toEqual(['abc-1', '[redacted]']);
    const [name, logo, baseUrl] = ['PBX', 'https://host/l.svg', 'https://host'];
    const telephony = { allowEdit: false, additionalCodes: [{ userId: 16, code: '153' }] };
    await client.editModule('pbx', { active: true, name, logo, baseUrl, clientId: new Secret('abc-1'), telephony });
    expect(seen[1]?.json('integrationModule')).toMatchObject({
      ...{ code: 'pbx', active: true, clientId: 'abc-1' },
      integrations: { telephony: { ...telephony, hangupEventSupported: true } },
    });
  });

  test('no more than 50 at once, and no two with one id', async () => {
    const { client, seen } = await account(() => ok({}));
    const many = Array.from({ length: 51 }, (_, n) => call(`pbx1:${n}`));
    for (const batch of [many, [], [call('1'), call('1')]]) {
      await expect(client.uploadCalls(batch)).rejects.toMatchObject({ code: 'DEFECT' });
    }
    expect(seen).toEqual([]);
  });

  test('paths of telephony have a pace of their own, all others ten a second', async () => {
    const { paced } = await account(() => ok({ notExistCodes: ['999'] }));
    const started = performance.now();
    const event = { phone: '375290000001', type: 'in', codes: ['201', '999'] } as const;
    const events = await Promise.all(Array.from({ length: 4 }, () => paced.callEvent(event)));
    expect(events[0]).toEqual({ notExistCodes: ['999'], notExistUsers: [] });
    expect(performance.now() - started).toBeGreaterThan(3 * 25);
    const second = performance.now();
    await Promise.all(Array.from({ length: 4 }, () => paced.credentials()));
    expect(performance.now() - second).toBeGreaterThan(3 * 100);
  });
});

describe('customers', () => {
  const person = {
    id: 12,
    externalId: 'tel-1',
    phones: [{ number: '8 (029) 000-00-01' }],
    customFields: [],
    email: '',
  };

  test('are searched for as RetailCRM does, a plus kept; maps and empty maps are read', async () => {
    const pagination = { totalCount: 300, currentPage: 1, totalPageCount: 3 };
    const { client, seen } = await account(() =>
      ok({ customers: { 0: person, 1: { id: '13', phones: [] } }, pagination }),
    );
    const { customers, total } = await client.customersBySearch('+375290000001');
    expect([customers.map(({ id, phones }) => [id, phones]), total]).toEqual([
      [
        [12, ['8 (029) 000-00-01']],
        [13, []],
      ],
      300,
    ]);
    expect([seen[0]?.params.get('filter[name]'), seen[0]?.params.get('limit')]).toEqual(['+375290000001', '100']);
  });

  test.each([{ id: 'x' }, { id: 0 }, { id: 1.5 }, {}])('%j has no id to go by', async (customer) => {
    const { client } = await account(() => ok({ customer }));
    expect((await failure(client.customerById(1))).code).toBe('REMOTE_ODD_ANSWER');
  });

  test('a merged one is followed to the one that remains', async () => {
    const { client, seen } = await account(({ path }) => {
      if (path.endsWith('/tel-1')) return no(404, 'Not found', { combinedTo: { id: 11 } });
      return path.endsWith('/11') ? no(404, 'Not found', { combinedTo: { id: 12 } }) : ok({ customer: person });
    });
    expect((await client.customerByExternalId('tel-1'))?.id).toBe(12);
    const asked = seen.map(({ path, params }) => [path.split('/').pop(), params.get('by'), params.get('site')]);
    expect(asked).toEqual([
      ['tel-1', 'externalId', 'main'],
      ['11', 'id', null],
      ['12', 'id', null],
    ]);
  });

  test('none is none, but a circle of merges and an unknown path are failures', async () => {
    const gone = await account(() => no(404, 'Not Found'));
    expect(await gone.client.customerById(5)).toBeUndefined();
    const circle = await account(() => no(404, 'Not found', { combinedTo: { id: 5 } }));
    expect((await failure(circle.client.customerById(5))).code).toBe('REMOTE_ODD_ANSWER');
    const old = await account(() => no(404, 'API method not found'));
    expect((await failure(old.client.customerById(5))).hint).toContain('RETAILCRM_API_URL');
  });

  test('an upload that was taken in part is read item by item', async () => {
    const { client } = await account(() =>
      no(460, 'Customers are loaded with errors', {
        uploadedCustomers: [{ id: 31, externalId: 'a' }],
        failedCustomers: [{ externalId: 'b' }, { externalId: 'c' }],
        errors: { b: 'wrong number +375290000001' },
      }),
    );
    const drafts = ['a', 'b', 'c', 'd'].map((externalId) => ({ externalId, phones: ['1'] }));
    const { uploaded, failed, unnamed } = await client.uploadCustomers(drafts);
    expect([uploaded, unnamed]).toEqual([[{ externalId: 'a', id: 31 }], ['d']]);
    expect(failed[0]).toEqual({ externalId: 'b', reason: 'wrong number +375*******01' });
    expect(failed[1]?.reason).toMatch(/^Customers are loaded with errors: b: wrong/);
  });
});

describe('lists and history', () => {
  const order = {
    id: 5,
    number: '5A',
    status: 'new',
    createdAt: '2026-11-20 14:05:07',
    totalSumm: '1250.5',
    phone: '1',
  };

  test('orders and customers by their ids, rows that were not asked for being a fault', async () => {
    const { client, seen } = await account(({ path }) =>
      ok(path.endsWith('orders') ? { orders: [{ ...order, customer: { id: 9 } }] } : { customers: [{ id: 3 }] }),
    );
    const { totalSumm, createdAt, customerId } = (await client.ordersByIds([5, 6])).get(5) ?? {};
    expect([totalSumm, createdAt, customerId]).toEqual([1250.5, new Date('2026-11-20T09:05:07Z'), 9]);
    expect([...(await client.customersByIds([3])).keys()]).toEqual([3]);
    expect(seen[0]?.params.getAll('filter[ids][]')).toEqual(['5', '6']);
    expect(await client.ordersByIds([])).toEqual(new Map());
    expect(seen).toHaveLength(2);
    expect((await failure(client.customersByIds([4]))).code).toBe('REMOTE_ODD_ANSWER');
    const dateless = await account(() => ok({ orders: [{ ...order, createdAt: 'soon' }] }));
    expect((await failure(dateless.client.ordersByIds([5]))).code).toBe('REMOTE_ODD_ANSWER');
  });

  test('an order by its external id and store, or none', async () => {
    const { client, seen } = await account(({ path }) =>
      path.endsWith('/a%2F1') ? ok({ order }) : no(404, 'Not found'),
    );
    expect((await client.orderByExternalId('a/1'))?.number).toBe('5A');
    expect(await client.orderByExternalId('b')).toBeUndefined();
    expect(seen[0]?.params.toString()).toBe('by=externalId&site=main');
  });

  test('a list is read to its last page, and one that stands still not for ever', async () => {
    const rows = (page: number) => Array.from({ length: page < 3 ? 100 : 7 }, (_, n) => ({ id: page * 1000 + n }));
    const { client, seen } = await account(({ params }) => ok({ customers: rows(Number(params.get('page'))) }));
    expect((await all(client.customers())).map((page) => page.rows.length)).toEqual([100, 100, 7]);
    expect(seen.map(({ params }) => params.get('limit'))).toEqual(['100', '100', '100']);
    const still = await account(() => ok({ customers: rows(1), pagination: { totalPageCount: 9, totalCount: 900 } }));
    expect((await failure(all(still.client.customers()))).code).toBe('REMOTE_ODD_ANSWER');
  });

  test('users of all pages, references by code', async () => {
    const { client } = await account(({ path, params }) =>
      path.endsWith('users')
        ? ok({ users: [{ id: Number(params.get('page')), active: true }], pagination: { totalPageCount: 2 } })
        : ok({ sites: { main: { code: 'main', name: 'Shop', defaultForCrm: true } }, statuses: [] }),
    );
    expect((await client.users()).map(({ id }) => id)).toEqual([1, 2]);
    expect(await client.sites()).toEqual([{ code: 'main', name: 'Shop', url: undefined, defaultForCrm: true }]);
    expect(await client.statuses()).toEqual([]);
  });

  test('history goes on from the last id, without a page number, from a moment first', async () => {
    const entry = (id: number) => ({ id, createdAt: '2026-11-20 14:05:07', field: 'phones', customer: { id: 1 } });
    const last = { ...entry(9), apiKey: { current: true }, combinedTo: { id: 4 }, customer: [] };
    const { client, seen } = await account(({ params }) => {
      const history = params.get('filter[sinceId]') === '8' ? [last] : [entry(8), entry(7)];
      return ok({ history, pagination: { currentPage: 1, totalPageCount: history.length } });
    });
    const pages = await all(client.customersHistory(AT));
    expect(pages.map(({ lastId, changes }) => [lastId, changes.map(({ id }) => id)])).toEqual([
      [8, [7, 8]],
      [9, [9]],
    ]);
    const first = { createdAt: new Date('2026-11-20T09:05:07Z'), own: false, customer: { id: 1 } };
    expect(pages[0]?.changes[0]).toMatchObject(first);
    expect(pages[1]?.changes[0]).toMatchObject({ own: true, combinedTo: 4, customer: undefined });
    expect(seen.map(({ params }) => params.toString())).toEqual([
      'filter%5BstartDate%5D=2026-11-20+14%3A05%3A07&limit=100',
      'filter%5BsinceId%5D=8&limit=100',
    ]);
  });

  test('history that stands still is not read for ever', async () => {
    const { client } = await account(() => ok({ history: [{ id: 3, order: { id: 1, status: 'new' } }] }));
    expect((await failure(all(client.ordersHistory(2)))).code).toBe('REMOTE_ODD_ANSWER');
  });
});

test('local times go there and back, through clocks that change', () => {
  for (const zone of ['Asia/Almaty', 'Europe/Berlin', 'UTC']) {
    for (let at = Date.UTC(2026, 9, 24, 21); at < Date.UTC(2026, 9, 25, 5); at += 1_799_000) {
      const text = toAccount(new Date(at), zone);
      expect(toAccount(fromAccount(text, zone) ?? new Date(0), zone)).toBe(text);
    }
  }
  expect(fromAccount('2026-03-29 02:30:00', 'Europe/Berlin')).toEqual(new Date('2026-03-29T01:30:00Z'));
  expect([fromAccount('soon', 'UTC'), fromAccount(undefined, 'UTC')]).toEqual([undefined, undefined]);
});
