import { describe, expect, test } from 'vitest';
import type { OnecMapping } from '../../src/config/mapping-onec-types.ts';
import { type LoadOptions, loadFacts } from '../../src/jobs/onec-import-load.ts';
import type { CatalogElement, Deal, Person } from '../../src/systems/amocrm/schema.ts';
import type { OnecReader } from '../../src/systems/onec/api.ts';

const field = (code: string, ...values: unknown[]) => ({
  fieldId: 1,
  code,
  values: values.map((value) => ({ value })),
});

function person(id: number, phones: string[], emails: string[] = []): Person {
  return {
    ...{ id, name: `Клиент ${id}`, firstName: '', lastName: '' },
    fields: [field('PHONE', ...phones), field('EMAIL', ...emails)],
  } as unknown as Person;
}

function element(id: number, name: string, sku: string, maker: string, price: unknown = 100.5): CatalogElement {
  const fields = [field('SKU', sku), field('BRAND', maker), field('PRICE', price), { ...field('X', 7), fieldId: 99 }];
  return { id, name, catalogId: 55, fields } as unknown as CatalogElement;
}

function deal(id: number, contacts: number[], elements: number[] = [], more: Partial<Deal> = {}): Deal {
  return {
    ...{ id, name: '', price: 10, pipelineId: 8, statusId: 82, createdAt: 1, updatedAt: 1, companyIds: [] },
    contacts: contacts.map((one, index) => ({ id: one, isMain: index === 0 })),
    elements: elements.map((elementId) => ({ elementId, catalogId: 55, quantity: 1 })),
    ...more,
  } as unknown as Deal;
}

const mapping = {
  fields: {},
  catalog: { sku: 'SKU', price: 'PRICE', maker: 'BRAND', unit: undefined },
  catalogs: { counterparty: { set: 'C' }, item: { set: 'I' }, work: { set: 'W' } },
} as unknown as OnecMapping;

describe('what is read of new deals', () => {
  const people = [person(1, ['8 900 000-00-01']), person(2, ['+79000000002']), person(3, [], ['Probe@Example.org'])];
  const company = person(9, ['+79000000009']);
  const elements = [
    element(11, 'Фильтр', 'MJ-1009', 'Mando'),
    element(12, 'Колодки', 'pn 05/32', 'NIBK', '1 240,50'),
    element(13, 'Мойка', '0000000012', ''),
    element(14, 'Свеча  зажигания', '', ''),
    element(15, 'Ремень', 'R-1', 'Gates'),
  ];
  let calls: string[];

  function options(): LoadOptions {
    calls = [];
    const called = (name: string) => calls.push(name);
    const thing = { code: '', unit: '', maker: '', article: '', name: '' };
    return {
      client: {
        contactsByIds: async (ids: number[]) => {
          called('contacts');
          return new Map(people.filter(({ id }) => ids.includes(id)).map((one) => [one.id, one]));
        },
        companiesByIds: async () => new Map([[9, company]]),
        elementsByIds: async () => new Map(elements.map((one) => [one.id, one])),
      } as unknown as LoadOptions['client'],
      reader: {
        byAmoId: async (property: string) => {
          called(`byAmoId ${property}`);
          return property === 'client'
            ? new Map([[1, [{ set: 'C', ref: 'c1' }]]])
            : new Map([[11, [{ set: 'I', ref: 'i11' }]]]);
        },
        clientsByContact: async ({ phones, emails }: { phones: string[]; emails: string[] }) => ({
          phone: new Map(phones.includes('+79000000002') ? [['+79000000002', ['c2']]] : []),
          email: new Map(emails.includes('probe@example.org') ? [['probe@example.org', ['c3']]] : []),
        }),
        marks: async () => new Map([['c3', { amoId: 333 }]]),
        itemsByArticle: async () => [
          { ...thing, ref: 'wrong', article: 'PN0532', maker: 'Другой' },
          { ...thing, ref: 'i12', article: 'PN0532', maker: 'nibk' },
        ],
        itemsByName: async () => [{ ...thing, ref: 'i14', name: 'свеча зажигания' }],
        works: async () => [{ ...thing, ref: 'w13', code: '0000000012', name: 'Другое имя' }],
        makersByName: async () => new Map([['Gates', 'm15']]),
      } as unknown as OnecReader,
      ...{ mapping, catalogId: 55, country: 'RU' },
    };
  }

  test('R30 clients by amoclient, then by phone, then by e-mail; a company goes before its people', async () => {
    const deals = [
      deal(101, [1]),
      deal(102, [2, 1]),
      deal(103, [3]),
      deal(104, [1], [], { companyIds: [9] }),
      deal(105, []),
    ];
    const facts = await loadFacts(deals, options());
    const clients = [101, 102, 103, 104, 105].map((id) => facts.get(id)?.client);
    expect(clients.map((client) => client?.existing)).toEqual([
      { ref: 'c1', amoId: 1 },
      { ref: 'c2' },
      { ref: 'c3', amoId: 333 },
      undefined,
      undefined,
    ]);
    expect(clients[0]?.phones).toEqual(['+79000000001']);
    expect(clients[2]?.emails).toEqual(['probe@example.org']);
    expect(clients[3]).toMatchObject({ kind: 'company', amoId: 9 });
    expect(clients[4]).toBeUndefined();
    expect(calls).toEqual(['contacts', 'byAmoId client']);
  });

  test('R31 lines by amocatalog, by article and maker, by a code of a work, by name', async () => {
    const facts = await loadFacts([deal(101, [], [11, 12, 13, 14, 15])], options());
    const lines = facts.get(101)?.lines ?? [];
    expect(lines.map(({ existing }) => existing)).toEqual([
      { kind: 'item', ref: 'i11', amoId: 11 },
      { kind: 'item', ref: 'i12' },
      { kind: 'work', ref: 'w13' },
      { kind: 'item', ref: 'i14' },
      undefined,
    ]);
    expect(lines.map(({ priceMinor }) => priceMinor)).toEqual([10050, 124050, 10050, 10050, 10050]);
    expect(lines[4]?.makerRef).toBe('m15');
  });

  test('the price is the one that the link to the deal names, and lists of other kinds are no goods', async () => {
    const links = [
      { elementId: 11, catalogId: 55, quantity: 2, priceFieldId: 99 },
      { elementId: 12, catalogId: 77, quantity: 1 },
    ];
    const facts = await loadFacts([deal(101, [], [], { elements: links })], options());
    expect(facts.get(101)?.lines).toMatchObject([{ elementId: 11, quantity: 2, priceMinor: 700 }]);
  });
});
