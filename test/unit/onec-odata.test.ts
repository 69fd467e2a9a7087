import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { afterEach, describe, expect, test } from 'vitest';
import { ExitCode } from '../../src/base/errors.ts';
import { RemoteError } from '../../src/base/remote-error.ts';
import { Secret } from '../../src/base/secret.ts';
import { readSettings } from '../../src/config/settings.ts';
import { EMPTY_REF } from '../../src/domain/onec.ts';
import { httpCore } from '../../src/http/core.ts';
import { serve } from '../../src/sandbox/kit.ts';
import {
  ONEC_SANDBOX_PASSWORD,
  ONEC_SANDBOX_PATH,
  ONEC_SANDBOX_USER,
  type OnecOptions,
  onecStandin,
} from '../../src/sandbox/onec.ts';
import type { OnecEntity } from '../../src/systems/onec/api.ts';
import { isVersionConflict, odataCode } from '../../src/systems/onec/errors.ts';
import { parseMetadata } from '../../src/systems/onec/metadata.ts';
import { type OnecOdataOptions, onecOdata, onecSystem } from '../../src/systems/onec/odata.ts';
import { orFilters } from '../../src/systems/onec/query.ts';
import { onecSettings } from '../../src/systems/onec/settings.ts';

const USER = 'Обмен';
const PASSWORD = 'Пароль-для-проверки';
const ORDERS = 'Document_ЗаказНаряд';
const NOW = new Date('2026-05-01T10:00:00Z');

interface Asked {
  method: string;
  /** Decoded, without the query. */
  path: string;
  /** As it came. */
  query: string;
  options: Record<string, string>;
  headers: IncomingHttpHeaders;
  body: OnecEntity;
}

type Answer = { status?: number; body?: unknown; headers?: Record<string, string | string[]> };
type Script = (asked: Asked, count: number) => Answer | 'silence' | Promise<Answer | 'silence'>;

const cleanUp: (() => unknown)[] = [];
afterEach(async () => {
  for (const undo of cleanUp.splice(0)) await undo();
});

const refuses = (status: number, code: string, value = 'нет'): Answer => ({
  status,
  body: { 'odata.error': { code, message: { lang: 'ru', value } } },
});
const rows = (...value: OnecEntity[]): Answer => ({ body: { value } });
const page: Answer = { body: '<!DOCTYPE html><html>Вход</html>', headers: { 'content-type': 'text/html' } };
const ref = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;

function reply(response: ServerResponse, { status = 200, body, headers = {} }: Answer): void {
  const text = body === undefined || typeof body === 'string' ? (body ?? '') : JSON.stringify(body);
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(text);
}

function freshCore() {
  const core = httpCore({
    clock: { now: () => NOW, sleep: async () => undefined },
    signal: new AbortController().signal,
    userAgent: 'sdelka/0 (+tests)',
    retryDelayMs: 1,
  });
  cleanUp.push(() => core.close());
  return core;
}

/** A server that answers as the script says, and the client before it. */
async function bench(script: Script, given: Partial<OnecOdataOptions> = {}) {
  const seen: Asked[] = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    const [path = '', query = ''] = (request.url ?? '').split('?');
    const pairs = query.split('&').map((pair) => pair.split('='));
    const asked: Asked = {
      method: request.method ?? '',
      path: decodeURIComponent(path),
      query,
      options: Object.fromEntries(pairs.map(([name = '', ...value]) => [name, decodeURIComponent(value.join('='))])),
      headers: request.headers,
      body: body === '' ? {} : JSON.parse(body),
    };
    seen.push(asked);
    const answer = await script(asked, seen.length);
    if (answer !== 'silence') reply(response, answer);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanUp.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const core = freshCore();
  const slept: number[] = [];
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const odata = onecOdata(core.for(onecSystem(url, USER, new Secret(PASSWORD))), {
    now: () => NOW,
    zone: 'Europe/Moscow',
    skewMs: () => undefined,
    sleep: async (ms) => {
      slept.push(ms);
    },
    ...given,
  });
  return { odata, seen, slept, url };
}

async function failure(work: Promise<unknown>): Promise<RemoteError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(RemoteError);
  return error as RemoteError;
}

async function all(pages: AsyncGenerator<OnecEntity[]>): Promise<unknown[]> {
  const numbers: unknown[] = [];
  for await (const given of pages) numbers.push(...given.map(({ n }) => n));
  return numbers;
}

describe('settings', () => {
  const read = (values: Record<string, string>) =>
    readSettings({ values: { ONEC_USER: USER, ...values }, baseDir: '/' }, [onecSettings]);

  test.each([
    ['https://alfa.example.com/base/odata/standard.odata', undefined],
    ['https://alfa.example.com/base/odata/standard.odata/', 'https://alfa.example.com/base/odata/standard.odata'],
    ['http://192.168.1.5:8080/base/odata/standard.odata', undefined],
    ['http://172.20.0.3/base/odata/standard.odata', undefined],
    ['http://server1c/base/odata/standard.odata', undefined],
    ['http://1c.office.local/base/odata/standard.odata', undefined],
    ['http://127.0.0.1:4100/odata/standard.odata', undefined],
    [
      'https://alfa.example.com/Альфа/odata/standard.odata',
      `https://alfa.example.com/${encodeURIComponent('Альфа')}/odata/standard.odata`,
    ],
  ])('%s is taken', (written, taken = written) => {
    expect(read({ ONEC_ODATA_URL: written }).ONEC_ODATA_URL).toBe(taken);
  });

  test.each([
    'http://alfa.example.com/base/odata/standard.odata',
    'http://10.example.com/base/odata/standard.odata',
    'http://172.32.0.1/base/odata/standard.odata',
    'https://alfa.example.com/base',
    'https://user:word@alfa.example.com/base/odata/standard.odata',
    'https://alfa.example.com/base/odata/standard.odata?$format=json',
  ])('%s is not', (written) => {
    expect(() => read({ ONEC_ODATA_URL: written })).toThrow(expect.objectContaining({ code: 'SETTINGS_INVALID' }));
  });

  test('the password may be any text or absent, the zone an IANA name', () => {
    const address = { ONEC_ODATA_URL: 'https://alfa.example.com/odata/standard.odata' };
    expect(read(address)).toMatchObject({ ONEC_USER: USER, ONEC_PASSWORD: undefined, ONEC_TIMEZONE: undefined });
    expect(read({ ...address, ONEC_PASSWORD: 'два слова' }).ONEC_PASSWORD?.reveal()).toBe('два слова');
    expect(() => read({ ...address, ONEC_TIMEZONE: '+03:00' })).toThrow();
  });
});

describe('how it asks', () => {
  test('a Cyrillic login goes as UTF-8, JSON is asked for twice, blanks and Cyrillic are encoded', async () => {
    const { odata, seen } = await bench(() => rows({ Ref_Key: ref(1), LineNumber: '1' }));
    const filter = "Номер eq 'А Б''+' and Posted eq true";
    expect(await odata.list(ORDERS, { filter, select: ['Ref_Key', 'Номер'], orderby: 'Date,Ref_Key', top: 7 })).toEqual(
      [{ Ref_Key: ref(1), LineNumber: '1' }],
    );
    const [asked] = seen;
    expect(Buffer.from(String(asked?.headers.authorization).split(' ')[1] ?? '', 'base64').toString('utf8')).toBe(
      `${USER}:${PASSWORD}`,
    );
    expect(asked?.headers.accept).toBe('application/json');
    expect(asked?.path).toBe(`/${ORDERS}`);
    expect(asked?.query).not.toMatch(/[+ ]|[А-я]/);
    expect(asked?.query).toContain('%20');
    expect(asked?.options).toEqual({
      $format: 'json',
      $filter: filter,
      $select: 'Ref_Key,Номер',
      $orderby: 'Date,Ref_Key',
      $top: '7',
    });
  });

  test('one request at a time', async () => {
    let open = 0;
    let most = 0;
    const { odata } = await bench(async () => {
      open += 1;
      most = Math.max(most, open);
      await new Promise((resolve) => setTimeout(resolve, 15));
      open -= 1;
      return rows();
    });
    await Promise.all([odata.list('A', {}), odata.list('B', {}), odata.get('C', ref(1)).catch(() => undefined)]);
    expect(most).toBe(1);
  });

  test('the first answer may take longer than later ones', async () => {
    const { odata, seen } = await bench(
      async (_, count) => {
        if (count > 1) return 'silence';
        await new Promise((resolve) => setTimeout(resolve, 150));
        return rows();
      },
      { requestTimeoutMs: 60, firstRequestTimeoutMs: 2000 },
    );
    await odata.list(ORDERS, {});
    const error = await failure(odata.create(ORDERS, {}));
    expect(error).toMatchObject({ code: 'REMOTE_UNREACHABLE', outcome: 'in-doubt' });
    expect(seen).toHaveLength(2);
  });

  test('1C’s clock is ours without the difference, in its own zone', async () => {
    const { odata } = await bench(() => rows(), { skewMs: () => 90_000 });
    expect(odata.localNow()).toBe('2026-05-01T12:58:30');
  });
});

describe('pages', () => {
  const table = Array.from({ length: 23 }, (_, n) => ({ n }));
  const serve = ({ options }: Asked) => rows(...table.slice(Number(options.$skip ?? 0)).slice(0, Number(options.$top)));
  const query = (pageSize: number) => ({ pageSize, orderby: 'Ref_Key' });
  const numbers = table.map(({ n }) => n);

  test('each row once, until a page is not full', async () => {
    const { odata, seen } = await bench(serve);
    expect(await all(odata.pages(ORDERS, query(10)))).toEqual(numbers);
    expect(seen.map(({ options }) => options.$skip ?? '0')).toEqual(['0', '10', '20']);
    expect(await all(odata.pages(ORDERS, { ...query(10), top: 12 }))).toEqual(numbers.slice(0, 12));
  });

  test.each<[string, Answer | 'silence']>([
    ['a time-out', 'silence'],
    ['502', { status: 502, body: 'Bad Gateway' }],
    ['a cut answer', { body: '{"value":[{"n":' }],
    ['a failure of 1C', refuses(500, '-1', 'Недостаточно памяти')],
  ])('a page that ends in %s is asked for again, smaller', async (_, bad) => {
    const { odata, seen } = await bench((asked) => (Number(asked.options.$top) > 5 ? bad : serve(asked)), {
      firstRequestTimeoutMs: 100,
    });
    expect(await all(odata.pages(ORDERS, query(80)))).toEqual(numbers);
    expect(seen.map(({ options }) => options.$top)).toEqual(['80', '20', '5', '5', '5', '5', '5']);
  });

  test('the smallest page is the end of shrinking', async () => {
    const { odata, seen } = await bench(() => ({ status: 502, body: '' }));
    await failure(all(odata.pages(ORDERS, query(20))));
    expect([...new Set(seen.map(({ options }) => options.$top))]).toEqual(['20', '5']);
  });

  test('a refusal is no matter of size', async () => {
    const { odata, seen } = await bench(() => refuses(400, '14'));
    expect(odataCode(await failure(all(odata.pages(ORDERS, query(100)))))).toBe('14');
    expect(seen).toHaveLength(1);
  });

  test('a server that ignores $skip, and one that never ends, are found out', async () => {
    const same = await bench(() => rows({ n: 1 }, { n: 2 }));
    expect((await failure(all(same.odata.pages(ORDERS, query(2))))).message).toContain('two equal pages');
    const endless = await bench((_, count) => rows({ n: count }), { maxPages: 4 });
    expect((await failure(all(endless.odata.pages(ORDERS, query(1))))).message).toContain('more than 4 pages');
  });
});

describe('by reference', () => {
  const asksFor = (filter = '') => [...filter.matchAll(/guid'([^']+)'/g)].map(([, key]) => key ?? '');

  test('20 a request, each once, empty references left out', async () => {
    const { odata, seen } = await bench(({ options }) =>
      rows(...asksFor(options.$filter).map((key) => ({ Ref_Key: key, Description: key }))),
    );
    const refs = Array.from({ length: 45 }, (_, n) => ref(n + 1));
    const found = await odata.byRefs('Catalog_X', [...refs, ref(1).toUpperCase(), EMPTY_REF, ''], ['Description']);
    expect([...found.keys()]).toEqual(refs);
    expect(seen.map(({ options }) => asksFor(options.$filter).length)).toEqual([20, 20, 5]);
    expect(seen[0]?.options.$select).toBe('Ref_Key,Description');
  });

  test('a filter that lies is found out: rows nobody asked for are dropped, missing ones asked for singly', async () => {
    const { odata, seen } = await bench(({ path }) => {
      if (!path.includes('(')) return rows({ Ref_Key: ref(99) });
      return path.includes(ref(1)) ? { body: { Ref_Key: ref(1), Code: '7' } } : refuses(404, '9');
    });
    const found = await odata.byRefs('Catalog_X', [ref(1), ref(2)]);
    expect([...found]).toEqual([[ref(1), { Ref_Key: ref(1), Code: '7' }]]);
    expect(seen.map(({ path }) => path)).toEqual([
      '/Catalog_X',
      `/Catalog_X(guid'${ref(1)}')`,
      `/Catalog_X(guid'${ref(2)}')`,
    ]);
  });

  test('filters stay below what web servers take', () => {
    const terms = Array.from({ length: 60 }, (_, n) => `Наименование eq '${'Я'.repeat(30)}${n}'`);
    const filters = orFilters(terms);
    expect(filters.join(' or ').split(' or ')).toEqual(terms);
    for (const filter of filters) {
      expect(encodeURIComponent(filter).length).toBeLessThan(5000);
      expect(filter.split(' or ').length).toBeLessThanOrEqual(20);
    }
    expect(orFilters([])).toEqual([]);
  });

  test('an object that is gone is undefined, a set that is not published is named', async () => {
    const gone = await bench(() => refuses(404, '9'));
    expect(await gone.odata.get(ORDERS, ref(1))).toBeUndefined();
    const hidden = await bench(() => refuses(404, '8'));
    const error = await failure(hidden.odata.get(ORDERS, ref(1)));
    expect(error).toMatchObject({ code: 'REMOTE_REFUSED', outcome: 'refused', status: 404 });
    expect(error.message).toContain(ORDERS);
    expect(error.hint).toContain('НастройкаСтандартногоИнтерфейсаOData');
  });
});

describe('writes', () => {
  test('a body loses what 1C added and its rows are counted', async () => {
    const { odata, seen } = await bench(() => ({
      status: 201,
      body: { Ref_Key: ref(1), DataVersion: 'AAAAAAAAAAA=' },
    }));
    const order: string[] = [];
    const made = await odata.create(
      ORDERS,
      {
        'odata.metadata': 'x',
        DataVersion: 'AAA=',
        Комментарий: 'да',
        'Контрагент@navigationLinkUrl': 'x',
        Контрагент____Presentation: 'x',
        Товары: [
          { Количество: 2, LineNumber: '9' },
          { Количество: 1, DataVersion: 'x' },
        ],
      },
      async () => void order.push(`before request ${seen.length + 1}`),
    );
    expect(made.Ref_Key).toBe(ref(1));
    expect(order).toEqual(['before request 1']);
    expect(seen[0]).toMatchObject({ method: 'POST', path: `/${ORDERS}`, options: { $format: 'json' } });
    expect(seen[0]?.body).toEqual({
      Комментарий: 'да',
      Товары: [
        { Количество: 2, LineNumber: 1 },
        { Количество: 1, LineNumber: 2 },
      ],
    });
  });

  test('a change carries the version on which it was decided; another one is a conflict', async () => {
    const { odata, seen } = await bench((_, count) => (count === 1 ? { body: { Ref_Key: ref(1) } } : { status: 412 }));
    await odata.change(ORDERS, ref(1), { Состояние_Key: ref(2) }, { dataVersion: 'AAAAAAABBB=' });
    expect(seen[0]).toMatchObject({ method: 'PATCH', path: `/${ORDERS}(guid'${ref(1)}')` });
    expect(seen[0]?.headers['if-match']).toBe('AAAAAAABBB=');
    const error = await failure(odata.change(ORDERS, ref(1), {}, { dataVersion: 'x' }));
    expect(error).toMatchObject({ outcome: 'refused', status: 422 });
    expect(isVersionConflict(error)).toBe(true);
    expect(isVersionConflict(new Error('other'))).toBe(false);
  });

  test('posting is a POST without a body, and a login page is no success', async () => {
    const { odata, seen } = await bench((_, count) => (count === 1 ? {} : page));
    await odata.post(ORDERS, ref(1));
    expect(seen[0]).toMatchObject({ method: 'POST', path: `/${ORDERS}(guid'${ref(1)}')/Post`, body: {} });
    expect(seen[0]?.options.PostingModeOperational).toBe('false');
    const error = await failure(odata.post(ORDERS, ref(1)));
    expect(error).toMatchObject({ code: 'REMOTE_ODD_ANSWER', outcome: 'in-doubt' });
    expect(error.hint).toContain('ONEC_USER');
  });

  test.each<[string, Answer]>([
    ['502', { status: 502, body: '<html></html>' }],
    ['a bare 500', { status: 500, body: 'Internal Server Error' }],
    ['a cut answer', { status: 201, body: '{"Ref_Key":"' }],
  ])('%s leaves a write in doubt and is not repeated', async (_, answer) => {
    const { odata, seen } = await bench(() => answer);
    expect(await failure(odata.create(ORDERS, {}))).toMatchObject({ outcome: 'in-doubt', kind: 'transient' });
    expect(seen).toHaveLength(1);
  });

  test('a guid out of other hands must be one', async () => {
    const { odata } = await bench(() => ({ body: {} }));
    await expect(odata.change(ORDERS, "1')/Post", {})).rejects.toThrow('no guid');
  });
});

describe('records of a register', () => {
  const SET = 'InformationRegister_ДополнительныеСведения';
  const key = { Объект: { guid: ref(1), set: ORDERS }, Свойство_Key: { guid: ref(2) } };
  const textKey = `/${SET}(Объект='${ref(1)}',Объект_Type='StandardODATA.${ORDERS}',Свойство_Key=guid'${ref(2)}')`;
  const guidKey = textKey.replace(`Объект='`, `Объект=guid'`);

  test('a new one is made', async () => {
    const { odata, seen } = await bench(() => ({ status: 200, body: {} }));
    const sent: number[] = [];
    await odata.putRecord(SET, key, { Значение: '19101507', Значение_Type: 'Edm.String' }, async () => {
      sent.push(seen.length);
    });
    expect(sent).toEqual([0]);
    expect(seen.map(({ method }) => method)).toEqual(['POST']);
    expect(seen[0]?.body).toEqual({
      Объект: ref(1),
      Объект_Type: `StandardODATA.${ORDERS}`,
      Свойство_Key: ref(2),
      Значение: '19101507',
      Значение_Type: 'Edm.String',
    });
  });

  test.each([
    ['the first', textKey, [textKey, textKey]],
    ['the other', guidKey, [textKey, guidKey, guidKey]],
  ])('an existing one is changed; %s spelling of its key is remembered', async (_, taken, asked) => {
    const { odata, seen } = await bench(({ method, path }) =>
      method === 'POST' ? refuses(400, '15') : path === taken ? { body: {} } : refuses(400, '6'),
    );
    for (const value of ['1', '2']) await odata.putRecord(SET, key, { Значение: value });
    const patches = seen.filter(({ method }) => method === 'PATCH');
    expect(patches.map(({ path }) => path)).toEqual(asked);
    expect(patches.at(-1)?.body).toEqual({ Значение: '2' });
  });

  test('a periodic one is known by its period too', async () => {
    const { odata, seen } = await bench(({ method }) => (method === 'POST' ? refuses(400, '15') : {}));
    const at = '2026-05-01T10:00:00';
    await odata.putRecord(SET, { Period: { at }, Объект: { guid: ref(1), set: ORDERS } }, { Состояние: ref(3) });
    expect(seen[0]?.body).toMatchObject({ Period: at, Состояние: ref(3) });
    expect(seen[1]?.path).toContain(`(Period=datetime'${at}',Объект='${ref(1)}'`);
  });

  test('that it stands already may also be said in words', async () => {
    const exists = refuses(500, '-1', 'Запись с такими ключевыми полями существует!');
    const { odata, seen } = await bench(({ method }) => (method === 'POST' ? exists : {}));
    await odata.putRecord(SET, key, { Значение: '1' });
    expect(seen.map(({ method }) => method)).toEqual(['POST', 'PATCH']);
  });

  test('another refusal is one, and a lost answer is made good by asking again', async () => {
    const refused = await bench(() => refuses(400, '4'));
    expect(odataCode(await failure(refused.odata.putRecord(SET, key, {})))).toBe('4');
    const lost = await bench(({ method }, count) =>
      count === 1 ? { status: 502 } : method === 'POST' ? refuses(400, '15') : {},
    );
    await lost.odata.putRecord(SET, key, {});
    expect(lost.seen.map(({ method }) => method)).toEqual(['POST', 'POST', 'PATCH']);
  });
});

describe('refusals', () => {
  test('a handler’s words reach the operator, without phones, shortened, and nothing is repeated', async () => {
    const words = `{Документ.ЗаказНаряд}: Поле "Цех" не заполнено, клиент +7 701 123-45-67, mail@example.com ${'я'.repeat(400)}`;
    for (const ask of ['create', 'list'] as const) {
      const { odata, seen } = await bench(() => refuses(500, '-1', `\n${words}\nвторая строка`));
      const error = await failure(ask === 'create' ? odata.create(ORDERS, {}) : odata.list(ORDERS, {}));
      expect(error).toMatchObject({ code: 'REMOTE_REFUSED', outcome: 'refused', status: 422, kind: 'operator' });
      expect(error.message).toContain('Поле "Цех" не заполнено');
      expect(error.message).not.toMatch(/123-45-67|mail@example|вторая/);
      expect(error.message.length).toBeLessThan(340);
      expect(odataCode(error)).toBe('-1');
      expect(seen).toHaveLength(1);
    }
  });

  test('a lock is waited out, for writes too, each time told of', async () => {
    const { odata, seen, slept } = await bench((_, count) =>
      count < 3 ? refuses(500, '-1', 'Ошибка блокировки данных') : { status: 201, body: { Ref_Key: ref(1) } },
    );
    let told = 0;
    await odata.create(ORDERS, {}, async () => void told++);
    expect([seen.length, slept, told]).toEqual([3, [1000, 2000], 3]);
  });

  test('a lock that stays is a passing refusal of the one thing', async () => {
    const { odata, seen } = await bench(() => refuses(500, '-1', 'Не удалось заблокировать запись'));
    const error = await failure(odata.change(ORDERS, ref(1), {}));
    expect(error).toMatchObject({ kind: 'transient', outcome: 'refused', status: 422 });
    expect(seen).toHaveLength(4);
  });

  test.each([
    [400, '14', 400],
    [400, '10', 400],
    [404, '9', 404],
    [405, '19', 422],
    [501, '0', 422],
  ])('%i with code %s keeps its code', async (status, code, shown) => {
    const { odata, seen } = await bench(() => refuses(status, code));
    const error = await failure(odata.create(ORDERS, {}));
    expect(seen).toHaveLength(1);
    expect(error).toMatchObject({ outcome: 'refused', status: shown });
    expect(odataCode(error)).toBe(code);
  });

  test('a wrong login ends the run, whichever way the server says it', async () => {
    const hints: (string | undefined)[] = [];
    for (const answer of [{ status: 401, body: '<html></html>' }, { status: 401 }, refuses(401, '20')]) {
      const { odata } = await bench(() => answer);
      const error = await failure(odata.list(ORDERS, {}));
      expect(error).toMatchObject({ code: 'REMOTE_UNAUTHORIZED', exit: ExitCode.CredentialsRefused });
      hints.push(error.hint);
    }
    for (const hint of hints) expect(hint).toContain('ONEC_USER and ONEC_PASSWORD');
    const forbidden = await bench(() => ({ status: 403, body: '<html></html>' }));
    expect(await failure(forbidden.odata.list(ORDERS, {}))).toMatchObject({ exit: ExitCode.CredentialsRefused });
  });

  test('a missing right with a good login is about the one thing', async () => {
    const { odata } = await bench(({ path }) => (path === '/' ? rows() : refuses(401, '20')));
    const error = await failure(odata.change(ORDERS, ref(1), {}));
    expect(error).toMatchObject({ code: 'REMOTE_REFUSED', outcome: 'refused', status: 422 });
    expect(error.message).toContain(ORDERS);
  });

  test('a web server’s own refusal is about no item: it has no status', async () => {
    const { odata } = await bench(() => ({
      status: 404,
      body: '<html>IIS</html>',
      headers: { 'content-type': 'text/html' },
    }));
    const error = await failure(odata.create(ORDERS, {}));
    expect(error).toMatchObject({ outcome: 'refused', status: undefined });
    expect(error.hint).toContain('ONEC_ODATA_URL');
  });

  test('a login page with 200 is a refused login, until 1C has answered once: then it passes', async () => {
    let answer: Answer = page;
    const { odata } = await bench(() => answer);
    const error = await failure(odata.list(ORDERS, {}));
    expect(error).toMatchObject({ code: 'REMOTE_UNAUTHORIZED', kind: 'operator', exit: 77 });
    expect(error.hint).toContain('ONEC_PASSWORD');
    answer = rows();
    await odata.list(ORDERS, {});
    answer = page;
    expect(await failure(odata.list(ORDERS, {}))).toMatchObject({ code: 'REMOTE_ODD_ANSWER', kind: 'transient' });
  });

  test('no error shows login, cookie or address', async () => {
    for (const answer of [refuses(500, '-1'), page, { status: 401 }, { status: 406 }]) {
      const { odata, url } = await bench((_, count) =>
        count === 1 ? { ...rows(), headers: { 'set-cookie': 'ibsession=c00kie-c00kie; path=/' } } : answer,
      );
      await odata.list(ORDERS, {});
      const error = await failure(odata.create(ORDERS, { Комментарий: 'тайна' }));
      const shown = inspect(error, { depth: 20, showHidden: true }) + JSON.stringify(error);
      for (const hidden of [PASSWORD, 'Basic', 'c00kie', url, 'тайна']) expect(shown).not.toContain(hidden);
    }
  });
});

describe('sessions', () => {
  const opens = (name: string, answer: Answer = rows()): Answer => ({
    ...answer,
    headers: { 'set-cookie': ['other=1', `ibsession=${name}; path=/alfa; HttpOnly`] },
  });
  const sent = (seen: Asked[]) => seen.map(({ headers }) => headers.cookie ?? headers.ibsession ?? 'nothing');

  test('one is started, kept, and finished', async () => {
    const { odata, seen } = await bench(({ headers }) => (headers.ibsession === 'start' ? opens('a') : rows()));
    await odata.list('A', {});
    await odata.list('B', {});
    await odata.close();
    await odata.close();
    expect(sent(seen)).toEqual(['start', 'ibsession=a', 'ibsession=a']);
    expect(seen.map(({ headers }) => headers.ibsession)).toEqual(['start', undefined, 'finish']);
  });

  test('without a cookie there is nothing to send or to finish', async () => {
    const { odata, seen } = await bench(() => rows());
    await odata.list('A', {});
    await odata.list('B', {});
    await odata.close();
    expect(sent(seen)).toEqual(['start', 'nothing']);
  });

  test.each<[string, Answer]>([
    ['404 of the web server', { status: 404, body: '' }],
    ['400 of the web server', { status: 400, body: 'Bad Request' }],
    ['404 without a reason', refuses(404, '-1')],
    ['1C’s own words', refuses(500, '-1', 'Сеанс отсутствует или удален')],
    ['406', { status: 406 }],
  ])('one that is gone (%s) is started anew once, for a write too', async (_, gone) => {
    const { odata, seen } = await bench(({ headers }) => {
      if (headers.ibsession === 'start') return opens(`s${seen.length}`, { body: { value: [], Ref_Key: ref(1) } });
      return headers.cookie === 'ibsession=s1' && seen.length > 1 ? gone : { body: { value: [] } };
    });
    await odata.list('A', {});
    expect(await odata.create('B', {})).toMatchObject({ Ref_Key: ref(1) });
    await odata.list('C', {});
    expect(sent(seen)).toEqual(['start', 'ibsession=s1', 'start', 'ibsession=s3']);
  });

  test('a bare 500 with a cookie starts a reading anew and leaves a write in doubt', async () => {
    const script: Script = ({ headers, method }) =>
      headers.ibsession === 'start' && method === 'GET' ? opens('a') : { status: 500, body: '' };
    const { odata, seen } = await bench(script);
    await odata.list('A', {});
    await odata.list('B', {});
    expect(sent(seen).slice(-1)).toEqual(['start']);
    const count = seen.length;
    expect(await failure(odata.create('C', {}))).toMatchObject({ outcome: 'in-doubt', status: 500 });
    expect(seen).toHaveLength(count + 1);
    await odata.list('D', {});
    expect(sent(seen).slice(-1)).toEqual(['start']);
  });

  test('an object that is gone does not cost the session', async () => {
    const { odata, seen } = await bench((_, count) => (count === 1 ? opens('a') : refuses(404, '9')));
    await odata.list('A', {});
    expect(await odata.get('B', ref(1))).toBeUndefined();
    expect(seen).toHaveLength(2);
  });

  test('no session or licence to be had says so', async () => {
    const { odata, seen } = await bench(() => ({ status: 406 }));
    const error = await failure(odata.create(ORDERS, {}));
    expect(error).toMatchObject({ code: 'REMOTE_BUSY', kind: 'transient', outcome: 'refused', status: 406 });
    expect(error.message).toContain('licence');
    expect(seen).toHaveLength(2);
  });
});

describe('metadata', () => {
  const XML = `<?xml version="1.0" encoding="utf-8"?>
<edmx:Edmx Version="1.0" xmlns:edmx="http://schemas.microsoft.com/ado/2007/06/edmx"><edmx:DataServices>
<Schema Namespace="StandardODATA" xmlns="http://schemas.microsoft.com/ado/2009/11/edm">
<EntityType Name="Document_ЗаказНаряд"><Key><PropertyRef Name="Ref_Key"/></Key>
<Property Name="Ref_Key" Type="Edm.Guid" Nullable="false"/><Property Name="Состояние_Key" Type="Edm.Guid"/>
<Property Nullable="true" Name="Товары" Type="Collection(StandardODATA.Document_ЗаказНаряд_Товары_RowType)"/>
<NavigationProperty Name="Состояние" Relationship="X" FromRole="Begin" ToRole="End"/></EntityType>
<EntityType OpenType="true" Name="Document_ЗаказНаряд_Товары"><Property Name="Ref_Key" Type="Edm.Guid"/></EntityType>
<ComplexType Name="Document_ЗаказНаряд_Товары_RowType"><Property Name="Количество" Type="Edm.Double"/></ComplexType>
<EntityType Name="Catalog_Пустой"/><Association Name="X"><End Role="Begin"/></Association>
<EntityContainer Name="EnterpriseV8"><EntitySet Name="Document_ЗаказНаряд" EntityType="StandardODATA.Document_ЗаказНаряд"/></EntityContainer>
</Schema></edmx:DataServices></edmx:Edmx>`;

  test('names of sets, properties and table parts are read, and its hash', async () => {
    const { odata, seen } = await bench(() => ({ body: XML, headers: { 'content-type': 'application/xml' } }));
    const { sets, hash } = await odata.metadata();
    expect(Object.fromEntries([...sets].map(([set, names]) => [set, [...names]]))).toEqual({
      Document_ЗаказНаряд: ['Ref_Key', 'Состояние_Key', 'Товары', 'Состояние'],
      Document_ЗаказНаряд_Товары: ['Ref_Key', 'Количество'],
      Catalog_Пустой: [],
    });
    expect(hash).toMatch(/^[0-9a-f]{64}$/);
    expect(parseMetadata(XML.replace('Количество', 'Кол')).hash).not.toBe(hash);
    expect(seen[0]).toMatchObject({ path: '/$metadata', query: '' });
  });

  test('megabytes are read in a moment', () => {
    const type = (n: number) =>
      `<EntityType Name="Catalog_${n}">${'<Property Name="Наименование" Type="Edm.String" Nullable="true"/>'.repeat(40)}</EntityType>`;
    const large = `<edmx:Edmx><Schema>${Array.from({ length: 2000 }, (_, n) => type(n)).join('')}</Schema></edmx:Edmx>`;
    const started = performance.now();
    expect(parseMetadata(large).sets.size).toBe(2000);
    expect(performance.now() - started).toBeLessThan(1500);
  });

  test('a login page is no metadata', async () => {
    const { odata } = await bench(() => page);
    expect((await failure(odata.metadata())).hint).toContain('ONEC_USER');
  });
});

describe('against the stand-in', () => {
  async function base(options: Partial<OnecOptions> = {}, password = ONEC_SANDBOX_PASSWORD) {
    const running = await serve(onecStandin({ now: () => NOW.getTime(), ...options }));
    cleanUp.push(() => running.close());
    const core = freshCore();
    const system = onecSystem(`${running.url}${ONEC_SANDBOX_PATH}`, ONEC_SANDBOX_USER, new Secret(password));
    const odata = onecOdata(core.for(system), {
      now: () => NOW,
      zone: 'Europe/Moscow',
      skewMs: () => core.skewMs.get('onec'),
      sleep: async () => undefined,
    });
    return Object.assign(odata, { standin: running.standin, requests: () => core.sent.get('onec') ?? 0 });
  }

  const MAKERS = 'Catalog_Производители';
  const byName = { orderby: 'Description,Ref_Key', pageSize: 2 };

  async function read(odata: Awaited<ReturnType<typeof base>>, set: string): Promise<OnecEntity[]> {
    const found: OnecEntity[] = [];
    for await (const given of odata.pages(set, byName)) found.push(...given);
    return found;
  }

  test('a thing is made, found again by pages, references and key, and changed', async () => {
    const odata = await base();
    const before = await read(odata, MAKERS);
    const made = await odata.create(MAKERS, { Description: 'Завод «Север»' });
    const key = String(made.Ref_Key);
    expect((await read(odata, MAKERS)).map(({ Ref_Key }) => Ref_Key).sort()).toEqual(
      [...before.map(({ Ref_Key }) => Ref_Key), key].sort(),
    );
    const changed = await odata.change(MAKERS, key, { ...made, Description: 'Завод «Юг»' });
    expect(changed.DataVersion).not.toBe(made.DataVersion);
    const found = await odata.byRefs(MAKERS, [key, ref(404)], ['Description']);
    expect([...found]).toEqual([[key, expect.objectContaining({ Description: 'Завод «Юг»' })]]);
    const stale = { dataVersion: String(made.DataVersion) };
    expect(isVersionConflict(await failure(odata.change(MAKERS, key, {}, stale)))).toBe(true);
    expect(await odata.get(MAKERS, ref(404))).toBeUndefined();
  });

  test('an object’s additional information is written twice and stands once', async () => {
    const odata = await base();
    const register = 'InformationRegister_ДополнительныеСведения';
    const [property] = await read(odata, 'ChartOfCharacteristicTypes_ДополнительныеРеквизитыИСведения');
    const [maker] = await read(odata, MAKERS);
    const object = { guid: String(maker?.Ref_Key), set: MAKERS };
    for (const value of ['1', '2']) {
      const values = { Значение: value, Значение_Type: 'Edm.String' };
      await odata.putRecord(register, { Объект: object, Свойство_Key: { guid: String(property?.Ref_Key) } }, values);
    }
    const records = await odata.list(register, { filter: `Свойство_Key eq guid'${String(property?.Ref_Key)}'` });
    expect(records.filter(({ Объект }) => Объект === object.guid).map(({ Значение }) => Значение)).toEqual(['2']);
  });

  test.each([400, 404, 500] as const)(
    'a session lost with %i is started anew in the middle of writes',
    async (status) => {
      const odata = await base({ sessions: true, staleCookieStatus: status });
      await odata.list(MAKERS, {});
      odata.standin.dropSessions();
      await odata.create(MAKERS, { Description: 'Завод' });
      await odata.list(MAKERS, {});
      expect(odata.requests()).toBe(4);
      await odata.close();
      expect(odata.requests()).toBe(5);
    },
  );

  test('a lock, a wrong login, hidden rows and a want of licences are what they are', async () => {
    const odata = await base({ lockTimes: 2 });
    await odata.create(MAKERS, { Description: 'Завод' });
    expect(odata.requests()).toBe(3);
    for (const authHtml200 of [false, true]) {
      const error = await failure((await base({ authHtml200 }, 'не тот')).list(MAKERS, {}));
      expect(error.hint).toContain('ONEC_USER and ONEC_PASSWORD');
      expect(error.exit).toBe(ExitCode.CredentialsRefused);
    }
    const [hidden] = await read(odata, MAKERS);
    const blind = await base({ rlsHidden: [String(hidden?.Ref_Key)] });
    expect((await failure(blind.list(MAKERS, {}))).message).toContain(MAKERS);
    expect((await failure((await base({ sessionsRefused: true })).list(MAKERS, {}))).message).toContain('licence');
  });

  test('its metadata name what it publishes, and its clock is told', async () => {
    const odata = await base();
    const { sets } = await odata.metadata();
    expect([...(sets.get('Document_ЗаказНаряд') ?? [])]).toEqual(expect.arrayContaining(['Состояние_Key', 'Товары']));
    expect([...(sets.get('Document_ЗаказНаряд_Товары') ?? [])]).toEqual(expect.arrayContaining(['Количество', 'Цена']));
    expect(odata.localNow().slice(0, 15)).toBe('2026-05-01T13:0');
  });
});
