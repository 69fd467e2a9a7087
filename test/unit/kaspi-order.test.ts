import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ORDER_TEMPLATE_NAMES } from '../../src/config/mapping-kaspi.ts';
import { goodsOf, type OrderLine, orderFacts } from '../../src/domain/order.ts';
import { goodsNote, orderValues } from '../../src/domain/order-text.ts';
import { orderFromKaspi } from '../../src/systems/kaspi/convert.ts';
import { type Wire, wireEntry, wireOrder } from '../support/kaspi-samples.ts';

const CODE = '1019876543';
const RU = { locale: 'ru', zone: 'Asia/Almaty' } as const;
const EN = { locale: 'en', zone: 'UTC' } as const;

function order(attributes: Wire = {}, entries: readonly Wire[] = [wireEntry(CODE, 0)]) {
  return orderFromKaspi(wireOrder(CODE, attributes, entries), entries);
}

function offer(code: string, more: Wire): Wire {
  return { offer: { code, name: `Товар ${code}` }, ...more };
}

describe('goods', () => {
  test('lines of one article are summed, in the order of their first lines', () => {
    const entries = [
      wireEntry(CODE, 0, offer('B', { quantity: 1, basePrice: 100, totalPrice: 100 })),
      wireEntry(CODE, 1, offer('A', { quantity: 2, basePrice: 50, totalPrice: 100 })),
      wireEntry(CODE, 2, offer('B', { quantity: 3, basePrice: 100, totalPrice: 300 })),
    ];
    expect(goodsOf(order({}, entries))).toEqual([
      { sku: 'B', name: 'Товар B', quantity: 4, priceMinor: 10_000 },
      { sku: 'A', name: 'Товар A', quantity: 2, priceMinor: 5_000 },
    ]);
  });

  test('one article at two prices gets the price that gives the sum', () => {
    const entries = [
      wireEntry(CODE, 0, offer('A', { quantity: 1, basePrice: 100, totalPrice: 100 })),
      wireEntry(CODE, 1, offer('A', { quantity: 1, basePrice: 80, totalPrice: 80 })),
    ];
    expect(goodsOf(order({}, entries))).toMatchObject([{ quantity: 2, priceMinor: 9_000 }]);
  });

  test('weighed goods are in kilograms where the sums say so (official sample: 3.8 kg, "quantity" 3)', () => {
    const weighed = { quantity: 3, basePrice: 1560, weight: 3800, unitType: 'MEASURABLE' };
    const proven = order({}, [wireEntry(CODE, 0, { ...weighed, totalPrice: 5928 })]);
    expect(goodsOf(proven)).toMatchObject([{ quantity: 3.8, priceMinor: 156_000 }]);
    const byPiece = order({}, [wireEntry(CODE, 0, { ...weighed, totalPrice: 4680 })]);
    expect(goodsOf(byPiece)).toMatchObject([{ quantity: 3 }]);
    const pieces = order({}, [wireEntry(CODE, 0, { ...weighed, unitType: 'PIECES', totalPrice: 5928 })]);
    expect(goodsOf(pieces)).toMatchObject([{ quantity: 3 }]);
  });

  test('cancelled lines and lines without an article are left out', () => {
    const entries = [
      wireEntry(CODE, 0, offer('A', { quantity: 0, totalPrice: 0 })),
      wireEntry(CODE, 1, { offer: null }),
    ];
    expect(goodsOf(order({}, entries))).toEqual([]);
  });

  test('law: no piece is lost or made, and an article comes once', () => {
    const line = fc.record({ code: fc.constantFrom('A', 'B', 'C'), quantity: fc.integer({ min: 1, max: 99 }) });
    fc.assert(
      fc.property(fc.array(line, { maxLength: 120 }), (lines) => {
        const entries = lines.map(({ code, quantity }, index) =>
          wireEntry(CODE, index, offer(code, { quantity, basePrice: 10, totalPrice: 10 * quantity })),
        );
        const goods = goodsOf(order({}, entries));
        expect(new Set(goods.map(({ sku }) => sku)).size).toBe(goods.length);
        expect(goods.reduce((sum, { quantity }) => sum + quantity, 0)).toBe(
          lines.reduce((sum, { quantity }) => sum + quantity, 0),
        );
      }),
    );
  });
});

test("facts carry the names that a mapping's `when` uses", () => {
  expect(orderFacts(order({ assembled: true }))).toEqual({
    state: 'KASPI_DELIVERY',
    status: 'ACCEPTED_BY_MERCHANT',
    assembled: true,
    deliveryMode: 'DELIVERY_PICKUP',
    isKaspiDelivery: true,
    paymentMode: 'PAY_WITH_CREDIT',
    preOrder: false,
    express: false,
    returnedToWarehouse: false,
    signatureRequired: false,
  });
});

describe('template values', () => {
  test('of the official sample', () => {
    expect(orderValues(order(), RU)).toEqual({
      code: CODE,
      id: 'MTAxOTg3NjU0Mw',
      state: 'KASPI_DELIVERY',
      status: 'ACCEPTED_BY_MERCHANT',
      totalPrice: '15980',
      creationDate: '14.09.2026 10:03',
      approvedByBankDate: '14.09.2026 10:04',
      plannedDeliveryDate: '17.09.2026 23:59',
      paymentMode: 'PAY_WITH_CREDIT',
      creditTerm: '6',
      deliveryMode: 'DELIVERY_PICKUP',
      deliveryCost: '0',
      deliveryCostForSeller: '995',
      isKaspiDelivery: 'да',
      preOrder: 'нет',
      pickupPointId: '30012345_PP1',
      cancellationReason: '',
      assembled: 'нет',
      express: 'нет',
      waybill: '',
      waybillNumber: '',
      'customer.name': 'Айгерим Сатова',
      'customer.firstName': 'Айгерим',
      'customer.lastName': 'Сатова',
      'customer.phone': '+77011234567',
      'deliveryAddress.formattedAddress': '',
      'deliveryAddress.streetName': '',
      'deliveryAddress.streetNumber': '',
      'deliveryAddress.town': '',
      'deliveryAddress.district': '',
      'deliveryAddress.building': '',
      'deliveryAddress.apartment': '',
      city: 'Алматы',
      items: 'Чайник Polar K17 белый × 2',
      'items.length': '1',
    });
  });

  test('are those that a mapping may name, neither more nor less', () => {
    expect(Object.keys(orderValues(order(), RU)).sort()).toEqual([...ORDER_TEMPLATE_NAMES].sort());
  });

  test('midnight is 00, flags follow the locale, fractions stay', () => {
    const values = orderValues(order({ creationDate: Date.UTC(2026, 8, 14), totalPrice: 1.5 }), EN);
    expect(values).toMatchObject({ creationDate: '14.09.2026 00:00', isKaspiDelivery: 'yes', totalPrice: '1.5' });
  });
});

describe('the note', () => {
  test('in Russian', () => {
    const deliveryAddress = { formattedAddress: ' Алматы, улица Сейфуллина, 55', town: 'Алматы' };
    expect(goodsNote(order({ deliveryAddress, deliveryCost: 500 }), RU)).toBe(
      [
        `Заказ Kaspi ${CODE}`,
        '1. Чайник Polar K17 белый, KETTLE-17-W: 2 × 7 990 = 15 980 ₸',
        '',
        'Итого: 15 980 ₸',
        'Оплата: кредит или рассрочка, 6 мес.',
        'Доставка: самовывоз, Kaspi, Алматы, 30012345_PP1, 500 ₸',
        'Плановая дата: 17.09.2026 23:59',
        'Адрес: Алматы, улица Сейфуллина, 55',
      ].join('\n'),
    );
  });

  test('in English, with weighed goods and an unknown payment', () => {
    const weighed = { quantity: 3, basePrice: 1560.5, weight: 3800, unitType: 'MEASURABLE', totalPrice: 5929.9 };
    const attributes = { paymentMode: 'SHELLS', creditTerm: null, plannedDeliveryDate: null, totalPrice: 5929.9 };
    expect(goodsNote(order(attributes, [wireEntry(CODE, 0, weighed)]), EN)).toBe(
      [
        `Kaspi order ${CODE}`,
        '1. Чайник Polar K17 белый, KETTLE-17-W: 3.8 kg × 1 560.50 = 5 929.90 ₸',
        '',
        'Total: 5 929.90 ₸',
        'Payment: SHELLS',
        'Delivery: pickup, Kaspi, Алматы, 30012345_PP1',
      ].join('\n'),
    );
  });

  const lines = (count: number, name: string): OrderLine[] =>
    order(
      {},
      Array.from({ length: count }, (_, index) => wireEntry(CODE, index, { offer: { code: `S${index}`, name } })),
    ).lines;

  test('120 lines fit whole', () => {
    const text = goodsNote(
      { ...order(), lines: lines(120, 'Чайник электрический Polar K17, 1,7 л, белый, с подсветкой') },
      RU,
    );
    expect(text).toContain('\n120. ');
    expect(text).not.toContain('… и ещё');
    expect(text.length).toBeLessThanOrEqual(20_000);
  });

  test('more than fits is counted, and the sums are kept', () => {
    const text = goodsNote({ ...order(), lines: lines(400, 'Ч'.repeat(400)) }, RU);
    const shown = text.match(/^\d+\. /gm)?.length ?? 0;
    expect(text).toContain(`… и ещё ${400 - shown}\n`);
    expect(text).toContain('Итого: 15 980 ₸');
    expect(text.length).toBeLessThanOrEqual(20_000);
    expect(text.length).toBeGreaterThan(19_000);
  });
});
