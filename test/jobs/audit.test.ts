import { afterEach, describe, expect, test } from 'vitest';
import { silentLogger } from '../../src/base/log.ts';
import { wireJob } from '../../src/cli/wire.ts';
import type { Audit } from '../../src/domain/audit.ts';
import { lastAudit } from '../../src/insight/audit.ts';
import { audit } from '../../src/jobs/audit.ts';
import { kaspiReconcile } from '../../src/jobs/kaspi-reconcile.ts';
import { planPass } from '../../src/runner/dry-run.ts';
import { type Dialect, dialects } from '../support/databases.ts';
import { type PassEnd, type World, type WorldOptions, world } from '../support/world.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const FIRST_STAGE = 80953554;

const opened: World[] = [];

afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});

/** A shop whose orders have all become deals, long enough ago for an audit to judge them. */
async function settled(dialect: Dialect = 'sqlite', options: WorldOptions = {}): Promise<World> {
  const one = await world(dialect, options);
  opened.push(one);
  await one.settle();
  one.clock.advance(30 * MINUTE_MS);
  return one;
}

function dealOf(one: World, code: string) {
  const deal = one.amo.standin.deals().find(({ name }) => name === `Kaspi #${code}`);
  if (!deal) throw new Error(`no deal of ${code}`);
  return deal;
}

/** What a rehearsal shows; it leaves every row as it was. */
async function rehearsed(one: World): Promise<Audit | undefined> {
  const rows = async () => [
    await one.database.db.selectFrom('runs').select('id').execute(),
    await one.database.db.selectFrom('meta').selectAll().orderBy('key').execute(),
    await openAlerts(one),
  ];
  const before = await rows();
  const globals = { dryRun: true, json: true, lockWaitSeconds: 0, color: false };
  const environment = { values: one.environment, baseDir: one.dir };
  const ctx = { environment, globals, log: silentLogger, clock: one.clock, signal: new AbortController().signal };
  const wired = await wireJob(ctx, audit, { lookback: undefined, confirm: false });
  try {
    expect((await planPass(wired.options)).plan).toEqual([]);
    expect(await rows()).toEqual(before);
    return wired.audit();
  } finally {
    await wired.close();
  }
}

async function audited(one: World, env: Record<string, string> = {}): Promise<{ end: PassEnd; audit: Audit }> {
  const end = await one.run({ job: audit, env });
  if (end.error) throw end.error;
  const kept = await lastAudit(one.database);
  if (!kept) throw new Error('no audit was kept');
  return { end, audit: kept };
}

const brief = ({ differences }: Audit) =>
  differences.map(({ kind, order, deals }) => `${kind} ${order} ${deals.join(',')}`);

function openAlerts(one: World) {
  return one.database.db
    .selectFrom('alerts')
    .select(['subject', 'message', 'opened_at', 'closed_at'])
    .where('kind', '=', 'audit')
    .orderBy('id')
    .execute();
}

function order(code: string, createdAt: number) {
  const entries = [{ sku: 'LAMP', name: 'Лампа', basePrice: 12_500 }];
  return { code, state: 'NEW', created_at: createdAt, customer: { name: 'Асель', cellPhone: '7019998877' }, entries };
}

describe.each(dialects)('%s', (dialect) => {
  test('a clean account is clean, in few requests, and nothing is written at the target', async () => {
    const one = await settled(dialect);
    const before = one.outcome();
    const written = () => one.amo.journal.filter(({ method }) => method !== 'GET').length;
    const writes = written();
    const requests = () => [one.kaspi.journal.length, one.amo.journal.length];
    const [kaspi = 0, amo = 0] = requests();
    const { end, audit: found } = await audited(one);
    expect(end).toMatchObject({ exit: 0, result: { outcome: 'ok', failed: 0 } });
    expect(found).toMatchObject({ differences: [], on_its_way: [], orphans: [], counts: {} });
    expect(found.days).toEqual([{ day: '2026-05-10', kaspi: 8, amocrm: 8, differences: 0 }]);
    expect(await openAlerts(one)).toEqual([]);
    const [kaspiThen = 0, amoThen = 0] = requests();
    // One page of each side; the pipelines are asked for once a day.
    expect([kaspiThen - kaspi, amoThen - amo]).toEqual([1, 2]);
    expect(written()).toBe(writes);
    expect(one.outcome()).toEqual(before);
  });

  test('every planted difference is found by its ids, alerted once, and cleared when it is gone', async () => {
    const one = await settled(dialect);
    const { amo, kaspi, clock } = one;
    const id = (code: string) => dealOf(one, code).id;
    const cup = amo.standin.elements().find(({ sku }) => sku === 'CUP')?.id ?? 0;
    const ids = Object.fromEntries(['1001', '1002', '1003', '1004', '1006', '1008'].map((code) => [code, id(code)]));
    kaspi.standin.seed({
      orders: [order('2001', clock.now().getTime() - HOUR_MS), order('2002', clock.now().getTime() - HOUR_MS)],
    });
    const [second = 0, foreign = 0] = amo.standin.add({
      deals: [
        { name: 'Kaspi #1002', price: 12_500 },
        { name: 'Kaspi #2002', price: 12_500 },
      ],
    }).deals;
    amo.standin.edit({ lead: id('1003') }, { price: 1 });
    amo.standin.edit({ lead: id('1001') }, { status_id: FIRST_STAGE });
    amo.standin.unlink(id('1006'), cup);
    amo.standin.remove({ lead: id('1008') });

    const rehearsal = await rehearsed(one);
    const first = await audited(one);
    expect(rehearsal?.differences).toEqual(first.audit.differences);
    expect(first.end).toMatchObject({ exit: 1, result: { outcome: 'partial', failed: 7 } });
    expect(brief(first.audit)).toEqual([
      'lost 2001 ',
      `doubled 1002 ${ids['1002']},${second}`,
      `deal_gone 1008 ${ids['1008']}`,
      `unbound 2002 ${foreign}`,
      `wrong_sum 1003 ${ids['1003']}`,
      `wrong_stage 1001 ${ids['1001']}`,
      `missing_goods 1006 ${ids['1006']}`,
    ]);
    expect(first.audit.days).toEqual([{ day: '2026-05-10', kaspi: 10, amocrm: 9, differences: 7 }]);
    const alerts = await openAlerts(one);
    expect(alerts.map(({ subject }) => subject)).toEqual([
      'lost',
      'doubled',
      'deal_gone',
      'unbound',
      'wrong_sum',
      'wrong_stage',
      'missing_goods',
    ]);
    expect(alerts.map(({ message }) => /\d{4}/.exec(message)?.[0])).toEqual(
      first.audit.differences.map(({ order: code }) => code),
    );

    clock.advance(HOUR_MS);
    amo.standin.edit({ lead: id('1004') }, { price: 2 });
    await audited(one);
    const again = await openAlerts(one);
    expect(again.map(({ subject, opened_at }) => [subject, opened_at])).toEqual(
      alerts.map(({ subject, opened_at }) => [subject, opened_at]),
    );
    expect(again.find(({ subject }) => subject === 'wrong_sum')?.message).toContain('1003, 1004');

    amo.standin.remove({ lead: second });
    amo.standin.remove({ lead: foreign });
    amo.standin.edit({ lead: id('1003') }, { price: 1500 });
    amo.standin.edit({ lead: id('1004') }, { price: 7990 });
    amo.standin.edit({ lead: id('1001') }, { status_id: 80953556 });
    amo.standin.link(id('1006'), cup, 3);
    for (const code of ['1008', '2001', '2002']) kaspi.standin.remove(code);
    const last = await audited(one);
    expect(brief(last.audit)).toEqual([]);
    expect(last.end.exit).toBe(0);
    const closed = await openAlerts(one);
    expect(closed).toHaveLength(7);
    expect(closed.every(({ closed_at }) => closed_at !== null)).toBe(true);
  });
});

describe('what must not raise an alarm', () => {
  test('orders of a minute ago, deals that people renamed, moved on, or changed as a conflict tells', async () => {
    const one = await settled();
    const { amo, kaspi, clock } = one;
    amo.standin.edit({ lead: dealOf(one, '1003').id }, { price: 1 });
    kaspi.standin.edit('1003', { totalPrice: 1400 });
    await one.run({ job: kaspiReconcile });
    expect(dealOf(one, '1003').price).toBe(1);
    clock.advance(HOUR_MS);
    kaspi.standin.seed({ orders: [order('2001', clock.now().getTime() - MINUTE_MS)] });
    amo.standin.edit({ lead: dealOf(one, '1001').id }, { status_id: 142 });
    amo.standin.edit({ lead: dealOf(one, '1002').id }, { name: 'Жанар, лампа', custom_fields: { 900101: null } });
    expect((await audited(one)).audit).toMatchObject({ differences: [], orphans: [], on_its_way: ['2001'] });
  });

  test('orders whose deals amoCRM refuses: they are known as failed', async () => {
    const one = await settled();
    one.kaspi.standin.seed({ orders: [order('2001', one.clock.now().getTime() - HOUR_MS)] });
    const refused = await one.run({ env: { AMO_PIPELINE_ID: '999', AMO_STATUS_ID: '998' } });
    expect(refused.exit).toBe(1);
    one.clock.advance(HOUR_MS);
    expect((await audited(one)).audit).toMatchObject({ differences: [], on_its_way: ['2001'] });
  });

  test('lists that lag behind what was written', async () => {
    const one = await settled('sqlite', { amo: { listLagMs: 10 * MINUTE_MS }, env: { DOUBT_QUIET_SECONDS: '900' } });
    const { kaspi, clock } = one;
    kaspi.standin.seed({ orders: [order('2001', clock.now().getTime() - HOUR_MS)] });
    kaspi.standin.edit('1003', { totalPrice: 1400 });
    await one.run();
    await one.run({ job: kaspiReconcile });
    expect(dealOf(one, '1003').price).toBe(1400);
    const { audit: found } = await audited(one);
    expect(found.differences).toEqual([]);
    const [day] = found.days;
    expect(day?.kaspi).toBeGreaterThanOrEqual(9);
    expect(day?.amocrm).toBe(day?.kaspi);
  });

  test('an account without filters; what is gone is found there, too', async () => {
    const one = await settled('sqlite', { amo: { filters: 'ignored' } });
    expect(brief((await audited(one)).audit)).toEqual([]);
    one.amo.standin.configure({ filters: 'error' });
    expect(brief((await audited(one)).audit)).toEqual([]);
    const gone = dealOf(one, '1008').id;
    one.amo.standin.remove({ lead: gone });
    expect(brief((await audited(one)).audit)).toEqual([`deal_gone 1008 ${gone}`]);
  });
});

test('a list that does not show what is known to exist judges nothing', async () => {
  const one = await settled('sqlite', { amo: { listLagMs: 40 * DAY_MS } });
  one.clock.advance(3 * DAY_MS);
  const end = await one.run({ job: audit });
  expect(end).toMatchObject({ exit: 69, error: { code: 'AMO_LIST_UNTRUSTED' } });
  expect(await lastAudit(one.database)).toBeUndefined();
});

test('an order that is still lost is looked for when the window has moved on, and forgotten after a fortnight', async () => {
  const one = await settled();
  const placed = one.clock.now().getTime() - HOUR_MS;
  one.kaspi.standin.seed({ orders: [order('2001', placed)] });
  expect(brief((await audited(one)).audit)).toEqual(['lost 2001 ']);
  one.clock.advance(4 * DAY_MS);
  const later = await audited(one);
  expect(brief(later.audit)).toEqual(['lost 2001 ']);
  expect(later.audit.from).toBe(new Date(placed).toISOString());
  one.clock.advance(11 * DAY_MS);
  expect(brief((await audited(one)).audit)).toEqual([]);
  expect((await openAlerts(one)).map(({ closed_at }) => closed_at !== null)).toEqual([true]);
});

test('days are those of TIMEZONE', async () => {
  const one = await settled();
  one.kaspi.standin.seed({ orders: [order('2001', Date.parse('2026-05-09T19:30:00.000Z'))] });
  const days = async (TIMEZONE: string) => (await audited(one, { TIMEZONE })).audit.differences.map(({ day }) => day);
  expect(await days('Asia/Almaty')).toEqual(['2026-05-10']);
  expect(await days('Europe/Minsk')).toEqual(['2026-05-09']);
});
