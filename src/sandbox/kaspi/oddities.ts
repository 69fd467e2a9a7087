import { pointAddress } from './geography.ts';
import type { CustomerSeed, EntrySeed, OrderSeed } from './model.ts';

/** The codes of the odd orders, by what is odd about them. */
export const ODDITY_CODES = {
  manyLines: '1099000001',
  lastNameAbsent: '1099000002',
  lastNameNull: '1099000003',
  addressNull: '1099000004',
  phoneAbsent: '1099000005',
  archivedMaskedPhone: '1099000006',
  weighedGoods: '1099000007',
  newBuyerFirstOrder: '1099000008',
  newBuyerSecondOrder: '1099000009',
  autoAccepted: '1099000010',
  offerMissing: '1099000011',
  unknownState: '1099000012',
  unknownPaymentMode: '1099000013',
  brokenPhone: '1099000014',
  leadingBlanks: '1099000015',
  fractionPrice: '1099000016',
  oneSkuTwice: '1099000017',
} as const;

type Oddity = keyof typeof ODDITY_CODES;

const MINUTE_MS = 60_000;

function buyer(firstName: string, lastName: string, cellPhone: string): CustomerSeed {
  return { name: firstName, firstName, lastName, cellPhone };
}

function manyLines(): EntrySeed[] {
  return Array.from({ length: 120 }, (_, index) => ({
    sku: `BULK-${String(index + 1).padStart(3, '0')}`,
    name: `Канцелярия ${index + 1}`,
    quantity: 1 + (index % 3),
    basePrice: 100 + index,
  }));
}

const newBuyer = buyer('Жанар', 'Оспанова', '7479000008');

const SEEDS: Record<Oddity, OrderSeed> = {
  manyLines: { state: 'KASPI_DELIVERY', customer: buyer('Арман', 'Сатов', '7019000001'), entries: manyLines() },
  lastNameAbsent: {
    state: 'KASPI_DELIVERY',
    customer: { name: 'Мадина', firstName: 'Мадина', cellPhone: '7029000002' },
  },
  lastNameNull: {
    state: 'PICKUP',
    customer: { name: null, firstName: 'Ерлан', lastName: null, cellPhone: '7059000003' },
  },
  addressNull: { state: 'DELIVERY', customer: buyer('Анна', 'Ким', '7079000004'), deliveryAddress: null },
  phoneAbsent: { state: 'NEW', customer: { name: 'Сауле', firstName: 'Сауле', lastName: 'Ахметова' } },
  archivedMaskedPhone: {
    state: 'ARCHIVE',
    status: 'COMPLETED',
    customer: { name: 'Тимур', firstName: 'Тимур', lastName: null, cellPhone: '7089000006' },
  },
  weighedGoods: {
    state: 'DELIVERY',
    customer: buyer('Ольга', 'Петрова', '7719000007'),
    entries: [
      { sku: 'MEAT-1', name: 'Говядина, кг', quantity: 3, basePrice: 1560, weight: 3800, unitType: 'MEASURABLE' },
      { sku: 'MELON', name: 'Дыня', quantity: 2, basePrice: 900, weight: 5200, unitType: 'MEASURABLE_PIECES' },
    ],
  },
  newBuyerFirstOrder: { state: 'KASPI_DELIVERY', customer: newBuyer },
  newBuyerSecondOrder: {
    state: 'PICKUP',
    customer: newBuyer,
    entries: [{ sku: 'LAMP-3', name: 'Лампа Жарық', basePrice: 12_500 }],
  },
  autoAccepted: {
    state: 'KASPI_DELIVERY',
    status: 'ACCEPTED_BY_MERCHANT',
    deliveryMode: 'DELIVERY_REGIONAL_TODOOR',
    customer: buyer('Санжар', 'Нұрланов', '7759000010'),
  },
  offerMissing: {
    state: 'KASPI_DELIVERY',
    customer: buyer('Дмитрий', 'Цой', '7769000011'),
    entries: [{ sku: '102345678_417305921', name: 'Наушники Tau 5', basePrice: 21_990, offer: null }],
  },
  unknownState: {
    state: 'TELEPORT',
    status: 'ACCEPTED_BY_MERCHANT',
    customer: buyer('Данияр', 'Ахметов', '7779000012'),
  },
  unknownPaymentMode: {
    state: 'NEW',
    paymentMode: 'KASPI_CRYPTO',
    customer: buyer('Екатерина', 'Иванова', '7789000013'),
  },
  brokenPhone: { state: 'NEW', customer: buyer('Нурлан', 'Жумабаев', 'abc') },
  leadingBlanks: {
    state: 'DELIVERY',
    customer: buyer(' Айгерим', ' Сатова ', '7009000015'),
    deliveryAddress: pointAddress(' г. Алматы', ' улица Абая', ' 10', ' 4'),
  },
  fractionPrice: {
    state: 'PICKUP',
    customer: buyer('Динара', 'Сулейменова', '7019000016'),
    entries: [{ sku: 'SCREW-M4', name: 'Винт М4', quantity: 3, basePrice: 333.33 }],
  },
  oneSkuTwice: {
    state: 'KASPI_DELIVERY',
    customer: buyer('Бауыржан', 'Оспанов', '7029000017'),
    entries: [
      { sku: 'CUP-1', name: 'Кружка Bereke', quantity: 2, basePrice: 1500 },
      { sku: 'CUP-1', name: 'Кружка Bereke', quantity: 1, basePrice: 1400 },
    ],
  },
};

/** Every oddity that integrators met in live data, one order each, made in the last half hour before `now` (epoch ms). */
export function oddities(now: number): OrderSeed[] {
  const names = Object.keys(ODDITY_CODES) as Oddity[];
  return names.map((name, index) => ({
    ...SEEDS[name],
    code: ODDITY_CODES[name],
    created_at: now - (names.length - index) * MINUTE_MS,
  }));
}
