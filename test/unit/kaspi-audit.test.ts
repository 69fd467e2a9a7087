import { describe, expect, test } from 'vitest';
import { parseTemplate } from '../../src/base/template.ts';
import { ORDER_TEMPLATE_NAMES } from '../../src/config/mapping-kaspi.ts';
import type { KnownOrder } from '../../src/domain/audit.ts';
import {
  type AuditedDeal,
  type AuditedOrder,
  auditMessages,
  compareSides,
  type Expected,
  type Sides,
} from '../../src/jobs/kaspi-audit.ts';
import { codeOf, mayBeTag, nameOfTemplate, namePattern } from '../../src/jobs/kaspi-codes.ts';

const NOW = new Date('2026-05-10T06:00:00.000Z');
const MINUTE_MS = 60_000;
const ago = (minutes: number) => new Date(NOW.getTime() - minutes * MINUTE_MS);

const FIRST = 101;
const SECOND = 102;
const THIRD = 103;
const CATALOG = 5501;
const pipelines = [
  {
    id: 1,
    statuses: [FIRST, SECOND, THIRD, 142, 143].map((id, index) => ({
      id,
      name: '',
      sort: index * 10,
      unsorted: false,
    })),
  },
];

const expected: Expected = {
  state: 'PICKUP',
  status: 'APPROVED_BY_BANK',
  totalMinor: 900_000,
  price: 9000,
  stage: { pipelineId: 1, statusId: SECOND, mapped: true, afterFinal: false },
  goods: [{ sku: 'CUP', quantity: 2 }],
};

function order(given: Partial<AuditedOrder> = {}): AuditedOrder {
  return { code: '1001', createdAt: ago(600), day: '2026-05-09', concerned: true, expected, ...given };
}

function deal(given: Partial<AuditedDeal> = {}): AuditedDeal {
  return {
    id: 7,
    createdAt: ago(599).getTime() / 1000,
    price: 9000,
    pipelineId: 1,
    statusId: SECOND,
    elements: [{ elementId: 55, catalogId: CATALOG, quantity: 2 }],
    ...given,
  };
}

function known(given: Partial<KnownOrder> = {}): KnownOrder {
  return { dealId: 7, planned: true, adopted: false, underWay: false, setAside: false, conflicts: [], ...given };
}

const unknown: KnownOrder = { planned: false, adopted: false, underWay: false, setAside: false, conflicts: [] };

interface Case {
  order?: Partial<AuditedOrder>;
  deals?: AuditedDeal[];
  known?: KnownOrder;
  sides?: Partial<Sides>;
}

function compared({ order: given, deals = [deal()], known: knownOrder = known(), sides = {} }: Case) {
  const one = order(given);
  return compareSides({
    orders: [one],
    deals: new Map(deals.length > 0 ? [[one.code, deals]] : []),
    known: new Map([[one.code, knownOrder]]),
    pipelines,
    neverBack: true,
    catalogId: CATALOG,
    elements: new Map([['CUP', 55]]),
    reconciledAt: ago(5),
    now: NOW,
    quietMs: 25 * MINUTE_MS,
    dayOf: (at) => at.toISOString().slice(0, 10),
    ...sides,
  });
}

const kinds = (given: Case) => compared(given).differences.map(({ kind }) => kind);

describe('an order and its deal', () => {
  test('that agree differ in nothing, and count on both sides of their day', () => {
    expect(compared({})).toEqual({
      differences: [],
      on_its_way: [],
      orphans: [],
      counts: {},
      days: [{ day: '2026-05-09', kaspi: 1, amocrm: 1, differences: 0 }],
    });
  });

  test.each<[string, string[], Case]>([
    ['without a deal', ['lost'], { deals: [], known: unknown }],
    ['with two deals', ['doubled'], { deals: [deal(), deal({ id: 8 })] }],
    ['whose deal is gone', ['deal_gone'], { deals: [] }],
    ['whose deal is gone while another has its code', ['deal_gone'], { deals: [deal({ id: 9 })] }],
    ['whose deal the database does not know', ['unbound'], { known: unknown }],
    ['with another sum', ['wrong_sum'], { deals: [deal({ price: 100 })] }],
    ['on a stage before', ['wrong_stage'], { deals: [deal({ statusId: FIRST })] }],
    ['in another pipeline', ['wrong_stage'], { deals: [deal({ pipelineId: 2, statusId: 201 })] }],
    ['without its goods', ['missing_goods'], { deals: [deal({ elements: [] })] }],
    [
      'with too few of them',
      ['missing_goods'],
      { deals: [deal({ elements: [{ elementId: 55, catalogId: CATALOG, quantity: 1 }] })] },
    ],
    [
      'wrong in all',
      ['wrong_sum', 'wrong_stage', 'missing_goods'],
      { deals: [deal({ price: 1, statusId: FIRST, elements: [] })] },
    ],
  ])('%s', (_, wanted, given) => {
    const { differences, counts, days } = compared(given);
    expect(differences.map(({ kind }) => kind)).toEqual(wanted);
    expect(differences[0]).toMatchObject({ order: '1001', day: '2026-05-09', at: ago(600).toISOString() });
    expect(Object.keys(counts).sort()).toEqual([...wanted].sort());
    expect(days[0]?.differences).toBe(wanted.length);
  });

  test('a difference says what stands there and what should', () => {
    const { differences } = compared({ deals: [deal({ price: 100, statusId: FIRST, elements: [] })] });
    expect(differences.map(({ found, expected: wanted, deals }) => [found, wanted, deals])).toEqual([
      [100, 9000, [7]],
      ['1/101', '1/102', [7]],
      ['CUP × 0', 'CUP × 2', [7]],
    ]);
  });
});

describe('what explains a difference', () => {
  const unmapped = { ...expected, stage: { pipelineId: 1, statusId: SECOND, mapped: false, afterFinal: false } };
  const toEnd = { ...expected, stage: { pipelineId: 1, statusId: 142, mapped: true, afterFinal: false } };
  const afterFinal = { ...expected, stage: { pipelineId: 1, statusId: SECOND, mapped: true, afterFinal: true } };

  test.each<[string, Case]>([
    ["a person's budget", { deals: [deal({ price: 1 })], known: known({ conflicts: ['the budget'] }) }],
    ["a person's stage", { deals: [deal({ statusId: FIRST })], known: known({ conflicts: ['the stage'] }) }],
    ["a person's goods", { deals: [deal({ elements: [] })], known: known({ conflicts: ['goods CUP'] }) }],
    ['a stage further on, which is never taken back', { deals: [deal({ statusId: THIRD })] }],
    ['a deal that is closed', { deals: [deal({ statusId: 143 })] }],
    ['no row of the mapping asks for a stage', { order: { expected: unmapped }, deals: [deal({ statusId: THIRD })] }],
    ['deals of an order that makes none', { order: { concerned: false }, deals: [deal()], known: unknown }],
    ['an order that makes no deal', { order: { concerned: false }, deals: [], known: unknown }],
    ['an order set aside', { deals: [], known: { ...unknown, setAside: true } }],
    ["goods of another integrator's deal", { deals: [deal({ elements: [] })], known: known({ adopted: true }) }],
    [
      'goods that the list did not tell',
      { order: { expected: { ...expected, goods: undefined } }, deals: [deal({ elements: [] })] },
    ],
    ['articles that are not bound, but as many goods', { sides: { elements: new Map() } }],
    ['a third decimal', { deals: [deal({ elements: [{ elementId: 55, catalogId: CATALOG, quantity: 2.0000001 }] })] }],
  ])('%s', (_, given) => {
    expect(compared(given)).toMatchObject({ differences: [], on_its_way: [] });
  });

  test.each<[string, string, Case]>([
    [
      'a conflict over the stage says nothing of the sum',
      'wrong_sum',
      { deals: [deal({ price: 1 })], known: known({ conflicts: ['the stage'] }) },
    ],
    [
      'a deal ahead, where deals may go back',
      'wrong_stage',
      { deals: [deal({ statusId: THIRD })], sides: { neverBack: false } },
    ],
    [
      'an order that has ended and a deal that has not',
      'wrong_stage',
      { order: { expected: toEnd }, deals: [deal({ statusId: THIRD })] },
    ],
    [
      'a row that opens closed deals',
      'wrong_stage',
      { order: { expected: afterFinal }, deals: [deal({ statusId: 142 })] },
    ],
    [
      'a deal before the place of new deals',
      'wrong_stage',
      { order: { expected: unmapped }, deals: [deal({ statusId: FIRST })] },
    ],
    [
      'articles that are not bound, and too few goods',
      'missing_goods',
      { deals: [deal({ elements: [] })], sides: { elements: new Map() } },
    ],
  ])('but not %s', (_, kind, given) => {
    expect(kinds(given)).toEqual([kind]);
  });
});

describe('what is on its way', () => {
  const seen = { state: 'PICKUP', status: 'APPROVED_BY_BANK', totalMinor: 900_000 };
  const cheap = [deal({ price: 1 })];

  test.each<[string, Case]>([
    ['an order of ten minutes', { order: { createdAt: ago(10) }, deals: [], known: unknown }],
    ['one whose effects wait', { deals: [], known: { ...unknown, underWay: true } }],
    ['a deal whose change waits', { deals: cheap, known: known({ underWay: true }) }],
    ['a change at Kaspi that no pass has read', { deals: cheap, known: known({ seen: { ...seen, totalMinor: 100 } }) }],
    [
      'a change that only the poll has read',
      { deals: cheap, known: known({ seen: { ...seen, changedAt: ago(3).toISOString() } }) },
    ],
  ])('%s', (_, given) => {
    expect(compared(given)).toMatchObject({ differences: [], on_its_way: ['1001'] });
  });

  test.each<[string, Case]>([
    ['an order of sixteen minutes', { order: { createdAt: ago(16) }, deals: [], known: unknown }],
    [
      'an order that changed before the last pass',
      { deals: cheap, known: known({ seen: { ...seen, changedAt: ago(6).toISOString() } }) },
    ],
    ['an order that never changed', { deals: cheap, known: known({ seen }) }],
    [
      'a change that nobody reads, since passes have ended',
      { deals: cheap, known: known({ seen: { ...seen, totalMinor: 100 } }), sides: { reconciledAt: ago(60) } },
    ],
    ['two deals, whatever waits', { deals: [deal(), deal({ id: 8 })], known: known({ underWay: true }) }],
  ])('but not %s', (_, given) => {
    const { differences, on_its_way } = compared(given);
    expect(differences).toHaveLength(1);
    expect(on_its_way).toEqual([]);
  });
});

test('deals that Kaspi does not list are told and not counted; two of one code are doubled all the same', () => {
  const deals = new Map([
    ['1001', [deal()]],
    ['900', [deal({ id: 20 })]],
    ['901', [deal({ id: 31 }), deal({ id: 30, createdAt: Number.MAX_SAFE_INTEGER })]],
  ]);
  const { orphans, differences, days } = compared({ sides: { deals } });
  expect(orphans.map(({ order: code, deal: id }) => `${code}:${id}`)).toEqual(['900:20', '901:31', '901:30']);
  expect(differences).toMatchObject([{ kind: 'doubled', order: '901', deals: [30, 31] }]);
  expect(days.map(({ day, kaspi, differences: count }) => [day, kaspi, count])).toEqual([['2026-05-09', 1, 1]]);
});

test('a message names twenty orders at most, in the language of the owner', () => {
  const found = Array.from({ length: 25 }, (_, index) => ({
    kind: 'lost' as const,
    order: String(1001 + index),
    at: ago(600).toISOString(),
    day: '2026-05-09',
    deals: [],
  }));
  const text = auditMessages(found, 'en').get('lost') ?? '';
  expect(text).toContain('25 (1001, 1002,');
  expect(text).toContain('1020 … +5');
  expect(text).not.toContain('1021');
  expect(auditMessages(found, 'ru').get('lost')).toMatch(/^Заказы Kaspi без сделки/);
  expect([...auditMessages(found, 'ru').keys()]).toEqual(['lost']);
});

describe('the code of a deal', () => {
  const template = (text: string) => {
    const parsed = parseTemplate(text, ORDER_TEMPLATE_NAMES);
    if ('unknown' in parsed) throw new Error(text);
    return parsed;
  };
  const named = (name: string, value?: string) => ({
    name,
    fields: value === undefined ? [] : [{ fieldId: 5, values: [{ value }] }],
  });

  test.each<[string, string | undefined, string, string | undefined]>([
    ['the name of the mapping', '1001', 'Kaspi #1001', undefined],
    ['a manager wrote behind it', '1001', 'Kaspi #1001 срочно', undefined],
    ['a manager wrote before it', undefined, 'Срочно! Kaspi #1001', undefined],
    ['the field before the name', '1002', 'Kaspi #1001', ' 1002 '],
    ['a name of other words', undefined, 'Kaspi #скидка', undefined],
    ['a code that goes on', '1001-А', 'Kaspi #1001-А', undefined],
    ['an empty field', '1001', 'Kaspi #1001', ''],
  ])('%s', (_, code, name, value) => {
    expect(codeOf(named(name, value), { field: 5, name: nameOfTemplate(template('Kaspi #{code}')) })).toBe(code);
  });

  test('by a pattern that an operator typed', () => {
    const places = { field: undefined, name: namePattern('Заказ * №{code} (*') };
    expect(codeOf(named('Заказ из Kaspi №1019876543 (Алматы)'), places)).toBe('1019876543');
    expect(codeOf(named('Заказ из Kaspi №1019876543'), places)).toBeUndefined();
    expect(namePattern('Заказ')).toBeUndefined();
    expect(namePattern('{code} {code}')).toBeUndefined();
  });

  test('behind other values of the template', () => {
    const name = nameOfTemplate(template('{customer.name}: {code} ({city})'));
    expect(codeOf(named('Сауле Ахметова: 1001 (Алматы)'), { field: undefined, name })).toBe('1001');
    expect(nameOfTemplate(template('{customer.name}'))).toBeUndefined();
  });

  test.each([
    ['Kaspi', 'Kaspi', true],
    ['NEW', '{state}', true],
    ['заказ 1001', 'Заказ {code}', true],
    ['VIP', '{state}', false],
    ['Алматы', '{city}', false],
    ['Kaspi', 'Kaspi {city}', false],
  ])('the tag %s may be of the template %s: %s', (tag, text, may) => {
    expect(mayBeTag(tag, template(text), '1001')).toBe(may);
  });
});
