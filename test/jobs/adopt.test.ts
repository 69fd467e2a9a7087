import { afterEach, describe, expect, test } from 'vitest';
import type { AppError } from '../../src/base/errors.ts';
import { silentLogger } from '../../src/base/log.ts';
import { adoptCommand } from '../../src/commands/adopt.ts';
import type { CommandContext } from '../../src/commands/define.ts';
import { lastAudit } from '../../src/insight/audit.ts';
import { audit } from '../../src/jobs/audit.ts';
import { kaspiPoll } from '../../src/jobs/kaspi-poll.ts';
import { kaspiReconcile } from '../../src/jobs/kaspi-reconcile.ts';
import { dialects } from '../support/databases.ts';
import { CODE_FIELD, type World, world } from '../support/world.ts';

const HOUR_MS = 3_600_000;
const STAGE = 80953554;

const opened: World[] = [];

afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});

async function open(...given: Parameters<typeof world>): Promise<World> {
  const one = await world(...given);
  opened.push(one);
  return one;
}

interface AdoptResult {
  dry_run: boolean;
  deals_read: number;
  bound: { order: string; deal: number; contact: number | null }[];
  already: number;
  doubled: { order: string; deals: number[] }[];
}

/** The command as the program runs it; gives what it shows. */
async function adoptIn(
  one: World,
  options: Record<string, unknown> = {},
  dryRun = false,
  lockWaitSeconds = 0,
): Promise<AdoptResult> {
  let shown: unknown;
  const ctx: CommandContext = {
    environment: { values: one.environment, baseDir: one.dir },
    globals: { dryRun, json: true, lockWaitSeconds, color: false },
    log: silentLogger,
    clock: one.clock,
    signal: new AbortController().signal,
    out: {
      isTerminal: false,
      json: true,
      width: 80,
      result: async (value) => {
        shown = value;
      },
      line: () => undefined,
      table: async () => '',
    },
    self: { node: '/usr/bin/node', script: '/srv/sdelka/bin/sdelka.js' },
    entries: [],
  };
  await adoptCommand.run(ctx, ['kaspi'], { since: 90, ...options });
  return shown as AdoptResult;
}

/** What another integrator left for the orders 1001 to 1003: 1002 twice, 1003 without a contact. */
function foreignDeals(one: World) {
  const { amo, clock } = one;
  const [contact = 0] = amo.standin.add({ contacts: [{ name: 'Жанар', phones: ['+77479000008'] }] }).contacts;
  const created_at = Math.floor((clock.now().getTime() - 4 * HOUR_MS) / 1000);
  const card = { created_at, price: 100, status_id: STAGE, tags: ['Каспи', 'VIP'] };
  const deals = amo.standin.add({
    deals: [
      { ...card, name: 'Заказ Каспи 1001 (Жанар)', contacts: [contact] },
      { ...card, name: 'Заказ Каспи 1002', contacts: [contact] },
      { ...card, name: 'Заказ Каспи 1002', contacts: [contact] },
      { ...card, name: 'Заказ Каспи 1003' },
    ],
  }).deals;
  return { contact, deals };
}

/** The option as the program would parse it. */
function named(text: string): { namePattern: unknown } {
  const spec = adoptCommand.options?.namePattern;
  if (!spec || !('parse' in spec)) throw new Error('the option takes no value');
  return { namePattern: spec.parse(text) };
}

const rowsOf = async ({ database: { db } }: World) => [
  await db.selectFrom('outbox').selectAll().orderBy('id').execute(),
  await db.selectFrom('links').selectAll().orderBy('key').execute(),
  await db.selectFrom('meta').selectAll().orderBy('key').execute(),
];

describe.each(dialects)('%s', (dialect) => {
  test('what another integrator made is bound, not made again, and kept up to date', async () => {
    const one = await open(dialect, { orders: 'first' });
    const { contact, deals } = foreignDeals(one);
    const pattern = named('Заказ Каспи {code}');
    const wanted = {
      bound: [
        { order: '1003', deal: deals[3], contact: null },
        { order: '1002', deal: deals[1], contact },
        { order: '1001', deal: deals[0], contact },
      ],
      already: 0,
      doubled: [{ order: '1002', deals: [deals[1], deals[2]] }],
    };

    const before = await rowsOf(one);
    expect(await adoptIn(one, pattern, true)).toMatchObject({ dry_run: true, ...wanted });
    expect(await rowsOf(one)).toEqual(before);

    const found = one.outcome();
    expect(await adoptIn(one, pattern)).toMatchObject({ dry_run: false, deals_read: 5, ...wanted });
    expect(one.outcome()).toEqual(found);
    const bound = await rowsOf(one);
    expect(await adoptIn(one, pattern)).toMatchObject({ bound: [], already: 3 });
    expect(await rowsOf(one)).toEqual(bound);

    await one.settle();
    const { counts, deals: after } = one.outcome();
    expect(after.map(({ name }) => name).filter((name) => /100\d/.test(name) && !name.startsWith('Звонок'))).toEqual([
      'Kaspi #1004',
      'Заказ Каспи 1001 (Жанар)',
      'Заказ Каспи 1002',
      'Заказ Каспи 1002',
      'Заказ Каспи 1003',
    ]);
    // Of the fourth order alone: its buyer, its kettle, its note.
    expect(counts).toEqual({
      deals: found.counts.deals + 1,
      contacts: found.counts.contacts + 1,
      elements: found.counts.elements,
      links: 1,
      notes: 1,
    });
    const rows = await one.database.db
      .selectFrom('processed_orders')
      .select(['order_code', 'lead_id', 'contact_id'])
      .where('order_code', 'in', ['1001', '1002', '1003'])
      .orderBy('order_code')
      .execute();
    expect(rows).toEqual([
      { order_code: '1001', lead_id: deals[0], contact_id: contact },
      { order_code: '1002', lead_id: deals[1], contact_id: contact },
      { order_code: '1003', lead_id: deals[3], contact_id: null },
    ]);

    await one.settle({ jobs: [{ job: kaspiReconcile }] });
    one.kaspi.standin.edit('1003', { state: 'PICKUP', totalPrice: 1400 });
    await one.settle({ jobs: [{ job: kaspiReconcile }] });
    const third = one.amo.standin.deals().find(({ id }) => id === deals[3]);
    expect(third).toMatchObject({ price: 1400, status_id: 80953555, name: 'Заказ Каспи 1003' });
    // Tags of our mapping come; those of others stay.
    expect([...(third?.tags ?? [])].sort()).toEqual(['Kaspi', 'PICKUP', 'VIP', 'Каспи']);
    expect(one.outcome().counts).toMatchObject({ deals: counts.deals, links: 1 });

    // What the other integrator did its own way is no difference.
    one.clock.advance(HOUR_MS);
    expect((await one.run({ job: audit })).exit).toBe(0);
    expect((await lastAudit(one.database))?.days).toEqual([{ day: '2026-05-10', kaspi: 4, amocrm: 4, differences: 0 }]);
  });

  test('orders that were planned before, and waited, are bound, too', async () => {
    const one = await open(dialect, { orders: 'first' });
    one.amo.fault({ match: 'POST /api/v4/leads', kind: 'status', status: 422, times: 0 });
    const refused = await one.run();
    expect(refused.exit).toBe(1);
    one.amo.faults.length = 0;
    expect(await one.open()).not.toEqual({});
    const { deals } = foreignDeals(one);
    expect((await adoptIn(one, named('Заказ Каспи {code}'))).bound).toHaveLength(3);
    one.clock.advance(HOUR_MS);
    await one.settle();
    expect(await one.open()).toEqual({});
    const ours = one.amo.standin.deals().filter(({ name }) => name.startsWith('Kaspi #'));
    expect(ours.map(({ name }) => name)).toEqual(['Kaspi #1004']);
    const others = new Set(deals);
    expect(one.amo.standin.notes().filter(({ entity_id }) => others.has(entity_id))).toEqual([]);
    expect(one.amo.standin.links().filter(({ lead_id }) => others.has(lead_id))).toEqual([]);
    const failed = await one.database.db.selectFrom('failed_records').select('key').execute();
    expect(failed).toEqual([]);
  });
});

test('the mapping says where the code stands; a database that lost its rows binds its own deals again', async () => {
  const one = await open('sqlite', { orders: 'first' });
  await one.settle();
  const calm = one.outcome();
  const { db } = one.database;
  for (const table of ['outbox', 'links', 'kaspi_orders', 'reservations'] as const)
    await db.deleteFrom(table).execute();
  const { bound } = await adoptIn(one);
  expect(bound.map(({ order }) => order).sort()).toEqual(['1001', '1002', '1003', '1004']);
  expect(bound.every(({ contact }) => contact !== null)).toBe(true);
  await one.settle();
  one.kaspi.standin.edit('1003', { state: 'PICKUP' });
  await one.settle({ jobs: [{ job: kaspiReconcile }] });
  const { deals, counts } = one.outcome();
  expect(counts).toMatchObject({ deals: calm.counts.deals, contacts: calm.counts.contacts, links: calm.counts.links });
  // The tag of the old state is known to be ours, and goes.
  expect(deals.find(({ name }) => name === 'Kaspi #1003')?.tags).toEqual(['Kaspi', 'PICKUP']);
});

test('by a field that the operator names; deals before --since are left alone', async () => {
  const one = await open('sqlite', { orders: 'first' });
  const old = Math.floor((one.clock.now().getTime() - 20 * 24 * HOUR_MS) / 1000);
  const [near] = one.amo.standin.add({
    deals: [
      { name: 'Жанар', custom_fields: { [CODE_FIELD]: '1001' } },
      { name: 'Серик', custom_fields: { [CODE_FIELD]: '1003' }, created_at: old },
    ],
  }).deals;
  const { bound } = await adoptIn(one, { field: CODE_FIELD, since: 10 });
  expect(bound).toEqual([{ order: '1001', deal: near, contact: null }]);
});

test('a pass that is under way is waited for, and nothing is bound beside it', async () => {
  const one = await open('sqlite', { orders: 'first' });
  foreignDeals(one);
  const lock = await one.database.lock(kaspiPoll.name);
  const refused = await adoptIn(one, named('Заказ Каспи {code}'), false, 0.05).catch((error: AppError) => error);
  expect(refused).toMatchObject({ code: 'LOCK_WAIT', exit: 75 });
  await lock?.release();
  expect(await one.database.db.selectFrom('links').selectAll().execute()).toEqual([]);
  expect((await adoptIn(one, named('Заказ Каспи {code}'))).bound).toHaveLength(3);
});

test.each([
  ['a pattern without a code', () => named('Заказ'), 64],
  ['another stream', () => adoptCommand.run({} as CommandContext, ['onec'], { since: 90 }), 64],
])('%s is a wrong use', async (_, use, exit) => {
  const thrown = await (async () => use())().catch((error: AppError) => error);
  expect(thrown).toMatchObject({ exit });
});
