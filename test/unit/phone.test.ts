import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatMinor, minorFromNumber, numberFromMinor } from '../../src/domain/money.ts';
import { maskPhone, parsePhone } from '../../src/domain/phone.ts';

describe('parsePhone', () => {
  test.each([
    ['KZ', '7011234567', '+77011234567'],
    ['KZ', '77011234567', '+77011234567'],
    // Full numbers of ranges that the library's plan does not know.
    ['KZ', '7031234567', '+77031234567'],
    ['BY', '+375311234567', '+375311234567'],
    ['KZ', '87011234567', '+77011234567'],
    ['KZ', '+7 (701) 123-45-67', '+77011234567'],
    ['KZ', '8 701 123 45 67', '+77011234567'],
    ['KZ', '8(727)250\u00a000 11', '+77272500011'],
    ['KZ', '7471234567', '+77471234567'],
    ['KZ', '+79161234567', '+79161234567'],
    ['KZ', '375291234567', '+375291234567'],
    ['KZ', '+998901234567', '+998901234567'],
    ['KZ', '8-701-123-45-67, 8-702-765-43-21', '+77011234567'],
    ['KZ', '+7 (***) ***-**-67; 8 702 765 43 21', '+77027654321'],
    ['RU', '89161234567', '+79161234567'],
    ['RU', '8 (495) 123-45-67', '+74951234567'],
    ['RU', '9161234567', '+79161234567'],
    ['RU', '79161234567', '+79161234567'],
    ['RU', '+7 495 123-45-67 доб. 12', '+74951234567'],
    ['RU', '77011234567', '+77011234567'],
    ['BY', '80291234567', '+375291234567'],
    ['BY', '8 029 123-45-67', '+375291234567'],
    ['BY', '8 (017) 212-34-56', '+375172123456'],
    ['BY', '291234567', '+375291234567'],
    ['BY', '375291234567', '+375291234567'],
    ['BY', '+375 (29) 123-45-67', '+375291234567'],
    ['BY', '79161234567', '+79161234567'],
  ])('%s: %s', (country, written, expected) => {
    expect(parsePhone(written, country)).toBe(expected);
  });

  test.each([
    '',
    'abc',
    '+0(000)-000-00-00',
    '0000000000',
    '7000000000',
    '+7 000 000 00 00',
    '+7(***)***-**-34',
    '+7 701 xxx xx 34',
    '701 •••• 567',
    '12345',
    '701123456',
    '70112345678',
    '+7701123456789',
  ])('"%s" is no phone', (written) => {
    expect(parsePhone(written, 'KZ')).toBeUndefined();
  });

  test('a country that is not known reads international numbers alone', () => {
    expect(parsePhone('+77011234567', 'QX')).toBe('+77011234567');
    expect(parsePhone('7011234567', 'QX')).toBeUndefined();
  });

  test('every spelling of a mobile number is one number, and reading it again changes nothing', () => {
    const plans = [
      { country: 'KZ', code: '7', trunk: '8', prefixes: ['700', '701', '705', '747', '777'], rest: 7 },
      { country: 'RU', code: '7', trunk: '8', prefixes: ['903', '916', '926', '999'], rest: 7 },
      { country: 'BY', code: '375', trunk: '80', prefixes: ['29', '33', '44'], rest: 7 },
    ];
    // Kaspi's fillers aside, any digits may follow a prefix; Belarusian ones begin with 1 to 9.
    const digits = fc.integer({ min: 1_000_000, max: 9_999_999 }).map(String);
    fc.assert(
      fc.property(fc.constantFrom(...plans), fc.nat(9), digits, (plan, pick, rest) => {
        const prefix = plan.prefixes[pick % plan.prefixes.length] ?? '';
        const expected = `+${plan.code}${prefix}${rest}`;
        const spelt = [
          expected,
          expected.slice(1),
          `${plan.trunk}${prefix}${rest}`,
          `${prefix}${rest}`,
          `+${plan.code} (${prefix}) ${rest.slice(0, 3)}-${rest.slice(3, 5)}-${rest.slice(5)}`,
        ];
        expect(new Set(spelt.map((text) => parsePhone(text, plan.country)))).toEqual(new Set([expected]));
      }),
    );
  });
});

describe('maskPhone', () => {
  test.each([
    ['+77011234567', '+7********67'],
    ['+375291234567', '+375*******67'],
    ['7011234567', '***'],
    ['abc', '***'],
  ])('%s', (phone, masked) => {
    expect(maskPhone(phone)).toBe(masked);
  });
});

describe('money', () => {
  test.each([
    [15980, 1598000],
    [0.1 + 0.2, 30],
    [8.29, 829],
    [1.005, 101],
    [1234.5, 123450],
    [0, 0],
    [-0, 0],
    [-0.004, 0],
    [-12.5, -1250],
    [1e-9, 0],
    [Number.NaN, undefined],
    [Number.POSITIVE_INFINITY, undefined],
    [1e21, undefined],
    [1e15, undefined],
  ])('minorFromNumber(%s)', (amount, minor) => {
    expect(minorFromNumber(amount)).toBe(minor);
  });

  test('whole hundredths survive the way out and back', () => {
    fc.assert(
      fc.property(fc.integer({ min: -1e13, max: 1e13 }), (minor) => {
        expect(minorFromNumber(numberFromMinor(minor))).toBe(minor);
      }),
    );
  });

  test.each([
    [1598000, 'ru', '15 980'],
    [1598050, 'ru', '15 980,50'],
    [123456789, 'en', '1 234 567.89'],
    [-100005, 'ru', '-1 000,05'],
    [99900, 'ru', '999'],
    [0, 'en', '0'],
  ] as const)('formatMinor(%s, %s)', (minor, locale, expected) => {
    expect(formatMinor(minor, locale)).toBe(expected);
  });
});
