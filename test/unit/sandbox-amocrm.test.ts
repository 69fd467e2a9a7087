import { afterEach, describe, expect, test } from 'vitest';
import {
  type AmocrmOptions,
  type AmocrmSnapshot,
  type AmocrmStandin,
  amocrmStandin,
} from '../../src/sandbox/amocrm.ts';
import { type RunningStandin, serve } from '../../src/sandbox/kit.ts';

/** A row of any list; only what a case reads by name is spelt out. */
interface WireRow {
  [key: string]: unknown;
  id: number;
  _embedded: Record<string, WireRow[]>;
}

interface Wire extends WireRow {
  _links: { next?: { href: string } };
  'validation-errors': { request_id: string; errors: { code: string; path: string }[] }[];
  custom_fields_values: { values: unknown }[];
}

interface Answer {
  status: number;
  type: string;
  text: string;
  /** Empty where the answer has no JSON body. */
  body: Wire;
}

const running: RunningStandin[] = [];

afterEach(async () => {
  await Promise.all(running.splice(0).map((one) => one.close()));
});

const START = Date.UTC(2026, 7, 1, 6, 0, 0);

async function world(options: Partial<AmocrmOptions> = {}) {
  // The clock stands still unless a test moves it; no request limit, so that only tests of the limit meet it.
  const server = await serve<AmocrmStandin>(amocrmStandin({ now: () => new Date(START), rps: 0, ...options }));
  running.push(server);
  const { standin, url } = server;
  const token = standin.credentials().access_token;
  async function call(method: string, path: string, body?: unknown, bearer = token): Promise<Answer> {
    const response = await fetch(url + path, {
      method,
      headers: { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const type = response.headers.get('content-type') ?? '';
    return {
      status: response.status,
      type,
      text,
      body: type.includes('json') && text !== '' ? JSON.parse(text) : null,
    };
  }
  const api = (method: string, path: string, body?: unknown) => call(method, `/api/v4${path}`, body);
  return { ...server, standin, url, call, api };
}

function errorsOf(answer: Answer): string[] {
  return answer.body['validation-errors'].flatMap((item) =>
    item.errors.map((one) => `${item.request_id} ${one.code} ${one.path}`),
  );
}

function rows(answer: { body: WireRow }, name: string): WireRow[] {
  return answer.body._embedded[name] ?? [];
}

function ids(answer: { body: WireRow }, name = 'leads'): number[] {
  return rows(answer, name).map((row) => row.id);
}

describe('tokens', () => {
  async function exchange(w: Awaited<ReturnType<typeof world>>, fields: Record<string, unknown>) {
    const { client_id, client_secret, redirect_uri } = w.standin.credentials();
    return w.call('POST', '/oauth2/access_token', { client_id, client_secret, redirect_uri, ...fields });
  }

  test('a refresh token works once', async () => {
    const w = await world({ accessTokenSeconds: 3600 });
    const { refresh_token } = w.standin.credentials();
    const first = await exchange(w, { grant_type: 'refresh_token', refresh_token });
    expect(first.body).toMatchObject({ token_type: 'Bearer', expires_in: 3600, server_time: START / 1000 });
    const again = await exchange(w, { grant_type: 'refresh_token', refresh_token });
    expect([again.status, again.body.hint]).toEqual([401, 'Token has been revoked']);
    const next = await exchange(w, { grant_type: 'refresh_token', refresh_token: first.body.refresh_token });
    expect(next.status).toBe(200);
    expect(w.standin.exchanges()).toEqual({ authorization_code: 0, refresh_token: 2 });
  });

  test('an answer lost on its way has spent the token all the same', async () => {
    const w = await world();
    const { refresh_token } = w.standin.credentials();
    w.fault({ match: 'access_token', kind: 'lost' });
    await expect(exchange(w, { grant_type: 'refresh_token', refresh_token })).rejects.toThrow();
    const again = await exchange(w, { grant_type: 'refresh_token', refresh_token });
    expect(again.body.hint).toBe('Token has been revoked');
  });

  test('a code works once and for 20 minutes', async () => {
    const w = await world();
    const { code } = w.standin.credentials();
    const late = w.standin.issueCode();
    expect((await exchange(w, { grant_type: 'authorization_code', code })).status).toBe(200);
    const again = await exchange(w, { grant_type: 'authorization_code', code });
    expect([again.status, again.body.hint]).toEqual([400, 'Authorization code has been revoked']);
    w.standin.advance(20 * 60_000);
    const expired = await exchange(w, { grant_type: 'authorization_code', code: late });
    expect([expired.status, expired.body.hint]).toEqual([400, 'Authorization code has expired']);
  });

  test.each([
    [{ redirect_uri: 'https://sdelka.example/webhook/amocrm/' }, 400, 'Redirect URI is not associated with client'],
    [{ client_secret: '' }, 400, 'Check the `client_secret` parameter'],
    [{ client_secret: 'another' }, 401, undefined],
    [{ code: 'garbage' }, 400, 'Cannot decrypt the authorization code'],
  ])('%j is refused', async (wrong, status, hint) => {
    const w = await world();
    const { code } = w.standin.credentials();
    const answer = await exchange(w, { grant_type: 'authorization_code', code, ...wrong });
    expect([answer.status, answer.body.hint]).toEqual([status, hint]);
  });

  test('an access token is a JWT with its end in it, and dies then', async () => {
    const w = await world({ accessTokenSeconds: 60 });
    const { access_token } = w.standin.credentials();
    const claims = JSON.parse(Buffer.from(access_token.split('.')[1] ?? '', 'base64url').toString());
    expect(claims).toMatchObject({ exp: START / 1000 + 60, account_id: 31337001, base_domain: 'amocrm.ru' });
    expect((await w.api('GET', '/account')).status).toBe(200);
    w.standin.advance(60_000);
    const dead = await w.api('GET', '/account');
    expect([dead.status, dead.body.title]).toEqual([401, 'Unauthorized']);
    const longLived = await w.call('GET', '/api/v4/account', undefined, w.standin.credentials().long_lived_token);
    expect(longLived.status).toBe(200);
    expect((await w.call('GET', '/api/v4/account', undefined, 'stranger')).status).toBe(401);
  });
});

describe('limits', () => {
  test('the eighth request of a second is refused in HTML, and the next second is free', async () => {
    const w = await world({ rps: 7 });
    for (let i = 0; i < 7; i++) expect((await w.api('GET', '/account')).status).toBe(200);
    const refused = await w.api('GET', '/account');
    expect([refused.status, refused.type]).toEqual([429, 'text/html']);
    w.standin.advance(1000);
    expect((await w.api('GET', '/account')).status).toBe(200);
    expect(w.standin.counts()).toEqual({ 'GET /api/v4/account': 8 });
  });

  test('who goes on regardless is blocked on every route until the block ends', async () => {
    const w = await world({ rps: 1, blockAfter: 2, blockMs: 60_000 });
    await w.api('GET', '/account');
    for (let i = 0; i < 3; i++) expect((await w.api('GET', '/account')).status).toBe(429);
    w.standin.advance(5000);
    const token = await w.call('POST', '/oauth2/access_token', {});
    expect([token.status, token.type]).toEqual([403, 'text/html']);
    w.standin.advance(60_000);
    expect((await w.api('GET', '/account')).status).toBe(200);
    expect(w.standin.refusals()).toEqual({ tooMany: 3, blocked: 1 });
  });
});

describe('lists', () => {
  test('come in pages with next, and empty ones are 204', async () => {
    const w = await world();
    expect(await w.api('GET', '/leads')).toMatchObject({ status: 204, text: '' });
    w.standin.add({ generate: { deals: 60 } });
    const first = await w.api('GET', '/leads');
    expect(ids(first)).toHaveLength(50);
    expect(first.body._page).toBe(1);
    const second = await fetch(first.body._links.next?.href ?? '', {
      headers: { authorization: `Bearer ${w.standin.credentials().access_token}` },
    });
    const body = (await second.json()) as Wire;
    expect(body._embedded.leads).toHaveLength(10);
    expect(body._links.next).toBeUndefined();
    expect((await w.api('GET', '/leads?page=3')).status).toBe(204);
    expect((await w.api('GET', '/leads?limit=251')).status).toBe(400);
    expect((await w.api('GET', '/events?limit=101')).status).toBe(400);
    expect((await w.api('GET', '/leads?limit=60')).body._links.next).toBeUndefined();
    w.standin.configure({ omitNext: true });
    expect((await w.api('GET', '/leads')).body._links.next).toBeUndefined();
  });

  test('order is honoured or not', async () => {
    const w = await world();
    const made = w.standin.add({ deals: [{ created_at: 300 }, { created_at: 100 }, { created_at: 200 }] }).deals;
    const newest = '/leads?order[created_at]=desc';
    expect(ids(await w.api('GET', newest))).toEqual([made[0], made[2], made[1]]);
    expect(ids(await w.api('GET', '/leads?order[id]=desc'))).toEqual([...made].reverse());
    w.standin.configure({ orderHonoured: false });
    expect(ids(await w.api('GET', newest))).toEqual(made);
  });

  test.each([
    ['filter[id][]={0}&filter[id][]={2}', [0, 2]],
    ['filter[id]={1}', [1]],
    ['filter[created_at][from]=200&filter[created_at][to]=300', [1, 2]],
    ['filter[updated_at][from]=300', [2]],
    ['filter[custom_fields_values][900101][]=ord-2', [1]],
    ['filter[custom_fields_values][900103][]=910001', [2]],
    ['filter[custom_fields_values][900104][from]=10', [0]],
    ['filter[statuses][0][pipeline_id]=10226282&filter[statuses][0][status_id]=142', [0]],
    ['filter[statuses][0][status_id]=142', [0, 1, 2]],
    ['filter[status_id]=142', [0, 1, 2]],
    ['filter[custom_fields_values][900101][]=nobody', []],
  ])('%s', async (query, expected) => {
    const w = await world();
    const made = w.standin.add({
      deals: [
        { created_at: 100, status_id: 142, custom_fields: { 900101: 'ord-1', 900104: 15 } },
        { created_at: 200, custom_fields: { 900101: 'ord-2', 900104: 5 } },
        { created_at: 300, custom_fields: { 900103: 'Kaspi Доставка' } },
      ],
    }).deals;
    const answer = await w.api('GET', `/leads?${query.replace(/\{(\d)\}/g, (_, i) => String(made[Number(i)]))}`);
    expect(answer.status === 204 ? [] : ids(answer)).toEqual(expected.map((i) => made[i]));
  });

  test('filters are ignored or refused where the account lacks them, and the account says so', async () => {
    const w = await world();
    const made = w.standin.add({ generate: { deals: 3 } }).deals;
    const enabled = async () =>
      (await w.api('GET', '/account?with=is_api_filter_enabled')).body.is_api_filter_enabled as boolean;
    expect(await enabled()).toBe(true);
    w.standin.configure({ filters: 'ignored' });
    expect(ids(await w.api('GET', `/leads?filter[id][]=${made[1]}`))).toEqual(made);
    expect(await enabled()).toBe(false);
    w.standin.configure({ filters: 'error' });
    expect((await w.api('GET', `/leads?filter[id][]=${made[1]}`)).status).toBe(400);
  });

  test('a non-numeric field filter returns everybody', async () => {
    const w = await world();
    const made = w.standin.add({ generate: { contacts: 2 } }).contacts;
    const answer = await w.api('GET', '/contacts?filter[custom_fields_values][PHONE][]=%2B77000000001');
    expect(ids(answer, 'contacts')).toEqual(made);
  });

  test('query finds a phone in any spelling, and a stranger with the same digits elsewhere', async () => {
    const w = await world();
    const made = w.standin.add({
      contacts: [
        { name: 'А', phones: ['8 (701) 555-44-33'] },
        { name: 'Б', custom_fields: { 800003: 'счёт 7015554433' } },
        { name: 'В', phones: ['+77010000000'] },
      ],
    }).contacts;
    expect(ids(await w.api('GET', '/contacts?query=7015554433'), 'contacts')).toEqual(made.slice(0, 2));
    expect((await w.api('GET', '/contacts?query=nobody')).status).toBe(204);
  });

  test('the list and the index lag, a read by id does not', async () => {
    const w = await world({ listLagMs: 2000, searchLagMs: 5000 });
    const made = await w.api('POST', '/leads', [{ name: 'Kaspi 1' }]);
    const id = ids(made)[0];
    expect((await w.api('GET', `/leads/${id}`)).body.name).toBe('Kaspi 1');
    expect((await w.api('GET', '/leads')).status).toBe(204);
    w.standin.advance(2000);
    expect(ids(await w.api('GET', '/leads'))).toEqual([id]);
    expect((await w.api('GET', '/leads?query=Kaspi')).status).toBe(204);
    w.standin.advance(3000);
    expect(ids(await w.api('GET', '/leads?query=Kaspi'))).toEqual([id]);
    await w.api('PATCH', `/leads/${id}`, { name: 'Kaspi 2' });
    expect(rows(await w.api('GET', '/leads'), 'leads')[0]?.name).toBe('Kaspi 1');
    expect((await w.api('GET', `/leads/${id}`)).body.name).toBe('Kaspi 2');
    w.standin.advance(2000);
    expect(rows(await w.api('GET', '/leads'), 'leads')[0]?.name).toBe('Kaspi 2');
  });

  test('10,000 deals in 40 pages', async () => {
    const w = await world();
    w.standin.add({ generate: { deals: 10_000 } });
    const seen = new Set<number>();
    for (let page = 1; page <= 40; page++) {
      for (const id of ids(await w.api('GET', `/leads?limit=250&page=${page}&order[created_at]=desc`))) seen.add(id);
    }
    expect(seen.size).toBe(10_000);
  });
});

describe('deals', () => {
  test('are made with fields, tags and contacts, and read back', async () => {
    const w = await world();
    const [contact] = w.standin.add({ contacts: [{ name: 'Иван', phones: ['+77015554433'] }] }).contacts;
    const made = await w.api('POST', '/leads', [
      {
        name: 'Kaspi #1',
        price: 12500,
        status_id: 80953556,
        created_at: 1_754_000_000,
        request_id: 77,
        custom_fields_values: [
          { field_id: 900101, values: [{ value: 'ord-1' }] },
          { field_id: 900103, values: [{ value: 'Самовывоз' }] },
          { field_id: 900104, values: [{ value: 1.5 }] },
        ],
        _embedded: { tags: [{ name: 'Kaspi' }], contacts: [{ id: contact }] },
      },
    ]);
    expect(made.status).toBe(200);
    expect(rows(made, 'leads')[0]?.request_id).toBe('77');
    const lead = (await w.api('GET', `/leads/${ids(made)[0]}?with=contacts`)).body;
    expect(lead).toMatchObject({
      price: 12500,
      pipeline_id: 10226282,
      status_id: 80953556,
      created_at: 1_754_000_000,
      updated_at: START / 1000,
      closed_at: null,
      account_id: 31337001,
      _embedded: { tags: [{ name: 'Kaspi' }], contacts: [{ id: contact, is_main: true }] },
    });
    expect(lead.custom_fields_values).toEqual([
      {
        field_id: 900101,
        field_name: 'Kaspi: код заказа',
        field_code: null,
        field_type: 'text',
        values: [{ value: 'ord-1' }],
      },
      {
        field_id: 900103,
        field_name: 'Способ доставки',
        field_code: null,
        field_type: 'select',
        values: [{ value: 'Самовывоз', enum_id: 910002 }],
      },
      {
        field_id: 900104,
        field_name: 'Стоимость доставки',
        field_code: null,
        field_type: 'numeric',
        values: [{ value: '1.5' }],
      },
    ]);
    expect(w.standin.deals()).toMatchObject([
      {
        name: 'Kaspi #1',
        tags: ['Kaspi'],
        contacts: [contact],
        custom_fields: { 900101: 'ord-1', 900103: 'Самовывоз' },
      },
    ]);
    const bare = await w.api('GET', `/leads/${ids(made)[0]}`);
    expect(bare.body._embedded).not.toHaveProperty('contacts');
  });

  test('the same POST twice makes two deals; nothing is unique', async () => {
    const w = await world();
    const body = [{ name: 'A', custom_fields_values: [{ field_id: 900101, values: [{ value: 'x' }] }] }];
    await w.api('POST', '/leads', body);
    await w.api('POST', '/leads', body);
    expect(w.standin.deals().map((deal) => deal.custom_fields[900101])).toEqual(['x', 'x']);
  });

  test.each<[Record<string, unknown>, string]>([
    [{ colour: 'red' }, 'FieldNotExpected colour'],
    [{ price: 12.5 }, 'InvalidType price'],
    [{ name: 5 }, 'InvalidType name'],
    [{ pipeline_id: 1 }, 'NotSupportedChoice pipeline_id'],
    [{ pipeline_id: 10226290, status_id: 80953554 }, 'NotSupportedChoice status_id'],
    [{ status_id: 80953550 }, 'NotSupportedChoice status_id'],
    [{ responsible_user_id: 12380451 }, 'NotSupportedChoice responsible_user_id'],
    [{ loss_reason_id: 1 }, 'NotSupportedChoice loss_reason_id'],
    [
      { custom_fields_values: [{ field_id: 1, values: [{ value: 'x' }] }] },
      'NotSupportedChoice custom_fields_values.0.field_id',
    ],
    [{ custom_fields_values: [{ field_id: 900101, values: [] }] }, 'InvalidType custom_fields_values.0.values'],
    [
      { custom_fields_values: [{ field_id: 900101, values: [{ value: 5 }] }] },
      'InvalidType custom_fields_values.0.values.0.value',
    ],
    [
      { custom_fields_values: [{ field_id: 900103, values: [{ value: 'Почта' }] }] },
      'NotSupportedChoice custom_fields_values.0.values.0.value',
    ],
    [
      { custom_fields_values: [{ field_id: 900103, values: [{ enum_id: 1 }] }] },
      'NotSupportedChoice custom_fields_values.0.values.0.enum_id',
    ],
    [{ _embedded: { contacts: [{ id: 1 }] } }, 'NotSupportedChoice _embedded.contacts.0.id'],
    [{ _embedded: { tags: [{ name: 'a', request_id: '1' }] } }, 'FieldNotExpected _embedded.tags.0.request_id'],
  ])('%j refuses the whole batch', async (bad, expected) => {
    const w = await world();
    const answer = await w.api('POST', '/leads', [{ name: 'good', request_id: 'g' }, { ...bad, request_id: 'b' }, bad]);
    expect(answer.status).toBe(400);
    expect(answer.type).toBe('application/problem+json');
    expect(errorsOf(answer)).toEqual([`b ${expected}`, `2 ${expected}`]);
    expect(w.standin.deals()).toEqual([]);
  });

  test('a batch beyond the cap is refused', async () => {
    const w = await world({ batchCap: 2 });
    const three = [{ name: 'a' }, { name: 'b' }, { name: 'c' }];
    expect((await w.api('POST', '/leads', three)).status).toBe(400);
    expect((await w.api('POST', '/leads', three.slice(1))).status).toBe(200);
    expect((await w.api('POST', '/leads', { name: 'a' })).status).toBe(400);
  });

  test('a patch changes what it names: tags by difference, null clears, won and lost close', async () => {
    const w = await world();
    const [id] = w.standin.add({
      deals: [{ name: 'A', price: 5, tags: ['x', 'y'], custom_fields: { 900101: 'o', 900102: 'a' } }],
    }).deals;
    w.standin.advance(10_000);
    const answer = await w.api('PATCH', '/leads', [
      {
        id,
        pipeline_id: 10226290,
        status_id: 143,
        loss_reason_id: 4203748,
        custom_fields_values: [{ field_id: 900102, values: null }],
        tags_to_add: [{ name: 'z' }],
        tags_to_delete: [{ name: 'x' }],
      },
    ]);
    const now = START / 1000 + 10;
    expect(rows(answer, 'leads')[0]).toMatchObject({ id, updated_at: now, request_id: '0' });
    expect(w.standin.deals()).toMatchObject([
      {
        name: 'A',
        price: 5,
        pipeline_id: 10226290,
        status_id: 143,
        closed_at: now,
        loss_reason_id: 4203748,
        tags: ['y', 'z'],
      },
    ]);
    expect(w.standin.deals()[0]?.custom_fields).toEqual({ 900101: 'o' });
    await w.api('PATCH', `/leads/${id}`, { status_id: 80953601, _embedded: { tags: null } });
    expect(w.standin.deals()).toMatchObject([{ status_id: 80953601, closed_at: null, loss_reason_id: null, tags: [] }]);
    const unknown = await w.api('PATCH', '/leads', [{ id: 1, name: 'B', request_id: 'r' }]);
    expect(errorsOf(unknown)).toEqual(['r NotSupportedChoice id']);
  });

  test('a date becomes the midnight of the account', async () => {
    const w = await world();
    const noon = Date.UTC(2026, 7, 5) / 1000;
    const made = await w.api('POST', '/leads', [
      { custom_fields_values: [{ field_id: 900105, values: [{ value: noon }] }] },
      { custom_fields_values: [{ field_id: 900105, values: [{ value: '2026-08-05T00:00:00+00:00' }] }] },
    ]);
    expect(made.status).toBe(200);
    const read = w.standin.deals().map((deal) => deal.custom_fields[900105]);
    expect(read).toEqual([noon - 5 * 3600, noon - 5 * 3600]);
  });

  test('complex makes deal, contact and company, and answers a bare array', async () => {
    const w = await world();
    const answer = await w.api('POST', '/leads/complex', [
      {
        name: 'C',
        request_id: 'r1',
        _embedded: {
          contacts: [
            {
              first_name: 'Иван',
              last_name: 'Петров',
              custom_fields_values: [{ field_code: 'PHONE', values: [{ value: '+77010000000', enum_code: 'MOB' }] }],
            },
          ],
          companies: [{ name: 'ТОО' }],
        },
      },
    ]);
    const [contact] = w.standin.contacts();
    const [company] = w.standin.companies();
    expect(contact).toMatchObject({ name: 'Иван Петров', phones: ['+77010000000'], companies: [company?.id] });
    expect(answer.body).toEqual([
      {
        id: w.standin.deals()[0]?.id,
        contact_id: contact?.id,
        company_id: company?.id,
        request_id: ['r1'],
        merged: false,
      },
    ]);
    const bad = await w.api('POST', '/leads/complex', [{ _embedded: { contacts: [{ colour: 1 }] }, request_id: 'r2' }]);
    expect(errorsOf(bad)).toEqual(['r2 FieldNotExpected _embedded.contacts.0.colour']);
    expect(w.standin.contacts()).toHaveLength(1);
  });

  test('an unknown id is 204, an unknown route 404, calls cannot be listed', async () => {
    const w = await world();
    expect(await w.api('GET', '/leads/1')).toMatchObject({ status: 204, text: '' });
    expect((await w.api('GET', '/nothing')).status).toBe(404);
    expect((await w.api('DELETE', '/leads')).status).toBe(405);
  });

  test('a batch can be applied in part and answered 504', async () => {
    const w = await world();
    w.standin.configure({ partial: { match: 'POST /api/v4/leads', count: 1 } });
    const answer = await w.api('POST', '/leads', [{ name: 'a' }, { name: 'b' }]);
    expect([answer.status, answer.type]).toEqual([504, 'text/html']);
    expect(w.standin.deals().map((deal) => deal.name)).toEqual(['a']);
    expect((await w.api('POST', '/leads', [{ name: 'b' }])).status).toBe(200);
  });

  test('answers may come in another order', async () => {
    const w = await world({ answerOrder: 'reversed' });
    const made = await w.api('POST', '/leads', [{ request_id: 'a' }, { request_id: 'b' }]);
    expect(rows(made, 'leads').map((one) => one.request_id)).toEqual(['b', 'a']);
  });
});

test('contacts keep several phones with their kinds, and an unknown kind is refused', async () => {
  const w = await world();
  const phones = (...values: unknown[]) => [{ custom_fields_values: [{ field_id: 800001, values }] }];
  const made = await w.api(
    'POST',
    '/contacts',
    phones({ value: '1' }, { value: '2', enum_code: 'MOB', enum_id: null }),
  );
  const read = (await w.api('GET', `/contacts/${ids(made, 'contacts')[0]}`)).body;
  expect(read.custom_fields_values[0]?.values).toEqual([
    { value: '1', enum_id: 810001, enum_code: 'WORK' },
    { value: '2', enum_id: 810003, enum_code: 'MOB' },
  ]);
  const bad = await w.api('POST', '/contacts', phones({ value: '1', enum_code: 'PAGER' }));
  expect(errorsOf(bad)).toEqual(['0 NotSupportedChoice custom_fields_values.0.values.0.enum_code']);
});

describe('goods', () => {
  test('are made by field code, listed by page and id, found by query once indexed', async () => {
    const w = await world();
    const made = await w.api('POST', '/catalogs/5501/elements', [
      {
        name: 'Кружка',
        request_id: 'm',
        custom_fields_values: [
          { field_code: 'SKU', values: [{ value: 'MUG-1' }] },
          { field_code: 'PRICE', values: [{ value: 450 }] },
        ],
      },
    ]);
    expect(rows(made, 'elements')[0]).toMatchObject({ name: 'Кружка', catalog_id: 5501, request_id: 'm' });
    const [id] = ids(made, 'elements');
    expect(w.standin.elements(5501)).toEqual([{ id, catalog_id: 5501, name: 'Кружка', sku: 'MUG-1', price: 450 }]);
    expect((await w.api('GET', '/catalogs/5501/elements?query=MUG-1')).status).toBe(204);
    w.standin.advance(1000);
    expect(ids(await w.api('GET', '/catalogs/5501/elements?query=MUG-1'), 'elements')).toEqual([id]);
    expect(ids(await w.api('GET', `/catalogs/5501/elements?filter[id][]=${id}`), 'elements')).toEqual([id]);
    expect((await w.api('GET', '/catalogs/5501/elements?filter[id][]=1')).status).toBe(204);
    expect(errorsOf(await w.api('POST', '/catalogs/5501/elements', [{}]))).toEqual(['0 InvalidType name']);
    await w.api('PATCH', '/catalogs/5501/elements', [{ id, name: 'Чашка' }]);
    expect((await w.api('GET', `/catalogs/5501/elements/${id}`)).body.name).toBe('Чашка');
    const fields = await w.api('GET', '/catalogs/5501/custom_fields');
    expect(rows(fields, 'custom_fields').map((field) => field.code)).toEqual(['SKU', 'PRICE']);
  });

  async function shop(options: Partial<AmocrmOptions> = {}) {
    const w = await world(options);
    const { elements, deals, contacts } = w.standin.add({ generate: { elements: 2, deals: 2, contacts: 1 } });
    const goods = (element: number | undefined, quantity: number) => ({
      to_entity_id: element,
      to_entity_type: 'catalog_elements',
      metadata: { catalog_id: 5501, quantity },
    });
    return { ...w, elements, deals, contacts, goods };
  }

  test('are linked one deal at a time or in bulk, with fractions, and unlinked', async () => {
    const s = await shop();
    const [first, second] = s.deals;
    const one = await s.api('POST', `/leads/${first}/link`, [
      s.goods(s.elements[0], 1.25),
      { to_entity_id: s.contacts[0], to_entity_type: 'contacts', metadata: { is_main: true } },
    ]);
    expect(rows(one, 'links')[0]).toEqual({
      entity_id: first,
      entity_type: 'leads',
      to_entity_id: s.elements[0],
      to_entity_type: 'catalog_elements',
      metadata: { quantity: 1.25, catalog_id: 5501 },
    });
    await s.api('POST', '/leads/link', [{ entity_id: second, ...s.goods(s.elements[1], 2) }]);
    const all = await s.api('GET', `/leads/links?filter[entity_id][]=${first}&filter[entity_id][]=${second}`);
    expect(rows(all, 'links').map((link) => link.to_entity_id)).toEqual([s.elements[0], s.contacts[0], s.elements[1]]);
    const contact = await s.api('GET', `/leads/${first}/links?filter[to_entity_type]=contacts`);
    expect(rows(contact, 'links')).toMatchObject([{ metadata: { main_contact: true } }]);
    const lead = (await s.api('GET', `/leads/${first}?with=catalog_elements`)).body;
    expect(lead._embedded.catalog_elements).toEqual([
      { id: s.elements[0], metadata: { quantity: 1.25, catalog_id: 5501 } },
    ]);
    const gone = await s.api('POST', '/leads/unlink', [{ entity_id: first, ...s.goods(s.elements[0], 1.25) }]);
    expect([gone.status, gone.text]).toEqual([204, '']);
    expect(s.standin.links()).toEqual([{ lead_id: second, element_id: s.elements[1], catalog_id: 5501, quantity: 2 }]);
  });

  test.each([
    ['replace', [3]],
    ['add', [2, 3]],
  ] as const)('linked again: %s', async (linkMode, quantities) => {
    const s = await shop({ linkMode });
    await s.api('POST', `/leads/${s.deals[0]}/link`, [s.goods(s.elements[0], 2)]);
    await s.api('POST', `/leads/${s.deals[0]}/link`, [s.goods(s.elements[0], 3)]);
    expect(s.standin.links().map((link) => link.quantity)).toEqual(quantities);
  });

  test('an unknown deal or element, a missing catalog or a strange key refuses all links', async () => {
    const s = await shop();
    const good = { entity_id: s.deals[0], ...s.goods(s.elements[0], 1) };
    const bad: [Record<string, unknown>, string][] = [
      [{ ...good, entity_id: 1 }, '1 NotSupportedChoice entity_id'],
      [{ ...good, to_entity_id: 1 }, '1 NotSupportedChoice to_entity_id'],
      [{ ...good, metadata: { quantity: 1 } }, '1 InvalidType metadata.catalog_id'],
      [{ ...good, metadata: { catalog_id: 5501, to_catalog_id: 5501 } }, '1 FieldNotExpected metadata.to_catalog_id'],
    ];
    for (const [item, expected] of bad)
      expect(errorsOf(await s.api('POST', '/leads/link', [good, item]))).toEqual([expected]);
    expect(s.standin.links()).toEqual([]);
  });
});

test('notes are kept, read by card, and never deduplicated', async () => {
  const w = await world();
  const [first, second] = w.standin.add({ generate: { deals: 2 } }).deals;
  const note = { note_type: 'common', params: { text: 'Кружка × 2' }, is_need_to_trigger_digital_pipeline: false };
  const made = await w.api('POST', '/leads/notes', [
    { ...note, entity_id: first, request_id: 'n' },
    { ...note, entity_id: first },
    { ...note, entity_id: second },
  ]);
  expect(rows(made, 'notes')[0]).toMatchObject({ entity_id: first, request_id: 'n' });
  expect(w.standin.notes()[0]).toMatchObject({
    text: 'Кружка × 2',
    triggers_digital_pipeline: false,
    entity_type: 'leads',
  });
  const read = await w.api('GET', `/leads/notes?filter[entity_id][]=${first}&filter[note_type][]=common`);
  expect(rows(read, 'notes').map((one) => one.params)).toEqual([note.params, note.params]);
  expect(ids(await w.api('GET', `/leads/${second}/notes`), 'notes')).toHaveLength(1);
  const bad = await w.api('POST', `/leads/${first}/notes`, [
    { note_type: 'common', params: {} },
    { note_type: 'song', params: {} },
  ]);
  expect(errorsOf(bad)).toEqual(['0 InvalidType params.text', '1 NotSupportedChoice note_type']);
});

test('tasks are made, filtered and closed', async () => {
  const w = await world();
  const [deal] = w.standin.add({ generate: { deals: 1 } }).deals;
  const task = { text: 'Позвонить', complete_till: 1_790_000_000, entity_id: deal, entity_type: 'leads' };
  const [id] = ids(await w.api('POST', '/tasks', [task]), 'tasks');
  const open = `/tasks?filter[entity_type]=leads&filter[entity_id][]=${deal}&filter[is_completed]=0`;
  expect(ids(await w.api('GET', open), 'tasks')).toEqual([id]);
  expect((await w.api('GET', `/leads/${deal}`)).body.closest_task_at).toBe(1_790_000_000);
  await w.api('PATCH', `/tasks/${id}`, { is_completed: true, result: { text: 'да' } });
  expect((await w.api('GET', open)).status).toBe(204);
  expect(w.standin.tasks()).toMatchObject([{ is_completed: true, result: { text: 'да' } }]);
});

test('reference data: pipelines with won and lost, users, fields, loss reasons, tags, webhooks', async () => {
  const w = await world();
  const pipelines = rows(await w.api('GET', '/leads/pipelines'), 'pipelines');
  for (const pipeline of pipelines)
    expect(ids({ body: pipeline }, 'statuses')).toEqual(expect.arrayContaining([142, 143]));
  expect(pipelines[0]?._embedded.statuses).toContainEqual(expect.objectContaining({ id: 80953590 }));
  const users = rows(await w.api('GET', '/users'), 'users');
  expect(users).toMatchObject([{ rights: { is_active: true } }, { rights: { is_active: false } }]);
  expect(ids(await w.api('GET', '/leads/loss_reasons'), 'loss_reasons')).toEqual([4203748]);
  expect(ids(await w.api('GET', '/leads/custom_fields?limit=250'), 'custom_fields')).toEqual(
    expect.arrayContaining([900101, 900105, 712629, 712637]),
  );
  const added = await w.api('POST', '/leads/custom_fields', [{ name: 'Ключ', type: 'text', is_api_only: true }]);
  expect(added.status).toBe(201);
  const [field] = ids(added, 'custom_fields');
  const lead = [{ custom_fields_values: [{ field_id: field, values: [{ value: 'k' }] }] }];
  expect((await w.api('POST', '/leads', lead)).status).toBe(200);
  expect(ids(await w.api('GET', '/catalogs'), 'catalogs')).toEqual([5501]);
  const hook = { destination: 'https://sdelka.example/hook', settings: ['add_lead'] };
  expect((await w.api('POST', '/webhooks', hook)).status).toBe(201);
  expect((await w.api('POST', '/webhooks', hook)).status).toBe(201);
  expect(rows(await w.api('GET', '/webhooks'), 'webhooks')).toMatchObject([hook]);
  expect((await w.api('DELETE', '/webhooks', { destination: hook.destination })).status).toBe(204);
  expect((await w.api('DELETE', '/webhooks', { destination: hook.destination })).status).toBe(404);
});

describe('a person', () => {
  test('edits, and the events tell of it newest first', async () => {
    const w = await world();
    const [id] = w.standin.add({ deals: [{ name: 'A', price: 100 }] }).deals;
    w.standin.configure({
      edit: { lead: id, set: { price: 90, status_id: 142, custom_fields: { 900102: 'Абая 1' }, tags: ['vip'] } },
    });
    expect(w.standin.deals()).toMatchObject([
      { price: 90, status_id: 142, tags: ['vip'], custom_fields: { 900102: 'Абая 1' } },
    ]);
    const events = rows(await w.api('GET', `/events?filter[entity]=lead&filter[entity_id]=${id}`), 'events');
    expect(events.map((event) => event.type)).toEqual([
      'entity_tag_added',
      'custom_field_value_changed',
      'sale_field_changed',
      'lead_status_changed',
    ]);
    expect(events[3]).toMatchObject({
      value_before: [{ lead_status: { id: 80953554, pipeline_id: 10226282 } }],
      value_after: [{ lead_status: { id: 142, pipeline_id: 10226282 } }],
    });
    const won =
      'filter[value_after][leads_statuses][0][pipeline_id]=10226282&filter[value_after][leads_statuses][0][status_id]=142';
    expect(rows(await w.api('GET', `/events?filter[type]=lead_status_changed&${won}`), 'events')).toHaveLength(1);
    const field = (number: number) => w.api('GET', `/events?filter[type]=custom_field_${number}_value_changed`);
    expect([(await field(900102)).status, (await field(900101)).status]).toEqual([200, 204]);
    expect((await w.api('GET', '/events?filter[entity_id]=1')).status).toBe(400);
  });

  test('deletes: gone by id and from lists, seen in events and with=only_deleted', async () => {
    const w = await world();
    const { deals, elements } = w.standin.add({ generate: { deals: 2, elements: 1 } });
    w.standin.link(deals[1] ?? 0, elements[0] ?? 0, 2);
    w.standin.remove({ lead: deals[0] ?? 0 });
    w.standin.remove({ element: elements[0] ?? 0 });
    expect((await w.api('GET', `/leads/${deals[0]}`)).status).toBe(204);
    expect(ids(await w.api('GET', '/leads'))).toEqual([deals[1]]);
    expect(ids(await w.api('GET', '/leads?with=only_deleted'))).toEqual([deals[0]]);
    expect(errorsOf(await w.api('PATCH', '/leads', [{ id: deals[0], name: 'x' }]))).toEqual([
      '0 NotSupportedChoice id',
    ]);
    expect(w.standin.links()).toEqual([]);
    const deleted = await w.api('GET', '/events?filter[type]=lead_deleted,catalog_element_deleted');
    expect(rows(deleted, 'events').map((event) => event.entity_id)).toEqual([elements[0], deals[0]]);
  });

  test('merges two contacts: the first inherits phones and deals, the second vanishes', async () => {
    const w = await world();
    const { contacts } = w.standin.add({
      contacts: [
        { name: 'A', phones: ['1'] },
        { name: 'B', phones: ['1', '2'], emails: ['b@x.example'] },
      ],
    });
    const [a, b] = contacts;
    const { deals } = w.standin.add({ deals: [{ contacts: [b ?? 0] }] });
    w.standin.configure({ merge: { contacts: [a, b] } });
    expect(w.standin.contacts()).toMatchObject([{ id: a, name: 'A', phones: ['1', '2'], emails: ['b@x.example'] }]);
    expect(w.standin.deals()).toMatchObject([{ id: deals[0], contacts: [a] }]);
    expect((await w.api('GET', `/contacts/${b}`)).status).toBe(204);
    expect(w.standin.events().some((event) => event.type === 'entity_merged' && event.entity_id === b)).toBe(true);
  });
});

test('is steered over HTTP, and a misspelt switch is refused', async () => {
  const w = await world();
  const post = (path: string, body: unknown) =>
    fetch(`${w.url}/__sandbox/${path}`, { method: 'POST', body: JSON.stringify(body) });
  expect(
    (await post('seed', { generate: { contacts: 3 }, deals: [{ name: 'A', custom_fields: { 900101: 'x' } }] })).status,
  ).toBe(200);
  expect((await post('configure', { filters: 'ignored', advanceMs: 5000 })).status).toBe(200);
  const state = (await (await fetch(`${w.url}/__sandbox/state`)).json()) as AmocrmSnapshot;
  expect(state.contacts.map((contact) => contact.name)).toEqual(['Контакт 1', 'Контакт 2', 'Контакт 3']);
  expect(state.deals).toMatchObject([{ name: 'A', custom_fields: { 900101: 'x' } }]);
  expect(state.events).toEqual([]);
  expect(() => w.standin.configure({ filter: 'ignored' })).toThrow('no option "filter"');
  expect(() => w.standin.configure({ filters: 'maybe' })).toThrow('cannot be "maybe"');
});
