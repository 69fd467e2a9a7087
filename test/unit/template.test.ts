import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseTemplate, renderTemplate, type TemplateValue } from '../../src/domain/template.ts';

const names = ['code', 'customer.name', 'items.length', 'state'];

function render(text: string, values: Record<string, TemplateValue>): string {
  const template = parseTemplate(text, names);
  if ('unknown' in template) {
    throw new Error(`unknown: ${template.unknown.join(' ')}`);
  }
  return renderTemplate(template, values);
}

describe('templates', () => {
  test.each([
    ['Kaspi #{code}', { code: '1019876543' }, 'Kaspi #1019876543'],
    ['{customer.name}: {items.length}', { 'customer.name': 'Айгерим', 'items.length': 2 }, 'Айгерим: 2'],
    ['{ code }{code}', { code: 'a' }, 'aa'],
    ['  {code} / {state} ', { code: null }, '/'],
    ['{state}', { state: undefined }, ''],
    ['plain', {}, 'plain'],
    ['{code}', { code: '{state}', state: 'NEW' }, '{state}'],
    ['{code} {state}', { code: false, state: 0 }, 'false 0'],
  ])('%s', (text, values, expected) => {
    expect(render(text, values)).toBe(expected);
  });

  test.each([
    ['{cod} and {constructor} and {code}', ['cod', 'constructor']],
    ['{}', ['']],
    ['Kaspi #{code', ['{']],
    ['Kaspi code}', ['}']],
    ['{{code}}', ['{', '}']],
  ])('%s is refused, every fault at once', (text, unknown) => {
    expect(parseTemplate(text, names)).toEqual({ unknown });
  });

  test('tells which names it uses, each once', () => {
    expect(parseTemplate('{state} {code} {state}', names)).toMatchObject({ names: ['state', 'code'] });
  });

  test('a text without braces is rendered as it is, trimmed', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme' }).filter((text) => !/[{}]/.test(text)),
        (text) => {
          expect(render(text, {})).toBe(text.trim());
        },
      ),
    );
  });
});
