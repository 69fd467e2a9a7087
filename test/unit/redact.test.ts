import { describe, expect, test } from 'vitest';
import { cleanText, cleanValue, registerSecret } from '../../src/base/redact.ts';

describe('phones are masked however they are written', () => {
  test.each([
    ['+77011234567', '+7********67'],
    ['+7 (701) 123-45-67', '+7********67'],
    ['87011234567', '8********67'],
    ['8 701 123 45 67', '8********67'],
    ['7011234567', '7*******67'],
    ['79161234567', '7********67'],
    ['8(495)123-45-67', '8********67'],
    ['+375 29 123-45-67', '+375*******67'],
    ['375291234567', '375*******67'],
    ['80291234567', '80*******67'],
    ['+998901234567', '+9*********67'],
  ])('%s', (phone, masked) => {
    expect(cleanText(phone)).toBe(masked);
    expect(cleanText(`buyer ${phone}.`)).toBe(`buyer ${masked}.`);
    expect(cleanText(`tel:${phone},x`)).toBe(`tel:${masked},x`);
  });
});

test.each([
  ['an order code', '1019876543'],
  ['an amoCRM id', '31337001'],
  ['an instant', '2026-05-01T10:00:00.000Z'],
  ['seconds since 1970', '1795000000'],
  ['milliseconds since 1970', '1795000000123'],
  ['a sum', '129990.50'],
  ['an address', 'https://demo.amocrm.ru/api/v4/leads'],
  ['a count of bytes', '78401234567890'],
])('%s stays readable', (_what, text) => {
  expect(cleanText(text)).toBe(text);
});

test('e-mails are masked', () => {
  expect(cleanText('to <ivan.petrov+crm@mail.shop.kz> and иван@почта.рф')).toBe('to <i***@***.kz> and и***@***.рф');
});

test('a secret goes with every form that it takes on the wire', () => {
  registerSecret('p@ss/word+1');
  const basic = ['u', 'ab', 'abc'].map((user) => Buffer.from(`${user}:p@ss/word+1`).toString('base64'));
  for (const header of basic) {
    const cleaned = cleanText(`Basic ${header}`);
    expect(cleaned).toContain('[redacted]');
    expect(Buffer.from(cleaned.split(/[^\w+/=]+/).join(''), 'base64').toString()).not.toContain('word');
  }
  expect(cleanText('q=p%40ss%2Fword%2B1&n=p@ss/word+1')).toBe('q=[redacted]&n=[redacted]');
});

test('a secret that contains another one goes as a whole', () => {
  registerSecret('inner-secret');
  registerSecret('outer-inner-secret-end');
  expect(cleanText('outer-inner-secret-end inner-secret')).toBe('[redacted] [redacted]');
});

test('a short value is no secret: it would take apart ordinary words', () => {
  registerSecret('true');
  expect(cleanText('it is true')).toBe('it is true');
});

test('records are cleaned at every depth, keys too, and numbers stay numbers', () => {
  registerSecret('a-long-secret');
  expect(cleanValue({ a: [{ 'a-long-secret': 'a-long-secret' }], id: 31337001, none: null })).toEqual({
    a: [{ '[redacted]': '[redacted]' }],
    id: 31337001,
    none: null,
  });
});

test('a long body is cut', () => {
  const cleaned = cleanText('x'.repeat(10_000));
  expect(cleaned).toHaveLength(4096 + '… (5904 more characters)'.length);
  expect(cleaned.endsWith('… (5904 more characters)')).toBe(true);
});
