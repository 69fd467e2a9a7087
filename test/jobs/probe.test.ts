import { afterEach, describe, expect, test } from 'vitest';
import { silentLogger } from '../../src/base/log.ts';
import type { Json } from '../../src/base/schema.ts';
import { type Finding, Findings } from '../../src/commands/doctor/findings.ts';
import { checkProbe, probeAmo } from '../../src/commands/doctor/probe.ts';
import type { CoreSettings } from '../../src/config/settings.ts';
import { coreSettings, readSettings } from '../../src/config/settings.ts';
import type { Delivery } from '../../src/domain/handler.ts';
import { httpCore } from '../../src/http/core.ts';
import { kaspiReconcile } from '../../src/jobs/kaspi-reconcile.ts';
import { amoMemory } from '../../src/state/amo-memory.ts';
import { amocrmClient } from '../../src/systems/amocrm/client.ts';
import { goodLinkHandler } from '../../src/systems/amocrm/effects/good-link.ts';
import { type AmoSettings, amoSettings } from '../../src/systems/amocrm/settings.ts';
import { amoWorld, bearerOf } from '../support/amocrm.ts';
import { type Dialect, dialects, freshDatabase } from '../support/databases.ts';
import { inWorld } from '../support/sandbox-world.ts';
import { type World, type WorldOptions, world } from '../support/world.ts';

const NAME = 'sdelka: connection test';
const DAY_MS = 86_400_000;

let w: World;

afterEach(() => w?.close());

async function open({ dialect = 'sqlite', ...options }: WorldOptions & { dialect?: Dialect } = {}): Promise<void> {
  w = await world(dialect, { orders: 'first', ...options });
}

async function probe(env: Record<string, string | undefined> = {}): Promise<Findings> {
  const values = Object.fromEntries(
    Object.entries({ ...w.environment, ...env }).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
  );
  const settings = readSettings({ values, baseDir: w.dir }, [coreSettings, amoSettings]) as CoreSettings & AmoSettings;
  const signal = new AbortController().signal;
  const core = httpCore({ clock: w.clock, signal, userAgent: 'sdelka-test', log: silentLogger, retryDelayMs: 1 });
  const findings = new Findings();
  try {
    await probeAmo(findings, settings, {
      ctx: { clock: w.clock, log: silentLogger, signal },
      database: w.database,
      core,
    });
  } finally {
    core.close();
  }
  return findings;
}

/** Every stored answer, by question. */
async function answers(): Promise<Record<string, Json>> {
  const rows = await w.database.db
    .selectFrom('meta')
    .select(['key', 'value'])
    .where('key', 'like', 'probe:%')
    .execute();
  return Object.fromEntries(
    rows
      .filter(({ key }) => key !== 'probe:done')
      .map(({ key, value }) => [key.slice('probe:'.length), (JSON.parse(value) as { answer: Json }).answer]),
  );
}

/** From the sending of a deal whose answer was lost to the first look for it. */
async function quietTimeMs(): Promise<number> {
  const row = await w.database.db
    .selectFrom('outbox')
    .select(['state', 'sent_at', 'due_at'])
    .where('kind', '=', 'amocrm.deal')
    .executeTakeFirstOrThrow();
  expect(row.state).toBe('doubt');
  return Date.parse(row.due_at ?? '') - Date.parse(row.sent_at ?? '');
}

async function doctorSays(): Promise<Finding[]> {
  const findings = new Findings();
  await checkProbe(findings, w.database, w);
  return findings.list;
}

/** The shared pace of requests takes a millisecond now and then. */
const about = (ms: number): unknown => expect.closeTo(ms, -2);
const testDeals = () => w.amo.standin.deals().filter(({ name }) => name.startsWith(NAME));
const elements = () => w.amo.standin.elements().filter(({ sku }) => sku === 'SDELKA-PROBE');
const requests = (match: RegExp) =>
  w.amo.journal.filter(({ method, path, query }) => match.test(`${method} ${path}?${decodeURIComponent(query)}`));
const asksById = () => requests(/^GET \/api\/v4\/leads\?.*filter\[id\]/);

describe.each(dialects)('%s: the probe', (dialect) => {
  test('stores what an obliging account answers, and leaves nothing but one deal and one element', async () => {
    await open({ dialect });
    const before = w.outcome();
    expect((await probe()).list.map(({ verdict }) => verdict)).toEqual(['ok', 'ok']);
    expect(await answers()).toEqual({
      'filters:deals': 'honoured',
      'filters:contacts': 'honoured',
      order: 'honoured',
      lag: about(0),
      relink: 'replaces',
      next: 'given',
    });
    await probe();
    expect(testDeals()).toMatchObject([{ name: NAME, price: 0 }]);
    expect(elements()).toMatchObject([{ name: 'sdelka: probe' }]);
    const { counts } = w.outcome();
    expect(counts).toEqual({ ...before.counts, deals: before.counts.deals + 1, elements: before.counts.elements + 1 });
  });
});

describe('each answer is learnt and obeyed', () => {
  test.each([
    ['honoured', 'honoured', 1],
    ['ignored', 'ignored', 0],
    ['error', 'refused', 0],
  ] as const)('filters %s: known as %s; changes of several deals are read right', async (filters, answer, asked) => {
    await open({ amo: { filters } });
    await probe();
    await w.settle();
    expect(await answers()).toMatchObject({ 'filters:deals': answer, 'filters:contacts': answer });
    for (const code of ['1001', '1003']) w.kaspi.standin.edit(code, { totalPrice: 4321 });
    w.amo.journal.length = 0;
    w.clock.advance(60_000);
    expect(await w.run({ job: kaspiReconcile })).toMatchObject({ exit: 0, result: { updated: 2 } });
    expect(asksById()).toHaveLength(asked);
    expect(w.outcome().deals.filter(({ price }) => price === 4321)).toHaveLength(2);
  });

  test('unprobed, an account that ignores filters is asked with one in vain', async () => {
    await open({ amo: { filters: 'ignored' } });
    await w.settle();
    for (const code of ['1001', '1003']) w.kaspi.standin.edit(code, { totalPrice: 4321 });
    w.amo.journal.length = 0;
    w.clock.advance(60_000);
    await w.run({ job: kaspiReconcile });
    expect(asksById()).toHaveLength(1);
  });

  test.each([
    ['replace', 'replaces', 0],
    ['add', 'adds', 1],
  ] as const)('linking again %ss: a changed quantity ends right', async (linkMode, answer, unlinks) => {
    await open({ amo: { linkMode } });
    await probe();
    await w.settle();
    expect(await answers()).toMatchObject({ relink: answer });
    expect(w.amo.standin.links().filter(({ lead_id }) => lead_id === testDeals()[0]?.id)).toEqual([]);
    w.kaspi.standin.edit('1003', { entries: [{ sku: 'CUP', name: 'Кружка', basePrice: 1500, quantity: 3 }] });
    w.amo.journal.length = 0;
    w.clock.advance(60_000);
    await w.run({ job: kaspiReconcile });
    expect(w.outcome().deals.find(({ name }) => name === 'Kaspi #1003')?.goods).toEqual(['CUP × 3']);
    expect(requests(/^POST \/api\/v4\/leads\/unlink/)).toHaveLength(unlinks);
  });

  test('lists that lag: nothing in doubt is looked up before twice the lag and five seconds are over', async () => {
    await open({ amo: { listLagMs: 3_000 } });
    await probe();
    expect(await answers()).toMatchObject({ lag: about(3_000), 'filters:deals': 'honoured' });
    w.amo.fault({ match: 'POST /api/v4/leads', kind: 'lost' });
    await w.run();
    expect(await quietTimeMs()).toBeGreaterThanOrEqual(11_000);
    await w.settle();
    expect(w.outcome().deals.filter(({ name }) => name.startsWith('Kaspi #'))).toHaveLength(4);
  });

  test('lists that lag for long: the doctor warns, and ten minutes pass before a look', async () => {
    await open({ amo: { listLagMs: 60_000 } });
    await probe();
    expect(await answers()).toMatchObject({ lag: 'beyond', order: 'honoured' });
    expect(await doctorSays()).toEqual([
      expect.objectContaining({ verdict: 'ok' }),
      expect.objectContaining({ verdict: 'warning', message: expect.stringContaining('waits 10 min') }),
    ]);
    w.amo.fault({ match: 'POST /api/v4/leads', kind: 'lost' });
    await w.run();
    expect(await quietTimeMs()).toBeGreaterThanOrEqual(600_000);
    await w.settle({ tickMs: 300_000 });
    expect(w.outcome().deals.filter(({ name }) => name.startsWith('Kaspi #'))).toHaveLength(4);
  });

  test('an order that is ignored: known, and a lost answer is settled all the same', async () => {
    await open({ amo: { orderHonoured: false } });
    await probe();
    expect(await answers()).toMatchObject({ order: 'ignored', lag: about(0), 'filters:deals': 'honoured' });
    w.amo.fault({ match: 'POST /api/v4/leads', kind: 'lost' });
    await w.run();
    await w.settle();
    expect(w.outcome().deals.filter(({ name }) => name.startsWith('Kaspi #'))).toHaveLength(4);
  });

  test('a link to the next page that is not given; how many rows a page has, where the account is large enough', async () => {
    await open({ amo: { omitNext: true } });
    w.amo.standin.add({ generate: { deals: 260 } });
    await probe();
    expect(await answers()).toMatchObject({ next: 'missing', page: 250 });
  });

  test('pages that are shorter than asked for are warned of', async () => {
    await open();
    w.amo.standin.add({ generate: { deals: 60 } });
    const handle = w.amo.standin.handle.bind(w.amo.standin);
    w.amo.standin.handle = (request) => {
      if (Number(request.query.get('limit')) > 50) request.query.set('limit', '50');
      return handle(request);
    };
    await probe();
    expect(await answers()).toMatchObject({ page: 50 });
    expect(await doctorSays()).toMatchObject([
      { verdict: 'ok' },
      { verdict: 'warning', message: expect.stringContaining('50 rows') },
    ]);
  });
});

describe('what it does to the account', () => {
  test('goods that were acknowledged and are sent again are not put on the deal twice', async () => {
    const account = await amoWorld({ linkMode: 'add' });
    const fresh = await freshDatabase('sqlite');
    try {
      const { elements: made, deals } = account.amo.standin.add({
        elements: [{ name: 'Лампа', sku: 'LAMP' }],
        deals: [{ name: 'Kaspi #1' }],
      });
      const client = amocrmClient(account.http(bearerOf(account.amo.standin.credentials().long_lived_token)));
      const handler = goodLinkHandler({ client, memory: amoMemory(fresh.database, account.clock) });
      const delivery = linkDelivery(deals[0] ?? 0, made[0] ?? 0);
      const sent = async () => undefined;
      await handler.send([delivery], sent);
      const outcomes = await handler.send([delivery], sent);
      expect([...outcomes.values()]).toMatchObject([{ state: 'done' }]);
      expect(account.amo.standin.links()).toMatchObject([{ quantity: 2 }]);
    } finally {
      await account.close();
      await fresh.dispose();
    }
  });

  test('without a catalog nothing is linked and no element is made', async () => {
    await open();
    await probe({ AMO_CATALOG_ID: undefined });
    expect(await answers()).not.toHaveProperty('relink');
    expect(elements()).toEqual([]);
    expect(requests(/^POST .*(link|elements)/)).toEqual([]);
  });

  test('a deal whose name a killed probe left marked is found and named as before', async () => {
    await open();
    await probe();
    const [deal] = testDeals();
    w.amo.standin.edit({ lead: deal?.id ?? 0 }, { name: `${NAME} (probe-m1x2)` });
    await w.database.db.deleteFrom('meta').where('key', '=', 'amo_test_deal').execute();
    await probe();
    expect(testDeals()).toMatchObject([{ id: deal?.id, name: NAME }]);
  });

  test('a failure in the middle is told; name and links are put back, earlier answers kept', async () => {
    await open();
    w.amo.fault({ match: 'POST /api/v4/leads/link', kind: 'status', status: 500, nth: 2 });
    const { exit, list } = await probe();
    expect(exit).not.toBe(0);
    expect(list).toMatchObject([{ check: 'amoCRM probe', verdict: 'failure', remedy: expect.any(String) }]);
    expect(await answers()).toMatchObject({ order: 'honoured', lag: about(0) });
    expect(await answers()).not.toHaveProperty('relink');
    expect(testDeals()).toMatchObject([{ name: NAME }]);
    expect(w.amo.standin.links().filter(({ lead_id }) => lead_id === testDeals()[0]?.id)).toEqual([]);
  });

  test('after another failure it is not done, and amoCRM is asked nothing', async () => {
    await open();
    const findings = new Findings();
    findings.wrong('ids', 'no such catalog', 'Look.');
    const ctx = { clock: w.clock, log: silentLogger, signal: new AbortController().signal };
    const core = httpCore({ ...ctx, userAgent: 'sdelka-test' });
    const settings = readSettings({ values: w.environment, baseDir: w.dir }, [coreSettings, amoSettings]);
    await probeAmo(findings, settings as CoreSettings & AmoSettings, { ctx, database: w.database, core });
    core.close();
    expect(findings.list.at(-1)).toMatchObject({ verdict: 'warning', message: expect.stringContaining('not done') });
    expect(w.amo.journal).toEqual([]);
  });
});

describe('the doctor', () => {
  test('says how old the answers are, and warns after half a year', async () => {
    await open();
    expect(await doctorSays()).toMatchObject([{ verdict: 'ok', message: expect.stringContaining('never done') }]);
    await probe();
    w.clock.advance(179 * DAY_MS);
    expect(await doctorSays()).toMatchObject([{ verdict: 'ok', message: expect.stringContaining('order honoured') }]);
    w.clock.advance(2 * DAY_MS);
    expect(await doctorSays()).toMatchObject([{ verdict: 'warning', remedy: expect.stringContaining('--probe') }]);
  });

  test('probes by --probe alone, and never in a dry run', () =>
    inWorld({}, async (shop) => {
      const plain = await shop.sdelka(['doctor', '--json']);
      expect(plain.code).toBe(0);
      expect(shop.amo.journal.filter(({ method }) => method !== 'GET')).toEqual([]);
      shop.clearJournals();
      const dry = await shop.sdelka(['--dry-run', 'doctor', '--probe']);
      expect(dry.code).toBe(64);
      expect(shop.amo.journal).toEqual([]);
      const { code, stdout } = await shop.sdelka(['doctor', '--probe', '--json']);
      expect(code).toBe(0);
      const { checks } = JSON.parse(stdout) as { checks: Finding[] };
      const said = checks.filter(({ check }) => check === 'amoCRM probe').map(({ message }) => message);
      expect(said).toEqual([
        expect.stringMatching(/^done; \d of 7/),
        expect.stringContaining('linking again sets the quantity'),
      ]);
    }));
});

function linkDelivery(dealId: number, elementId: number): Delivery {
  const payload = { dealKey: 'deal', goodKey: 'good', catalogId: 5501, quantity: 2 };
  return {
    row: {
      id: 1,
      key: 'amocrm:good-link:kaspi:1:LAMP',
      kind: 'amocrm.good-link',
      record: { kind: 'kaspi-order', key: '1' },
      needs: ['deal', 'good'],
      payload,
      doubts: 0,
      looks: 0,
      attempts: 0,
      lookFirst: false,
      sentAt: null,
      createdAt: '2026-05-01T10:00:00.000Z',
    },
    ids: new Map([
      ['deal', String(dealId)],
      ['good', String(elementId)],
    ]),
    since: new Date(0),
  };
}
