import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  pipelineFor,
  type StatusRow,
  specificityOf,
  stageFor,
  stagesOf,
  statesFor,
} from '../../src/domain/onec-status.ts';

function row(status: number, state: string | null, more: Partial<StatusRow> = {}): StatusRow {
  return { pipeline: 7, status, state, organization: null, department: null, default: false, ...more };
}

const NOWHERE = { organization: undefined, department: undefined };

describe('the stage of a state', () => {
  const rows = [
    row(1, 'Размещен'),
    row(2, 'Размещен', { department: 'Цех' }),
    row(3, 'Размещен', { organization: 'Наша контора' }),
    row(4, 'Размещен', { organization: 'Наша контора', department: 'Цех' }),
    row(5, 'Размещен', { organization: 'Чужая контора', department: 'Цех' }),
  ];

  test.each([
    ['both', 'Наша контора', 'Цех', 4],
    ['the organisation', 'Наша контора', 'Склад', 3],
    ['the department', 'Третья контора', 'Цех', 2],
    ['neither', 'Третья контора', 'Склад', 1],
    ['neither, the document having none', undefined, undefined, 1],
  ])('R18 the most specific row wins: %s', (_what, organization, department, status) => {
    expect(stageFor(rows, { state: 'Размещен', organization, department })?.status).toBe(status);
  });

  test('R18 an organisation is more specific than a department', () => {
    const two = [row(1, 'Закрыт', { department: 'Цех' }), row(2, 'Закрыт', { organization: 'Наша контора' })];
    const place = { state: 'Закрыт', organization: 'Наша контора', department: 'Цех' };
    expect(stageFor(two, place)?.status).toBe(2);
    expect(stageFor(two.toReversed(), place)?.status).toBe(2);
  });

  test('R18 of equal rows the default one wins, else the first', () => {
    const equal = [row(1, 'Готов'), row(2, 'Готов'), row(3, 'Готов', { default: true })];
    expect(stageFor(equal, { state: 'Готов', ...NOWHERE })?.status).toBe(3);
    expect(stageFor(equal.slice(0, 2), { state: 'Готов', ...NOWHERE })?.status).toBe(1);
  });

  test('R18 a default row is no better than a more specific one', () => {
    const two = [row(1, 'Готов', { default: true }), row(2, 'Готов', { department: 'Цех' })];
    expect(stageFor(two, { state: 'Готов', organization: undefined, department: 'Цех' })?.status).toBe(2);
  });

  test('names are the same whatever their case, blanks and ё', () => {
    const place = { state: ' готов  к ОТГРУЗКЕ ', organization: 'ооо ёлка', department: undefined };
    expect(stageFor([row(1, 'Готов к отгрузке', { organization: 'ООО Елка' })], place)?.status).toBe(1);
  });

  test('R19 no row: none is made up', () => {
    expect(stageFor(rows, { state: 'Закрыт', ...NOWHERE })).toBeUndefined();
    expect(stageFor(rows, { state: undefined, ...NOWHERE })).toBeUndefined();
    const others = [row(1, 'Закрыт', { organization: 'Чужая контора' })];
    expect(stageFor(others, { state: 'Закрыт', ...NOWHERE, organization: 'Наша контора' })).toBeUndefined();
    expect(stageFor(others, { state: 'Закрыт', ...NOWHERE })).toBeUndefined();
  });

  test('R19 the row of a pipeline itself is for no state, and for documents without a stage', () => {
    const own = [row(9, null), row(8, null, { organization: 'Наша контора' }), row(1, 'Закрыт')];
    expect(stageFor(own, { state: 'Размещен', ...NOWHERE })).toBeUndefined();
    expect(pipelineFor(own, { ...NOWHERE, organization: 'Наша контора' })?.status).toBe(8);
    expect(pipelineFor(own, NOWHERE)?.status).toBe(9);
  });

  const name = fc.constantFrom('a', 'б', 'Ё');
  const anyRow = fc.record({
    pipeline: fc.integer({ min: 1, max: 2 }),
    status: fc.integer({ min: 1, max: 9 }),
    state: fc.option(name),
    organization: fc.option(name),
    department: fc.option(name),
    default: fc.boolean(),
  });
  const anyPlace = fc.record({
    state: name,
    organization: fc.option(name, { nil: undefined }),
    department: fc.option(name, { nil: undefined }),
  });

  test('R18 the row taken fits, and is never less specific than another that fits', () => {
    fc.assert(
      fc.property(fc.array(anyRow, { maxLength: 12 }), anyPlace, (any, place) => {
        const fitting = any.filter(
          ({ state, organization, department }) =>
            state === place.state &&
            (organization === null || organization === place.organization) &&
            (department === null || department === place.department),
        );
        const taken = stageFor(any, place);
        expect(taken === undefined).toBe(fitting.length === 0);
        if (taken === undefined) return;
        expect(fitting).toContain(taken);
        expect(stagesOf(any, place)).toEqual(fitting);
        for (const other of fitting) {
          expect(specificityOf(taken)).toBeGreaterThanOrEqual(specificityOf(other));
          if (specificityOf(taken) === specificityOf(other) && other.default) expect(taken.default).toBe(true);
        }
      }),
    );
  });
});

describe('the states of a stage', () => {
  const rows = [
    row(1, 'Размещен', { organization: 'Наша контора' }),
    row(1, 'Заявка'),
    row(1, 'В работе', { pipeline: 8 }),
    row(1, null),
    row(2, 'Закрыт'),
  ];

  test('of a document whose organisation is known: the most specific row that fits', () => {
    const states = (organization: string) =>
      statesFor(rows, { pipeline: 7, status: 1, organization }).map(({ state }) => state);
    expect(states('Наша контора')).toEqual(['Размещен', 'Заявка']);
    expect(states('Чужая контора')).toEqual(['Заявка']);
  });

  test('of a document that is not made yet: the most general row first', () => {
    expect(statesFor(rows, { pipeline: 7, status: 1 }).map(({ state }) => state)).toEqual(['Заявка', 'Размещен']);
    expect(statesFor(rows, { pipeline: 8, status: 2 })).toEqual([]);
  });
});
