import { afterEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { Secret } from '../../src/base/secret.ts';
import type { Range } from '../../src/domain/range.ts';
import { httpCore } from '../../src/http/core.ts';
import { KASPI_SANDBOX_TOKEN, kaspiStandin } from '../../src/sandbox/kaspi.ts';
import { type RunningStandin, type SandboxHandler, type Standin, serve } from '../../src/sandbox/kit.ts';
import { type KaspiClientOptions, kaspiClient, kaspiHeaders, SLICE_MS } from '../../src/systems/kaspi/client.ts';
import type { OrderItem } from '../../src/systems/kaspi/schema.ts';
import { base64Id, wireEntry, wireOrder } from '../support/kaspi-samples.ts';

const HOUR = 3_600_000;
const TO = new Date('2026-09-14T12:00:00Z');
const DAY: Range = { from: new Date(TO.getTime() - 24 * HOUR), to: TO };

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

function clientOf(running: RunningStandin, path: string, options: KaspiClientOptions = {}) {
  const core = httpCore({
    clock: systemClock,
    signal: new AbortController().signal,
    userAgent: 'sdelka/0 (+tests)',
    retryDelayMs: 1,
  });
  closers.push(() => core.close());
  const http = core.for({
    system: 'kaspi',
    baseUrl: `${running.url}${path}`,
    headers: kaspiHeaders(new Secret(`${KASPI_SANDBOX_TOKEN}\n`)),
    timeoutMs: 5000,
    credentials: 'KASPI_API_TOKEN',
  });
  return kaspiClient(http, options);
}

/** The stand-in with its rules. */
async function shop(given: Parameters<typeof kaspiStandin>[0] = {}, options: KaspiClientOptions = {}) {
  const running = await serve(kaspiStandin({ now: () => TO.getTime(), ...given }));
  closers.push(() => running.close());
  return { running, standin: running.standin, client: clientOf(running, '/shop/api/v2', options) };
}

/** A server that answers whatever the case wants. */
async function scripted(handle: SandboxHandler, options: KaspiClientOptions = {}) {
  const standin: Standin = { name: 'odd', handle, snapshot: () => null, configure: () => {}, seed: () => {} };
  const running = await serve(standin);
  closers.push(() => running.close());
  return { running, client: clientOf(running, '', options) };
}

async function all(pages: AsyncGenerator<{ items: OrderItem[] }>): Promise<OrderItem[]> {
  const items: OrderItem[] = [];
  for await (const page of pages) items.push(...page.items);
  return items;
}

const codes = (items: OrderItem[]) => items.map((item) => item.code).sort();

function orderAt(code: string, at: Date, more: Record<string, unknown> = {}) {
  const entries = [{ sku: `SKU-${code}`, name: 'Чайник', quantity: 1, basePrice: 1000, totalPrice: 1000 }];
  return { code, created_at: at.toISOString(), state: 'NEW', status: 'APPROVED_BY_BANK', entries, ...more };
}

describe('the list', () => {
  test('brings every order once, a hundred a request, entries included', async () => {
    const { running, standin, client } = await shop();
    standin.seed({ generate: { orders: 230, lines: 300, hours: 20, seed: 1 } });
    const items = await all(client.orders(DAY));
    expect(codes(items)).toEqual(
      standin
        .orders()
        .map((order) => order.attributes.code)
        .sort(),
    );
    expect(items.every((item) => item.entries && item.entries.length > 0)).toBe(true);
    expect(running.journal.length).toBe(3);
  });

  test('takes the start of the range and leaves its end to the next slice', async () => {
    const { standin, client } = await shop();
    const at = (ms: number) => new Date(TO.getTime() + ms);
    standin.seed({
      orders: [orderAt('1000000001', DAY.from), orderAt('1000000002', at(-1)), orderAt('1000000003', TO)],
    });
    expect(codes(await all(client.orders(DAY)))).toEqual(['1000000001', '1000000002']);
    expect(codes(await all(client.orders({ from: TO, to: at(1) })))).toEqual(['1000000003']);
  });

  test('an empty list and an empty range are no orders; the latter asks nobody', async () => {
    const { running, client } = await shop();
    expect(await all(client.orders({ from: TO, to: TO }))).toEqual([]);
    expect(running.journal.length).toBe(0);
    expect(await all(client.orders(DAY))).toEqual([]);
  });

  test('a slice of the advised width is accepted, a wider one than Kaspi takes is never sent', async () => {
    const { running, client } = await shop();
    expect(await all(client.orders({ from: new Date(TO.getTime() - SLICE_MS), to: TO }))).toEqual([]);
    const wide = { from: new Date(TO.getTime() - 15 * 24 * HOUR), to: TO };
    await expect(all(client.orders(wide))).rejects.toMatchObject({ code: 'DEFECT' });
    expect(running.journal.length).toBe(1);
  });

  test('asks for the next page only when the consumer does', async () => {
    const { running, standin, client } = await shop({}, { pageSize: 10 });
    standin.seed({ generate: { orders: 40, hours: 20, seed: 2 } });
    const pages = client.orders(DAY);
    await pages.next();
    expect(running.journal.length).toBe(1);
    await pages.return(undefined);
  });

  test('a shop that insists on a state is asked state by state, and remembered', async () => {
    const { running, standin, client } = await shop({ stateMandatory: true });
    standin.seed({
      orders: [
        orderAt('1000000001', DAY.from),
        orderAt('1000000002', DAY.from, { state: 'KASPI_DELIVERY', status: 'ACCEPTED_BY_MERCHANT' }),
        orderAt('1000000003', DAY.from, { state: 'ARCHIVE', status: 'CANCELLED' }),
      ],
    });
    expect(codes(await all(client.orders(DAY)))).toEqual(['1000000001', '1000000002', '1000000003']);
    expect(running.journal.length).toBe(1 + 6);
    await all(client.orders(DAY));
    expect(running.journal.length).toBe(1 + 6 + 6);
  });

  test('another refusal does not start asking state by state', async () => {
    const { running, client } = await scripted(() => ({
      status: 400,
      body: { errors: [{ title: 'Required filter [orders][creationDate][$ge] is empty.' }] },
    }));
    await expect(all(client.orders(DAY))).rejects.toMatchObject({ code: 'REMOTE_REFUSED', status: 400 });
    expect(running.journal.length).toBe(1);
  });

  test('an order that comes twice, because lists shift while they are read, is given once', async () => {
    const pages = [
      [wireOrder('1000000001'), wireOrder('1000000002')],
      [wireOrder('1000000002'), wireOrder('1000000003')],
    ];
    const { client } = await scripted(({ query }) => ({
      status: 200,
      body: { data: pages[Number(query.get('page[number]'))] ?? [], meta: { pageCount: 2, totalCount: 4 } },
    }));
    expect((await all(client.orders(DAY))).map((item) => item.code)).toEqual([
      '1000000001',
      '1000000002',
      '1000000003',
    ]);
  });

  test('one failed page fails the list', async () => {
    const { running, standin, client } = await shop({}, { pageSize: 10 });
    standin.seed({ generate: { orders: 30, hours: 20, seed: 3 } });
    running.fault({ match: 'GET /shop/api/v2/orders', kind: 'status', status: 500, nth: 2, times: 0 });
    await expect(all(client.orders(DAY))).rejects.toMatchObject({ code: 'REMOTE_FAILING' });
  });
});

describe('odd answers', () => {
  const cases: [string, unknown, RegExp][] = [
    ['no meta', { data: [wireOrder('1000000001')] }, /meta: expected an object, got nothing/],
    ['no page count', { data: [wireOrder('1000000001')], meta: {} }, /meta\.pageCount: expected a number, got nothing/],
    ['a fraction of a page', { data: [], meta: { pageCount: 1.5 } }, /meta\.pageCount/],
    ['data is not an array', { data: {}, meta: { pageCount: 1 } }, /data: expected an array, got an object/],
    ['an array at the top', [], /the answer: expected an object, got an array/],
    ['nothing at all', undefined, /the answer: expected an object, got nothing/],
  ];
  test.each(cases)('%s: an error that names the place', async (_, body, message) => {
    const { client } = await scripted(() => ({ status: 200, body }));
    const failure = expect(all(client.orders(DAY))).rejects;
    await failure.toMatchObject({ code: 'REMOTE_ODD_ANSWER', message: expect.stringMatching(message) });
  });

  test('HTML instead of JSON', async () => {
    const { running, client } = await shop();
    running.fault({ match: 'GET', kind: 'html', times: 0 });
    await expect(all(client.orders(DAY))).rejects.toMatchObject({ code: 'REMOTE_ODD_ANSWER' });
  });

  test('a server that ignores the page number is stopped', async () => {
    const { running, client } = await scripted(() => ({
      status: 200,
      body: { data: [wireOrder('1000000001')], meta: { pageCount: 9 } },
    }));
    await expect(all(client.orders(DAY))).rejects.toThrow(/two equal pages/);
    expect(running.journal.length).toBe(2);
  });

  test('a list without end is stopped', async () => {
    const { client } = await scripted(
      ({ query }) => ({
        status: 200,
        body: { data: [wireOrder(`10${query.get('page[number]')}`)], meta: { pageCount: 999 } },
      }),
      { maxPages: 3 },
    );
    await expect(all(client.orders(DAY))).rejects.toThrow(/more than 3 pages/);
  });

  test('a page past the last order ends the list', async () => {
    const { client } = await scripted(({ query }) => ({
      status: 200,
      body: { data: query.get('page[number]') === '0' ? [wireOrder('1000000001')] : [], meta: { pageCount: 5 } },
    }));
    expect(codes(await all(client.orders(DAY)))).toEqual(['1000000001']);
  });

  test('broken orders stay on their page, each under the best name that it has', async () => {
    const data = [
      wireOrder('1000000001'),
      { type: 'orders', id: base64Id('1000000002'), attributes: null },
      { type: 'orders', id: 'opaque' },
      { attributes: { code: 1000000004 } },
      null,
      'odd',
    ];
    const { client } = await scripted(() => ({ status: 200, body: { data, meta: { pageCount: 1 } } }));
    const items = await all(client.orders(DAY));
    expect(items.map((item) => item.code)).toEqual([
      '1000000001',
      '1000000002',
      'opaque',
      '1000000004',
      'unknown',
      'unknown',
    ]);
    expect(items.map((item) => item.wire)).toEqual(data);
  });

  test('refused credentials say which setting to mend, without the token', async () => {
    const { client } = await shop({ token: 'another' });
    const error = await all(client.orders(DAY)).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'REMOTE_UNAUTHORIZED', exit: 77 });
    expect(JSON.stringify(error)).not.toContain(KASPI_SANDBOX_TOKEN);
  });
});

describe('one order', () => {
  test('by its code, whatever its age, with entries', async () => {
    const { standin, client } = await shop();
    standin.seed({ orders: [orderAt('1000000001', new Date('2025-01-01T00:00:00Z'))] });
    expect(await client.orderByCode('1000000001')).toMatchObject({ code: '1000000001', entries: [{}] });
    expect(await client.orderByCode('1000000009')).toBeUndefined();
  });

  test('an order of another code is not taken for it', async () => {
    const { client } = await scripted(() => ({ status: 200, body: { data: [wireOrder('1000000002')] } }));
    expect(await client.orderByCode('1000000001')).toBeUndefined();
  });

  test('by its id; its entries are asked for', async () => {
    const { standin, client } = await shop();
    standin.seed({ orders: [orderAt('1000000001', DAY.from)] });
    const { id = '' } = (await client.orderByCode('1000000001')) ?? {};
    expect(await client.orderById(id)).toMatchObject({ code: '1000000001', entries: undefined });
    expect(await client.entriesOf(id)).toMatchObject([{ attributes: { offer: { code: 'SKU-1000000001' } } }]);
    expect(await client.orderById('gone')).toBeUndefined();
  });

  test('ids with signs of base64 survive the path', async () => {
    const paths: string[] = [];
    const { client } = await scripted(({ path }) => {
      paths.push(path);
      return { status: 200, body: { data: wireOrder('1000000001') } };
    });
    await client.orderById('a/b+c==');
    expect(paths).toEqual(['/orders/a%2Fb%2Bc%3D%3D']);
  });

  test('entries that the list did not include are known to be missing', async () => {
    const { standin, client } = await shop({ includeHonoured: false });
    standin.seed({ orders: [orderAt('1000000001', DAY.from)] });
    expect(await all(client.orders(DAY))).toMatchObject([{ code: '1000000001', entries: undefined }]);
  });

  test('half of the entries are as good as none', async () => {
    const entries = [wireEntry('1000000001', 0), wireEntry('1000000001', 1)];
    const { client } = await scripted(() => ({
      status: 200,
      body: { data: [wireOrder('1000000001', {}, entries)], included: entries.slice(1), meta: { pageCount: 1 } },
    }));
    expect(await all(client.orders(DAY))).toMatchObject([{ entries: undefined }]);
  });
});

describe('entries that are not told', () => {
  test.each([[[]], [null], [undefined]])('%j as the list of them: they must be asked for', async (told) => {
    const wire = { ...wireOrder('1000000001'), relationships: { entries: { data: told } } };
    const { client } = await scripted(() => ({ status: 200, body: { data: [wire], meta: { pageCount: 1 } } }));
    expect(await all(client.orders(DAY))).toMatchObject([{ entries: undefined }]);
  });
});

describe('the article of an entry without an offer', () => {
  test("is the seller's own, not the number of the public card", async () => {
    const { standin, client } = await shop({ offerPresent: false });
    standin.seed({ orders: [orderAt('1000000001', DAY.from)] });
    const [item] = await all(client.orders(DAY));
    const [entry] = (item?.entries ?? []) as { id: string }[];
    expect(await client.skuOfEntry(entry?.id ?? '')).toEqual({ sku: 'SKU-1000000001', name: 'Чайник' });
  });

  test('is not known where Kaspi has no product or no counterpart', async () => {
    const card = { data: { id: 'card', attributes: { code: '102345678', name: 'Карточка' } } };
    const { client } = await scripted(({ path }) =>
      path === '/orderentries/e1/product' ? { status: 200, body: card } : { status: 404, body: { errors: [] } },
    );
    expect(await client.skuOfEntry('e1')).toEqual({ sku: undefined, name: 'Карточка' });
    expect(await client.skuOfEntry('e2')).toBeUndefined();
  });
});
