import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Json } from '../../src/base/schema.ts';
import { loadMapping } from '../../src/config/mapping.ts';
import type { OnecMapping } from '../../src/config/mapping-onec-types.ts';
import type { LinkState, Plan } from '../../src/domain/effect.ts';
import type { OnecRef } from '../../src/domain/onec.ts';
import type { DealFacts, DealLine, ImportOptions } from '../../src/jobs/onec-import-deal.ts';
import { importRefs, missingDefaults } from '../../src/jobs/onec-import-options.ts';
import { type ImportPlan, planImport } from '../../src/jobs/onec-import-plan.ts';
import { asksNothing, isImported, planStateChange, planStateChanges } from '../../src/jobs/onec-import-state.ts';
import type { StatePayload } from '../../src/systems/onec/effects/payloads.ts';

const DEAL = 101;
const DOC = 'onec:doc:amocrm:101';
const CLIENT = 'onec:client:amocrm:contact:7';
const NOW = '2025-06-10T15:00:00';
const ITEM = '00000000-0000-4000-8000-0000000000a1';
const WORK = '00000000-0000-4000-8000-0000000000b1';
const PARTY = '00000000-0000-4000-8000-0000000000c1';

const YAML = `onec:
  preset: alfa-auto-6
  statuses:
    - { pipeline: 8, status: 80, state: null }
    - { pipeline: 8, status: 81, state: "Заявка" }
    - { pipeline: 8, status: 82, state: "В работе" }
    - { pipeline: 8, status: 83, state: "В работе", organization: "Наша контора", department: "Цех 2" }
    - { pipeline: 8, status: 84, state: "Размещен" }
    - { pipeline: 8, status: 85, state: "Размещен" }
    - { pipeline: 8, status: 86, state: "Начать работу", organization: "Наша контора" }
    - { pipeline: 8, status: 86, state: "Готов к отгрузке" }
    - { pipeline: 8, status: 143, state: "Закрыт" }
  catalog: { sku: SKU, price: PRICE, maker: BRAND }
`;

const STATES = ['Заявка', 'Начать работу', 'В работе', 'Выполнен', 'Закрыт', 'Размещен', 'Готов к отгрузке'];
const ROLES = [
  ...['organization', 'department', 'warehouse', 'priceType', 'workPriceType', 'vat', 'repairKind', 'workshop'],
  ...['currency', 'author', 'unit', 'itemType', 'workItem', 'workType', 'phoneKind', 'emailKind'],
  ...['operation.workOrder', 'operation.customerOrder', 'operation.repairRequest', 'operation.repairSummary'],
];

let onec: OnecMapping;
beforeAll(async () => {
  const baseDir = mkdtempSync(join(tmpdir(), 'sdelka-onec-import-'));
  try {
    writeFileSync(join(baseDir, 'mapping.yaml'), YAML);
    onec = (await loadMapping({ baseDir })).onec as OnecMapping;
  } finally {
    rmSync(baseDir, { recursive: true });
  }
});

const allRefs = () =>
  new Map([
    ...ROLES.map((role) => [role, `ref-${role}`] as const),
    ['organization:наша контора', 'ref-our-office'] as const,
    ['department:цех 2', 'ref-workshop-2'] as const,
  ]);

function options(importing: Partial<OnecMapping['import']> = {}, more: Partial<ImportOptions> = {}): ImportOptions {
  return {
    mapping: { ...onec, import: { ...onec.import, ...importing } },
    refs: importRefs(allRefs()),
    states: new Map<string, OnecRef>(STATES.map((name) => [name.toLowerCase(), { ref: `s-${name}`, code: '', name }])),
    localNow: NOW,
    zone: 'Europe/Moscow',
    catalogId: 55,
    ...more,
  };
}

function line(more: Partial<DealLine> = {}): DealLine {
  return {
    ...{ elementId: 501, name: 'Фильтр масляный', article: 'MJ-1009', maker: 'Mando', unit: 'шт' },
    ...{ quantity: 2, priceMinor: 33050 },
    ...more,
  };
}
const item = (more: Partial<DealLine> = {}) => line({ existing: { kind: 'item', ref: ITEM, amoId: 501 }, ...more });
const work = (more: Partial<DealLine> = {}) =>
  line({
    ...{ elementId: 502, name: 'Замена масла', article: '0000000012', maker: '', quantity: 0.25, priceMinor: 100000 },
    existing: { kind: 'work', ref: WORK, amoId: 502 },
    ...more,
  });

function deal(more: Partial<DealFacts> = {}): DealFacts {
  return {
    ...{ dealId: DEAL, name: 'Ремонт', priceMinor: 500000, pipelineId: 8, statusId: 82 },
    ...{ updatedAt: 1749550000, createdAt: 1749470400 },
    client: {
      ...{ kind: 'contact', amoId: 7, name: 'Пробный Клиент', firstName: 'Клиент', lastName: 'Пробный' },
      phones: ['+70000000001', '+70000000002'],
      emails: ['probe@example.org'],
    },
    lines: [item()],
    ...more,
  };
}

function noClient(): DealFacts {
  const { client: _, ...rest } = deal();
  return rest;
}

type Payload = Record<string, Json> & { body: Record<string, Json>; refs: Record<string, string> };
function payload(plan: Plan, key: string): Payload {
  const found = plan.effects.find((effect) => effect.key === key);
  expect(found, key).toBeDefined();
  return found?.payload as Payload;
}
const keysOf = (plan: Plan) => plan.effects.map(({ key }) => key);
const needsOf = (plan: Plan, key: string) => plan.effects.find((effect) => effect.key === key)?.needs;
const texts = ({ warnings }: ImportPlan) => warnings.map(({ message }) => message);

describe('what a new deal becomes', () => {
  test('R29 R33 a deal with works becomes a chain, each document needing the one before it', () => {
    const plan = planImport(deal({ lines: [item(), work()] }), options({ as: 'auto' }));
    expect(plan.effects.map(({ key, kind, needs }) => [key, kind, needs])).toEqual([
      [CLIENT, 'onec.client', []],
      [`onec:id:${CLIENT}`, 'onec.id', [CLIENT]],
      [`onec:contract:${CLIENT}`, 'onec.contract', [CLIENT]],
      ['onec:request:amocrm:101', 'onec.repair-request', [CLIENT, `onec:contract:${CLIENT}`]],
      ['onec:request-post:amocrm:101', 'onec.repair-request-post', ['onec:request:amocrm:101']],
      [
        'onec:summary:amocrm:101',
        'onec.repair-summary',
        ['onec:request:amocrm:101', 'onec:request-post:amocrm:101', CLIENT],
      ],
      [DOC, 'onec.work-order', ['onec:summary:amocrm:101', CLIENT, `onec:contract:${CLIENT}`]],
      [`onec:id:${DOC}`, 'onec.id', [DOC]],
      ['onec:state:amocrm:101', 'onec.state', [DOC, `onec:id:${DOC}`]],
      [`onec:mark:${DOC}`, 'onec.mark', [DOC, `onec:id:${DOC}`]],
    ]);
    const order = payload(plan, DOC);
    expect(order).toMatchObject({
      set: 'Document_ЗаказНаряд',
      find: { by: 'marker', type: 'workOrder', dealId: DEAL, from: '2025-06-09T14:00:00' },
      refs: {
        Контрагент_Key: CLIENT,
        ДоговорВзаиморасчетов_Key: `onec:contract:${CLIENT}`,
        ДокументОснование: 'onec:summary:amocrm:101',
        СводныйРемонтныйЗаказ_Key: 'onec:summary:amocrm:101',
      },
    });
    expect(order.body).toMatchObject({
      Date: NOW,
      Комментарий: 'Ремонт [amo:101]',
      ДокументОснование_Type: 'StandardODATA.Document_СводныйРемонтныйЗаказ',
      // Any other state would post it with its first write.
      Состояние_Key: 's-Заявка',
      Организация_Key: 'ref-organization',
      ВидРемонта_Key: 'ref-repairKind',
      ХозОперация_Key: 'ref-operation.workOrder',
      СпособЗачетаАвансов: 'Автоматически',
    });
    expect(order.body.Товары).toEqual([
      {
        ...{ Номенклатура_Key: ITEM, Количество: 2, Цена: 330.5, Сумма: 661, СуммаВсего: 661, Коэффициент: 1 },
        ...{ СтавкаНДС_Key: 'ref-vat', ЕдиницаИзмерения_Key: 'ref-unit' },
      },
    ]);
    expect(order.body.Автоработы).toEqual([
      {
        ...{ Авторабота_Key: WORK, Количество: 0.25, Цена: 1000, Сумма: 250, СуммаВсего: 250, Коэффициент: 1 },
        ...{ СтавкаНДС_Key: 'ref-vat', ИдентификаторРаботы: '00000000-0000-0000-0000-000000000001' },
        СпособРасчетаСтоимостиРаботы: 'ФиксированнойСуммой',
      },
    ]);
    const request = payload(plan, 'onec:request:amocrm:101');
    expect(request.body).toMatchObject({ Комментарий: 'Ремонт [amo:101]', ПредставлениеТелефона: '+70000000001' });
    expect(request.refs).toMatchObject({ Заказчик_Key: CLIENT, Контрагент_Key: CLIENT });
    const summary = payload(plan, 'onec:summary:amocrm:101');
    expect(summary.body).toMatchObject({ Комментарий: 'Ремонт [amo:101]', Date: NOW });
    expect(summary.refs).toEqual({ Заказчик_Key: CLIENT, ДокументОснование: 'onec:request:amocrm:101' });
  });

  test('R29 a deal with goods alone becomes a customer order, which is posted before its state is set', () => {
    const plan = planImport(deal(), options({ as: 'auto' }));
    expect(keysOf(plan).slice(3)).toEqual([
      ...[DOC, 'onec:doc-post:amocrm:101', `onec:id:${DOC}`, 'onec:state:amocrm:101', `onec:mark:${DOC}`],
    ]);
    expect(payload(plan, DOC).body).toMatchObject({ СрокПоставки: NOW, СкладКомпании_Key: 'ref-warehouse' });
    expect(payload(plan, DOC).body).not.toHaveProperty('Состояние_Key');
    expect(needsOf(plan, 'onec:state:amocrm:101')).toEqual([DOC, 'onec:doc-post:amocrm:101', `onec:id:${DOC}`]);
  });

  test.each([
    ['chain', [item()], 'onec.work-order'],
    ['customerOrder', [item(), work()], 'onec.customer-order'],
    ['auto', [], 'onec.customer-order'],
    ['auto', [work()], 'onec.work-order'],
  ] as const)('R29 as %s', (as, lines, kind) => {
    const plan = planImport(deal({ lines: [...lines] }), options({ as }));
    expect(plan.effects.find(({ key }) => key === DOC)?.kind).toBe(kind);
  });

  test('R29 R33 a customer order has no table of works: they are left out and told of, the document is made', () => {
    const plan = planImport(deal({ lines: [item(), work()] }), options({ as: 'customerOrder' }));
    expect(payload(plan, DOC).body).not.toHaveProperty('Автоработы');
    expect(plan.warnings).toEqual([
      { subject: 'lead:101:502', message: expect.stringContaining('no table for works') },
    ]);
    expect(plan.problem).toBeUndefined();
  });

  test('R30 a contact becomes a private person with phones, e-mail and amoclient', () => {
    const client = payload(planImport(deal(), options()), CLIENT);
    expect(client).toMatchObject({
      set: 'Catalog_Контрагенты',
      find: { by: 'contact', phone: '+70000000001', email: 'probe@example.org' },
    });
    expect(client.body).toEqual({
      ...{ Description: 'Пробный Клиент', НаименованиеПолное: 'Пробный Клиент', Имя: 'Клиент', Фамилия: 'Пробный' },
      ...{ ФормаСобственности: 'ЧастноеЛицо', ВидКонтрагента: 'Покупатель' },
      КонтактнаяИнформация: [
        { Тип: 'Телефон', Вид_Key: 'ref-phoneKind', Представление: '+70000000001', НомерТелефона: '70000000001' },
        { Тип: 'Телефон', Вид_Key: 'ref-phoneKind', Представление: '+70000000002', НомерТелефона: '70000000002' },
        {
          ...{ Тип: 'АдресЭлектроннойПочты', Вид_Key: 'ref-emailKind' },
          ...{ Представление: 'probe@example.org', АдресЭП: 'probe@example.org' },
        },
      ],
    });
  });

  test('R30 a company becomes a legal entity; a person without parts of a name keeps the whole as the first name', () => {
    const company = { kind: 'company' as const, amoId: 9, name: 'ООО Пример', phones: [], emails: [] };
    const made = payload(planImport(deal({ client: company }), options()), 'onec:client:amocrm:company:9');
    expect(made.body).toMatchObject({ ФормаСобственности: 'ЮридическоеЛицо', НаименованиеПолное: 'ООО Пример' });
    expect(made.body).not.toHaveProperty('Имя');
    expect(made.body).not.toHaveProperty('КонтактнаяИнформация');
    const person = { kind: 'contact' as const, amoId: 7, name: 'Клиент', phones: [], emails: [] };
    expect(payload(planImport(deal({ client: person }), options()), CLIENT).body).toMatchObject({ Имя: 'Клиент' });
  });

  test('R30 who stands in 1C is taken; amoclient is stored where none stands, and another one is left', () => {
    const standing = (existing: { ref: string; amoId?: number }) =>
      planImport(deal({ client: { ...(deal().client as NonNullable<DealFacts['client']>), existing } }), options());
    expect(payload(standing({ ref: PARTY }), CLIENT).existing).toBe(PARTY);
    expect(payload(standing({ ref: PARTY }), `onec:id:${CLIENT}`)).toEqual({
      ...{ property: 'client', set: 'Catalog_Контрагенты', objectKey: CLIENT, amoId: 7 },
    });
    for (const amoId of [7, 8]) {
      expect(keysOf(standing({ ref: PARTY, amoId }))).not.toContain(`onec:id:${CLIENT}`);
    }
  });

  test('R31 article and maker make an item, an article alone a work; both get amocatalog', () => {
    const lines = [line({ makerRef: 'ref-mando' }), line({ elementId: 503, article: 'W-7', maker: '', name: 'Мойка' })];
    const plan = planImport(deal({ lines }), options());
    const [itemKey, workKey] = ['onec:item:MJ1009|MANDO', 'onec:work:W7'];
    expect(payload(plan, itemKey).body).toMatchObject({
      ...{ Description: 'Фильтр масляный', Артикул: 'MJ-1009', Производитель_Key: 'ref-mando' },
      ...{ ВидНоменклатуры: 'Товар', БазоваяЕдиницаИзмерения_Key: 'ref-unit', ТипНоменклатуры_Key: 'ref-itemType' },
    });
    expect(payload(plan, workKey)).toMatchObject({
      set: 'Catalog_Автоработы',
      find: { by: 'work', article: 'W-7', name: 'Мойка' },
      body: { Description: 'Мойка', Номенклатура_Key: 'ref-workItem', Тип_Key: 'ref-workType' },
    });
    expect(payload(plan, `onec:id:${itemKey}`)).toMatchObject({ property: 'item', objectKey: itemKey, amoId: 501 });
    expect(payload(plan, `onec:id:${workKey}`)).toMatchObject({ objectKey: workKey, amoId: 503 });
    expect(payload(plan, DOC).refs).toMatchObject({
      'Товары.0.Номенклатура_Key': itemKey,
      'Автоработы.0.Авторабота_Key': workKey,
    });
    expect(needsOf(plan, DOC)).toEqual(expect.arrayContaining([itemKey, workKey]));
  });

  test('R31 what was matched by its article gets amocatalog; what names another element keeps it', () => {
    const matched = (amoId?: number) =>
      line({ existing: { kind: 'item', ref: ITEM, ...(amoId === undefined ? {} : { amoId }) } });
    const plan = planImport(deal({ lines: [matched()] }), options());
    expect(payload(plan, `onec:id:${ITEM}`)).toMatchObject({ property: 'item', object: ITEM, amoId: 501 });
    expect(keysOf(planImport(deal({ lines: [matched(777)] }), options()))).not.toContain(`onec:id:${ITEM}`);
  });

  test('R31 a line with neither article nor a known name, and one that may not be made, are left out and told of', () => {
    const lines = [line({ article: '', maker: '' }), line({ elementId: 504 })];
    const plan = planImport(deal({ lines }), options({ createItems: false }));
    expect(texts(plan)).toEqual([
      expect.stringContaining('neither an article nor a name that 1C knows'),
      expect.stringContaining('onec.import.create_items is off'),
    ]);
    expect(payload(plan, DOC).body).not.toHaveProperty('Товары');
    expect(plan.problem).toBeUndefined();
  });

  test('R31 where the catalog has no column for makers, an article alone does not make a work', () => {
    const mapping = { ...onec, catalog: { ...onec.catalog, maker: undefined } };
    const plan = planImport(deal({ lines: [line({ maker: '' })] }), options({}, { mapping }));
    expect(keysOf(plan)).toContain('onec:item:MJ1009|');
  });

  test('R32 organisation and department are those of the stage, else the defaults', () => {
    const place = (statusId: number) => payload(planImport(deal({ statusId }), options()), DOC).body;
    expect(place(83)).toMatchObject({ Организация_Key: 'ref-our-office', ПодразделениеКомпании_Key: 'ref-workshop-2' });
    expect(place(82)).toMatchObject({
      ...{ Организация_Key: 'ref-organization', ПодразделениеКомпании_Key: 'ref-department' },
    });
    // Of two rows for one stage the general one speaks for a new document.
    expect(place(86)).toMatchObject({ Организация_Key: 'ref-organization' });
  });

  test('R32 a default that the operator has named and 1C does not have is a fault with its place', () => {
    const author = 'onec.defaults.author: no Catalog_Пользователи with name "Обмен"';
    const repairKind = 'onec.defaults.repairKind: no Catalog_ВидыРемонта with code "7"';
    const operation = 'onec.defaults.operation.customerOrder: no Catalog_ХозОперации with name "X"';
    const faults = [
      author,
      repairKind,
      operation,
      'onec.statuses[3].organization: no Catalog_Организации with name "Y"',
    ];
    expect(missingDefaults(options({ as: 'auto' }), faults)).toEqual([author, repairKind, operation]);
    expect(missingDefaults(options({ as: 'customerOrder' }), faults)).toEqual([author, operation]);
    expect(missingDefaults(options(), [])).toEqual([]);
  });

  test('R33 a weighed quantity gives a whole number of kopecks', () => {
    const plan = planImport(deal({ lines: [item({ quantity: 0.333, priceMinor: 10005 })] }), options());
    expect(payload(plan, DOC).body.Товары).toMatchObject([{ Количество: 0.333, Цена: 100.05, Сумма: 33.32 }]);
  });

  test('R34 amolead and both dates are stored with the document that stands for the deal', () => {
    const plan = planImport(deal({ lines: [work()] }), options());
    expect(payload(plan, `onec:id:${DOC}`)).toEqual({
      ...{ property: 'lead', set: 'Document_ЗаказНаряд', objectKey: DOC, amoId: DEAL },
    });
    expect(payload(plan, `onec:mark:${DOC}`)).toEqual({
      ...{ set: 'Document_ЗаказНаряд', objectKey: DOC, exportedAt: true, updatedAt: true, notBefore: NOW },
    });
  });

  test('R34 R38 an export finds the deal bound to the document as it stands, so that it is not sent back', () => {
    const order = payload(planImport(deal({ lines: [item(), work()] }), options()), DOC);
    expect(order.dealId).toBe(DEAL);
    expect(order.state).toEqual({ type: 'workOrder', state: 'В работе' });
    expect(order.deal).toEqual({ price: 5000, pipelineId: 8, statusId: 82, tags: [], fields: {} });
    expect(order.goods).toEqual({ 'MJ1009|MANDO': 2, 'name:замена масла': 0.25 });
  });

  test('R35 without a client nothing is made, unless it is allowed', () => {
    expect(() => planImport(noClient(), options())).toThrow(/neither a contact nor a company/);
    const plan = planImport(noClient(), options({ allowWithoutClient: true }));
    expect(keysOf(plan)[0]).toBe(DOC);
    expect(payload(plan, DOC).body).not.toHaveProperty('Контрагент_Key');
    expect(payload(plan, DOC).refs).toEqual({});
  });

  test('a work order that is to stay a request gets no state of its own', () => {
    const plan = planImport(deal({ statusId: 81, lines: [work()] }), options());
    expect(keysOf(plan)).not.toContain('onec:state:amocrm:101');
  });

  test('a state or an organisation that 1C lacks is the fault of the table of stages', () => {
    const states = new Map<string, OnecRef>();
    expect(() => planImport(deal(), options({}, { states }))).toThrow('onec.statuses: 1C has no state "В работе"');
    const refs = importRefs(new Map());
    expect(() => planImport(deal({ statusId: 83 }), options({}, { refs }))).toThrow(/no organisation "Наша контора"/);
  });

  test('planning it again gives the same effects', () => {
    expect(planImport(deal(), options())).toEqual(planImport(deal(), options()));
  });
});

describe('a deal whose document stands', () => {
  const link = (state: string, more: Partial<LinkState> & { organization?: string } = {}): LinkState => {
    const { organization, ...rest } = more;
    const planned = { type: 'workOrder', state, ...(organization === undefined ? {} : { organization }) };
    return { key: DOC, remoteId: 'r', applied: { type: 'workOrder', state }, planned, revision: 0, ...rest };
  };
  const FIRST = 'onec:state:amocrm:101';
  const done = { key: FIRST, remoteId: 'r', applied: null, planned: null, revision: 0 };
  const at = (statusId: number) => ({ dealId: DEAL, pipelineId: 8, statusId });
  const settled = { links: new Map([[FIRST, done]]), shown: undefined };
  const toOf = (statusId: number, state: LinkState) =>
    (planStateChange(at(statusId), state, settled, options())?.effect?.payload as StatePayload | undefined)?.to.name;

  test('R28 a new stage changes the state and nothing else', () => {
    const change = planStateChange(at(84), link('В работе'), settled, options());
    expect(change).toEqual({
      revises: {
        ...{ link: DOC, revision: 1, supersedes: [FIRST] },
        planned: { type: 'workOrder', state: 'Размещен' },
      },
      effect: {
        ...{ key: `${DOC}#1`, kind: 'onec.state', record: { kind: 'lead', key: '101' }, needs: [DOC] },
        payload: {
          ...{ documentKey: DOC, type: 'workOrder', to: { name: 'Размещен', ref: 's-Размещен' }, ours: ['В работе'] },
        },
        revises: expect.objectContaining({ revision: 1 }),
      },
    });
  });

  test('R28 R38 a stage that stands for the same state changes nothing, nor does one without a state', () => {
    for (const [statusId, state] of [
      [84, 'размещён'],
      [85, 'Размещен'],
      [80, 'В работе'],
      [99, 'В работе'],
    ] as const) {
      expect(planStateChange(at(statusId), link(state), settled, options())).toBeUndefined();
      expect(asksNothing(at(statusId), link(state), onec.statuses)).toBe(true);
    }
    expect(asksNothing(at(84), link('В работе'), onec.statuses)).toBe(false);
  });

  test("R28 of several rows the one of the document's organisation counts; where that is unknown, any that agrees", () => {
    expect(toOf(86, link('В работе', { organization: 'Наша контора' }))).toBe('Начать работу');
    expect(toOf(86, link('В работе', { organization: 'Другая' }))).toBe('Готов к отгрузке');
    expect(toOf(86, link('Начать работу'))).toBeUndefined();
    expect(toOf(86, link('В работе'))).toBe('Готов к отгрузке');
  });

  test('R36 a lost deal asks for the closed state of a document that stands, and gets none where there is none', () => {
    expect(toOf(143, link('В работе'))).toBe('Закрыт');
    expect(isImported({ pipelineId: 8, statusId: 143 }, onec.statuses)).toBe(false);
    expect(isImported({ pipelineId: 8, statusId: 80 }, onec.statuses)).toBe(false);
    expect(isImported({ pipelineId: 8, statusId: 82 }, onec.statuses)).toBe(true);
  });

  test('R37 only states that both sides know of are ours: what was applied, what was asked for, what is under way', () => {
    const underWay = { key: `${DOC}#1`, payload: { to: { name: 'Выполнен' } } };
    const standing = {
      ...link('Размещен', { underWay, revision: 1 }),
      applied: { type: 'workOrder', state: 'Заявка' },
    };
    const effect = planStateChange(at(82), standing, settled, options())?.effect;
    expect((effect?.payload as StatePayload | undefined)?.ours).toEqual(['Заявка', 'Размещен', 'Выполнен']);
    expect(effect?.needs).toEqual([DOC, `${DOC}#1`]);
    expect(effect?.key).toBe(`${DOC}#2`);
  });

  test('R38 what 1C shows already is agreed on without a write', () => {
    const change = planStateChange(at(84), link('В работе'), { ...settled, shown: 'Размещен' }, options());
    expect(change?.effect).toBeUndefined();
    expect(change?.revises.planned).toEqual({ type: 'workOrder', state: 'Размещен' });
  });

  test('a document whose first state was not written yet may still stand where it was born', () => {
    const change = planStateChange(at(84), link('В работе'), { links: new Map(), shown: undefined }, options());
    expect((change?.effect?.payload as StatePayload | undefined)?.ours).toEqual(['В работе', 'Заявка']);
  });

  test('the date of the change goes along, needs it, and is withdrawn with it', () => {
    const mark = { key: `onec:mark:${DOC}`, remoteId: 'r', applied: null, planned: null, revision: 3 };
    const links = new Map([link('В работе'), done, mark].map((one) => [one.key, one]));
    const changes = planStateChanges(at(84), { links, shown: undefined }, options());
    expect(changes[1]?.effect).toMatchObject({
      ...{ key: `onec:mark:${DOC}#4`, kind: 'onec.mark', needs: [DOC, `${DOC}#1`] },
      payload: { set: 'Document_ЗаказНаряд', objectKey: DOC, updatedAt: true, notBefore: NOW },
    });
    const agreed = planStateChanges(at(84), { links, shown: 'Размещен' }, options());
    expect(agreed.map(({ effect, revises }) => [effect, revises.revision])).toEqual([
      [undefined, 1],
      [undefined, 4],
    ]);
  });
});
