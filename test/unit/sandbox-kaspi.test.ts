import { request as httpRequest } from 'node:http';
import { afterEach, describe, expect, test, vi } from 'vitest';
import {
  KASPI_SANDBOX_TOKEN,
  type KaspiOptions,
  type KaspiSeed,
  type KaspiStandin,
  kaspiStandin,
  ODDITY_CODES,
} from '../../src/sandbox/kaspi.ts';
import { type RunningStandin, serve } from '../../src/sandbox/kit.ts';

const NOW = Date.parse('2026-09-14T06:00:00Z');
const DAY = 24 * 60 * 60 * 1000;

interface Answer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: the wire shape itself is under test
  json: any;
}

interface World {
  running: RunningStandin<KaspiStandin>;
  kaspi: KaspiStandin;
  clock: { now: number; pace: number };
  call(path: string, init?: { method?: string; body?: unknown; headers?: Record<string, string> }): Promise<Answer>;
  list(query: Record<string, string | number | undefined>): Promise<Answer>;
  post(code: string, attributes: Record<string, unknown>, headers?: Record<string, string>): Promise<Answer>;
}

const open: RunningStandin[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((running) => running.close()));
});

async function world(seed: KaspiSeed = {}, options: Partial<KaspiOptions> = {}): Promise<World> {
  const clock = { now: NOW, pace: 0 };
  const kaspi = kaspiStandin({ now: () => clock.now, paceNow: () => clock.pace, ...options });
  kaspi.seed(seed);
  const running = await serve(kaspi);
  open.push(running);
  const call: World['call'] = async (path, init = {}) => {
    const response = await fetch(`${running.url}${path}`, {
      method: init.method ?? 'GET',
      headers: { 'user-agent': 'sdelka-test/1.0', 'x-auth-token': KASPI_SANDBOX_TOKEN, ...init.headers },
      ...(init.body === undefined ? {} : { body: JSON.stringify(init.body) }),
    });
    const text = await response.text();
    return { status: response.status, json: text.startsWith('{') ? JSON.parse(text) : text };
  };
  return {
    running,
    kaspi,
    clock,
    call,
    list(query) {
      const all = {
        'page[number]': 0,
        'page[size]': 100,
        'filter[orders][creationDate][$ge]': NOW - 13 * DAY,
        ...query,
      };
      const search = new URLSearchParams();
      for (const [key, value] of Object.entries(all)) if (value !== undefined) search.set(key, String(value));
      return call(`/shop/api/v2/orders?${search}`);
    },
    post(code, attributes, headers = {}) {
      const id = kaspi.order(code)?.id ?? 'bm9uZQ';
      const body = { data: { type: 'orders', id, attributes: { code, ...attributes } } };
      return call('/shop/api/v2/orders', { method: 'POST', body, headers });
    },
  };
}

function codes(answer: Answer): string[] {
  return answer.json.data.map((order: { attributes: { code: string } }) => order.attributes.code);
}

function title(answer: Answer): string {
  return `${answer.status} ${answer.json.errors?.[0]?.title}`;
}

async function allPages(w: World, query: Record<string, string | number>): Promise<string[]> {
  const seen: string[] = [];
  for (let page = 0; ; page++) {
    const answer = await w.list({ ...query, 'page[number]': page });
    seen.push(...codes(answer));
    if (page + 1 >= answer.json.meta.pageCount) return seen;
  }
}

describe('access', () => {
  test('a wrong or missing token gets 401', async () => {
    const w = await world();
    expect((await w.call('/shop/api/v2/cities', { headers: { 'x-auth-token': 'other' } })).status).toBe(401);
    expect((await w.call('/shop/api/v2/cities')).status).toBe(200);
    expect(KASPI_SANDBOX_TOKEN).toMatch(/^.{43}=$/);
  });

  test.each(['curl/8.1', 'python-requests/2.31', 'node', 'got (https://github.com/sindresorhus/got)', undefined])(
    'User-Agent %s is never answered',
    async (agent) => {
      const w = await world();
      const headers = { 'x-auth-token': KASPI_SANDBOX_TOKEN, ...(agent === undefined ? {} : { 'user-agent': agent }) };
      const request = httpRequest(`${w.running.url}/shop/api/v2/cities`, { headers });
      const answered = vi.fn();
      request.on('response', answered).on('error', () => undefined);
      request.end();
      await vi.waitFor(() => expect(w.running.journal[0]?.status).toBe('hang'));
      expect(answered).not.toHaveBeenCalled();
      request.destroy();
    },
  );

  test('the firewall can be switched off', async () => {
    const w = await world({}, { hangOnDefaultUserAgent: false });
    expect((await w.call('/shop/api/v2/cities', { headers: { 'user-agent': 'node' } })).status).toBe(200);
  });

  test('more than rps requests a second get 429, by the pace clock', async () => {
    const w = await world({}, { rps: 2 });
    const statuses = async () => (await w.call('/shop/api/v2/cities')).status;
    expect([await statuses(), await statuses(), await statuses()]).toEqual([200, 200, 429]);
    w.clock.pace = 1000;
    expect(await statuses()).toBe(200);
  });

  test('an unknown route stands out', async () => {
    const w = await world();
    expect((await w.call('/shop/api/v2/nothing')).status).toBe(501);
  });
});

describe('the order list', () => {
  const ge = 'filter[orders][creationDate][$ge]';
  const le = 'filter[orders][creationDate][$le]';
  test.each([
    [{ [ge]: undefined }, '400 Required filter [orders][creationDate][$ge] is empty.'],
    [{ 'page[number]': undefined }, '400 Required pagination value [number] is empty.'],
    [{ 'page[size]': undefined }, '400 Required pagination value [size] is empty.'],
    [{ 'page[size]': 101 }, '400 Pagination value [size] is not valid.'],
    [{ [ge]: NOW - 14 * DAY - 1 }, '400 Filter [orders][creationDate] range must not exceed 14 days.'],
    [{ [ge]: 0, [le]: 14 * DAY + 1 }, '400 Filter [orders][creationDate] range must not exceed 14 days.'],
  ])('%j is refused', async (query, expected) => {
    const w = await world();
    expect(title(await w.list(query))).toBe(expected);
  });

  test('both bounds are inclusive and an old window of 14 days is taken', async () => {
    const w = await world({
      orders: [
        { code: '1', created_at: NOW - 50 * DAY },
        { code: '2', created_at: '2026-07-26T06:00:00.001Z' },
        { code: '3', created_at: NOW - 36 * DAY },
        { code: '4', created_at: NOW - 36 * DAY + 1 },
      ],
    });
    expect(codes(await w.list({ [ge]: NOW - 50 * DAY, [le]: NOW - 36 * DAY }))).toEqual(['1', '2', '3']);
    expect(codes(await w.list({ [ge]: Math.floor((NOW - 50 * DAY) / 1000), [le]: Math.floor(NOW / 1000) }))).toEqual(
      [],
    );
  });

  test('the state filter may be mandatory; by code nothing else is asked for', async () => {
    const w = await world({ orders: [{ code: '1019876543' }] }, { stateMandatory: true });
    expect(title(await w.list({}))).toBe('400 Required filter [orders][state] is empty.');
    expect(codes(await w.list({ 'filter[orders][state]': 'NEW' }))).toEqual(['1019876543']);
    const byCode = await w.call('/shop/api/v2/orders?filter[orders][code]=1019876543');
    expect(byCode.json.meta).toEqual({ pageCount: 1, totalCount: 1 });
    expect((await w.call('/shop/api/v2/orders?filter[orders][code]=7')).json.data).toEqual([]);
  });

  test('states filter; the status filter only where it is honoured', async () => {
    const w = await world({
      orders: [
        { code: '1', state: 'NEW' },
        { code: '2', state: 'KASPI_DELIVERY' },
        { code: '3', state: 'KASPI_DELIVERY', status: 'CANCELLING' },
      ],
    });
    const query = { 'filter[orders][state]': 'KASPI_DELIVERY', 'filter[orders][status]': 'CANCELLING' };
    expect(codes(await w.list(query))).toEqual(['2', '3']);
    w.kaspi.configure({ statusFilterIgnored: false });
    expect(codes(await w.list(query))).toEqual(['3']);
  });

  test('pages cover everything once, in each order of results', async () => {
    const w = await world({ generate: { orders: 230, hours: 5 } });
    const all = w.kaspi.orders().map((order) => order.attributes.code);
    expect(await allPages(w, {})).toEqual(all);
    w.kaspi.configure({ resultOrder: 'descending' });
    expect(await allPages(w, {})).toEqual([...all].reverse());
    w.kaspi.configure({ resultOrder: 'shuffled' });
    const shuffled = await allPages(w, {});
    expect(shuffled).not.toEqual(all);
    expect([...shuffled].sort()).toEqual(all);
    const past = await w.list({ 'page[number]': 3 });
    expect(past.json).toMatchObject({ data: [], meta: { pageCount: 3, totalCount: 230 } });
  });

  test('with pageShift a state-by-state reader misses an order, a reader of all states does not', async () => {
    const orders = Array.from({ length: 6 }, (_, i) => ({
      code: String(i + 1),
      created_at: NOW - 60_000 + i,
      state: 'NEW',
    }));
    const w = await world({ orders }, { pageShift: true });
    const byState = await allPages(w, { 'filter[orders][state]': 'NEW', 'page[size]': 3 });
    expect(byState).toEqual(['1', '2', '3', '5', '6']);
    expect(w.kaspi.order('1')?.attributes.state).toBe('KASPI_DELIVERY');
    expect(await allPages(w, { 'page[size]': 3 })).toHaveLength(6);
  });

  test('auto-accept: seeded orders are never NEW', async () => {
    const w = await world({}, { autoAccept: true });
    w.kaspi.seed({
      orders: [{}, { deliveryMode: 'DELIVERY_LOCAL', isKaspiDelivery: false }],
      generate: { orders: 50 },
    });
    const states = w.kaspi.snapshot().states;
    expect(states.NEW).toBeUndefined();
    expect(states.DELIVERY).toBeGreaterThan(0);
  });

  test('a NEW order that nobody accepts is cancelled when its time is over', async () => {
    const w = await world({ orders: [{ code: '1' }] }, { acceptWithinMs: 1000 });
    w.clock.now += 1000;
    expect(codes(await w.list({ 'filter[orders][state]': 'NEW' }))).toEqual(['1']);
    w.clock.now += 1;
    const [order] = (await w.list({})).json.data;
    expect(order.attributes).toMatchObject({ state: 'ARCHIVE', status: 'CANCELLED' });
  });
});

describe('the shape of an order', () => {
  const sample: KaspiSeed = {
    orders: [
      {
        code: '1019876543',
        created_at: 1789362221000,
        state: 'KASPI_DELIVERY',
        paymentMode: 'PAY_WITH_CREDIT',
        creditTerm: 6,
        customer: { name: 'Айгерим', firstName: 'Айгерим', lastName: 'Сатова', cellPhone: '7011234567' },
        entries: [{ sku: 'KETTLE-17-W', name: 'Чайник Polar K17 белый', quantity: 2, basePrice: 7990 }],
      },
    ],
  };
  const include = { 'include[orders]': 'entries' };
  const inside = {
    'filter[orders][creationDate][$ge]': 1789362221000 - DAY,
    'filter[orders][creationDate][$le]': 1789362221000,
  };

  test('list with entries, as in the guide', async () => {
    const w = await world(sample);
    const { json } = await w.list({ ...inside, ...include });
    const base = `${w.running.url}/shop/api/v2`;
    expect(json.data[0]).toMatchObject({
      type: 'orders',
      id: 'MTAxOTg3NjU0Mw',
      attributes: {
        code: '1019876543',
        totalPrice: 15980,
        creationDate: 1789362221000,
        plannedDeliveryDate: 1789671599000 - DAY,
        deliveryMode: 'DELIVERY_PICKUP',
        isKaspiDelivery: true,
        status: 'ACCEPTED_BY_MERCHANT',
        assembled: false,
        customer: { id: 'NzAxMTIzNDU2Nw', lastName: 'Сатова', cellPhone: '7011234567' },
        originAddress: { address: { streetName: ' улица Абая', formattedAddress: 'г. Алматы, улица Абая, 10' } },
        kaspiDelivery: { waybill: null, express: false, courierTransmissionPlanningDate: 1789391021000 },
      },
      relationships: {
        entries: {
          data: [{ type: 'orderentries', id: 'MTAxOTg3NjU0MyMjMA' }],
          links: { related: `${base}/orders/MTAxOTg3NjU0Mw/entries` },
        },
        user: { data: { type: 'customers', id: 'NzAxMTIzNDU2Nw' } },
      },
      links: { self: `${base}/orders/MTAxOTg3NjU0Mw` },
    });
    expect(json.data[0].attributes.deliveryAddress).toBeUndefined();
    expect(json.included).toMatchObject([
      {
        type: 'orderentries',
        id: 'MTAxOTg3NjU0MyMjMA',
        attributes: {
          entryNumber: 0,
          quantity: 2,
          basePrice: 7990,
          totalPrice: 15980,
          weight: 0,
          unitType: 'PIECES',
          offer: { code: 'KETTLE-17-W', name: 'Чайник Polar K17 белый' },
        },
      },
    ]);
    expect(json.included[0].attributes).not.toHaveProperty('sku');
  });

  test('the product chain stands in where include or offer are not there', async () => {
    const w = await world(sample, { includeHonoured: false, offerPresent: false });
    const listed = (await w.list({ ...inside, ...include })).json;
    expect(listed.included).toEqual([]);
    expect(listed.data[0].relationships.entries.data).toBeUndefined();
    const id = listed.data[0].id;
    const [entry] = (await w.call(`/shop/api/v2/orders/${id}/entries`)).json.data;
    expect(entry.attributes.offer).toBeUndefined();
    expect((await w.call(`/shop/api/v2/orderentries/${entry.id}`)).json.data).toEqual(entry);
    const product = (await w.call(`/shop/api/v2/orderentries/${entry.id}/product`)).json.data;
    expect(product).toMatchObject({ type: 'masterproducts', id: entry.relationships.product.data.id });
    expect((await w.call(`/shop/api/v2/masterproducts/${product.id}`)).json.data).toEqual(product);
    const own = (await w.call(`/shop/api/v2/masterproducts/${product.id}/merchantProduct`)).json.data;
    expect(own.attributes).toEqual({ code: 'KETTLE-17-W', name: 'Чайник Polar K17 белый' });
    const point = (await w.call(`/shop/api/v2/orderentries/${entry.id}/deliveryPointOfService`)).json.data;
    expect(point.attributes.displayName).toBe('PP1');
    expect((await w.call(`/shop/api/v2/pointofservices/${point.id}/city`)).json.data.attributes.name).toBe('Алматы');
  });

  test('by id; the code in the place of the id is 404', async () => {
    const w = await world(sample);
    expect((await w.call('/shop/api/v2/orders/MTAxOTg3NjU0Mw')).json.data.attributes.code).toBe('1019876543');
    expect((await w.call('/shop/api/v2/orders/MTAxOTg3NjU0Mw%3D%3D')).status).toBe(200);
    expect(title(await w.call('/shop/api/v2/orders/1019876543'))).toBe('404 Resource not found');
    w.kaspi.remove('1019876543');
    expect((await w.call('/shop/api/v2/orders/MTAxOTg3NjU0Mw')).status).toBe(404);
  });

  test('buyers can be included, once each', async () => {
    const w = await world({ scenario: 'oddities' });
    const { json } = await w.list({ 'include[orders]': 'user' });
    const ids = json.included.map((one: { id: string }) => one.id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toHaveLength(Object.keys(ODDITY_CODES).length - 1);
  });
});

describe('the oddities', () => {
  test('each is what its name says', async () => {
    const w = await world({ scenario: 'oddities' });
    const { json } = await w.list({ 'include[orders]': 'entries' });
    const all = new Map<string, Answer['json']>(
      json.data.map((order: Answer['json']) => [order.attributes.code, order.attributes]),
    );
    const of = (name: keyof typeof ODDITY_CODES) => all.get(ODDITY_CODES[name]);
    const lines = (name: keyof typeof ODDITY_CODES) =>
      json.included.filter((entry: { id: string }) =>
        Buffer.from(entry.id, 'base64').toString().startsWith(`${ODDITY_CODES[name]}##`),
      );
    expect(lines('manyLines')).toHaveLength(120);
    expect(of('lastNameAbsent').customer).not.toHaveProperty('lastName');
    expect(of('lastNameNull').customer.lastName).toBeNull();
    expect(of('addressNull').deliveryAddress).toBeNull();
    expect(of('phoneAbsent').customer).not.toHaveProperty('cellPhone');
    expect(of('archivedMaskedPhone').customer.cellPhone).toBe('+0(000)-000-00-00');
    expect(lines('weighedGoods')[0].attributes).toMatchObject({ quantity: 3, weight: 3800, totalPrice: 5928 });
    expect(of('newBuyerFirstOrder').customer.id).toBe(of('newBuyerSecondOrder').customer.id);
    expect(of('autoAccepted').status).toBe('ACCEPTED_BY_MERCHANT');
    expect(lines('offerMissing')[0].attributes).not.toHaveProperty('offer');
    expect(of('unknownState').state).toBe('TELEPORT');
    expect(of('unknownPaymentMode').paymentMode).toBe('KASPI_CRYPTO');
    expect(of('brokenPhone').customer.cellPhone).toBe('abc');
    expect(of('leadingBlanks').deliveryAddress.streetName).toBe(' улица Абая');
    expect(of('fractionPrice').totalPrice).toBe(999.99);
    expect(lines('oneSkuTwice')).toHaveLength(2);
    expect(all.size).toBe(Object.keys(ODDITY_CODES).length);
  });

  test('the mask can be switched off; the store itself keeps the phone', async () => {
    const w = await world({ scenario: 'oddities' }, { maskPhonesInArchive: false });
    const { json } = await w.list({ 'filter[orders][state]': 'ARCHIVE' });
    expect(json.data[0].attributes.customer.cellPhone).toBe('7089000006');
  });
});

describe('writes', () => {
  const pickup = { code: '1', deliveryMode: 'DELIVERY_PICKUP', isKaspiDelivery: false };

  test.each([
    [{ isKaspiDelivery: true }, 'KASPI_DELIVERY'],
    [{ isKaspiDelivery: false, deliveryMode: 'DELIVERY_LOCAL' }, 'DELIVERY'],
    [{ isKaspiDelivery: false, deliveryMode: 'DELIVERY_PICKUP' }, 'PICKUP'],
    [{ signatureRequired: true }, 'SIGN_REQUIRED'],
  ])('%j is accepted into %s, with a thin answer, once', async (attributes, state) => {
    const w = await world({ orders: [{ code: '1', ...attributes }] });
    const answer = await w.post('1', { status: 'ACCEPTED_BY_MERCHANT' });
    expect(answer.json.data.attributes).toEqual({ code: '1', status: 'ACCEPTED_BY_MERCHANT' });
    expect(answer.json.data.relationships.user.data).toBeNull();
    expect(w.kaspi.order('1')?.attributes).toMatchObject({ state, status: 'ACCEPTED_BY_MERCHANT' });
    expect((await w.post('1', { status: 'ACCEPTED_BY_MERCHANT' })).status).toBe(400);
  });

  test('assembling shows its flag and waybill seconds later, and a repeat is 404', async () => {
    const w = await world({ orders: [{ code: '1', state: 'KASPI_DELIVERY' }] });
    expect((await w.post('1', { status: 'ASSEMBLE' })).status).toBe(400);
    const answer = await w.post('1', { status: 'ASSEMBLE', numberOfSpace: '2' });
    expect(answer.json.data.attributes).toEqual({ status: 'ASSEMBLE', numberOfSpace: 2 });
    const read = async () => (await w.call(`/shop/api/v2/orders/${w.kaspi.order('1')?.id}`)).json.data.attributes;
    expect(await read()).toMatchObject({ assembled: false, kaspiDelivery: { waybill: null } });
    expect((await w.post('1', { status: 'ASSEMBLE', numberOfSpace: '2' })).status).toBe(404);
    w.clock.now += 2000;
    expect(await read()).toMatchObject({ assembled: true, kaspiDelivery: { waybill: null } });
    w.clock.now += 2000;
    const { kaspiDelivery, status } = await read();
    expect(status).toBe('ACCEPTED_BY_MERCHANT');
    expect(kaspiDelivery.waybill).toBe(`${w.running.url}/shop/api/waybill/1.pdf`);
    expect((await w.call('/shop/api/waybill/1.pdf')).json).toMatch(/^%PDF/);
    expect((await w.post('1', { status: 'ASSEMBLE', numberOfSpace: '2' })).status).toBe(404);
    expect((await w.post('1', { status: 'CANCELLED', cancellationReason: 'MERCHANT_OUT_OF_STOCK' })).status).toBe(400);
  });

  test('completing takes two requests and the code that the buyer was sent', async () => {
    const w = await world({ orders: [{ ...pickup, state: 'PICKUP' }] });
    const complete = (code: string) =>
      w.post('1', { status: 'COMPLETED' }, { 'x-security-code': code, 'x-send-code': 'true' });
    const wrong = '400 Security code is not valid. And the order cannot be completed without it';
    expect(title(await w.post('1', { status: 'COMPLETED' }))).toBe(wrong);
    expect(title(await complete('0000'))).toBe(wrong);
    expect((await complete('')).status).toBe(200);
    const sent = w.kaspi.order('1');
    expect(sent?.attributes.status).toBe('ACCEPTED_BY_MERCHANT');
    expect(sent?.securityCode).toMatch(/^\d{4}$/);
    expect(title(await complete(`${sent?.securityCode}9`))).toBe(wrong);
    expect((await complete(sent?.securityCode ?? '')).status).toBe(200);
    expect(w.kaspi.order('1')?.attributes).toMatchObject({ state: 'ARCHIVE', status: 'COMPLETED' });
    expect(title(await complete(''))).toBe("400 Order already has been completed, so it can't be completed again.");
  });

  test.each([
    [{ state: 'ARCHIVE', status: 'CANCELLED' }, "400 Order is cancelled, so it can't be completed."],
    [{ state: 'SIGN_REQUIRED' }, '400 Order is not may complete allowed'],
    [{ state: 'KASPI_DELIVERY' }, '400 Order status can not be changed to COMPLETED.'],
    [{ state: 'NEW' }, '400 Order status can not be changed to COMPLETED.'],
  ])('an order %j is not completed', async (attributes, expected) => {
    const w = await world({ orders: [{ code: '1', ...attributes }] });
    const headers = { 'x-security-code': '', 'x-send-code': 'true' };
    expect(title(await w.post('1', { status: 'COMPLETED' }, headers))).toBe(expected);
  });

  test('cancelling wants a known reason and a short comment', async () => {
    const w = await world({ orders: [{ code: '1' }] });
    expect((await w.post('1', { status: 'CANCELLED' })).status).toBe(400);
    expect((await w.post('1', { status: 'CANCELLED', cancellationReason: 'WRONG_PRICE' })).status).toBe(400);
    const good = { status: 'CANCELLED', cancellationReason: 'MERCHANT_OUT_OF_STOCK' };
    expect((await w.post('1', { ...good, cancellationComment: 'x'.repeat(1001) })).status).toBe(400);
    expect((await w.post('1', { ...good, cancellationComment: 'x'.repeat(1000) })).status).toBe(200);
    expect(w.kaspi.order('1')?.attributes).toMatchObject({
      state: 'ARCHIVE',
      status: 'CANCELLED',
      cancellationReason: 'MERCHANT_OUT_OF_STOCK',
    });
  });

  test('ARRIVED ends a pre-order, ARRIVED_BACKWARD ends what comes back', async () => {
    const w = await world({
      orders: [
        { code: '1', state: 'KASPI_DELIVERY', preOrder: true },
        { code: '2', state: 'KASPI_DELIVERY', status: 'CANCELLING' },
        { code: '3', state: 'KASPI_DELIVERY', status: 'KASPI_DELIVERY_RETURN_REQUESTED' },
      ],
    });
    expect((await w.post('1', { status: 'ASSEMBLE', numberOfSpace: '1' })).status).toBe(404);
    expect((await w.post('1', { status: 'ARRIVED' })).status).toBe(200);
    expect((await w.post('1', { status: 'ASSEMBLE', numberOfSpace: '1' })).status).toBe(200);
    expect((await w.post('1', { status: 'ARRIVED_BACKWARD' })).status).toBe(400);
    await w.post('2', { status: 'ARRIVED_BACKWARD' });
    await w.post('3', { status: 'ARRIVED_BACKWARD' });
    expect(w.kaspi.order('2')?.attributes.status).toBe('CANCELLED');
    expect(w.kaspi.order('3')?.attributes.status).toBe('RETURNED');
  });

  test.each([
    [{ data: { type: 'orders', id: 'bm9uZQ', attributes: { status: 'CANCELLED' } } }, 404],
    [{ data: { type: 'orders', id: 'MQ', attributes: { status: 'TELEPORT' } } }, 400],
    [{ data: { type: 'orders', id: 'MQ' } }, 400],
    [[], 400],
  ])('body %j is %i', async (body, status) => {
    const w = await world({ orders: [{ code: '1' }] });
    expect((await w.call('/shop/api/v2/orders', { method: 'POST', body })).status).toBe(status);
  });

  const lines = [
    { sku: 'A', quantity: 5, basePrice: 100 },
    { sku: 'B', quantity: 1, basePrice: 1000, weight: 2000, unitType: 'MEASURABLE' },
  ];
  const cancelLine = (w: World, id: string, remainedQuantity: number) =>
    w.call('/shop/api/v2/orderEntryCancelOperation', {
      method: 'POST',
      body: {
        data: {
          type: 'orderEntryCancelOperation',
          attributes: { remainedQuantity, reason: 'MERCHANT_OUT_OF_STOCK' },
          relationships: { entry: { data: { type: 'orderentries', id } } },
        },
      },
    });

  test('a line is cancelled in part, then whole; the last one takes the order with it', async () => {
    const w = await world({ orders: [{ code: '1', entries: lines }] });
    const entries = (await w.call(`/shop/api/v2/orders/MQ/entries`)).json.data;
    expect(w.kaspi.order('1')?.attributes.totalPrice).toBe(2500);
    const answer = await cancelLine(w, entries[0].id, 1);
    expect(answer.json.data.attributes).toMatchObject({ status: 'SUCCESSFULL', remainedQuantity: 1 });
    expect(w.kaspi.order('1')?.attributes.totalPrice).toBe(2100);
    expect((await cancelLine(w, entries[0].id, 1)).status).toBe(400);
    expect((await cancelLine(w, entries[0].id, 0)).status).toBe(200);
    expect((await w.call(`/shop/api/v2/orders/MQ/entries`)).json.data).toMatchObject([{ id: entries[1].id }]);
    await cancelLine(w, entries[1].id, 0);
    expect(w.kaspi.order('1')?.attributes).toMatchObject({ state: 'ARCHIVE', status: 'CANCELLED', totalPrice: 0 });
  });

  test('a partial cancel of several lines comes into force later', async () => {
    const w = await world({ orders: [{ code: '1', entries: lines }] }, { partialCancelDelayMs: 1000 });
    const entries = (await w.call(`/shop/api/v2/orders/MQ/entries`)).json.data;
    const body = [
      {
        entry: { id: entries[0].id },
        remainedQuantity: 2,
        remainedWeight: 0,
        reason: 'BUYER_NOT_REACHABLE',
        notes: '',
      },
      { entry: { id: entries[1].id }, remainedWeight: 1500, reason: 'PRODUCT_UNDERWEIGHT', notes: '' },
    ];
    const put = (given: unknown) => w.call('/shop/api/orderPartialCancel/MQ', { method: 'PUT', body: given });
    const answer = await put(body);
    expect(answer.json.status).toBe('INPROGRESS');
    expect(answer.json.orderCancelEntries[0]).toMatchObject({ entry: { id: entries[0].id }, remainedQuantity: 2 });
    expect(w.kaspi.order('1')?.attributes.totalPrice).toBe(2500);
    w.clock.now += 1000;
    expect(w.kaspi.order('1')?.attributes.totalPrice).toBe(1700);
    expect((await put([{ ...body[0], reason: 'GUESS' }])).status).toBe(400);
    expect((await put([{ ...body[0], entry: { id: 'bm9uZQ' } }])).status).toBe(404);
  });
});

describe('content', () => {
  const spec = { orders: 1000, lines: 1500, skus: 200, buyers: 700, hours: 6, seed: 7, firstCode: '1020000000' };

  test('generated orders keep to the asked numbers and are the same each time', async () => {
    const w = await world({ generate: spec });
    const orders = w.kaspi.orders();
    const entries = orders.flatMap((order) => order.entries);
    const phones = orders.map((order) => order.attributes.customer?.cellPhone ?? '');
    expect(orders).toHaveLength(1000);
    expect(entries).toHaveLength(1500);
    expect(new Set(entries.map((entry) => entry.sku)).size).toBe(200);
    expect(w.kaspi.goods()).toHaveLength(200);
    expect(new Set(phones).size).toBe(700);
    expect(phones.every((phone) => /^7\d{9}$/.test(phone))).toBe(true);
    expect(orders[0]?.attributes.code).toBe('1020000000');
    expect(entries.every((entry) => entry.sku.length <= 20)).toBe(true);
    expect(orders.every((order) => new Set(order.entries.map((e) => e.sku)).size === order.entries.length)).toBe(true);
    const times = orders.map((order) => order.attributes.creationDate);
    expect(Math.min(...times)).toBeGreaterThanOrEqual(NOW - 6 * 60 * 60 * 1000);
    expect(Math.max(...times)).toBeLessThan(NOW);
    const states = Object.keys(w.kaspi.snapshot().states).sort();
    expect(states).toEqual(['DELIVERY', 'KASPI_DELIVERY', 'NEW', 'PICKUP', 'SIGN_REQUIRED']);
    expect((await world({ generate: spec })).kaspi.orders()).toEqual(orders);
    expect((await world({ generate: { ...spec, seed: 8 } })).kaspi.orders()).not.toEqual(orders);
  });

  test('a second generation goes on where the codes ended', async () => {
    const w = await world({ generate: { orders: 2, firstCode: '1020000000' } });
    w.kaspi.seed({ generate: { orders: 1, seed: 2 } });
    expect(w.kaspi.orders().map((order) => order.attributes.code)).toContain('1020000002');
  });

  test('an edit over HTTP is what the next read shows', async () => {
    const w = await world({ orders: [{ code: '1', entries: [{ sku: 'A', basePrice: 100 }] }] });
    const control = (name: string, body: unknown) => w.call(`/__sandbox/${name}`, { method: 'POST', body });
    await control('seed', { edit: { code: '1', set: { state: 'ARCHIVE', status: 'COMPLETED', totalPrice: 90 } } });
    expect((await w.list({})).json.data[0].attributes).toMatchObject({ status: 'COMPLETED', totalPrice: 90 });
    w.kaspi.edit('1', { entries: [{ sku: 'B', basePrice: 70, quantity: 2 }], customer: { lastName: null } });
    const { json } = await w.list({ 'include[orders]': 'entries' });
    expect(json.data[0].attributes).toMatchObject({
      totalPrice: 140,
      customer: { firstName: 'Айгерим', lastName: null },
    });
    expect(json.included[0].attributes.offer.code).toBe('B');
    await control('seed', { remove: { code: '1' } });
    expect((await w.list({})).json.data).toEqual([]);
    await control('configure', { now: '2026-01-01T00:00:00Z' });
    await control('seed', { orders: [{ code: '2' }] });
    expect((await w.call('/__sandbox/state')).json.orders[0].attributes.creationDate).toBe(Date.UTC(2026, 0, 1));
  });

  test.each([
    [{ orders: [{ code: 'abc' }] }, /must be digits/],
    [{ orders: [{ code: '1' }, { code: '1' }] }, /exists already/],
    [{ orders: [{ entries: [{}] }] }, /needs a sku/],
    [{ orders: [{ created_at: 'soon' }] }, /ISO time/],
    [{ generate: { orders: 5, lines: 4 } }, /generate.lines/],
    [{ scenario: 'miracle' }, /only scenario/],
    [{ order: [] }, /unknown seed order/],
    [{ edit: { code: '9', set: {} } }, /no order 9/],
  ])('seed %j is refused', (content, message) => {
    expect(() => kaspiStandin().seed(content as KaspiSeed)).toThrow(message);
  });

  test('an unknown or wrongly typed switch is refused', () => {
    expect(() => kaspiStandin().configure({ fast: true })).toThrow(/unknown option fast/);
    expect(() => kaspiStandin().configure({ rps: '5' })).toThrow(/must be a number/);
    expect(() => kaspiStandin().configure({ resultOrder: 'random' })).toThrow(/resultOrder/);
  });

  test('what is handed out is a copy', async () => {
    const w = await world({ orders: [{ code: '1' }] });
    const order = w.kaspi.order('1');
    if (order) order.attributes.state = 'PICKUP';
    expect(w.kaspi.order('1')?.attributes.state).toBe('NEW');
  });
});
