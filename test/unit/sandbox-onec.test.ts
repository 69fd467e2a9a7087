import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type RunningStandin, serve } from '../../src/sandbox/kit.ts';
import {
  ONEC_SANDBOX_PASSWORD,
  ONEC_SANDBOX_PATH,
  ONEC_SANDBOX_USER,
  type OnecOptions,
  type OnecStandin,
  onecStandin,
} from '../../src/sandbox/onec.ts';

const NOW = Date.parse('2026-09-14T06:00:00Z');
const EMPTY_DATE = '0001-01-01T00:00:00';
const WORK_ORDER = 'Document_ЗаказНаряд';
const CUSTOMER_ORDER = 'Document_ЗаказПокупателя';
const STATES = 'Catalog_ВидыСостоянийЗаказНарядов';
const INFORMATION = 'InformationRegister_ДополнительныеСведения';
const JOURNAL = 'InformationRegister_ЖурналСостояний';
const CHART = 'ChartOfCharacteristicTypes_ДополнительныеРеквизитыИСведения';

interface Answer {
  status: number;
  headers: Headers;
  text: string;
  // biome-ignore lint/suspicious/noExplicitAny: the wire shape itself is under test
  json: any;
}

interface Init {
  method?: string;
  body?: unknown;
  headers?: Record<string, string>;
}

const open: RunningStandin[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((running) => running.close()));
});

async function world(options: Partial<OnecOptions> = {}) {
  const clock = { now: NOW };
  const onec = onecStandin({ now: () => clock.now, ...options });
  const running: RunningStandin<OnecStandin> = await serve(onec);
  open.push(running);
  const login = Buffer.from(`${ONEC_SANDBOX_USER}:${ONEC_SANDBOX_PASSWORD}`, 'utf8').toString('base64');
  async function call(path: string, { method = 'GET', body, headers = {} }: Init = {}): Promise<Answer> {
    const response = await fetch(`${running.url}${ONEC_SANDBOX_PATH}/${path}`, {
      method,
      headers: { authorization: `Basic ${login}`, accept: 'application/json', ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    let json: unknown;
    try {
      json = JSON.parse(text);
    } catch {}
    return { status: response.status, headers: response.headers, text, json };
  }
  const encoded = (set: string, options_: Record<string, string>) =>
    `${encodeURIComponent(set)}?${Object.entries(options_)
      .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
      .join('&')}`;
  return {
    onec,
    running,
    clock,
    call,
    list: (set: string, query: Record<string, string> = {}) => call(encoded(set, query)),
    post: (set: string, body: unknown, headers = {}) =>
      call(encodeURIComponent(set), { method: 'POST', body, headers }),
    patch: (set: string, ref: string, body: unknown, headers = {}) =>
      call(`${encodeURIComponent(set)}(guid'${ref}')`, { method: 'PATCH', body, headers }),
    get: (set: string, ref: string, rest = '') => call(`${encodeURIComponent(set)}(guid'${ref}')${encodeURI(rest)}`),
    act: (set: string, ref: string, action: string, method = 'POST') =>
      call(`${encodeURIComponent(set)}(guid'${ref}')/${action}?PostingModeOperational=false`, { method }),
  };
}

type World = Awaited<ReturnType<typeof world>>;

/** For tests that only read. */
let fixed: World;
let stopFixed: () => Promise<void>;
beforeAll(async () => {
  fixed = await world();
  const running = open.pop();
  stopFixed = async () => running?.close();
});
afterAll(() => stopFixed());

function code({ status, json }: Answer): string {
  return `${status}/${json?.['odata.error']?.code ?? 'ok'}`;
}

function header(onec: OnecStandin, operation: string): Record<string, unknown> {
  const client = onec.ref('Catalog_Контрагенты', 'Примеров Пётр');
  const contract = onec.entities('Catalog_ДоговорыВзаиморасчетов').find((one) => one.Owner_Key === client);
  return {
    Date: '2026-09-14T09:00:00',
    Организация_Key: onec.ref('Catalog_Организации', 'Наша контора'),
    ПодразделениеКомпании_Key: onec.ref('Catalog_ПодразделенияКомпании', 'ОсновноеПодразделение'),
    Автор_Key: onec.ref('Catalog_Пользователи', 'Обмен'),
    ВалютаДокумента_Key: onec.ref('Catalog_Валюты', 'руб.'),
    КурсДокумента: 1,
    ХозОперация_Key: onec.ref('Catalog_ХозОперации', operation),
    ТипЦен_Key: onec.ref('Catalog_ТипыЦен', 'ОсновнойТипЦенПродажи'),
    Контрагент_Key: client,
    ДоговорВзаиморасчетов_Key: contract?.Ref_Key,
  };
}

function goodsRow(onec: OnecStandin, line: number, total: number): Record<string, unknown> {
  const item = onec.entities('Catalog_Номенклатура').find((one) => one.Артикул === 'MJ1009');
  return {
    LineNumber: line,
    Номенклатура_Key: item?.Ref_Key,
    ЕдиницаИзмерения_Key: item?.ОсновнаяЕдиницаИзмерения_Key,
    Количество: 1,
    Коэффициент: 1,
    Цена: total,
    Сумма: total,
    СуммаВсего: total,
  };
}

function workOrderBody(onec: OnecStandin, state = 'Заявка'): Record<string, unknown> {
  const summary = onec.edit({ set: 'Document_СводныйРемонтныйЗаказ', changes: { Date: '2026-09-14T09:00:00' } });
  return {
    ...header(onec, 'ЗаказНаряд'),
    ТипЦенРабот_Key: onec.ref('Catalog_ТипыЦен', 'ОсновнойТипЦенПродажи'),
    ВидРемонта_Key: onec.ref('Catalog_ВидыРемонта', 'Коммерческий ремонт'),
    Цех_Key: onec.ref('Catalog_Цеха', 'ОсновнойЦех'),
    СпособЗачетаАвансов: 'Автоматически',
    СводныйРемонтныйЗаказ_Key: summary.Ref_Key,
    ДокументОснование: summary.Ref_Key,
    ДокументОснование_Type: 'StandardODATA.Document_СводныйРемонтныйЗаказ',
    Состояние_Key: onec.ref(STATES, state),
    Товары: [goodsRow(onec, 1, 330)],
    Автоработы: [
      {
        LineNumber: 1,
        Авторабота_Key: onec.ref('Catalog_Автоработы', 'Замена масла'),
        ИдентификаторРаботы: 'a',
        Количество: 0.75,
        СуммаВсего: 750.5,
      },
    ],
  };
}

function customerOrderBody(onec: OnecStandin): Record<string, unknown> {
  return {
    ...header(onec, 'ЗаказПокупателя'),
    СрокПоставки: '2026-09-20T00:00:00',
    СкладКомпании_Key: onec.ref('Catalog_СкладыКомпании', 'ОсновнойСкладКомпании'),
    Товары: [goodsRow(onec, 1, 330)],
  };
}

async function made(here: World, set: string, body: unknown): Promise<Record<string, string>> {
  const answer = await here.post(set, body);
  expect(answer.text).not.toContain('odata.error');
  return answer.json;
}

describe('the service', () => {
  test('names its sets and table parts, and describes them in XML', async () => {
    const here = await world();
    const { json } = await here.call('?$format=json');
    const names = json.value.map(({ name }: { name: string }) => name);
    expect(names).toContain('Document_ЗаказНаряд_Товары');
    expect(names).toContain(INFORMATION);
    const { text, headers } = await here.call('$metadata');
    expect(headers.get('content-type')).toContain('xml');
    expect(text).toContain('<EntityType Name="Document_ЗаказНаряд">');
    expect(text).toContain('Name="Товары" Type="Collection(StandardODATA.Document_ЗаказНаряд_Товары_RowType)"');
    expect(text).toContain('<ComplexType Name="Document_ЗаказНаряд_Товары_RowType">');
    expect(text).toContain('<Property Name="LineNumber" Type="Edm.Int64"');
  });

  test('answers in Atom, errors too, unless it is asked for JSON', async () => {
    const here = await world();
    const list = await here.call('Catalog_%D0%A6%D0%B5%D1%85%D0%B0', { headers: { accept: '*/*' } });
    expect(list.headers.get('content-type')).toContain('atom');
    const error = await here.call('Catalog_X', { headers: { accept: '*/*' } });
    expect(error.text).toContain('<m:code>8</m:code>');
    expect(code(await here.call('Catalog_X?$format=json', { headers: { accept: '*/*' } }))).toBe('404/8');
  });

  test.each([
    ['a wrong password', { authorization: `Basic ${Buffer.from('Обмен:нет').toString('base64')}` }],
    ['a login in another encoding', { authorization: `Basic ${Buffer.from('Obmen:x', 'latin1').toString('base64')}` }],
    ['no login', { authorization: '' }],
  ])('refuses %s', async (_, headers) => {
    const here = await world();
    expect(code(await here.call('', { headers }))).toBe('401/20');
    here.onec.configure({ authHtml200: true });
    const page = await here.call('', { headers });
    expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html;charset=utf-8']);
  });

  test('the Date header is the server clock', async () => {
    const here = await world();
    expect((await here.call('')).headers.get('date')).toBe('Mon, 14 Sep 2026 06:00:00 GMT');
    expect(here.onec.localNow()).toBe('2026-09-14T09:00:00');
    here.onec.configure({ now: '2026-09-15T00:00:00Z' });
    expect((await here.call('')).headers.get('date')).toBe('Tue, 15 Sep 2026 00:00:00 GMT');
  });

  test('a fault finds a Cyrillic address', async () => {
    const here = await world();
    here.running.fault({ match: 'GET /odata/standard.odata/Catalog_Цеха', kind: 'status', status: 502 });
    expect((await here.list('Catalog_Цеха')).status).toBe(502);
    expect((await here.list('Catalog_Цеха')).status).toBe(200);
  });
});

describe('reading', () => {
  test('lists carry their address, and their count as text where asked', async () => {
    const here = await world();
    const { json } = await here.list(STATES, { $inlinecount: 'allpages', $top: '2', $skip: '1', $orderby: 'Code' });
    expect(json['odata.metadata']).toMatch(/\/\$metadata#Catalog_ВидыСостоянийЗаказНарядов$/);
    expect(json['odata.count']).toBe('18');
    expect(json.value.map((one: { PredefinedDataName: string }) => one.PredefinedDataName)).toEqual([
      'НачатьРаботу',
      'ВРаботе',
    ]);
    expect((await here.call(`${encodeURIComponent(STATES)}/$count`)).text).toMatch(/^\uFEFF?18$/);
  });

  test('selects columns, columns of table parts and presentations; refuses unknown ones', async () => {
    const here = await world();
    const order = await made(here, WORK_ORDER, workOrderBody(here.onec));
    const { json } = await here.list(WORK_ORDER, {
      $select: 'Number,Товары/Цена,Контрагент____Presentation,Контрагент_Key',
      $format: 'application/json;odata=nometadata',
    });
    expect(json.value).toEqual([
      {
        Number: order.Number,
        Контрагент____Presentation: 'Примеров Пётр',
        Контрагент_Key: order.Контрагент_Key,
        Товары: [{ Ref_Key: order.Ref_Key, Цена: 330 }],
      },
    ]);
    expect(code(await here.list(WORK_ORDER, { $select: 'Нет' }))).toBe('400/10');
    const bare = await here.list(WORK_ORDER, { $select: '**' });
    expect(bare.json.value[0].Товары).toBeUndefined();
    expect(bare.json.value[0]['Контрагент@navigationLinkUrl']).toContain("(guid'");
  });

  test('a table part is a set of its own that cannot be written, and a part of its object', async () => {
    const here = await world();
    const order = await made(here, WORK_ORDER, workOrderBody(here.onec));
    const set = 'Document_ЗаказНаряд_Товары';
    const { json } = await here.list(set, { $filter: `Ref_Key eq guid'${order.Ref_Key}'` });
    expect(json.value).toMatchObject([{ Ref_Key: order.Ref_Key, LineNumber: '1', СуммаВсего: 330 }]);
    const within = await here.get(WORK_ORDER, order.Ref_Key ?? '', '/Товары');
    expect(within.json.value).toMatchObject([{ LineNumber: '1' }]);
    expect(code(await here.post(set, { LineNumber: 1 }))).toBe('400/13');
  });

  test.each([
    ["Catalog_Цеха(guid'00000000-0000-4000-8000-000000000000')", '404/9'],
    ["Catalog_Цеха(guid'нет')", '400/1'],
    ["Catalog_Цеха(Code='1')", '400/7'],
    ['Catalog_Цеха/Нет', '400/11'],
    ["Catalog_Цеха(guid'00000000-0000-4000-8000-000000000000", '400/6'],
    ['Catalog_Цеха?$top=много', '400/14'],
    ['Catalog_Цеха?$orderby=Нет', '400/14'],
    ['Catalog_Цеха?$expand=Owner', '501/0'],
  ])('%s is %s', async (path, expected) => {
    expect(code(await fixed.call(encodeURI(path)))).toBe(expected);
  });

  test('the last slice takes the newest record of each object, in both spellings', async () => {
    const here = await world();
    const { onec, clock } = here;
    const order = await made(here, WORK_ORDER, workOrderBody(onec));
    clock.now += 60_000;
    await here.patch(WORK_ORDER, order.Ref_Key ?? '', { Состояние_Key: onec.ref(STATES, 'ВРаботе') });
    const condition = `Объект eq cast(guid'${order.Ref_Key}','${WORK_ORDER}')`;
    const within = `${JOURNAL}/SliceLast(Condition='${condition.replaceAll("'", "''")}')`;
    expect((await here.call(encodeURI(within))).json.value).toMatchObject([
      { Состояние: onec.ref(STATES, 'ВРаботе'), Period: '2026-09-14T09:01:00' },
    ]);
    const earlier = `${JOURNAL}/SliceLast?Period=datetime'2026-09-14T09:00:30'&Condition=${condition}`;
    expect((await here.call(encodeURI(earlier))).json.value).toMatchObject([{ Состояние: onec.ref(STATES, 'Заявка') }]);
  });

  test('rows hidden by rights fail the whole list unless only allowed ones are asked for', async () => {
    const here = await world();
    const hidden = here.onec.ref('Catalog_Контрагенты', 'Примеров Пётр');
    here.onec.configure({ rlsHidden: [hidden] });
    expect(code(await here.list('Catalog_Контрагенты'))).toBe('401/20');
    expect(code(await here.get('Catalog_Контрагенты', hidden))).toBe('401/20');
    const allowed = await here.list('Catalog_Контрагенты', { allowedOnly: 'true' });
    expect(allowed.json.value).toHaveLength(5);
  });

  test('codes of fixed length are padded on demand, for filters too', async () => {
    const here = await world({ paddedCodes: true });
    await made(here, 'Catalog_Цеха', { Code: '7', Description: 'Малярный' });
    const wanted = await here.list('Catalog_Цеха', { $filter: "startswith(Code,'7')", $select: 'Code' });
    expect(wanted.json.value[0].Code).toBe('7        ');
    expect((await here.list('Catalog_Цеха', { $filter: "Code eq '7'" })).json.value).toEqual([]);
  });
});

describe('filters', () => {
  const item = 'Catalog_Номенклатура';
  test.each([
    [item, "Артикул eq 'MJ1009'", 1],
    [item, "Артикул eq 'MJ1009' or Артикул eq 'G0202' or startswith(Артикул,'SLN')", 3],
    [item, "not (Артикул eq 'MJ1009') and IsFolder eq false and Артикул ne ''", 4],
    [item, "endswith(Артикул,'02')", 1],
    [item, "substringof('подшипником',Description)", 1],
    [item, "Производитель/Description eq 'MANDO'", 1],
    [item, 'IsFolder', 1],
    [item, 'not IsFolder', 6],
    ['Catalog_СтавкиНДС', 'Ставка gt 10.5', 1],
    ['Catalog_СтавкиНДС', 'Ставка ge 10 and Ставка le 20', 2],
    ['Catalog_СтавкиНДС', 'Ставка lt 10 or Ставка eq 20', 2],
    ['Catalog_Контрагенты', "КонтактнаяИнформация/any(d: d/НомерТелефона eq '79000000001')", 1],
    ['Catalog_Контрагенты', 'КонтактнаяИнформация/any()', 4],
    ['Catalog_Контрагенты', 'not КонтактнаяИнформация/any()', 2],
    ['Catalog_Контрагенты', "КонтактнаяИнформация/all(d: d/Тип eq 'Телефон')", 5],
    ['Catalog_Контрагенты_КонтактнаяИнформация', "Тип eq 'АдресЭлектроннойПочты'", 1],
    ['Catalog_Контрагенты_КонтактнаяИнформация', 'LineNumber eq 2', 1],
    ['Catalog_ЕдиницыИзмерения', "isof(Owner,'Catalog_ТипыНоменклатуры')", 1],
    ['Catalog_ЕдиницыИзмерения', "Owner_Type eq 'StandardODATA.Catalog_Номенклатура'", 0],
    ['Catalog_Контрагенты', "Description eq 'О''Пример'", 0],
    ['Catalog_ВидыСостоянийЗаказНарядов', "PredefinedDataName eq 'Заявка'", 1],
  ])('%s: %s finds %i', async (set, filter, count) => {
    const { json } = await fixed.list(set, { $filter: filter });
    expect(json.value).toHaveLength(count);
  });

  test.each([
    ["indexof(Description,'а') eq 1", '400/21'],
    ["tolower(Description) eq 'а'", '400/21'],
    ['year(Date) eq 2026', '400/14'],
    ['Нет eq 1', '400/14'],
    ["Description eq 'a' and", '400/14'],
    ["Description eq 'a' 'b'", '400/14'],
    ['Description eq 1', '400/14'],
    ["Description+eq+'a'", '400/14'],
    ['Description add 1 eq 2', '400/14'],
    ["Ref_Key eq guid'нет'", '400/1'],
    ["Ref_Key gt guid'00000000-0000-0000-0000-000000000000'", '500/-1'],
    ["Description eq cast('a','Нет')", '400/14'],
    ['КонтактнаяИнформация/any(d: d/Нет eq 1)', '400/14'],
  ])('%s is refused with %s', async (filter, expected) => {
    expect(code(await fixed.list('Catalog_Контрагенты', { $filter: filter }))).toBe(expected);
  });

  test('a plus in the address is a plus, not a blank', async () => {
    const here = await world();
    const set = encodeURIComponent('Catalog_Контрагенты');
    expect(code(await here.call(`${set}?$filter=DeletionMark+eq+false`))).toBe('400/14');
    expect((await here.call(`${set}?$filter=DeletionMark%20eq%20false`)).json.value).toHaveLength(6);
  });

  test('a composite is found by a cast guid; by a bare one it is not, and nothing says so', async () => {
    const here = await world();
    const { onec } = here;
    const client = onec.ref('Catalog_Контрагенты', 'Примеров Пётр');
    const other = onec.ref('Catalog_Контрагенты', 'ИП Образцов');
    onec.putMark('Catalog_Контрагенты', client, 'amoclient', '21213829');
    onec.putMark('Catalog_Номенклатура', onec.ref('Catalog_Номенклатура', 'Рычаг подвески'), 'amocatalog', 433759);
    const count = async (filter: string) => (await here.list(INFORMATION, { $filter: filter })).json.value?.length;
    const cast = (ref: string) => `Объект eq cast(guid'${ref}','Catalog_Контрагенты')`;
    expect(await count(cast(client))).toBe(1);
    expect(await count(`${cast(other)} or ${cast(client)}`)).toBe(1);
    expect(await count(`Объект eq guid'${client}'`)).toBe(0);
    expect(await count(`Объект eq cast(guid'${client}','Catalog_Номенклатура')`)).toBe(0);
    expect(await count("cast(Значение,'Number') eq 433759")).toBe(1);
    expect(await count("cast(Значение,'String') eq '21213829'")).toBe(1);
    expect(await count("isof(Значение,'Number')")).toBe(1);
    onec.configure({ castUnsupported: true });
    expect(await count(cast(client))).toBe(1);
    expect(code(await here.list(INFORMATION, { $filter: "cast(Значение,'Number') eq 433759" }))).toBe('400/21');
    onec.configure({ filterLies: true });
    expect(await count(cast(client))).toBe(0);
    expect(await count(`${cast(other)} or ${cast(client)}`)).toBe(0);
  });

  test('lambdas can be missing', async () => {
    const here = await world({ lambdaUnsupported: true });
    const answer = await here.list('Catalog_Контрагенты', { $filter: 'КонтактнаяИнформация/any()' });
    expect(code(answer)).toBe('400/21');
  });
});

describe('writing objects', () => {
  test('a new one is answered whole, at its address, with number, code and version', async () => {
    const here = await world();
    const answer = await here.post('Catalog_Производители', { Description: 'Новый', Выдумка: 1 });
    expect(answer.status).toBe(201);
    expect(answer.json).toMatchObject({ Code: '000000006', DataVersion: 'AAAAAAAAAAA=', Синонимы: [] });
    expect(answer.json.Выдумка).toBeUndefined();
    const location = Buffer.from(answer.headers.get('location') ?? '', 'latin1').toString('utf8');
    expect(location).toContain(`Catalog_Производители(guid'${answer.json.Ref_Key}')`);
  });

  test('a reference of the sender is taken, or not, and never twice', async () => {
    const here = await world();
    const wanted = '11111111-2222-4333-8444-555555555555';
    const body = { Ref_Key: wanted.toUpperCase(), Description: 'Новый' };
    expect((await here.post('Catalog_Производители', body)).json.Ref_Key).toBe(wanted);
    expect(code(await here.post('Catalog_Производители', body))).toBe('400/15');
    here.onec.configure({ honoursRefKey: false });
    expect((await here.post('Catalog_Производители', body)).json.Ref_Key).not.toBe(wanted);
  });

  test('a change touches the named properties, replaces table parts whole and raises the version', async () => {
    const here = await world();
    const order = await made(here, CUSTOMER_ORDER, customerOrderBody(here.onec));
    const ref = order.Ref_Key ?? '';
    const rows = [goodsRow(here.onec, 1, 100), goodsRow(here.onec, 2, 200.25)];
    const { json, status } = await here.patch(CUSTOMER_ORDER, ref, { Товары: rows, Ref_Key: 'нет', Выдумка: 1 });
    expect(status).toBe(200);
    expect(json).toMatchObject({ Ref_Key: ref, СуммаДокумента: 300.25, Number: 'ТК000000001' });
    expect(json.Товары.map((row: { LineNumber: string }) => row.LineNumber)).toEqual(['1', '2']);
    expect(json.DataVersion).not.toBe(order.DataVersion);
    const again = await here.patch(CUSTOMER_ORDER, ref, {});
    expect(again.json.DataVersion).not.toBe(json.DataVersion);
  });

  test.each([
    ['a row without its number', { Товары: [{ Цена: 1 }] }, '500/-1'],
    ['rows that start at two', { Товары: [{ LineNumber: 2 }] }, '400/4'],
    ['a table that is no list', { Товары: 'нет' }, '500/-1'],
    ['a broken reference', { Контрагент_Key: 'нет' }, '400/1'],
    ['a broken date', { Date: '14.09.2026' }, '400/1'],
    ['a word for a boolean', { DeletionMark: 'да' }, '400/1'],
    ['a list for a text', { Комментарий: ['нет'] }, '500/-1'],
  ])('refuses %s', async (_, extra, expected) => {
    const here = await world();
    const before = here.onec.entities(CUSTOMER_ORDER).length;
    expect(code(await here.post(CUSTOMER_ORDER, { ...customerOrderBody(here.onec), ...extra }))).toBe(expected);
    expect(here.onec.entities(CUSTOMER_ORDER)).toHaveLength(before);
  });

  test('broken JSON is 500, and text in a number is not stored', async () => {
    const here = await world();
    expect(code(await here.post(CUSTOMER_ORDER, '{"a":'))).toBe('500/-1');
    const set = 'Document_СводныйРемонтныйЗаказ';
    const body = { Date: '2026-09-14T09:00:00', Пробег: '100', Комментарий: 'ж'.repeat(600) };
    const summary = await made(here, set, body);
    expect(summary.Пробег).toBe(0);
    expect(summary.Комментарий).toHaveLength(500);
  });

  test('If-Match is honoured, or not', async () => {
    const here = await world();
    const ref = here.onec.ref('Catalog_Производители', 'MANDO');
    const stale = { 'if-match': 'AAAAAAAAAAA=' };
    expect((await here.patch('Catalog_Производители', ref, { Description: 'x' }, stale)).status).toBe(412);
    const current = String(here.onec.entity('Catalog_Производители', ref)?.DataVersion);
    const fresh = await here.patch('Catalog_Производители', ref, { Description: 'x' }, { 'if-match': current });
    expect(fresh.status).toBe(200);
    here.onec.configure({ ifMatch: false });
    expect((await here.patch('Catalog_Производители', ref, { Description: 'y' }, stale)).status).toBe(200);
  });

  test('locks meet the next writes, and no reading', async () => {
    const here = await world({ lockTimes: 2 });
    const ref = here.onec.ref('Catalog_Производители', 'MANDO');
    const write = () => here.patch('Catalog_Производители', ref, { Description: 'x' });
    expect(code(await here.list('Catalog_Производители'))).toBe('200/ok');
    const locked = await write();
    expect([code(locked), locked.text.includes('Ошибка блокировки данных')]).toEqual(['500/-1', true]);
    expect(code(await write())).toBe('500/-1');
    expect(code(await write())).toBe('200/ok');
  });

  test('an object is deleted for good', async () => {
    const here = await world();
    const ref = here.onec.ref('Catalog_Производители', 'MANDO');
    const path = `${encodeURIComponent('Catalog_Производители')}(guid'${ref}')`;
    expect((await here.call(path, { method: 'DELETE' })).status).toBe(204);
    expect(code(await here.call(path))).toBe('404/9');
  });

  test('an item gets its search form and unit; a counterparty is checked by its legal form', async () => {
    const here = await world();
    const { Ref_Key, Code, DataVersion, ОсновнаяЕдиницаИзмерения_Key, ...model } =
      here.onec.entities('Catalog_Номенклатура').find((one) => one.Артикул === 'MJ1009') ?? {};
    const item = await made(here, 'Catalog_Номенклатура', { ...model, Артикул: 'ab-1.2/я' });
    expect(item.АртикулДляПоиска).toBe('AB12Я');
    const unit = here.onec.entity('Catalog_ЕдиницыИзмерения', item.ОсновнаяЕдиницаИзмерения_Key ?? '');
    expect(unit).toMatchObject({ Owner: item.Ref_Key, Owner_Type: 'StandardODATA.Catalog_Номенклатура' });
    const set = 'Catalog_Контрагенты';
    const person = { ФормаСобственности: 'ЧастноеЛицо', ВидКонтрагента: 'Покупатель' };
    expect(code(await here.post(set, person))).toBe('500/-1');
    expect(await made(here, set, { ...person, Имя: 'Иван' })).toMatchObject({ Code: 'ЦБ0000007', Description: 'Иван' });
    const firm = { ФормаСобственности: 'ЮридическоеЛицо', ВидКонтрагента: 'Покупатель', Description: 'ООО' };
    expect(code(await here.post(set, firm))).toBe('500/-1');
    expect(code(await here.post(set, { ...firm, НаименованиеПолное: 'ООО' }))).toBe('201/ok');
  });
});

describe('independent registers', () => {
  test('additional information is made once, changed and deleted by either spelling of its key', async () => {
    const here = await world();
    const object = here.onec.ref('Catalog_Контрагенты', 'Примеров Пётр');
    const property = here.onec.ref(CHART, 'amolead');
    const record = {
      Объект: object,
      Объект_Type: 'StandardODATA.Catalog_Контрагенты',
      Свойство_Key: property,
      Значение: 19101507,
      Значение_Type: 'Edm.Double',
    };
    const first = await here.post(INFORMATION, record);
    expect([first.status, first.json.Значение]).toEqual([200, '19101507']);
    expect(code(await here.post(INFORMATION, record))).toBe('400/15');
    const keys = [
      `Объект='${object}',Объект_Type='StandardODATA.Catalog_Контрагенты',Свойство_Key=guid'${property}'`,
      `Объект=guid'${object}',Объект_Type='StandardODATA.Catalog_Контрагенты',Свойство_Key=guid'${property}'`,
      `Объект=guid'${object}',Свойство_Key=guid'${property}'`,
    ];
    for (const [index, key] of keys.entries()) {
      const path = encodeURI(`${INFORMATION}(${key})`);
      const changed = await here.call(path, { method: 'PATCH', body: { Значение: index, Объект: 'другой' } });
      expect([changed.status, changed.json.Значение, changed.json.Объект]).toEqual([200, String(index), object]);
    }
    const path = encodeURI(`${INFORMATION}(${keys[0]})`);
    expect(code(await here.call(encodeURI(`${INFORMATION}(Свойство_Key=guid'${property}')`)))).toBe('400/7');
    expect((await here.call(path, { method: 'DELETE' })).status).toBe(204);
    expect(code(await here.call(path))).toBe('404/9');
    here.onec.configure({ recordStatus: 201 });
    expect((await here.post(INFORMATION, record)).status).toBe(201);
  });

  test('a state and a contact person are records too', async () => {
    const here = await world();
    const { onec } = here;
    const order = await made(here, CUSTOMER_ORDER, customerOrderBody(onec));
    const type = `StandardODATA.${CUSTOMER_ORDER}`;
    const state = {
      Period: '2026-09-14T09:30:00',
      Объект: order.Ref_Key,
      Объект_Type: type,
      Состояние: onec.ref(STATES, 'Размещен'),
      Состояние_Type: `StandardODATA.${STATES}`,
    };
    expect(code(await here.post(JOURNAL, state))).toBe('200/ok');
    const key = `Period=datetime'2026-09-14T09:30:00',Объект='${order.Ref_Key}',Объект_Type='${type}'`;
    expect((await here.call(encodeURI(`${JOURNAL}(${key})`))).json.Состояние).toBe(state.Состояние);
    const persons = (await here.list('InformationRegister_КонтактныеЛица')).json.value;
    expect(persons).toMatchObject([{ Владелец: onec.ref('Catalog_Контрагенты', 'ООО «Пример»'), Основной: true }]);
  });

  test('the chart has a common property, one for each set, and a marked one of the same name', async () => {
    const here = await world();
    const { json } = await here.list(CHART, { $filter: "Заголовок eq 'amolead'" });
    const shown = json.value.map((one: Record<string, unknown>) => [one.Имя, one.DeletionMark]);
    expect(shown).toEqual([
      ['amolead', false],
      ['amolead_старое', true],
    ]);
    const dates = await here.list(CHART, { $filter: "Заголовок eq 'Дата выгрузки на сайт'" });
    expect(dates.json.value[0]).toMatchObject({
      Description: 'Дата выгрузки на сайт (Доп. свойства документа "Заказ-наряд")',
      ValueType: { Types: ['Date'] },
    });
    expect(dates.json.value).toHaveLength(2);
  });
});

describe('posting', () => {
  test('a work order is posted by its state and unposted by it', async () => {
    const here = await world();
    const { onec, clock } = here;
    const order = await made(here, WORK_ORDER, workOrderBody(onec));
    const ref = order.Ref_Key ?? '';
    expect(order).toMatchObject({
      Posted: false,
      Number: '00000000001',
      ДатаОперации: EMPTY_DATE,
      ДатаНачала: EMPTY_DATE,
      СуммаДокумента: 1080.5,
      СуммаРаботДокумента: 750.5,
    });
    await here.act(WORK_ORDER, ref, 'Post');
    expect(onec.entity(WORK_ORDER, ref)?.Posted).toBe(false);
    clock.now += 60_000;
    const work = await here.patch(WORK_ORDER, ref, { Состояние_Key: onec.ref(STATES, 'ВРаботе') });
    const at = '2026-09-14T09:01:00';
    expect(work.json).toMatchObject({ Posted: true, ДатаОперации: at, ДатаНачала: at });
    expect(onec.mark(WORK_ORDER, ref, 'Дата записи')).toBe(at);
    expect(onec.entities(JOURNAL).filter((one) => one.Объект === ref)).toHaveLength(2);
    await here.act(WORK_ORDER, ref, 'Unpost');
    expect(onec.entity(WORK_ORDER, ref)).toMatchObject({
      Posted: false,
      ДатаОперации: EMPTY_DATE,
      Состояние_Key: onec.ref(STATES, 'Заявка'),
    });
  });

  test('a closed work order comes from a done one, and work is done by somebody', async () => {
    const here = await world();
    const { onec } = here;
    const order = await made(here, WORK_ORDER, workOrderBody(onec, 'ВРаботе'));
    const to = (state: string, more = {}) =>
      here.patch(WORK_ORDER, order.Ref_Key ?? '', { Состояние_Key: onec.ref(STATES, state), ...more });
    expect((await to('Закрыт')).text).toContain('только после состояния');
    expect((await to('Выполнен')).text).toContain('не назначены исполнители');
    const executors = [
      {
        LineNumber: 1,
        ИдентификаторРаботы: 'a',
        Исполнитель_Key: onec.ref('Catalog_Сотрудники', 'Слесарев С. С.'),
        Процент: 100,
      },
    ];
    expect(code(await to('Выполнен', { Исполнители: executors }))).toBe('200/ok');
    expect((await to('Закрыт')).json).toMatchObject({ Posted: true, ДатаЗакрытия: '2026-09-14T09:00:00' });
    onec.configure({ executorsDemanded: false });
    expect(code(await here.post(WORK_ORDER, workOrderBody(onec, 'Выполнен')))).toBe('201/ok');
    expect(code(await here.post(WORK_ORDER, workOrderBody(onec, 'Закрыт')))).toBe('500/-1');
  });

  test.each([
    'Организация_Key',
    'Автор_Key',
    'Состояние_Key',
    'СводныйРемонтныйЗаказ_Key',
    'Контрагент_Key',
    'КурсДокумента',
    'Date',
  ])('a work order without %s is refused even unposted', async (field) => {
    const here = await world();
    const { [field]: _, ...body } = workOrderBody(here.onec);
    const refused = await here.post(WORK_ORDER, body);
    expect([code(refused), refused.text.includes('не заполнено')]).toEqual(['500/-1', true]);
    expect(here.onec.entities(WORK_ORDER)).toEqual([]);
  });

  test('a repair summary is never posted', async () => {
    const here = await world();
    const set = 'Document_СводныйРемонтныйЗаказ';
    const summary = await made(here, set, { Date: '2026-09-14T09:00:00' });
    expect(summary).toMatchObject({ Posted: false, ДатаОперации: '2026-09-14T09:00:00' });
    expect(code(await here.act(set, summary.Ref_Key ?? '', 'Post'))).toBe('500/-1');
  });

  test('a customer order keeps its state in the journal, and its time of posting over a plain write', async () => {
    const here = await world();
    const { onec, clock } = here;
    const order = await made(here, CUSTOMER_ORDER, customerOrderBody(onec));
    const ref = order.Ref_Key ?? '';
    const state = () => onec.entities(JOURNAL).find((one) => one.Объект === ref);
    expect(state()).toMatchObject({ Period: '2026-09-14T09:00:00', Состояние: onec.ref(STATES, 'Новый') });
    expect((await here.act(CUSTOMER_ORDER, ref, 'Post', 'GET')).status).toBe(200);
    expect(state()?.Состояние).toBe(onec.ref(STATES, 'НеРазмещен'));
    clock.now += 60_000;
    const plain = await here.patch(CUSTOMER_ORDER, ref, { Комментарий: 'x' });
    expect(plain.json).toMatchObject({ Posted: true, ДатаОперации: '2026-09-14T09:00:00' });
    const mark = () => here.patch(CUSTOMER_ORDER, ref, { DeletionMark: true });
    expect(code(await mark())).toBe('500/-1');
    await here.act(CUSTOMER_ORDER, ref, 'Unpost');
    expect(code(await mark())).toBe('200/ok');
    expect(code(await here.act(CUSTOMER_ORDER, ref, 'Post'))).toBe('500/-1');
    expect(onec.entity(CUSTOMER_ORDER, ref)).toMatchObject({ Posted: false, ДатаОперации: EMPTY_DATE });
  });

  test('a closed period refuses writes, and load mode passes over handlers', async () => {
    const here = await world({ banDate: '2026-09-15T00:00:00' });
    expect((await here.post(CUSTOMER_ORDER, customerOrderBody(here.onec))).text).toContain('дата запрета изменения');
    const loaded = await here.post(CUSTOMER_ORDER, { Комментарий: 'x' }, { '1C_OData-DataLoadMode': 'true' });
    expect([loaded.status, loaded.json.Number]).toEqual([201, '']);
  });
});

describe('sessions and cold starts', () => {
  test('a session is opened on demand, known by its cookie and lost with the pool', async () => {
    const here = await world({ sessions: true });
    const started = await here.call('', { headers: { ibsession: 'start' } });
    const cookie = (started.headers.get('set-cookie') ?? '').split(';')[0] ?? '';
    expect(cookie).toMatch(/^ibsession=./);
    expect((await here.call('', { headers: { cookie } })).status).toBe(200);
    here.onec.dropSessions();
    expect((await here.call('', { headers: { cookie } })).status).toBe(404);
    here.onec.configure({ staleCookieStatus: 400, sessionsRefused: true });
    expect((await here.call('', { headers: { cookie } })).status).toBe(400);
    expect((await here.call('')).status).toBe(406);
  });

  test('without sessions the header does nothing', async () => {
    const here = await world();
    expect((await here.call('', { headers: { ibsession: 'start' } })).headers.get('set-cookie')).toBeNull();
  });

  test('the first request after a rest is slow, the next is not', async () => {
    const here = await world({ coldStartMs: 120 });
    const timed = async () => {
      const start = performance.now();
      await here.call('');
      return performance.now() - start;
    };
    expect(await timed()).toBeGreaterThan(110);
    expect(await timed()).toBeLessThan(110);
  });
});

describe('content', () => {
  test('the same numbers make the same documents', async () => {
    const spec = {
      workOrders: 30,
      customerOrders: 20,
      clients: 8,
      goods: 5,
      from: '2026-09-01T00:00:00',
      to: '2026-09-08T00:00:00',
    };
    const [one, other] = [onecStandin(), onecStandin()];
    one.seed(spec);
    other.seed({ generate: spec });
    expect(one.snapshot()).toEqual(other.snapshot());
    const orders = one.entities(WORK_ORDER);
    expect([orders.length, one.entities(CUSTOMER_ORDER).length]).toEqual([30, 20]);
    expect(new Set(orders.map((order) => order.Number)).size).toBe(30);
    expect(orders[0]?.Date).toBe('2026-09-01T00:00:00');
    expect(one.mark(WORK_ORDER, String(orders[3]?.Ref_Key), 'Дата записи')).toBe(orders[3]?.Date);
  });

  test('two thousand documents are made and read quickly', async () => {
    const here = await world();
    const started = performance.now();
    here.onec.seed({ workOrders: 1000, customerOrders: 1000, from: '2026-09-01T00:00:00', to: '2026-09-08T00:00:00' });
    const { json } = await here.list(WORK_ORDER, {
      $filter: "Date ge datetime'2026-09-01T00:00:00' and Date lt datetime'2026-09-08T00:00:00'",
      $orderby: 'Date,Number',
      $top: '100',
      $select: 'Ref_Key,DataVersion',
    });
    expect(json.value).toHaveLength(100);
    expect(performance.now() - started).toBeLessThan(2000);
  });

  test('a generated document can be written again as it is', async () => {
    const here = await world();
    here.onec.seed({ workOrders: 2, customerOrders: 2, clients: 2, from: '2026-09-14T00:00:00' });
    for (const set of [WORK_ORDER, CUSTOMER_ORDER]) {
      for (const { Ref_Key } of here.onec.entities(set)) {
        expect(code(await here.patch(set, String(Ref_Key), { Комментарий: 'x' }))).toBe('200/ok');
        expect(code(await here.act(set, String(Ref_Key), 'Post'))).toBe('200/ok');
      }
    }
    expect(await made(here, WORK_ORDER, workOrderBody(here.onec))).toMatchObject({ Number: '00000000003' });
  });

  test('raw content and marks go in as they are; misspelt ones do not', () => {
    const onec = onecStandin();
    const ref = '11111111-2222-4333-8444-555555555555';
    onec.seed({
      documents: [{ set: WORK_ORDER, Ref_Key: ref, Number: 'X1', Товары: [{ Цена: 5 }] }],
      counterparties: [{ Description: 'Пробный' }],
      marks: [{ set: WORK_ORDER, ref, property: 'Дата выгрузки на сайт', value: '2026-09-14T09:00:00' }],
    });
    expect(onec.entity(WORK_ORDER, ref)).toMatchObject({ Posted: false, Товары: [{ LineNumber: '1', Цена: 5 }] });
    expect(onec.mark(WORK_ORDER, ref, 'ДатаВыгрузкиНаСайт')).toBe('2026-09-14T09:00:00');
    expect(onec.ref('Catalog_Контрагенты', 'Пробный')).toMatch(/^[0-9a-f-]{36}$/);
    expect(() => onec.seed({ documents: [{ set: WORK_ORDER, Нет: 1 }] })).toThrow('has no Нет');
    expect(() => onec.seed({ нет: 1 } as object)).toThrow('unknown seed');
    expect(() => onec.seed({ generate: { items: 1 } as object })).toThrow('unknown in generate');
    expect(() => onec.configure({ нет: 1 })).toThrow('no option');
    expect(() => onec.configure({ ifMatch: 'да' })).toThrow('cannot be');
  });

  test('a person posts a posted document anew, and its time of writing moves', async () => {
    const here = await world();
    const { onec, clock } = here;
    const order = await made(here, CUSTOMER_ORDER, { ...customerOrderBody(onec), Posted: true });
    clock.now += 3_600_000;
    const seed = { set: CUSTOMER_ORDER, ref: order.Ref_Key ?? '', changes: { Комментарий: 'звонили' } };
    expect(onec.edit(seed)).toMatchObject({ Комментарий: 'звонили', ДатаОперации: '2026-09-14T10:00:00' });
    expect(() => onec.seed({ edit: { ...seed, changes: { Контрагент_Key: null } } })).toThrow('edit refused');
  });

  test('another base has other guids of predefined items, and every reference follows', async () => {
    const here = await world();
    const order = await made(here, WORK_ORDER, workOrderBody(here.onec, 'ВРаботе'));
    const before = here.onec.ref(STATES, 'ВРаботе');
    here.onec.configure({ predefinedShift: 1 });
    const after = here.onec.ref(STATES, 'ВРаботе');
    expect(after).not.toBe(before);
    expect(here.onec.entity(WORK_ORDER, order.Ref_Key ?? '')?.Состояние_Key).toBe(after);
    expect(onecStandin({ predefinedShift: 1 }).ref(STATES, 'ВРаботе')).toBe(after);
  });
});
