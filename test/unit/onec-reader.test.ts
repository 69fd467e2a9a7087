import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { silentLogger } from '../../src/base/log.ts';
import { Secret } from '../../src/base/secret.ts';
import { loadMapping } from '../../src/config/mapping.ts';
import type { OnecMapping } from '../../src/config/mapping-onec-types.ts';
import type { OnecDocument, OnecHead } from '../../src/domain/onec.ts';
import { RecordFault } from '../../src/domain/record-fault.ts';
import { httpCore } from '../../src/http/core.ts';
import { serve } from '../../src/sandbox/kit.ts';
import {
  ONEC_SANDBOX_PASSWORD,
  ONEC_SANDBOX_PATH,
  ONEC_SANDBOX_USER,
  type OnecOptions,
  type OnecStandin,
  onecStandin,
} from '../../src/sandbox/onec.ts';
import type { OnecCache } from '../../src/systems/onec/memory.ts';
import { namesAgainst } from '../../src/systems/onec/names.ts';
import { onecOdata, onecSystem } from '../../src/systems/onec/odata.ts';
import { onecReader, withoutMissing } from '../../src/systems/onec/reader.ts';

const WORK_ORDER = 'Document_ЗаказНаряд';
const CUSTOMER_ORDER = 'Document_ЗаказПокупателя';
const CLIENTS = 'Catalog_Контрагенты';
const ITEMS = 'Catalog_Номенклатура';
const WORKS = 'Catalog_Автоработы';
const STATES = 'Catalog_ВидыСостоянийЗаказНарядов';
const REGISTER = 'InformationRegister_ДополнительныеСведения';
const CHART = 'ChartOfCharacteristicTypes_ДополнительныеРеквизитыИСведения';
const SUMMARY = 'Document_СводныйРемонтныйЗаказ';
const JOURNAL = 'InformationRegister_ЖурналСостояний';
const NOW = new Date('2026-06-10T09:00:00Z');
/** Moscow's 10 June, 00:00 to 12:00. */
const TODAY = { from: new Date('2026-06-09T21:00:00Z'), to: NOW };

const cleanUp: (() => unknown)[] = [];
afterEach(async () => {
  for (const undo of cleanUp.splice(0)) await undo();
});

const guid = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;

async function mappingFrom(yaml: string): Promise<OnecMapping> {
  const baseDir = mkdtempSync(join(tmpdir(), 'sdelka-onec-reader-'));
  writeFileSync(join(baseDir, 'mapping.yaml'), yaml);
  const { onec } = await loadMapping({ baseDir });
  if (onec === undefined) throw new Error('the onec part was not read');
  return onec;
}

const ALFA = mappingFrom(
  'onec:\n  defaults: { repairKind: { code: "00000003" }, manager: { description: "Слесарев С. С." } }\n',
);

/** Remembers as the database does, but through JSON and in memory. */
function memory(known: Record<string, string> = {}) {
  const kept = new Map<string, string>();
  const facts = new Map<string, string>();
  const cache: OnecCache = {
    cached: async <T>(key: string, maxAgeMs: number, load: () => Promise<T>) => {
      const held = kept.get(key);
      if (held !== undefined && maxAgeMs > 0) return JSON.parse(held) as T;
      const value = await load();
      kept.set(key, JSON.stringify(value));
      return value;
    },
    fact: async (key) => facts.get(key),
    setFact: async (key, value) => {
      facts.set(key, value);
    },
    knownMark: async (set) => known[set],
  };
  return { cache, facts };
}

async function base(options: Partial<OnecOptions> = {}) {
  const standin = onecStandin({ now: () => NOW.getTime(), ...options });
  const running = await serve(standin);
  const core = httpCore({
    clock: { now: () => NOW, sleep: async () => undefined },
    signal: new AbortController().signal,
    userAgent: 'sdelka/0 (+tests)',
    retryDelayMs: 1,
  });
  cleanUp.push(
    () => core.close(),
    () => running.close(),
  );
  const system = onecSystem(`${running.url}${ONEC_SANDBOX_PATH}`, ONEC_SANDBOX_USER, new Secret(ONEC_SANDBOX_PASSWORD));
  // The usual pace would make five hundred documents last for seconds.
  const http = core.for({ ...system, limit: { requests: 10_000, perMs: 1000 } });
  return {
    standin,
    running,
    /** A reader as a run gets it: new, over what earlier runs have left in the cache. */
    run: async (cache: OnecCache = memory().cache, mapping?: OnecMapping) => {
      const odata = onecOdata(http, {
        now: () => NOW,
        zone: 'Europe/Moscow',
        sleep: async () => undefined,
        skewMs: () => 0,
      });
      return onecReader({
        odata,
        mapping: mapping ?? (await ALFA),
        zone: 'Europe/Moscow',
        country: 'RU',
        cache,
        log: silentLogger,
      });
    },
    /** Requests since the last call. */
    requests: () => running.journal.splice(0).map((entry) => decodeURIComponent(`${entry.path}?${entry.query}`)),
  };
}

async function all(pages: AsyncGenerator<OnecHead[]>): Promise<OnecHead[]> {
  const heads: OnecHead[] = [];
  for await (const page of pages) heads.push(...page);
  return heads;
}

function whole(found: Map<string, OnecDocument | Error>): OnecDocument[] {
  return [...found.values()].map((one) => {
    if (one instanceof Error) throw one;
    return one;
  });
}

describe('heads', () => {
  test('R2, R9 documents of both kinds in the half-open window, in 1C’s local time; marked ones are left out', async () => {
    const { standin, run } = await base({ extension: false });
    standin.seed({
      documents: [
        ...['2026-06-09T23:59:59', '2026-06-10T00:00:00', '2026-06-10T11:59:59', '2026-06-10T12:00:00'].map((at, n) => {
          return { set: WORK_ORDER, Ref_Key: guid(n), Number: `0000000000${n}`, Date: at };
        }),
        { set: CUSTOMER_ORDER, Ref_Key: guid(5), Number: 'ТК000000005', Date: '2026-06-10T10:00:00', Posted: true },
        {
          set: CUSTOMER_ORDER,
          Ref_Key: guid(6),
          Number: 'ТК000000006',
          Date: '2026-06-10T10:00:00',
          DeletionMark: true,
        },
      ],
    });
    const heads = await all((await run()).heads(TODAY));
    expect(heads.map(({ ref }) => ref)).toEqual([guid(1), guid(2), guid(5)]);
    expect(heads[2]).toMatchObject({
      type: 'customerOrder',
      number: 'ТК000000005',
      date: '2026-06-10T10:00:00',
      posted: true,
    });
    expect(heads[2]).not.toHaveProperty('writtenAt');
    const withMarked = await all((await run()).heads(TODAY, { marked: true }));
    expect(withMarked.filter(({ deletionMark }) => deletionMark).map(({ ref }) => ref)).toEqual([guid(6)]);
  });

  test('R11 an old document comes back by its field of the last operation, by when it was entered and by the extension’s date, each document once', async () => {
    const { standin, run } = await base();
    const old = { set: WORK_ORDER, Date: '2026-05-01T10:00:00' };
    standin.seed({
      documents: [
        { ...old, Ref_Key: guid(1), Number: '1', ДатаОперации: '2026-06-10T08:00:00' },
        { ...old, Ref_Key: guid(2), Number: '2' },
        { ...old, Ref_Key: guid(3), Number: '3' },
        { ...old, Ref_Key: guid(4), Number: '4', Date: '2026-06-10T07:00:00' },
        { ...old, Ref_Key: guid(5), Number: '5', ДатаСоздания: '2026-06-10T06:00:00' },
      ],
      marks: [
        { set: WORK_ORDER, ref: guid(2), property: 'ДатаЗаписи', value: '2026-06-10T09:00:00' },
        { set: WORK_ORDER, ref: guid(3), property: 'ДатаЗаписи', value: '2026-06-09T09:00:00' },
        { set: WORK_ORDER, ref: guid(4), property: 'ДатаЗаписи', value: '2026-06-10T09:30:00' },
      ],
    });
    const heads = await all((await run()).heads(TODAY));
    expect(heads.map(({ ref, writtenAt }) => [ref, writtenAt])).toEqual([
      [guid(1), '2026-06-10T08:00:00'],
      // Dated back by whoever entered it today.
      [guid(5), undefined],
      [guid(4), '2026-06-10T09:30:00'],
      [guid(2), '2026-06-10T09:00:00'],
    ]);
  });

  test.each([{ castUnsupported: true }, {}])(
    'the extension’s date is found with %o, and a pass without changes asks three things',
    async (options) => {
      const { standin, run, requests } = await base(options);
      standin.seed({
        documents: [{ set: WORK_ORDER, Ref_Key: guid(1), Number: '1', Date: '2026-05-01T10:00:00' }],
        marks: [{ set: WORK_ORDER, ref: guid(1), property: 'ДатаЗаписи', value: '2026-06-10T09:00:00' }],
      });
      const { cache } = memory();
      expect(await all((await run(cache)).heads(TODAY))).toHaveLength(1);
      requests();
      const yesterday = { from: new Date('2026-06-01T00:00:00Z'), to: new Date('2026-06-02T00:00:00Z') };
      expect(await all((await run(cache)).heads(yesterday))).toEqual([]);
      expect(requests()).toHaveLength(3);
    },
  );

  test('an empty answer of the window’s filter is believed only after a known record was found in the same way', async () => {
    const { standin, run } = await base();
    standin.seed({
      documents: [{ set: WORK_ORDER, Ref_Key: guid(1), Number: '1', Date: '2026-05-01T10:00:00' }],
      marks: [{ set: WORK_ORDER, ref: guid(1), property: 'ДатаЗаписи', value: '2026-05-01T10:00:00' }],
    });
    const honest = memory();
    expect(await all((await run(honest.cache)).heads(TODAY))).toEqual([]);
    expect([...honest.facts].filter(([key]) => key.startsWith('onec:cast-date'))).toMatchObject([
      [expect.any(String), 'yes'],
    ]);
  });

  test('by reference and by number, padded or not', async () => {
    const { standin, run } = await base({ extension: false, paddedCodes: true });
    standin.seed({
      documents: [
        { set: WORK_ORDER, Ref_Key: guid(1), Number: '17', Date: '2026-05-01T10:00:00', DeletionMark: true },
        { set: CUSTOMER_ORDER, Ref_Key: guid(2), Number: '17', Date: '2026-05-02T10:00:00' },
        { set: CUSTOMER_ORDER, Ref_Key: guid(3), Number: '171', Date: '2026-05-02T10:00:00' },
      ],
    });
    const reader = await run();
    expect(await reader.head(guid(1).toUpperCase())).toMatchObject({
      number: '17',
      deletionMark: true,
      type: 'workOrder',
    });
    expect(await reader.head(guid(9))).toBeUndefined();
    expect((await reader.headsByNumber('17')).map(({ ref }) => ref)).toEqual([guid(1), guid(2)]);
  });
});

/** An order of the first counterparty, with one item and one work. */
function order(standin: OnecStandin, ref: string, more: Record<string, unknown> = {}) {
  return {
    set: WORK_ORDER,
    Ref_Key: ref,
    Number: '0000000017 ',
    Date: '2026-06-10T10:00:00',
    Posted: true,
    Контрагент_Key: standin.ref(CLIENTS, 'Примеров Пётр'),
    Организация_Key: standin.ref('Catalog_Организации', 'ОсновнаяОрганизация'),
    ПодразделениеКомпании_Key: standin.ref('Catalog_ПодразделенияКомпании', 'ОсновноеПодразделение'),
    Автор_Key: standin.ref('Catalog_Пользователи', 'Мастеров М. М.'),
    Состояние_Key: standin.ref(STATES, 'Размещен'),
    Комментарий: 'Позвонить после шести [amo:19101507]',
    Рекомендации: 'Заменить колодки',
    ОписаниеПричиныОбращения: 'Стук',
    СуммаДокумента: 1740,
    Товары: [goodsRow(standin.ref(ITEMS, 'Фильтр масляный CHANGAN'), 3, 330)],
    Автоработы: [
      { Авторабота_Key: standin.ref(WORKS, 'Замена масла'), Количество: 0.75, Цена: 1000, Сумма: 750, СуммаВсего: 750 },
    ],
    ...more,
  };
}

function goodsRow(item: string, quantity: number, price: number) {
  return {
    Номенклатура_Key: item,
    Количество: quantity,
    Цена: price,
    Сумма: quantity * price,
    СуммаВсего: quantity * price,
  };
}

describe('documents', () => {
  test('a work order, whole', async () => {
    const { standin, run } = await base();
    const [client, item] = [standin.ref(CLIENTS, 'Примеров Пётр'), standin.ref(ITEMS, 'Фильтр масляный CHANGAN')];
    standin.seed({
      documents: [order(standin, guid(1))],
      marks: [
        { set: WORK_ORDER, ref: guid(1), property: 'amolead', value: 19101507 },
        { set: WORK_ORDER, ref: guid(1), property: 'amoclient', value: '5' },
        { set: WORK_ORDER, ref: guid(1), property: 'ДатаВыгрузкиНаСайт', value: '2026-06-10T10:05:00' },
        { set: WORK_ORDER, ref: guid(1), property: 'ДатаЗаписи', value: '2026-06-10T10:01:00' },
        { set: CLIENTS, ref: client, property: 'amoclient', value: '21 213 829' },
        { set: ITEMS, ref: item, property: 'amocatalog', value: 433759 },
      ],
    });
    const reader = await run(memory({ [WORK_ORDER]: guid(1) }).cache);
    const heads = await all(reader.heads(TODAY));
    const [document] = whole(await reader.documents(heads));
    expect(document).toMatchObject({
      type: 'workOrder',
      number: '0000000017',
      dataVersion: heads[0]?.dataVersion,
      writtenAt: '2026-06-10T10:01:00',
      marks: { amoId: 19101507, exportedAt: '2026-06-10T10:05:00', writtenAt: '2026-06-10T10:01:00' },
      madeForDeal: 19101507,
      comment: 'Позвонить после шести',
      organization: { name: 'Наша контора', code: '000000001' },
      department: { name: 'Основное подразделение' },
      user: { name: 'Мастеров М. М.' },
      state: { name: 'Размещен', ref: standin.ref(STATES, 'Размещен') },
      amountMinor: 174_000,
      reason: 'Стук',
      recommendations: 'Заменить колодки',
      recommendedParts: '',
      client: {
        ref: client,
        kind: 'person',
        code: 'ЦБ0000001',
        firstName: 'Пётр',
        lastName: 'Примеров',
        phones: ['+79000000001'],
        emails: ['primer1@sandbox.example'],
        amoId: 21213829,
        persons: [],
      },
    });
    expect(document?.lines).toMatchObject([
      {
        kind: 'item',
        article: 'MJ1009',
        maker: 'MANDO',
        quantity: 3,
        priceMinor: 33_000,
        totalMinor: 99_000,
        amoId: 433759,
      },
      { kind: 'work', article: '', code: '0000000012', name: 'Замена масла', quantity: 0.75, totalMinor: 75_000 },
    ]);
  });

  test('R14 a company comes with its contact persons, also where filters on composite references lie', async () => {
    for (const filterLies of [false, true]) {
      const { standin, run } = await base({ filterLies });
      const reader = await run();
      expect(await reader.client(standin.ref(CLIENTS, 'ООО «Пример»'))).toMatchObject({
        kind: 'company',
        phones: ['+79000000002'],
        persons: [{ kind: 'person', firstName: 'Пал', phones: ['+79000000006'] }],
      });
      expect((await reader.client(standin.ref(CLIENTS, 'ИП Образцов')))?.kind).toBe('company');
      expect(await reader.client(guid(404))).toBeUndefined();
    }
  });

  test('the latest record of the register is the state of a customer order', async () => {
    for (const filterLies of [false, true]) {
      const { standin, run } = await base({ filterLies });
      const record = (Period: string, name: string) => ({
        Period,
        Объект: guid(1),
        Объект_Type: `StandardODATA.${CUSTOMER_ORDER}`,
        Состояние: standin.ref(STATES, name),
        Состояние_Type: `StandardODATA.${STATES}`,
      });
      standin.seed({
        documents: [
          { set: CUSTOMER_ORDER, Ref_Key: guid(1), Number: '1', Date: '2026-06-10T10:00:00', Posted: true },
          { set: CUSTOMER_ORDER, Ref_Key: guid(2), Number: '2', Date: '2026-06-10T10:00:00' },
        ],
        entities: {
          [JOURNAL]: [record('2026-06-10T11:00:00', 'ГотовКОтгрузке'), record('2026-06-10T10:00:00', 'Размещен')],
        },
      });
      const reader = await run();
      const documents = whole(await reader.documents(await all(reader.heads(TODAY))));
      expect(documents.map(({ state }) => state?.name)).toEqual(['Готов к отгрузке', undefined]);
      const states = await reader.states('customerOrder', [guid(1), guid(2), guid(3)]);
      expect([...states].map(([ref, { state, posted }]) => [ref, state?.name, posted])).toEqual([
        [guid(1), 'Готов к отгрузке', true],
        [guid(2), undefined, false],
      ]);
    }
  });

  test('a header without a sum has its rows’; a client or an item that is gone takes nothing else away', async () => {
    const { standin, run } = await base();
    standin.seed({
      documents: [
        order(standin, guid(1), { СуммаДокумента: 0, Контрагент_Key: guid(404) }),
        order(standin, guid(2), { Товары: [goodsRow(guid(405), 1, 10.05)], Автоработы: [], СуммаДокумента: 10.05 }),
      ],
    });
    const reader = await run();
    const [first, second] = whole(await reader.documents(await all(reader.heads(TODAY))));
    expect(first).toMatchObject({ amountMinor: 174_000, client: undefined });
    expect(second).toMatchObject({ amountMinor: 1005, lines: [] });
  });

  test('one document that is gone, hidden or not to be read is a fault of its own', async () => {
    const { standin, run } = await base({ rlsHidden: [guid(3)] });
    const broken = [
      { ...goodsRow(standin.ref(ITEMS, 'Рычаг подвески'), 1, 1), Количество: 'две' as unknown as number },
    ];
    standin.seed({
      documents: [order(standin, guid(1)), order(standin, guid(2), { Товары: broken }), order(standin, guid(3))],
    });
    const heads = [1, 2, 3, 4].map((n): OnecHead => {
      return {
        type: 'workOrder',
        ref: guid(n),
        number: String(n),
        date: '',
        posted: true,
        deletionMark: false,
        dataVersion: '',
      };
    });
    const found = await (await run()).documents(heads);
    expect(found.get(guid(1))).not.toBeInstanceOf(Error);
    expect(found.get(guid(2))).toEqual(
      new RecordFault('row 1 of Товары: Количество is no number', 'Correct the document in 1C.'),
    );
    expect(found.get(guid(3))).toBeInstanceOf(Error);
    expect(found.get(guid(4))).toEqual(new RecordFault('Document_ЗаказНаряд 4 is gone from 1C'));
  });

  test('the car stands in the repair summary, and is read only where amoCRM is to show it', async () => {
    const { standin, run, requests } = await base();
    const summary = { set: SUMMARY, Ref_Key: guid(9), Number: '9', Date: '2026-06-10T10:00:00' };
    const car = standin.ref('Catalog_Автомобили', 'LADA Vesta');
    standin.seed({
      documents: [{ ...summary, Автомобиль_Key: car }, order(standin, guid(1), { СводныйРемонтныйЗаказ_Key: guid(9) })],
    });
    const [alone, shown] = [
      await run(),
      await run(memory().cache, await mappingFrom('onec: { fields: { car: 805497 } }\n')),
    ];
    expect(whole(await alone.documents(await all(alone.heads(TODAY))))[0]?.car).toBe('');
    expect(requests().some((request) => request.includes(SUMMARY))).toBe(false);
    expect(whole(await shown.documents(await all(shown.heads(TODAY))))[0]?.car).toBe('LADA Vesta');
  });

  test('five hundred documents of a hundred clients and three hundred items take fewer than 150 requests', async () => {
    const { standin, run, requests } = await base();
    standin.seed({
      workOrders: 400,
      customerOrders: 100,
      clients: 100,
      goods: 300,
      from: '2026-06-10T00:00:00',
      to: '2026-06-10T12:00:00',
    });
    const known = [WORK_ORDER, CUSTOMER_ORDER, CLIENTS, ITEMS, WORKS].map((set) => {
      const [first] = standin.entities(set).filter((one) => one.IsFolder !== true);
      return { set, ref: String(first?.Ref_Key) };
    });
    const property: Record<string, string> = { [CLIENTS]: 'amoclient', [ITEMS]: 'amocatalog', [WORKS]: 'amocatalog' };
    standin.seed({
      marks: known.map(({ set, ref }) => ({ set, ref, property: property[set] ?? 'amolead', value: 17 })),
    });
    const reader = await run(memory(Object.fromEntries(known.map(({ set, ref }) => [set, ref]))).cache);
    const heads = await all(reader.heads(TODAY));
    expect(heads).toHaveLength(500);
    const documents = whole(await reader.documents(heads));
    expect(
      documents.filter(({ client, lines, state }) => client !== undefined && lines.length > 0 && state),
    ).toHaveLength(500);
    expect(requests().length).toBeLessThan(150);
  });
});

describe('marks', () => {
  const marked = (n: number) => ({ set: WORK_ORDER, ref: guid(n), property: 'amolead', value: n });

  test('a filter counts only if it also finds a record that is known to exist; else the register is read whole, once a run', async () => {
    for (const [options, control, wanted] of [
      [{}, guid(1), 1],
      [{}, guid(404), 5],
      [{ filterLies: true }, guid(1), 5],
      [{}, undefined, 4],
    ] as const) {
      const { standin, run, requests } = await base(options);
      standin.seed({ marks: [1, 2, 3].map(marked) });
      const { cache, facts } = memory(control === undefined ? {} : { [WORK_ORDER]: control });
      const reader = await run(cache);
      await reader.properties();
      requests();
      for (let time = 1; time <= 2; time++) {
        const marks = await reader.marks(WORK_ORDER, [guid(2), guid(3), guid(9)]);
        expect([...marks].map(([ref, { amoId }]) => [ref, amoId])).toEqual([
          [guid(2), 2],
          [guid(3), 3],
        ]);
      }
      const asked = requests();
      expect(asked.filter((request) => !request.includes('cast('))).toHaveLength(wanted === 1 ? 0 : 4);
      if (wanted > 1) expect([...facts].filter(([key]) => key.startsWith('onec:control'))).toHaveLength(1);
    }
  });

  test('R5 ids of either type are found by their digits; gone objects do not count, the oldest code goes first', async () => {
    const { standin, run, requests } = await base();
    const [first, second] = [standin.ref(CLIENTS, 'Примеров Пётр'), standin.ref(CLIENTS, 'ООО «Пример»')];
    standin.seed({
      documents: [{ set: WORK_ORDER, Ref_Key: guid(1), Number: '1', Date: '2026-06-10T10:00:00' }],
      marks: [
        { set: CLIENTS, ref: second, property: 'amoclient', value: '21 213' },
        { set: CLIENTS, ref: first, property: 'amoclient', value: '21213' },
        { set: CLIENTS, ref: guid(404), property: 'amoclient', value: '21213' },
        { set: WORK_ORDER, ref: guid(1), property: 'amolead', value: 19101507 },
      ],
    });
    const reader = await run();
    expect(await reader.byAmoId('client', [21213, 7])).toEqual(
      new Map([
        [
          21213,
          [
            { set: CLIENTS, ref: first },
            { set: CLIENTS, ref: second },
          ],
        ],
      ]),
    );
    expect(await reader.byAmoId('lead', [19101507])).toEqual(
      new Map([[19101507, [{ set: WORK_ORDER, ref: guid(1) }]]]),
    );
    requests();
    expect(await reader.byAmoId('lead', [5])).toEqual(new Map());
    expect(await reader.byAmoId('lead', [])).toEqual(new Map());
    expect(requests()).toEqual([]);
  });

  test('R6 properties: each kind of document has its own dates; ids are written as the records show, else as the chart says', async () => {
    const { standin, run, requests } = await base();
    const { cache } = memory();
    const { found, faults } = await (await run(cache)).properties();
    expect(faults).toEqual([]);
    expect([...found].map(([name, { type }]) => [name, type])).toEqual([
      ['lead', 'Edm.Double'],
      ['client', 'Edm.String'],
      ['item', 'Edm.Double'],
      ['exportedAt', 'Edm.DateTime'],
      ['updatedAt', 'Edm.DateTime'],
      ['writtenAt', 'Edm.DateTime'],
    ]);
    expect(Object.keys(found.get('exportedAt')?.own ?? {})).toEqual([WORK_ORDER, CUSTOMER_ORDER]);
    requests();
    expect(await (await run(cache)).properties()).toEqual({ found, faults: [] });
    expect(requests()).toEqual([]);

    const text = { Значение: '5', Значение_Type: 'Edm.String', Объект: guid(1), Объект_Type: `StandardODATA.${ITEMS}` };
    standin.seed({ entities: { [REGISTER]: [{ ...text, Свойство_Key: found.get('item')?.ref }] } });
    expect((await (await run()).properties()).found.get('item')?.type).toBe('Edm.String');
  });

  test('R5, R6 properties: what is missing or doubled is named, and is not remembered', async () => {
    const { standin, run } = await base();
    const [lead] = standin.entities(CHART).filter((one) => one.Имя === 'amolead');
    standin.seed({ entities: { [CHART]: [{ ...lead, Ref_Key: guid(1) }] } });
    const mapping = await mappingFrom('onec: { properties: { client: нет такого, updatedAt: нет такого } }\n');
    const { cache } = memory();
    const { found, faults } = await (await run(cache, mapping)).properties();
    expect([...found.keys()]).toEqual(['item', 'exportedAt', 'writtenAt']);
    expect(faults).toEqual([
      expect.stringMatching(
        /^onec\.properties\.lead: several properties fit "amolead": "amolead" \(.*; give the guid of one$/,
      ),
      `onec.properties.client: no additional information "нет такого" in ${CHART}`,
      // An exchange can do without it, but not without what was asked for by name.
      `onec.properties.updatedAt: no additional information "нет такого" in ${CHART}`,
    ]);
    standin.seed({ remove: { set: CHART, ref: guid(1) } });
    const [updated] = standin.entities(CHART).filter((one) => one.Имя === 'ДатаОбновления');
    for (const { Ref_Key: ref } of standin.entities(CHART).filter((one) => one.Заголовок === updated?.Заголовок)) {
      standin.seed({ remove: { set: CHART, ref: String(ref) } });
    }
    expect((await (await run(cache, mapping)).properties()).faults).toHaveLength(2);
    expect(await (await run()).properties()).toMatchObject({ faults: [] });
  });
});

describe('what may exist already', () => {
  test('R30 clients by phone and e-mail: marked ones left out, then without an id of amoCRM, then by the oldest code', async () => {
    const { standin, run, requests } = await base();
    const phone = (text: string) => ({ Тип: 'Телефон', Представление: text, НомерТелефона: '' });
    const client = (n: number, more = {}) => ({
      Ref_Key: guid(n),
      Code: `ЦБ000010${n}`,
      Description: `Проба ${n}`,
      КонтактнаяИнформация: [phone('8 (901) 555-00-00')],
      ...more,
    });
    standin.seed({
      counterparties: [client(3), client(2), client(1), client(4, { DeletionMark: true })],
      marks: [{ set: CLIENTS, ref: guid(1), property: 'amoclient', value: '7' }],
    });
    const reader = await run();
    const wanted = { phones: ['+79015550000', '+79000000002', '+79999999999'], emails: ['PRIMER1@sandbox.example'] };
    const { phone: byPhone, email } = await reader.clientsByContact(wanted);
    expect(byPhone).toEqual(
      new Map([
        ['+79015550000', [guid(2), guid(3), guid(1)]],
        ['+79000000002', [standin.ref(CLIENTS, 'ООО «Пример»')]],
      ]),
    );
    expect(email.get('PRIMER1@sandbox.example')).toEqual([standin.ref(CLIENTS, 'Примеров Пётр')]);
    requests();
    await reader.clientsByContact({ phones: ['+79999999998'], emails: [] });
    expect(requests()).toEqual([]);
    const owners = [standin.ref(CLIENTS, 'Примеров Пётр'), standin.ref(CLIENTS, 'ООО «Пример»')];
    requests();
    const contracts = await reader.contractsOf(owners);
    expect(requests()).toHaveLength(1);
    const ownersOf = (refs: readonly string[] | undefined) =>
      refs?.map((ref) => standin.entity('Catalog_ДоговорыВзаиморасчетов', ref)?.Owner_Key);
    expect(owners.map((owner) => ownersOf(contracts.get(owner)))).toEqual(owners.map((owner) => [owner]));
  });

  test('R31 items by article in its search form, by the article itself where 1C keeps none, and by name', async () => {
    const { standin, run } = await base({ paddedCodes: true });
    standin.seed({
      items: [
        { Ref_Key: guid(1), Code: '90', Description: 'Без формы', Артикул: 'ab-7', АртикулДляПоиска: '' },
        {
          Ref_Key: guid(2),
          Code: '91',
          Description: 'Помечена',
          Артикул: 'MJ1009',
          АртикулДляПоиска: 'MJ1009',
          DeletionMark: true,
        },
      ],
    });
    const reader = await run();
    const found = await reader.itemsByArticle(['mj-1009', 'SLN 012', 'ab-7', 'нет', '--']);
    expect(found.map(({ code, article, maker }) => [code, article, maker])).toEqual([
      ['00000000002', 'MJ1009', 'MANDO'],
      ['00000000004', 'SLN.012', 'SLON'],
      ['90', 'ab-7', ''],
    ]);
    expect((await reader.itemsByName(['Фильтр воздушный', 'Запчасти', "о'нет"])).map(({ article }) => article)).toEqual(
      ['LA10091'],
    );
    expect([...(await reader.makersByName(['MANDO', 'никто'])).entries()]).toEqual([
      ['MANDO', standin.ref('Catalog_Производители', 'MANDO')],
    ]);
  });

  test('works by article, by code and by name', async () => {
    const { standin, run } = await base({ paddedCodes: true });
    standin.seed({ works: [{ Ref_Key: guid(1), Code: '77', Description: 'С артикулом', Артикул: 'W-1' }] });
    const works = await (await run()).works({ articles: ['0000000012', '77', 'W-1'], names: ['Мойка двигателя'] });
    expect(works.map(({ name }) => name)).toEqual(['Замена масла', 'Мойка двигателя', 'С артикулом']);
  });

  test('documents that carry our marker, the unmarked before the marked', async () => {
    const { standin, run } = await base();
    const made = (n: number, deal: number, more = {}) => {
      return {
        set: SUMMARY,
        Ref_Key: guid(n),
        Number: `${n}`,
        Date: '2026-06-10T10:00:00',
        Комментарий: `[amo:${deal}]`,
        ...more,
      };
    };
    standin.seed({
      documents: [
        made(1, 5, { DeletionMark: true }),
        made(2, 5),
        made(3, 6, { DeletionMark: true }),
        made(4, 7, { Date: '2026-06-09T10:00:00' }),
      ],
    });
    const found = await (await run()).markedDocuments('repairSummary', '2026-06-10T00:00:00');
    expect([...found].sort()).toEqual([
      [5, guid(2)],
      [6, guid(3)],
    ]);
  });

  test('states by name and by predefined name', async () => {
    const { standin, run } = await base();
    const states = await (await run()).statesByName();
    expect(states.get('готов к отгрузке частично')).toEqual(states.get('готовкотгрузкечастично'));
    expect(states.get('согласование')?.ref).toBe(standin.ref(STATES, 'Согласование'));
  });
});

describe('reference data', () => {
  test('defaults by code, name and predefined name; what is not there is named and asked for again', async () => {
    const { standin, run, requests } = await base({ paddedCodes: true });
    const { cache } = memory();
    const broken = await mappingFrom(
      'onec: { defaults: { repairKind: { code: "99" }, warehouse: { description: "Нет склада" } } }\n',
    );
    const { refs, faults } = await (await run(cache, broken)).resolveDefaults();
    expect(refs.get('operation.workOrder')).toBe(standin.ref('Catalog_ХозОперации', 'ЗаказНаряд'));
    expect(faults).toEqual(
      expect.arrayContaining([
        'onec.defaults.repairKind: no Catalog_ВидыРемонта with code "99"',
        'onec.defaults.warehouse: no Catalog_СкладыКомпании with name "Нет склада"',
      ]),
    );
    requests();
    await (await run(cache, broken)).resolveDefaults();
    expect(requests().length).toBeGreaterThan(0);
    expect((await (await run()).resolveDefaults()).refs.get('repairKind')).toBe(
      standin.ref('Catalog_ВидыРемонта', 'Коммерческий ремонт'),
    );
  });

  test('R31: new works stand for the item of most works, where the preset’s is not there', async () => {
    const { standin, run } = await base();
    const [item, own] = [standin.ref(ITEMS, 'Авторабота'), standin.ref(ITEMS, 'Фильтр масляный CHANGAN')];
    expect((await (await run()).resolveDefaults()).refs.get('workItem')).toBe(item);
    standin.edit({ set: ITEMS, ref: item, changes: { DeletionMark: true } });
    for (const { Ref_Key } of standin.entities(WORKS).slice(1)) {
      standin.edit({ set: WORKS, ref: String(Ref_Key), changes: { Номенклатура_Key: own } });
    }
    expect((await (await run()).resolveDefaults()).refs.get('workItem')).toBe(own);
  });

  test('names: Alfa-Auto’s are all there, and are not asked for again before a week is over', async () => {
    const { run, requests } = await base();
    const { cache } = memory();
    expect((await (await run(cache)).checkNames()).essential).toEqual([]);
    requests();
    await (await run(cache)).checkNames();
    expect(requests()).toEqual([]);
    await (await run(cache)).checkNames({ fresh: true });
    expect(requests()).toHaveLength(1);
  });

  test('names: what a document cannot do without is essential, the rest is left out of the mapping', async () => {
    const mapping = await ALFA;
    const { standin } = await base();
    const sets = new Map(Object.entries(standin.snapshot()).map(([set]) => [set, new Set<string>()]));
    const { essential, missing } = namesAgainst(mapping, {
      hash: '',
      sets: new Map(
        [...sets, [WORK_ORDER, new Set(['Number', 'Date', 'Posted'])]].filter(
          ([set]) => set !== SUMMARY && set !== CUSTOMER_ORDER,
        ) as [string, Set<string>][],
      ),
    });
    expect(essential).toContain(`onec.documents.customerOrder.set: 1C does not publish ${CUSTOMER_ORDER}`);
    expect(essential).toContain(`onec.documents.workOrder.counterparty: ${WORK_ORDER} has no Контрагент_Key`);
    expect(missing).toContain(`onec.documents.repairSummary: 1C does not publish ${SUMMARY}`);
    expect(missing).toContain(`onec.documents.workOrder.reason: ${WORK_ORDER} has no ОписаниеПричиныОбращения`);
    const left = withoutMissing(mapping, [
      ...missing,
      ...essential.filter((fault) => fault.startsWith('onec.documents.customerOrder.set:')),
    ]);
    expect(left.documents).toMatchObject({
      repairSummary: undefined,
      customerOrder: undefined,
      workOrder: { reason: undefined, number: 'Number' },
    });
    expect(left.catalogs.item.article).toBeUndefined();
    expect(left.catalogs.item.set).toBe(ITEMS);
    expect(mapping.documents.workOrder?.reason).toBe('ОписаниеПричиныОбращения');
  });
});
