import { describe, expect, test } from 'vitest';
import { RecordFault } from '../../src/domain/record-fault.ts';
import { kaspiStandin } from '../../src/sandbox/kaspi.ts';
import { entriesWithoutOffer, orderFromKaspi } from '../../src/systems/kaspi/convert.ts';
import { headOf } from '../../src/systems/kaspi/head.ts';
import { type Wire, wireEntry, wireOrder } from '../support/kaspi-samples.ts';

const CODE = '1019876543';

function converted(attributes: Wire = {}, entries: readonly Wire[] = [wireEntry(CODE, 0)]) {
  return orderFromKaspi(wireOrder(CODE, attributes, entries), entries);
}

function faultOf(read: () => unknown): RecordFault {
  try {
    read();
  } catch (error) {
    if (error instanceof RecordFault) return error;
    throw error;
  }
  throw new Error('the record was taken');
}

describe('the whole order', () => {
  test('of the official sample', () => {
    expect(converted()).toEqual({
      source: 'kaspi',
      id: 'MTAxOTg3NjU0Mw',
      code: CODE,
      state: 'KASPI_DELIVERY',
      status: 'ACCEPTED_BY_MERCHANT',
      createdAt: new Date('2026-09-14T05:03:41.000Z'),
      approvedByBankAt: new Date('2026-09-14T05:04:02.000Z'),
      courierPlannedAt: new Date('2026-09-14T13:00:00.000Z'),
      totalMinor: 1_598_000,
      currency: 'KZT',
      final: false,
      completed: false,
      paymentMode: 'PAY_WITH_CREDIT',
      creditTerm: 6,
      delivery: {
        mode: 'DELIVERY_PICKUP',
        isKaspiDelivery: true,
        costMinor: 0,
        costForSellerMinor: 99_500,
        plannedAt: new Date('2026-09-17T18:59:59.000Z'),
        city: 'Алматы',
        pickupPointId: '30012345_PP1',
      },
      assembled: false,
      preOrder: false,
      express: false,
      signatureRequired: false,
      returnedToWarehouse: false,
      customer: { name: 'Айгерим Сатова', firstName: 'Айгерим', lastName: 'Сатова', phone: '+77011234567' },
      lines: [
        {
          entryId: 'MTAxOTg3NjU0MyMjMA',
          number: 0,
          sku: 'KETTLE-17-W',
          name: 'Чайник Polar K17 белый',
          category: 'Электрочайники',
          quantity: 2,
          unit: 'piece',
          weightGrams: 0,
          basePriceMinor: 799_000,
          totalMinor: 1_598_000,
        },
      ],
    });
  });

  test('values that nobody listed pass through', () => {
    const order = converted({ status: 'ON_THE_MOON', paymentMode: 'SHELLS', deliveryMode: 'DELIVERY_BY_OWL' });
    expect([order.status, order.paymentMode, order.delivery.mode]).toEqual([
      'ON_THE_MOON',
      'SHELLS',
      'DELIVERY_BY_OWL',
    ]);
  });

  test('delivery flags are read where real answers nest them, not where the guide lists them', () => {
    const kaspiDelivery = {
      express: true,
      returnedToWarehouse: true,
      waybill: 'https://w.example/1',
      waybillNumber: '1',
    };
    expect(converted({ kaspiDelivery })).toMatchObject(kaspiDelivery);
    expect(converted({ express: true, waybill: 'x', kaspiDelivery: null })).toMatchObject({ express: false });
  });

  test.each([
    ['CANCELLED', true, false],
    ['RETURNED', true, false],
    ['COMPLETED', false, true],
    ['KASPI_DELIVERY_RETURN_REQUESTED', false, false],
  ])('archived and %s: final %s, completed %s', (status, final, completed) => {
    expect(converted({ state: 'ARCHIVE', status })).toMatchObject({ final, completed });
    expect(converted({ state: 'KASPI_DELIVERY', status })).toMatchObject({ final: false, completed: false });
  });

  test('optional attributes that are null, absent or of an odd type are left out', () => {
    const odd = { plannedDeliveryDate: 'soon', creditTerm: 'six', reservationDate: 0, approvedByBankDate: null };
    const order = converted({ ...odd, customer: null, kaspiDelivery: 'none', originAddress: null, deliveryCost: null });
    expect(order).toMatchObject({ reservedUntil: undefined, approvedByBankAt: undefined, creditTerm: undefined });
    expect(order.delivery).toMatchObject({ plannedAt: undefined, costMinor: undefined, city: undefined });
    expect(order.customer).toEqual({ name: '', phoneProblem: 'absent' });
  });
});

describe('what makes an order unusable', () => {
  const faults: [string, unknown, RegExp][] = [
    ['null', null, /the record: expected an object, got null/],
    ['no attributes', { id: 'x', attributes: null }, /attributes: expected an object, got null/],
    ['no id', { ...wireOrder(CODE), id: undefined }, /: id: expected text, got nothing/],
    ['no code', wireOrder(CODE, { code: '  ' }), /attributes\.code: is empty/],
    ['a numeric code', wireOrder(CODE, { code: 1019876543 }), /attributes\.code: expected text, got a number/],
    ['an unknown state', wireOrder(CODE, { state: 'TELEPORT' }), /unknown order state "TELEPORT"/],
    ['no status', wireOrder(CODE, { status: null }), /attributes\.status/],
    ['no creation date', wireOrder(CODE, { creationDate: null }), /attributes\.creationDate/],
    ['a date in seconds', wireOrder(CODE, { creationDate: 1789362221 }), /creationDate: expected epoch milliseconds/],
    [
      'a date as text',
      wireOrder(CODE, { creationDate: '1789362221000' }),
      /creationDate: expected a number, got a string/,
    ],
    ['a total as text', wireOrder(CODE, { totalPrice: '15980' }), /totalPrice: expected a number, got a string/],
    ['a total below zero', wireOrder(CODE, { totalPrice: -1 }), /totalPrice: expected an amount/],
    ['a total past all sense', wireOrder(CODE, { totalPrice: 1e300 }), /totalPrice: expected an amount/],
  ];
  test.each(faults)('%s, for the head and the whole alike', (_, wire, message) => {
    expect(faultOf(() => headOf(wire)).message).toMatch(message);
    expect(faultOf(() => orderFromKaspi(wire, [])).message).toMatch(message);
  });

  test('money that cannot be read in its delivery or its lines', () => {
    expect(faultOf(() => converted({ deliveryCost: 'free' })).message).toMatch(/attributes\.deliveryCost/);
    const line = (more: Wire) => () => converted({}, [wireEntry(CODE, 0), wireEntry(CODE, 1, more)]);
    expect(faultOf(line({ basePrice: 'x' })).message).toMatch(/entries\[1\]\.attributes\.basePrice/);
    expect(faultOf(line({ quantity: null })).message).toMatch(/entries\[1\]\.attributes\.quantity/);
    expect(faultOf(line({ basePrice: null, totalPrice: null })).message).toMatch(
      /entries\[1\]\.attributes\.totalPrice/,
    );
  });

  test('the message never repeats a value, but for a state', () => {
    const odd = { state: 'Сатова +77011234567', totalPrice: 'secret' };
    expect(faultOf(() => converted(odd)).message).not.toMatch(/7701|Сатова/);
    expect(faultOf(() => converted({ totalPrice: 'secret' })).message).not.toContain('secret');
  });

  test('the head of a good order says what the whole says', () => {
    const wire = wireOrder(CODE);
    expect(orderFromKaspi(wire, [])).toMatchObject(headOf(wire));
  });
});

describe('the buyer', () => {
  const names: [Wire, string][] = [
    [{ name: 'Айгерим', firstName: 'Айгерим', lastName: 'Сатова' }, 'Айгерим Сатова'],
    [{ name: 'Айгерим', firstName: 'Айгерим', lastName: null }, 'Айгерим'],
    [{ name: null, firstName: ' Айгерим ', lastName: ' Сатова' }, 'Айгерим Сатова'],
    [{ name: 'Айгерим Сатова', firstName: 'Айгерим' }, 'Айгерим Сатова'],
    [{ name: 'Айгерим' }, 'Айгерим'],
    [{ name: null, firstName: null, lastName: 'Сатова' }, 'Сатова'],
    [{}, ''],
  ];
  test.each(names)('%j is called "%s"', (customer, name) => {
    expect(converted({ customer }).customer.name).toBe(name);
  });

  const phones: [unknown, { phone?: string; phoneProblem?: string }][] = [
    ['7011234567', { phone: '+77011234567' }],
    ['77011234567', { phone: '+77011234567' }],
    ['8 (701) 123-45-67', { phone: '+77011234567' }],
    ['+0(000)-000-00-00', { phoneProblem: 'masked' }],
    ['0000000000', { phoneProblem: 'masked' }],
    ['+7(701)***-**-67', { phoneProblem: 'masked' }],
    ['', { phoneProblem: 'absent' }],
    [null, { phoneProblem: 'absent' }],
    ['abc', { phoneProblem: 'unreadable' }],
    ['123', { phoneProblem: 'unreadable' }],
  ];
  test.each(phones)('phone %j', (cellPhone, expected) => {
    const { phone, phoneProblem } = converted({ customer: { name: 'А', cellPhone } }).customer;
    expect({ phone, phoneProblem }).toEqual({ phone: undefined, phoneProblem: undefined, ...expected });
  });
});

describe('the address', () => {
  test('is trimmed; parts may be null', () => {
    const deliveryAddress = { streetName: ' улица Абая', streetNumber: ' 10', town: 'г. Астана', district: null };
    expect(converted({ deliveryAddress }).delivery).toMatchObject({
      address: { streetName: 'улица Абая', streetNumber: '10', town: 'г. Астана', district: undefined },
      city: 'г. Астана',
    });
  });

  test.each([[null], [{ town: null, streetName: ' ' }], ['text']])('%j is none', (deliveryAddress) => {
    expect(converted({ deliveryAddress }).delivery.address).toBeUndefined();
  });

  test('the city that a parcel leaves from is not taken for the city of a regional delivery', () => {
    expect(converted({ deliveryMode: 'DELIVERY_REGIONAL_PICKUP' }).delivery.city).toBeUndefined();
    expect(converted({ deliveryMode: 'DELIVERY_LOCAL' }).delivery.city).toBe('Алматы');
  });
});

describe('lines', () => {
  test('without an offer are named from the catalog, or after their category', () => {
    const bare = [wireEntry(CODE, 0, { offer: null }), wireEntry(CODE, 1, { offer: null }), wireEntry(CODE, 2)];
    const [first = '', second] = entriesWithoutOffer(bare);
    expect([first, second, entriesWithoutOffer(bare).length]).toEqual([bare[0]?.id, bare[1]?.id, 2]);
    const offers = new Map([[first, { sku: 'A-1', name: 'Чайник' }]]);
    const { lines } = orderFromKaspi(wireOrder(CODE), bare, offers);
    expect(lines.map(({ sku, name }) => [sku, name])).toEqual([
      ['A-1', 'Чайник'],
      [undefined, 'Электрочайники'],
      ['KETTLE-17-W', 'Чайник Polar K17 белый'],
    ]);
  });

  test('either sum gives the other', () => {
    const [fromTotal, fromPrice] = converted({}, [
      wireEntry(CODE, 0, { basePrice: null, totalPrice: 100, quantity: 4 }),
      wireEntry(CODE, 1, { basePrice: 25, totalPrice: null, quantity: 4 }),
    ]).lines;
    expect(fromTotal?.basePriceMinor).toBe(2500);
    expect(fromPrice?.totalMinor).toBe(10_000);
  });

  test('unreadable entries are left for the conversion to explain', () => {
    expect(entriesWithoutOffer([null, 5, { id: 'e' }, { id: 7 }])).toEqual(['e']);
    expect(faultOf(() => orderFromKaspi(wireOrder(CODE), [null])).message).toMatch(/entries\[0\]/);
  });
});

test('of the oddities that a shop may show, only the unknown state and broken money are refused', async () => {
  const now = Date.UTC(2026, 8, 14);
  const standin = kaspiStandin({ now: () => now });
  standin.seed({ scenario: 'oddities' });
  const answer = await standin.handle({
    method: 'GET',
    path: '/shop/api/v2/orders',
    query: new URLSearchParams({
      'page[number]': '0',
      'page[size]': '100',
      'filter[orders][creationDate][$ge]': String(now - 13 * 86_400_000),
    }),
    headers: {
      'x-auth-token': Buffer.from('sdelka-sandbox-kaspi-token-00001').toString('base64'),
      'user-agent': 'sdelka',
    },
    body: undefined,
    rawBody: '',
    rawQuery: '',
  });
  const { data } = answer.body as { data: { attributes: { state: string } }[] };
  const refused = data.filter((wire) => {
    try {
      orderFromKaspi(wire, []);
      return false;
    } catch {
      return true;
    }
  });
  expect(data.length).toBeGreaterThan(5);
  expect(refused.map((wire) => wire.attributes.state)).toEqual(['TELEPORT']);
});
