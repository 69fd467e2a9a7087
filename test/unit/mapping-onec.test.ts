import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { AppError } from '../../src/base/errors.ts';
import { loadMapping, type MappingMemory } from '../../src/config/mapping.ts';
import type { OnecMapping } from '../../src/config/mapping-onec-types.ts';
import { onecPresets } from '../../src/config/onec-presets.ts';

function folderWith(yaml: string): string {
  const baseDir = mkdtempSync(join(tmpdir(), 'sdelka-onec-mapping-'));
  writeFileSync(join(baseDir, 'mapping.yaml'), yaml);
  return baseDir;
}

async function load(yaml: string): Promise<OnecMapping> {
  const { onec } = await loadMapping({ baseDir: folderWith(yaml) });
  if (onec === undefined) throw new Error('the onec part was not read');
  return onec;
}

async function faultsOf(yaml: string): Promise<readonly string[]> {
  const error: unknown = await loadMapping({ baseDir: folderWith(yaml) }).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof AppError && error.exit === 78) return error.faults;
  throw new Error(`expected a refusal, got ${String(error)}`);
}

describe('the onec part', () => {
  test('absent or left empty: the stream is not configured', async () => {
    expect((await loadMapping({ baseDir: folderWith('kaspi: {}\n') })).onec).toBeUndefined();
    expect((await loadMapping({ baseDir: folderWith('onec:\n') })).onec).toBeUndefined();
  });

  test("names that the operator gave are told from the preset's", async () => {
    expect((await load('onec: {}\n')).named).toEqual([]);
    const same = 'onec: { properties: { writtenAt: Дата записи }, documents: { workOrder: { manager: null } } }\n';
    expect((await load(same)).named).toEqual([]);
    const own = 'documents: { workOrder: { reason: Причина, goods: { vat: Ставка_Key } } }';
    const { named } = await load(`onec: { ${own}, catalogs: { maker: Catalog_Y }, properties: { lead: сделка } }\n`);
    expect(named).toEqual([
      'onec.documents.workOrder.reason',
      'onec.documents.workOrder.goods.vat',
      'onec.catalogs.maker.set',
      'onec.properties.lead',
    ]);
  });

  test('with nothing in it the names of Alfa-Auto 6 and the defaults of the contract hold', async () => {
    const onec = await load('onec: {}\n');
    expect(onec).toMatchObject({
      preset: 'alfa-auto-6',
      server: { pageSize: 100, ifMatch: 'auto' },
      properties: { lead: 'amolead', client: 'amoclient', item: 'amocatalog', idType: 'auto' },
      changes: { strategy: ['property', 'field', 'dataVersion'], field: 'ДатаОперации' },
      statuses: [],
      users: {},
      catalog: { sku: 'SKU', price: 'PRICE' },
      import: { as: 'auto', allowWithoutClient: false, createItems: true },
      export: {
        createItems: true,
        verifyItems: true,
        matchItemsBy: 'article+maker',
        longTextOver: 250,
        names: {
          workOrder: { text: 'Заказ-наряд № {number} от {date}' },
          customerOrder: { text: 'Заказ № {number} от {date}' },
        },
        contactTag: 'контакт загружен из 1С',
      },
    });
    expect(Object.entries(onec.documents).map(([type, document]) => [type, document?.set, document?.post])).toEqual([
      ['workOrder', 'Document_ЗаказНаряд', false],
      ['customerOrder', 'Document_ЗаказПокупателя', true],
      ['repairRequest', 'Document_ЗаявкаНаРемонт', true],
      ['repairSummary', 'Document_СводныйРемонтныйЗаказ', false],
    ]);
    expect(onec.documents.workOrder?.works).toMatchObject({ table: 'Автоработы', id: 'ИдентификаторРаботы' });
    expect(onec.documents.customerOrder?.works).toBeUndefined();
    expect(onec.operations.repairSummary).toEqual({
      set: 'Catalog_ХозОперации',
      predefined: 'СводныйРемонтныйЗаказ',
    });
    expect(onec.defaults.repairKind).toBeUndefined();
    expect(onec.constants.worksRow).toMatchObject({ СпособРасчетаСтоимостиРаботы: 'ФиксированнойСуммой' });
  });

  test.each(Object.keys(onecPresets).filter((name) => name !== 'none'))(
    'the preset %s has no fault',
    async (preset) => {
      const { documents } = await load(`onec: { preset: ${preset} }`);
      expect(documents.workOrder ?? documents.customerOrder).toMatchObject({ number: 'Number', date: 'Date' });
    },
  );

  test('mapping.example.yaml shows every state of the screens, and reads', async () => {
    const { onec } = await loadMapping({ baseDir: process.cwd(), file: 'mapping.example.yaml' });
    expect(onec?.statuses).toHaveLength(15);
    expect(onec?.statuses).toContainEqual({
      pipeline: 8266734,
      status: 142,
      state: 'Готов к отгрузке',
      organization: null,
      department: null,
      default: true,
    });
    expect(onec?.fields).toMatchObject({ number: 528943, recommendedParts: undefined, contactCode: 786089 });
    expect(onec?.users).toEqual({ 'Иванов И. И.': 12380450 });
    expect(onec?.documents.workOrder).toMatchObject({
      manager: undefined,
      author: 'Автор_Key',
    });
    expect(onec?.documents.customerOrder?.manager).toBe('Менеджер_Key');
  });
});

describe('over the preset', () => {
  test('names are laid key by key, null takes one away', async () => {
    const {
      documents,
      catalogs,
      constants,
      export: out,
    } = await load(`onec:
  documents:
    workOrder: { comment: МойКомментарий, recommendations: null, goods: { price: ЦенаСоСкидкой, vat: null } }
    repairRequest: null
  catalogs: { maker: Catalog_Бренды, counterparty: { persons: null, emailKind: { code: "000000007" } } }
  constants: { workOrder: { СпособЗачетаАвансов: null, Пробег: 0 } }
  export: { contact_tag: null }
`);
    expect(documents.workOrder).toMatchObject({
      set: 'Document_ЗаказНаряд',
      comment: 'МойКомментарий',
      recommendations: undefined,
      goods: { table: 'Товары', price: 'ЦенаСоСкидкой', vat: undefined, vatSum: 'СуммаНДС' },
    });
    expect(documents.repairRequest).toBeUndefined();
    expect(catalogs.maker).toEqual({ set: 'Catalog_Бренды' });
    expect(catalogs.counterparty).toMatchObject({
      persons: undefined,
      emailKind: { set: 'Catalog_ВидыКонтактнойИнформации', code: '000000007' },
      phoneKind: { predefined: 'ТелефонКонтрагента' },
    });
    expect(constants.workOrder).toEqual({ КурсДокумента: 1, КурсВалютыУпр: 1, Пробег: 0 });
    expect(out.contactTag).toBeUndefined();
  });

  test('another way of finding a default replaces the first and keeps the catalog; an operation is named shortly', async () => {
    const { defaults, operations } = await load(`onec:
  defaults:
    organization: { description: "Наша контора" }
    warehouse: { set: Catalog_МоиСклады, code: "00002" }
    repairKind: { code: "00000003" }
    workshop: null
    unit: { guid: 8D3F0C52-1F7E-11EF-9C5A-0050569F2E9F }
    operation: { workOrder: МояОперация, repairSummary: null }
`);
    expect(defaults).toMatchObject({
      organization: { set: 'Catalog_Организации', description: 'Наша контора' },
      warehouse: { set: 'Catalog_МоиСклады', code: '00002' },
      repairKind: { set: 'Catalog_ВидыРемонта', code: '00000003' },
      unit: { set: 'Catalog_КлассификаторЕдиницИзмерения', guid: '8d3f0c52-1f7e-11ef-9c5a-0050569f2e9f' },
      priceType: { predefined: 'ОсновнойТипЦенПродажи' },
    });
    expect(defaults.organization).not.toHaveProperty('predefined');
    expect(defaults.workshop).toBeUndefined();
    expect(operations).toMatchObject({
      workOrder: { set: 'Catalog_ХозОперации', predefined: 'МояОперация' },
      customerOrder: { predefined: 'ЗаказПокупателя' },
      repairSummary: undefined,
    });
  });

  test('a state of another kind stands instead of the preset’s', async () => {
    const { documents } = await load(
      'onec: { documents: { customerOrder: { state: { kind: field, field: Статус_Key, catalog: Catalog_Статусы } } } }',
    );
    expect(documents.customerOrder?.state).toEqual({ kind: 'field', field: 'Статус_Key', catalog: 'Catalog_Статусы' });
  });

  test('without the field that tells of changes the strategy does without it', async () => {
    expect((await load('onec: { changes: { field: null } }')).changes).toEqual({
      strategy: ['property', 'dataVersion'],
      field: undefined,
      created: 'ДатаСоздания',
    });
  });

  test('a part that was left empty is left to the preset', async () => {
    expect(await load('onec: { documents: null, defaults: null, constants: null }')).toEqual(await load('onec: {}'));
  });
});

describe('faults', () => {
  test('each with its line and path, all at once', async () => {
    const faults = await faultsOf(`onec:
  preset: alfa-auto-7
  server: { timeZone: Moscow, pagesize: 10 }
  documents:
    workOrder:
      coment: Комментарий
      amount: Сумма Документа
      state: { kind: register, set: InformationRegister_X, object: Объект, value: Состояние }
  defaults:
    vat: { predefined: БезНДС, code: "1" }
    author: {}
    currency: { code: 643 }
    operatoin: { workOrder: X }
  constants: { goodsRow: { Коэффициент: [1] } }
  fields: { number: "528943" }
  users: { "Иванов И. И.": 0 }
  import: { as: chains }
  export:
    names:
      work_order: "Заказ {nomber}"
      customer_order: "Заказ {number}"
  webhooks: {}
`);
    expect(faults.map((fault) => fault.replace('mapping.yaml:', ''))).toEqual([
      expect.stringMatching(/^2: onec\.preset: expected one of alfa-auto-6, .*did you mean alfa-auto-6\?$/),
      expect.stringMatching(/^3: onec\.server\.pagesize: unknown key; did you mean pageSize\?$/),
      expect.stringMatching(/^3: onec\.server\.timeZone: expected an IANA time zone/),
      expect.stringMatching(/^6: onec\.documents\.workOrder\.coment: unknown key; did you mean comment\?$/),
      expect.stringMatching(/^7: onec\.documents\.workOrder\.amount: expected a name of 1C's metadata/),
      '8: onec.documents.workOrder.state.catalog: missing',
      expect.stringMatching(/^10: onec\.defaults\.vat: expected exactly one of guid, code/),
      expect.stringMatching(/^11: onec\.defaults\.author: expected exactly one of/),
      '12: onec.defaults.currency.code: expected a text, in quotes',
      expect.stringMatching(/^13: onec\.defaults\.operatoin: unknown key; did you mean operation\?$/),
      expect.stringMatching(/^14: onec\.constants\.goodsRow\.Коэффициент: expected a text, a number/),
      '15: onec.fields.number: expected a whole number above 0',
      '16: onec.users.Иванов И. И.: expected a whole number above 0',
      expect.stringMatching(/^17: onec\.import\.as: expected one of chain, customerOrder, auto/),
      expect.stringMatching(/^20: onec\.export\.names\.work_order: unknown name \{nomber\}; did you mean number\?$/),
      expect.stringMatching(/^21: onec\.export\.names\.customer_order: must hold \{date\}/),
      expect.stringMatching(/^22: onec\.webhooks: unknown key/),
    ]);
  });

  test('the preset none gives no name away', async () => {
    const faults = await faultsOf('onec: { preset: none }');
    expect(faults.map((fault) => fault.replace('mapping.yaml:1: onec.', ''))).toEqual([
      expect.stringContaining('documents.workOrder: missing, and so is customerOrder'),
      'catalogs.counterparty.set: missing',
      'catalogs.item.set: missing',
      'catalogs.work.set: missing',
      'catalogs.organization.set: missing',
      'catalogs.department.set: missing',
      'catalogs.user.set: missing',
      'properties.register: missing',
      'properties.chart: missing',
    ]);
    const bare = await faultsOf(
      'onec: { preset: none, documents: { customerOrder: { set: Document_X, goods: { table: Товары } } }, defaults: { vat: { code: "1" } } }',
    );
    expect(bare.join('\n')).toMatch(/documents\.customerOrder\.goods\.item: missing[\s\S]*defaults\.vat\.set: missing/);
  });

  test('R18 one default per state, pipeline and place; one state per stage and place', async () => {
    const row = (status: number, state: string | null, more = '') =>
      `    - { pipeline: 1, status: ${status}, state: ${state}${more} }\n`;
    const fine = `onec:\n  statuses:\n${row(10, 'Размещен', ', default: true')}${row(11, 'размещён')}${row(12, 'Размещен', ', default: true, organization: Филиал')}${row(10, 'Закрыт', ', department: Цех')}${row(13, null)}`;
    expect((await load(fine)).statuses).toHaveLength(5);
    expect(await faultsOf(fine + row(14, 'РАЗМЕЩЁН', ', default: true') + row(13, 'Закрыт'))).toEqual([
      expect.stringMatching(/^mapping\.yaml:8: onec\.statuses\[5\]\.default: statuses\[0\] is the default/),
      expect.stringMatching(
        /^mapping\.yaml:9: onec\.statuses\[6\]\.state: statuses\[4\] gives this stage another state/,
      ),
    ]);
    expect(await faultsOf('onec: { statuses: [{ pipeline: 1, status: 2 }] }')).toEqual([
      expect.stringMatching(/statuses\[0\]\.state: missing; write null/),
    ]);
  });

  test('R29 what an import is to make must be there', async () => {
    expect(await faultsOf('onec: { documents: { repairSummary: null }, import: { as: chain } }')).toEqual([
      expect.stringMatching(/onec\.import: as: chain needs repairSummary under documents$/),
    ]);
    expect(await faultsOf('onec: { preset: ut-11, documents: { customerOrder: null } }')).toHaveLength(2);
  });
});

function notebook(): { kept: Map<string, string>; memory: MappingMemory } {
  const kept = new Map<string, string>();
  const memory: MappingMemory = {
    get: async (hash) => {
      const text = kept.get(hash);
      return text === undefined ? undefined : (JSON.parse(text) as unknown);
    },
    put: async (hash, value) => {
      kept.set(hash, JSON.stringify(value));
    },
  };
  return { kept, memory };
}

test('what was kept of the file is read alike, with every null that stood in it', async () => {
  const { kept, memory } = notebook();
  const baseDir = folderWith('onec: { documents: { workOrder: { comment: null } } }\n');
  const first = await loadMapping({ baseDir, memory });
  expect(kept.size).toBe(1);
  expect(await loadMapping({ baseDir, memory })).toEqual(first);
  expect(first.onec?.documents.workOrder?.comment).toBeUndefined();
});

test('a job without 1C has the part checked once, and then left alone', async () => {
  const { memory } = notebook();
  const wrong = folderWith('onec: { presets: unf }\n');
  await expect(loadMapping({ baseDir: wrong, memory, onec: false })).rejects.toMatchObject({ exit: 78 });
  const baseDir = folderWith('kaspi: { never_back: false }\nonec: {}\n');
  expect((await loadMapping({ baseDir, memory, onec: false })).onec).toBeDefined();
  expect(await loadMapping({ baseDir, memory, onec: false })).toMatchObject({
    kaspi: { neverBack: false },
    onec: undefined,
  });
  expect((await loadMapping({ baseDir, memory })).onec).toBeDefined();
});
