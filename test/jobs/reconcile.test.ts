import { afterEach, describe, expect, test } from 'vitest';
import { silentLogger } from '../../src/base/log.ts';
import { wireJob } from '../../src/cli/wire.ts';
import { kaspiReconcile } from '../../src/jobs/kaspi-reconcile.ts';
import type { PassResult } from '../../src/runner/job.ts';
import { runJob } from '../../src/runner/run-job.ts';
import { type Dialect, dialects } from '../support/databases.ts';
import { type DealOutcome, type PassEnd, type World, type WorldOptions, world } from '../support/world.ts';

const PIPELINE = 10226282;
const NEW_STAGE = 80953554;
const ACCEPTED = 80953555;
const PACKED = 80953556;
const SENT = 80953560;
const WON = 142;
const LOST = 143;
const TOTAL_FIELD = 900104;

const MAPPING = `kaspi:
  deal:
    name: "Kaspi #{code}"
    tags: ["Kaspi", "{state}"]
    fields: { 900101: "{code}", ${TOTAL_FIELD}: "{totalPrice}" }
    external_id_field: 900101
  stages:
    - { when: { status: RETURNED }, status: ${LOST}, after_final: true }
    - { when: { status: CANCELLED }, status: ${LOST}, loss_reason: 4203748 }
    - { when: { status: COMPLETED }, status: ${WON} }
    - { when: { state: KASPI_DELIVERY }, status: ${PACKED} }
    - { when: { state: PICKUP }, status: ${ACCEPTED} }
    - { when: { state: DELIVERY }, status: ${SENT} }
`;

let w: World;

/** The four first orders stand in amoCRM as deals; requests so far are forgotten. */
async function open(options: WorldOptions & { dialect?: Dialect } = {}): Promise<void> {
  w = await world(options.dialect ?? 'sqlite', { orders: 'first', mapping: MAPPING, ...options });
  await w.settle();
  forgetRequests();
}

afterEach(() => w.close());

function forgetRequests(): void {
  w.amo.journal.length = 0;
}

/** One pass of the job, ten minutes after the one before. */
async function pass(env: Record<string, string> = {}): Promise<PassEnd> {
  w.clock.advance(10 * 60_000);
  return w.run({ job: kaspiReconcile, env });
}

/** The same as an operator gives it with `--confirm`. */
async function confirmedPass(env: Record<string, string>): Promise<PassResult> {
  const ctx = {
    environment: { values: { ...w.environment, ...env }, baseDir: w.dir },
    globals: { dryRun: false, json: false, lockWaitSeconds: 0, color: false },
    log: silentLogger,
    clock: w.clock,
    signal: new AbortController().signal,
  };
  const wired = await wireJob(ctx, kaspiReconcile, { lookback: undefined, confirm: true });
  try {
    return await runJob(wired.options);
  } finally {
    await wired.close();
  }
}

function dealOf(code: string): DealOutcome {
  const [deal, ...doubles] = w.outcome().deals.filter(({ name }) => name === `Kaspi #${code}`);
  expect(doubles).toEqual([]);
  if (!deal) throw new Error(`order ${code} has no deal`);
  return deal;
}

function idOf(code: string): number {
  const deal = w.amo.standin.deals().find(({ name }) => name === `Kaspi #${code}`);
  if (!deal) throw new Error(`order ${code} has no deal`);
  return deal.id;
}

const stageOf = (code: string) => dealOf(code).stage;
const at = (status: number) => `${PIPELINE}/${status}`;

function updates(): number {
  return w.amo.journal.filter(({ method, path }) => method === 'PATCH' && path === '/api/v4/leads').length;
}

const writes = () => w.amo.journal.filter(({ method }) => method !== 'GET');

async function alerts(): Promise<{ kind: string; message: string }[]> {
  return w.database.db
    .selectFrom('alerts')
    .select(['kind', 'message'])
    .where('closed_at', 'is', null)
    .orderBy('id')
    .execute();
}

const edit = (code: string, set: Record<string, unknown>) => w.kaspi.standin.edit(code, set);

describe.each(dialects)('%s: an order that changed', (dialect) => {
  test('moves its deal: stage, its own tag, price and field; what people added stays', async () => {
    await open({ dialect });
    w.amo.standin.edit({ lead: idOf('1003') }, { tags: [...dealOf('1003').tags, 'VIP'] });
    edit('1003', { state: 'PICKUP', status: 'ACCEPTED_BY_MERCHANT', totalPrice: 1234 });
    const before = w.outcome();
    const end = await pass();
    expect(end).toMatchObject({ exit: 0, result: { updated: 1, created: 0, failed: 0 } });
    expect(dealOf('1003')).toMatchObject({ price: 1234, stage: at(ACCEPTED), tags: ['Kaspi', 'PICKUP', 'VIP'] });
    expect(JSON.stringify(dealOf('1003').fields)).toContain('1234');
    const others = (outcome: ReturnType<World['outcome']>) =>
      outcome.deals.filter(({ name }) => name !== 'Kaspi #1003');
    expect(others(w.outcome())).toEqual(others(before));
    expect(w.outcome().counts).toEqual({ ...before.counts, notes: before.counts.notes + 1 });
  });

  test('to 90 and back to 100 is written each time, and ends at 100', async () => {
    await open({ dialect });
    const prices: number[] = [];
    for (const totalPrice of [100, 90, 100]) {
      edit('1003', { totalPrice });
      await pass();
      prices.push(dealOf('1003').price);
    }
    expect(prices).toEqual([100, 90, 100]);
    expect(updates()).toBe(3);
    const keys = await w.database.db
      .selectFrom('outbox')
      .select('key')
      .where('kind', '=', 'amocrm.deal-update')
      .orderBy('id')
      .execute();
    expect(keys.map(({ key }) => key)).toEqual([1, 2, 3].map((n) => `amocrm:deal:kaspi:1003#${n}`));
  });
});

describe('passes', () => {
  test('nothing changed: amoCRM is asked once, for what people have changed', async () => {
    await open();
    const end = await pass();
    expect(end).toMatchObject({ exit: 0, result: { fetched: 4, skipped: 4, updated: 0, created: 0 } });
    expect(w.amo.journal.map(({ method, path }) => `${method} ${path}`)).toEqual(['GET /api/v4/leads']);
  });

  test('a missed order is made, once, and later orders go on being compared', async () => {
    await open();
    w.arrive();
    await pass();
    await w.settle({ jobs: [{ job: kaspiReconcile }, {}] });
    expect(w.outcome().counts.deals).toBe(1 + 9);
    edit('1005', { totalPrice: 777 });
    await pass();
    expect(dealOf('1005').price).toBe(777);
  });

  test('an order that came and ended while nobody looked is made in its last stage', async () => {
    await open();
    w.arrive();
    await w.settle({ jobs: [{}] });
    expect(w.outcome().deals.map(({ name }) => name)).not.toContain('Kaspi #1009');
    await w.settle({ jobs: [{ job: kaspiReconcile }] });
    expect(stageOf('1009')).toBe(at(WON));
  });

  test('changes of many deals are one request to read them and one to write', async () => {
    await open();
    for (const code of ['1001', '1002', '1003', '1004']) edit(code, { totalPrice: 4321 });
    await pass();
    expect(updates()).toBe(1);
    // The third is the page of what people have changed.
    expect(w.amo.journal.filter(({ path }) => path === '/api/v4/leads')).toHaveLength(3);
    for (const code of ['1001', '1002', '1003', '1004']) expect(dealOf(code).price).toBe(4321);
  });
});

describe('stages', () => {
  test('a stage is never moved back, nor out of won; the tag tells the state all the same', async () => {
    await open();
    edit('1003', { state: 'DELIVERY', status: 'ACCEPTED_BY_MERCHANT' });
    await pass();
    expect(stageOf('1003')).toBe(at(SENT));
    edit('1003', { state: 'PICKUP' });
    await pass();
    expect(dealOf('1003')).toMatchObject({ stage: at(SENT), tags: ['Kaspi', 'PICKUP'] });
    edit('1003', { state: 'ARCHIVE', status: 'COMPLETED' });
    await pass();
    expect(stageOf('1003')).toBe(at(WON));
    edit('1003', { state: 'ARCHIVE', status: 'CANCELLED' });
    await pass();
    expect(stageOf('1003')).toBe(at(WON));
  });

  test('a row with after_final takes a deal out of won: completed, then returned', async () => {
    await open();
    edit('1001', { state: 'ARCHIVE', status: 'COMPLETED' });
    await pass();
    expect(stageOf('1001')).toBe(at(WON));
    edit('1001', { status: 'RETURNED' });
    await pass();
    expect(stageOf('1001')).toBe(at(LOST));
    expect(await alerts()).toEqual([]);
  });

  test('a cancelled order carries its loss reason', async () => {
    await open();
    edit('1004', { state: 'ARCHIVE', status: 'CANCELLED' });
    await pass();
    expect(dealOf('1004')).toMatchObject({ stage: at(LOST), lossReason: 4203748 });
  });

  test("a person's stage gives way to nothing but the order's end", async () => {
    await open();
    w.amo.standin.edit({ lead: idOf('1003') }, { status_id: 80953590 });
    edit('1003', { state: 'PICKUP', status: 'ACCEPTED_BY_MERCHANT' });
    await pass();
    expect(stageOf('1003')).toBe(at(80953590));
    expect(await alerts()).toMatchObject([{ kind: 'conflict' }]);
    edit('1003', { state: 'ARCHIVE', status: 'CANCELLED' });
    await pass();
    expect(stageOf('1003')).toBe(at(LOST));
  });
});

describe("a person's work", () => {
  test('a price that a person set is left alone and reported once; the rest of the change goes through', async () => {
    await open();
    w.amo.standin.edit({ lead: idOf('1003') }, { price: 5000 });
    edit('1003', { state: 'PICKUP', status: 'ACCEPTED_BY_MERCHANT', totalPrice: 1200 });
    await pass();
    expect(dealOf('1003')).toMatchObject({ price: 5000, stage: at(ACCEPTED) });
    const told = await alerts();
    expect(told).toMatchObject([{ kind: 'conflict' }]);
    expect(told[0]?.message).toContain('1003');
    edit('1003', { totalPrice: 1100 });
    await pass();
    expect(dealOf('1003').price).toBe(5000);
    expect(await alerts()).toEqual(told);
  });

  test('a tag of ours that a person took away is not put back', async () => {
    await open();
    w.amo.standin.edit({ lead: idOf('1003') }, { tags: ['NEW'] });
    edit('1003', { totalPrice: 1200 });
    await pass();
    expect(dealOf('1003')).toMatchObject({ price: 1200, tags: ['NEW'] });
  });

  test('a deal that a person deleted is reported once and not made again', async () => {
    await open();
    w.amo.standin.remove({ lead: idOf('1003') });
    const count = w.outcome().counts.deals;
    for (const totalPrice of [1200, 1300]) {
      edit('1003', { totalPrice });
      expect((await pass()).exit).toBe(0);
    }
    await w.settle({ jobs: [{}, { job: kaspiReconcile }] });
    expect(w.outcome().counts.deals).toBe(count);
    expect(w.outcome().deals.map(({ name }) => name)).not.toContain('Kaspi #1003');
    expect(await alerts()).toMatchObject([{ kind: 'deal_gone' }]);
    expect(updates()).toBe(0);
  });
});

describe('too many changes at once', () => {
  const change = () => {
    for (const code of ['1001', '1002', '1003']) edit(code, { totalPrice: 50 });
  };

  test('stop before the first write, with an alert, until a person confirms', async () => {
    await open();
    w.arrive();
    change();
    const before = w.outcome();
    const limit = { MAX_CHANGES_PER_RUN: '2' };
    for (let run = 1; run <= 2; run++) {
      const end = await pass(limit);
      expect(end).toMatchObject({ exit: 1, error: { code: 'TOO_MANY_CHANGES' } });
      expect(end.error?.hint).toContain('--confirm');
      expect(w.outcome()).toEqual(before);
      expect(writes()).toEqual([]);
      expect(await alerts()).toMatchObject([{ kind: 'max_changes' }]);
    }
    w.clock.advance(60_000);
    expect(await confirmedPass(limit)).toMatchObject({ exit: 0, updated: 3 });
    for (const code of ['1001', '1002', '1003']) expect(dealOf(code).price).toBe(50);
    expect(await alerts()).toEqual([]);
  });

  test('as many as the limit go through, and 0 is no limit', async () => {
    await open();
    change();
    expect(await pass({ MAX_CHANGES_PER_RUN: '3' })).toMatchObject({ exit: 0, result: { updated: 3 } });
    for (const code of ['1001', '1002', '1003']) edit(code, { totalPrice: 60 });
    expect(await pass({ MAX_CHANGES_PER_RUN: '0' })).toMatchObject({ exit: 0, result: { updated: 3 } });
  });

  test('changes that were taken back are none', async () => {
    await open();
    const prices = ['1001', '1002', '1003'].map((code) => [code, dealOf(code).price] as const);
    change();
    await pass({ MAX_CHANGES_PER_RUN: '2' });
    for (const [code, totalPrice] of prices) edit(code, { totalPrice });
    expect(await pass({ MAX_CHANGES_PER_RUN: '2' })).toMatchObject({ exit: 0, result: { updated: 0 } });
    expect(updates()).toBe(0);
  });
});

describe('a write whose end is not known', () => {
  const PATCH = 'PATCH /api/v4/leads';

  async function settled(): Promise<void> {
    await w.settle({ jobs: [{ job: kaspiReconcile }] });
    expect(await w.open(kaspiReconcile.name)).toEqual({});
  }

  test('that took effect is found and not sent again', async () => {
    await open();
    edit('1003', { totalPrice: 90 });
    w.amo.fault({ match: PATCH, kind: 'lost' });
    await pass();
    await settled();
    expect(dealOf('1003').price).toBe(90);
    expect(updates()).toBe(1);
    expect(await alerts()).toEqual([]);
  });

  test.each(['reset', 'status'] as const)('that took none (%s) is sent again', async (kind) => {
    await open();
    edit('1003', { totalPrice: 90 });
    w.amo.fault({ match: PATCH, kind });
    await pass();
    await settled();
    expect(dealOf('1003').price).toBe(90);
    expect(updates()).toBe(2);
  });

  test('while the order goes back: the last price wins, and it is nobody’s conflict', async () => {
    for (const kind of ['lost', 'reset'] as const) {
      await open({ env: { DOUBT_QUIET_SECONDS: '600' } });
      const first = dealOf('1003').price;
      edit('1003', { totalPrice: 90 });
      w.amo.fault({ match: PATCH, kind });
      await pass();
      edit('1003', { totalPrice: first });
      await w.settle({ tickMs: 200_000, most: 20, jobs: [{ job: kaspiReconcile }] });
      expect(dealOf('1003').price).toBe(first);
      expect(await alerts()).toEqual([]);
      if (kind === 'lost') await w.close();
    }
  });

  test('while the order changes twice: no older price comes after the last one', async () => {
    for (const kind of ['lost', 'reset'] as const) {
      await open({ env: { DOUBT_QUIET_SECONDS: '1800' } });
      edit('1003', { totalPrice: 90 });
      w.amo.fault({ match: PATCH, kind });
      await pass();
      for (const totalPrice of [80, 70]) {
        edit('1003', { totalPrice });
        await pass();
      }
      await w.settle({ tickMs: 600_000, most: 20, jobs: [{ job: kaspiReconcile }] });
      expect(dealOf('1003').price).toBe(70);
      expect(await alerts()).toEqual([]);
      if (kind === 'lost') await w.close();
    }
  });
});

describe('a mapping that does not fit', () => {
  const STALE = MAPPING.replace('900101: "{code}",', '900101: "{code}", 900103: "{deliveryMode}",');

  test('a choice that the account does not know is left out of a change, and the rest of it is written', async () => {
    await open({ mapping: STALE });
    edit('1003', { state: 'PICKUP', status: 'ACCEPTED_BY_MERCHANT', totalPrice: 1200 });
    const end = await pass();
    expect(dealOf('1003')).toMatchObject({ price: 1200, stage: at(ACCEPTED) });
    expect(end.exit).toBe(0);
    expect(await alerts()).toMatchObject([{ kind: 'mapping' }]);
    expect(await w.open(kaspiReconcile.name)).toEqual({});
  });

  test('and nothing is tried again and again for it alone', async () => {
    await open({ mapping: STALE });
    await pass();
    await w.settle({ jobs: [{ job: kaspiReconcile }] });
    forgetRequests();
    expect((await pass()).exit).toBe(0);
    expect(writes()).toEqual([]);
  });
});

describe('what Kaspi leaves out of its answers', () => {
  const GOODS = MAPPING.replace('900101: "{code}",', '900101: "{code}", 900102: "{items.length}: {items}",');

  test.each([
    ['entries with the list', { includeHonoured: false }],
    ['the offer of an entry', { offerPresent: false }],
  ])('without %s nothing seems changed, and a real change is written whole', async (_, options) => {
    w = await world('sqlite', { orders: 'first', mapping: GOODS });
    w.kaspi.standin.configure(options);
    await w.settle();
    forgetRequests();
    const before = w.outcome();
    expect(before.deals.map(({ goods }) => goods)).toContainEqual(['CUP × 1']);
    expect((await pass()).exit).toBe(0);
    expect(w.outcome()).toEqual(before);
    expect(writes()).toEqual([]);
    edit('1003', { entries: [{ sku: 'CUP', name: 'Кружка', basePrice: 1500, quantity: 3 }] });
    expect((await pass()).exit).toBe(0);
    expect(dealOf('1003')).toMatchObject({ price: 4500, goods: ['CUP × 3'], stage: at(NEW_STAGE) });
    expect(JSON.stringify(dealOf('1003').fields)).toContain('1: Кружка × 3');
  });
});

describe('goods', () => {
  test('follow the order: more of one, another gone, a new one; what a person added stays', async () => {
    await open();
    const { elements } = w.amo.standin.add({ elements: [{ name: 'Подарок', sku: 'GIFT', price: 0 }] });
    w.amo.standin.link(idOf('1001'), elements[0] ?? 0, 1);
    edit('1001', {
      entries: [
        { sku: 'KETTLE', name: 'Чайник', basePrice: 7990, quantity: 1 },
        { sku: 'CUP', name: 'Кружка', basePrice: 1500, quantity: 4 },
        { sku: 'FAN', name: 'Вентилятор', basePrice: 9900, quantity: 1 },
      ],
    });
    await pass();
    await w.settle({ jobs: [{ job: kaspiReconcile }] });
    expect(dealOf('1001').goods).toEqual(['CUP × 4', 'FAN × 1', 'GIFT × 1', 'KETTLE × 1']);
    expect(dealOf('1001').price).toBe(7990 + 6000 + 9900);
    expect(await alerts()).toEqual([]);
  });

  test('a quantity that a person changed is left alone and reported', async () => {
    await open();
    const { links, elements } = w.amo.standin.snapshot();
    const cup = elements.find(({ sku }) => sku === 'CUP')?.id ?? 0;
    expect(links.some((link) => link.element_id === cup)).toBe(true);
    w.amo.standin.unlink(idOf('1003'), cup);
    w.amo.standin.link(idOf('1003'), cup, 7);
    edit('1003', { entries: [{ sku: 'CUP', name: 'Кружка', basePrice: 1500, quantity: 2 }] });
    await pass();
    expect(dealOf('1003').goods).toEqual(['CUP × 7']);
    expect(await alerts()).toMatchObject([{ kind: 'conflict' }]);
  });
});
