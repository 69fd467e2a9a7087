import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ExitCode } from '../../src/base/errors.ts';
import { RemoteError } from '../../src/base/remote-error.ts';
import type { Json } from '../../src/base/schema.ts';
import type { Delivery } from '../../src/domain/handler.ts';
import { blame } from '../../src/systems/amocrm/effects/blame.ts';
import { fieldWrites } from '../../src/systems/amocrm/effects/field-values.ts';
import { type WalkRow, walkNewestFirst } from '../../src/systems/amocrm/effects/walk.ts';
import type { Field } from '../../src/systems/amocrm/schema.ts';

describe('the newest-first walk', () => {
  const SINCE = 10_000;
  /** Rows 1…count, made a second apart; row 10,000 is the first that is not before `since`. */
  const account = (count: number): WalkRow[] =>
    Array.from({ length: count }, (_, at) => ({ id: at + 1, createdAt: at + 1 }));

  interface Shown {
    rows: readonly WalkRow[];
    controls?: readonly number[];
    existing?: readonly number[];
  }

  async function walk({ rows, controls = [], existing = controls }: Shown) {
    const seen: number[] = [];
    let pages = 0;
    const distrust = await walkNewestFirst({
      page: async (number) => {
        pages += 1;
        return rows.slice((number - 1) * 250, number * 250);
      },
      since: new Date(SINCE * 1000),
      visit: (row) => seen.push(row.id),
      controls,
      existing: async (ids) => new Set(ids.filter((id) => existing.includes(id))),
    });
    return { distrust, pages, seen };
  }
  const newestFirst = (rows: readonly WalkRow[]) => [...rows].reverse();

  test('ends once it is past the moment, and has seen everything since', async () => {
    const { distrust, pages, seen } = await walk({ rows: newestFirst(account(10_300)) });
    expect({ distrust, pages }).toEqual({ distrust: undefined, pages: 3 });
    expect(seen).toContain(SINCE);
  });

  test('reads the whole list where the order is ignored', async () => {
    const { distrust, seen } = await walk({ rows: account(10_300) });
    expect(distrust).toBeUndefined();
    expect(seen).toHaveLength(10_300);
  });

  test('is not trusted where it does not show a record that exists; one that is gone proves nothing', async () => {
    const rows = newestFirst(account(10_300)).filter(({ id }) => id !== 10_200);
    expect((await walk({ rows, controls: [10_200] })).distrust).toContain('does not show');
    expect((await walk({ rows, controls: [10_200], existing: [] })).distrust).toBeUndefined();
    expect((await walk({ rows, controls: [10_200, 10_100] })).distrust).toBeUndefined();
  });

  test('goes on to a control that lies further back', async () => {
    const { distrust, pages } = await walk({ rows: newestFirst(account(10_300)), controls: [9_000] });
    expect(distrust).toBeUndefined();
    expect(pages).toBeGreaterThan(3);
  });

  test('an empty list is not trusted while something exists', async () => {
    expect((await walk({ rows: [] })).distrust).toBeUndefined();
    expect((await walk({ rows: [], controls: [5] })).distrust).toContain('does not show');
  });

  test('a list without end is given up', async () => {
    const endless = Array.from({ length: 250 * 201 }, (_, at) => ({ id: 100_000 - at, createdAt: 50_000 }));
    expect((await walk({ rows: endless })).distrust).toContain('longer than 200 pages');
  });

  test('law: whatever the order, a walk that is trusted has seen every row since the moment', async () => {
    const order = fc.constantFrom('newest', 'oldest');
    await fc.assert(
      fc.asyncProperty(order, fc.integer({ min: 0, max: 900 }), async (by, extra) => {
        const rows = account(SINCE + extra).slice(9_000);
        const { distrust, seen } = await walk({ rows: by === 'newest' ? newestFirst(rows) : rows });
        const missed = rows.filter(({ id, createdAt }) => createdAt >= SINCE && !seen.includes(id));
        if (distrust === undefined) expect(missed).toEqual([]);
      }),
      { numRuns: 20 },
    );
  });
});

describe('field values', () => {
  const field = (type: string, enums: Field['enums'] = []): Field => ({
    id: 5,
    name: 'Поле',
    type,
    isApiOnly: false,
    enums,
  });
  const choices = [
    { id: 11, value: 'Самовывоз' },
    { id: 12, value: ' Курьер ' },
  ];

  test.each<[string, string, Json, Field['enums']?]>([
    ['text', '007', { value: '007' }],
    ['numeric', '15980.5', { value: 15980.5 }],
    ['numeric', '15 980,5', { value: 15980.5 }],
    ['numeric', 'сто', { value: 'сто' }],
    ['price', '100', { value: 100 }],
    ['monetary', '100', { value: 100 }],
    ['checkbox', 'да', { value: true }],
    ['checkbox', 'no', { value: false }],
    ['select', 'самовывоз', { enumId: 11 }, choices],
    ['radiobutton', 'Курьер', { enumId: 12 }, choices],
    ['select', 'Почта', { value: 'Почта' }, choices],
    ['date', '31.12.2026', { value: Date.parse('2026-12-31T00:00:00Z') / 1000 }],
    ['date', 'завтра', { value: 'завтра' }],
    ['something new', 'x', { value: 'x' }],
  ])('%s: %s', (type, text, wanted, enums = []) => {
    expect(fieldWrites({ 5: text }, ['5'], [field(type, enums)], 'UTC')).toEqual([{ fieldId: 5, values: [wanted] }]);
  });

  test('dates of the texts are local to the operator', () => {
    const [write] = fieldWrites({ 5: '01.05.2026 10:00' }, ['5'], [field('date_time', [])], 'Asia/Almaty');
    expect(write?.values).toEqual([{ value: Date.parse('2026-05-01T05:00:00Z') / 1000 }]);
  });

  test('a field that the account does not have is sent as text, for its refusal to name it', () => {
    expect(fieldWrites({ 9: '1' }, ['9'], [], 'UTC')).toEqual([{ fieldId: 9, values: [{ value: '1' }] }]);
  });
});

describe('who is to blame for a refused batch', () => {
  const deliveryOf = (id: number, payload: Json): Delivery => ({
    row: {
      id,
      key: `amocrm:deal:kaspi:${id}`,
      kind: 'amocrm.deal',
      record: { kind: 'kaspi-order', key: String(id) },
      needs: [],
      payload,
      doubts: 0,
      looks: 0,
      attempts: 0,
      lookFirst: false,
      sentAt: null,
      createdAt: '2026-05-01T10:00:00.000Z',
    },
    ids: new Map(),
    since: new Date(0),
  });
  const fields = { 31: 'a', 32: 'b' };
  const deliveries = [
    deliveryOf(701, { name: 'A', fields, responsibleUserId: 7 }),
    deliveryOf(702, { name: 'B', fields }),
  ];

  function judge(...faults: { request_id: string; path: string; code?: string }[]) {
    const answer = {
      'validation-errors': faults.map(({ request_id, path, code = 'NotSupportedChoice' }) => ({
        request_id,
        errors: [{ code, path, detail: 'no' }],
      })),
    };
    const error = new RemoteError({
      system: 'amocrm',
      route: 'leads.create',
      code: 'REMOTE_REFUSED',
      kind: 'operator',
      exit: ExitCode.Unavailable,
      message: 'refused',
      outcome: 'refused',
      status: 400,
      answer,
    });
    const stage = ({ row }: Delivery) => row.id === 703;
    return blame(error, deliveries, { fields: () => ['31', '32'], stage, extra: () => [] });
  }

  test('a field that is refused is left out of its item alone, and told of', () => {
    const outcomes = judge({ request_id: '702', path: 'custom_fields_values.1.values.0.value' });
    expect([...outcomes.keys()]).toEqual([702]);
    expect(outcomes.get(702)).toMatchObject({
      state: 'amended',
      payload: { name: 'B', fields: { 31: 'a' } },
      alert: { subject: 'amocrm:field 32' },
    });
    expect(deliveries[1]?.row.payload).toEqual({ name: 'B', fields });
  });

  test('several faults of one item are mended at once', () => {
    const outcomes = judge(
      { request_id: '701', path: 'custom_fields_values.0.values.0.value' },
      { request_id: '701', path: 'responsible_user_id' },
    );
    expect(outcomes.get(701)).toMatchObject({ state: 'amended', payload: { name: 'A', fields: { 32: 'b' } } });
    expect((outcomes.get(701) as { payload: Json }).payload).not.toHaveProperty('responsibleUserId');
  });

  test('a stage that takes no deals is left out, a pipeline together with its stage', () => {
    const staged = deliveryOf(703, { name: 'C', fields: {}, pipelineId: 1, statusId: 2 });
    deliveries.push(staged);
    try {
      const outcome = judge({ request_id: '703', path: 'status_id' }).get(703);
      expect(outcome).toMatchObject({ state: 'amended', alert: { subject: 'amocrm:stage 2' } });
      expect((outcome as { payload: Json }).payload).toEqual({ name: 'C', fields: {}, pipelineId: 1 });
      const both = judge({ request_id: '703', path: 'pipeline_id' }, { request_id: '703', path: 'status_id' }).get(703);
      expect((both as { payload: Json }).payload).toEqual({ name: 'C', fields: {} });
    } finally {
      deliveries.pop();
    }
  });

  test('without our own ids amoCRM counts the items from 0', () => {
    expect([...judge({ request_id: '0', path: 'name' }).keys()]).toEqual([701]);
  });

  test('a fault that cannot be left out refuses the item, with the reason', () => {
    expect(judge({ request_id: '701', path: 'name', code: 'InvalidType' }).get(701)).toEqual({
      state: 'refused',
      reason: 'amoCRM refused it (name: InvalidType)',
    });
  });

  test('a refusal that names nobody blames nobody', () => {
    expect(judge().size).toBe(0);
    expect(judge({ request_id: '999', path: 'name' }).size).toBe(0);
  });
});
