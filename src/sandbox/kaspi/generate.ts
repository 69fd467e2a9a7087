import { usageError } from '../../base/errors.ts';
import { CITIES, pointAddress } from './geography.ts';
import { asRecord, type CustomerSeed, type EntrySeed, type GenerateSpec, type OrderSeed } from './model.ts';

const HOUR_MS = 60 * 60 * 1000;

const MEN = ['Арман', 'Данияр', 'Ерлан', 'Нурлан', 'Тимур', 'Алексей', 'Сергей', 'Дмитрий', 'Бауыржан', 'Санжар'];
const WOMEN = ['Айгерим', 'Динара', 'Гүлнар', 'Мадина', 'Ольга', 'Екатерина', 'Анна', 'Жанар', 'Сауле', 'Әсель'];
const FAMILIES = [
  'Сатов',
  'Ахметов',
  'Иванов',
  'Ким',
  'Нұрланов',
  'Оспанов',
  'Петров',
  'Сулейменов',
  'Жумабаев',
  'Цой',
];
const UNDECLINED = new Set(['Ким', 'Цой']);
const PREFIXES = ['700', '701', '702', '705', '707', '708', '747', '771', '775', '776', '777', '778'];
const STREETS = ['улица Абая', 'проспект Назарбаева', 'улица Сейфуллина', 'мкр Самал-2', 'улица Жандосова'];
const GOODS: readonly [name: string, category: string][] = [
  ['Чайник Polar', 'Электрочайники'],
  ['Наушники Tau', 'Наушники'],
  ['Кастрюля Bereke', 'Кастрюли'],
  ['Рюкзак Dala', 'Рюкзаки'],
  ['Лампа Жарық', 'Настольные лампы'],
  ['Кресло Отау', 'Кресла'],
];

interface Kind {
  weight: number;
  state: string;
  deliveryMode: string;
  isKaspiDelivery: boolean;
}

/** Open orders only: archived ones are left out of a poll by default, and a volume test counts on each order. */
const KINDS: readonly Kind[] = [
  { weight: 10, state: 'NEW', deliveryMode: 'DELIVERY_PICKUP', isKaspiDelivery: true },
  { weight: 5, state: 'NEW', deliveryMode: 'DELIVERY_LOCAL', isKaspiDelivery: false },
  { weight: 3, state: 'SIGN_REQUIRED', deliveryMode: 'DELIVERY_PICKUP', isKaspiDelivery: false },
  { weight: 12, state: 'PICKUP', deliveryMode: 'DELIVERY_PICKUP', isKaspiDelivery: false },
  { weight: 10, state: 'DELIVERY', deliveryMode: 'DELIVERY_LOCAL', isKaspiDelivery: false },
  { weight: 25, state: 'KASPI_DELIVERY', deliveryMode: 'DELIVERY_PICKUP', isKaspiDelivery: true },
  { weight: 15, state: 'KASPI_DELIVERY', deliveryMode: 'DELIVERY_LOCAL', isKaspiDelivery: true },
  { weight: 15, state: 'KASPI_DELIVERY', deliveryMode: 'DELIVERY_REGIONAL_TODOOR', isKaspiDelivery: true },
  { weight: 5, state: 'KASPI_DELIVERY', deliveryMode: 'DELIVERY_REGIONAL_PICKUP', isKaspiDelivery: true },
];

interface Chance {
  /** 0 to 1, 1 excluded. */
  next(): number;
  /** 0 to below − 1. */
  below(limit: number): number;
  pick<T>(items: readonly T[], fallback: T): T;
}

/** Mulberry32: small, fast and the same on every machine, which `Math.random` is not. */
function chance(seed: number): Chance {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
  const below = (limit: number) => Math.floor(next() * limit);
  return { next, below, pick: (items, fallback) => items[below(items.length)] ?? fallback };
}

/** Merchants' SKUs come in every form: Kaspi's automatic ones, article words, leading zeros, bar codes, Cyrillic, slashes. */
function skuOf(index: number): string {
  const number = index + 1;
  const forms = [
    `${102_345_000 + number}_${417_305_000 + number}`,
    `KETTLE-${number}-W`,
    String(number).padStart(6, '0'),
    String(4_870_012_000_000 + number),
    `АРТ-${number}`,
    `nb/${number}.a`,
  ];
  return forms[index % forms.length] ?? `SKU-${number}`;
}

function goodsOf(index: number, random: Chance): EntrySeed {
  const [name, category] = GOODS[index % GOODS.length] ?? ['Товар', 'Товары'];
  const weighed = index % 40 === 39;
  return {
    sku: skuOf(index),
    name: `${name} ${index + 1}`,
    category,
    basePrice: 500 + 10 * random.below(5000),
    ...(weighed ? { unitType: 'MEASURABLE' } : {}),
  };
}

/** Distinct indexes give distinct phones: 7919 is prime to 10^7. */
function buyerOf(index: number, seed: number, random: Chance): CustomerSeed {
  const woman = random.next() < 0.5;
  const firstName = woman ? random.pick(WOMEN, 'Анна') : random.pick(MEN, 'Арман');
  const family = random.pick(FAMILIES, 'Ким');
  const number = (((seed % 1000) * 104_729 + index * 7919) % 10_000_000).toString().padStart(7, '0');
  return {
    name: firstName,
    firstName,
    lastName: woman && !UNDECLINED.has(family) ? `${family}а` : family,
    cellPhone: `${PREFIXES[index % PREFIXES.length] ?? '701'}${number}`,
  };
}

function kindOf(random: Chance): Kind {
  let left = random.below(KINDS.reduce((sum, kind) => sum + kind.weight, 0));
  for (const kind of KINDS) {
    left -= kind.weight;
    if (left < 0) return kind;
  }
  throw usageError('Kaspi stand-in: kinds of orders have no weight');
}

/** The first goes round all items, so that each is used; later ones are drawn. */
function everyThenAny<T>(items: readonly T[], at: number, random: Chance): T {
  const item = items[at < items.length ? at : random.below(items.length)];
  if (item === undefined) throw usageError('Kaspi stand-in: nothing to draw from');
  return item;
}

function lineOf(goods: EntrySeed, random: Chance): EntrySeed {
  if (goods.unitType === 'MEASURABLE') return { ...goods, quantity: 1, weight: 100 * (1 + random.below(50)) };
  return { ...goods, quantity: random.next() < 0.85 ? 1 : 2 + random.below(3) };
}

/** Lines of one order, of different goods as long as there are enough of them. */
function linesOf(count: number, first: number, goods: readonly EntrySeed[], random: Chance): EntrySeed[] {
  const taken = new Map<string, EntrySeed>();
  const lines: EntrySeed[] = [];
  for (let at = first; at < first + count; at++) {
    let item = everyThenAny(goods, at, random);
    while (taken.has(item.sku) && taken.size < goods.length) item = everyThenAny(goods, goods.length, random);
    taken.set(item.sku, item);
    lines.push(lineOf(item, random));
  }
  return lines;
}

/** One line for each order, the rest dealt out by chance: most orders have one line, a few have many. */
function lineCounts(orders: number, lines: number, random: Chance): number[] {
  const counts = Array.from({ length: orders }, () => 1);
  for (let extra = lines - orders; extra > 0; extra--) {
    const at = random.below(orders);
    counts[at] = (counts[at] ?? 0) + 1;
  }
  return counts;
}

function count(value: unknown, name: string, fallback: number, least = 1): number {
  const number = value ?? fallback;
  if (typeof number !== 'number' || !Number.isInteger(number) || number < least) {
    throw usageError(`Kaspi stand-in: generate.${name} must be a whole number from ${least}`);
  }
  return number;
}

function addressOf(random: Chance): Record<string, unknown> {
  const city = random.pick(CITIES, CITIES[0] ?? { id: '', code: '', name: 'Алматы', active: true });
  const blank = random.next() < 0.2 ? ' ' : '';
  const street = `${blank}${random.pick(STREETS, 'улица Абая')}`;
  return pointAddress(city.name, street, `${blank}${1 + random.below(200)}`, String(1 + random.below(90)));
}

/**
 * Deterministic orders: the same spec, clock and first code give the same orders, in the order of their codes and times.
 * Every SKU and buyer is used at least once where lines and orders suffice. Errors (usage): a count that is no whole
 * number, fewer lines than orders.
 */
export function generateOrders(
  spec: GenerateSpec,
  context: { now: number; nextCode: string; autoAccept: boolean },
): OrderSeed[] {
  const given = asRecord(spec, 'generate');
  const orders = count(given.orders, 'orders', 0);
  const lines = count(given.lines, 'lines', orders, orders);
  const seed = count(given.seed, 'seed', 1, 0);
  const span = count(given.hours, 'hours', 6) * HOUR_MS;
  const random = chance(seed);
  const goods = Array.from({ length: count(given.skus, 'skus', 20) }, (_, index) => goodsOf(index, random));
  const buyers = Array.from({ length: count(given.buyers, 'buyers', orders) }, (_, index) =>
    buyerOf(index, seed, random),
  );
  const firstCode = Number(spec.firstCode ?? context.nextCode);
  const counts = lineCounts(orders, lines, random);
  let line = 0;
  return counts.map((size, index) => {
    const kind = kindOf(random);
    const accepted = context.autoAccept && kind.state === 'NEW';
    const toDoor = kind.deliveryMode === 'DELIVERY_LOCAL' || kind.deliveryMode === 'DELIVERY_REGIONAL_TODOOR';
    const entries = linesOf(size, line, goods, random);
    line += size;
    return {
      code: String(firstCode + index),
      created_at: Math.floor(context.now - span + (span * (index + random.next() * 0.9)) / orders),
      ...(accepted ? {} : { state: kind.state }),
      deliveryMode: kind.deliveryMode,
      isKaspiDelivery: kind.isKaspiDelivery,
      customer: everyThenAny(buyers, index, random),
      entries,
      ...(toDoor ? { deliveryAddress: addressOf(random) } : {}),
      ...(kind.state === 'SIGN_REQUIRED' ? { signatureRequired: true } : {}),
      ...(random.next() < 0.3 ? { paymentMode: 'PAY_WITH_CREDIT', creditTerm: 6 } : {}),
      ...(kind.state === 'DELIVERY' ? { deliveryCost: 500 } : {}),
    };
  });
}
