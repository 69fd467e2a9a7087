import { afterEach, describe, expect, test } from 'vitest';
import type { AmocrmOptions } from '../../src/sandbox/amocrm.ts';
import type { Fault } from '../../src/sandbox/kit.ts';
import { diagonal } from '../support/stride.ts';
import { mappingText, type Outcome, type PassEnd, type World, type WorldOptions, world } from '../support/world.ts';

/** Past the longest pause of the breaker (60 minutes), and of a failed record that was tried a few times. */
const LONG_TICK_MS = 61 * 60_000;
/** Our deadline where a fault makes us wait for it. */
const DEADLINE_MS = 250;

const opened: World[] = [];

afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});

async function open(options: WorldOptions = {}): Promise<World> {
  const made = await world('sqlite', options);
  opened.push(made);
  return made;
}

/** A world with a first pass behind it and new orders at the door: nothing is looked for before it is made. */
async function seasoned(options: WorldOptions = {}): Promise<World> {
  const made = await open({ ...options, orders: 'first' });
  await made.settle();
  made.clock.advance(30 * 60_000);
  made.arrive();
  return made;
}

const calmOutcomes = new Map<unknown, Promise<Outcome>>();

/** The same for every fault, so that it is found once. */
function calmOutcome(make: (options?: WorldOptions) => Promise<World> = open): Promise<Outcome> {
  const known = calmOutcomes.get(make);
  if (known) return known;
  const calm = make().then(async (one) => {
    await one.settle();
    return one.outcome();
  });
  calmOutcomes.set(make, calm);
  return calm;
}

/** The route that a fault strikes, at the system that serves it. */
interface Route {
  system: 'amo' | 'kaspi';
  match: string;
}

const amo = (match: string): Route => ({ system: 'amo', match });
const WRITES = [
  amo('POST /api/v4/contacts'),
  amo('POST /api/v4/catalogs/5501/elements'),
  // A link and a note are routes below that of deals, so that deals are struck first of the three.
  amo('POST /api/v4/leads'),
  amo('POST /api/v4/leads/link'),
  amo('POST /api/v4/leads/notes'),
];
const READS = [
  { system: 'kaspi' as const, match: 'GET /shop/api/v2/orders' },
  amo('GET /api/v4/account'),
  amo('GET /api/v4/contacts'),
  amo('GET /api/v4/catalogs/5501/custom_fields'),
  amo('GET /api/v4/catalogs/5501/elements'),
  amo('GET /api/v4/leads/custom_fields'),
  amo('GET /api/v4/leads'),
];

type Strike = Omit<Fault, 'match'> & { name: string };

/** Each fault as often as it takes to get past the repetitions of a read, where it costs no waiting. */
const QUICK: Strike[] = [
  { name: 'reset', kind: 'reset', times: 4 },
  { name: 'lost answer', kind: 'lost', times: 4 },
  { name: '500', kind: 'status', status: 500, times: 4 },
  { name: '502 after the effect', kind: 'status-after', status: 502, times: 4 },
  { name: '429 burst', kind: 'status', status: 429, times: 4 },
  { name: '403 HTML', kind: 'status', status: 403 },
  { name: 'cut body', kind: 'cut', times: 4 },
  { name: 'HTML instead of JSON', kind: 'html', times: 4 },
];
const WAITING: Strike[] = [
  { name: 'slower than the deadline', kind: 'slow', delayMs: 2 * DEADLINE_MS },
  { name: 'never taken, never answered', kind: 'hang' },
  { name: 'taken, never answered', kind: 'hang-after' },
];

async function struck(one: World, route: Route, { name: _, ...fault }: Strike): Promise<PassEnd> {
  one[route.system].fault({ match: route.match, ...fault });
  const end = await one.run(fault.kind.startsWith('hang') || fault.kind === 'slow' ? shortDeadline : {});
  const hit = one[route.system].journal.filter((entry) => entry.fault !== undefined);
  expect(hit.length, `the fault at ${route.match} struck`).toBeGreaterThan(0);
  one[route.system].faults.length = 0;
  return end;
}

/** A doubt stays one for the rest of the pass, so that the route fails once in it and not until the pass gives up. */
const patient = { env: { DOUBT_QUIET_SECONDS: '60' } };

const shortDeadline = { env: { HTTP_TIMEOUT_MS: String(DEADLINE_MS) } };

describe('a fault at a write passes by without a trace', () => {
  for (const [route, strikes] of diagonal(WRITES, [...QUICK, ...WAITING])) {
    test(route.match, async () => {
      const wanted = await calmOutcome(seasoned);
      for (const strike of strikes) {
        // Once: a write is never repeated blindly, so that one strike is one doubt.
        const one = await seasoned();
        const end = await struck(one, route, { ...strike, times: strike.status === 429 ? 4 : 1 });
        expect([0, 1, 69], `${strike.name}: exit`).toContain(end.exit);
        await one.settle({ tickMs: LONG_TICK_MS });
        expect(one.outcome(), strike.name).toEqual(wanted);
      }
    });
  }
});

describe('a fault at a read passes by without a trace', () => {
  for (const [route, strikes] of diagonal(READS, [...QUICK, ...WAITING])) {
    test(route.match, async () => {
      const wanted = await calmOutcome();
      for (const strike of strikes) {
        const one = await open();
        const end = await struck(one, route, strike);
        expect([0, 1, 69], `${strike.name}: exit`).toContain(end.exit);
        await one.settle({ tickMs: LONG_TICK_MS });
        expect(one.outcome(), strike.name).toEqual(wanted);
      }
    });
  }
});

describe('amoCRM accounts differ', () => {
  type Quirk = readonly [string, Partial<AmocrmOptions>, Record<string, string>?];
  const quirks: Quirk[] = [
    ['lists that lag', { listLagMs: 20_000, searchLagMs: 30_000 }, { DOUBT_QUIET_SECONDS: '40' }],
    ['filters ignored', { filters: 'ignored' }],
    ['filters refused', { filters: 'error' }],
    ['order not honoured', { orderHonoured: false }],
    ['no link to the next page', { omitNext: true }],
    ['answers in another order', { answerOrder: 'reversed' }],
    ['deleted rows flagged', { deletedById: 'flagged' }],
    ['a second link adds a row', { linkMode: 'add' }],
  ];
  for (const [[name, options, env = {}], routes] of diagonal(quirks, WRITES)) {
    test(`${name}: the calm outcome, also after a lost answer of a write`, async () => {
      const wanted = await calmOutcome(seasoned);
      const calm = await seasoned({ amo: options, env });
      await calm.settle();
      expect(calm.outcome()).toEqual(wanted);
      for (const route of routes) {
        const one = await seasoned({ amo: options, env });
        await struck(one, route, { name: 'lost', kind: 'lost' });
        await one.settle();
        expect(one.outcome(), route.match).toEqual(wanted);
      }
    });
  }
});

describe('a route that keeps failing', () => {
  const failing: { fault: Strike; exits: PassEnd['exit'][] }[] = [
    { fault: { name: '500', kind: 'status', status: 500, times: 0 }, exits: [1, 69] },
    { fault: { name: 'lost answers', kind: 'lost', times: 0 }, exits: [0, 1, 69] },
    {
      fault: { name: '401 JSON', kind: 'status', status: 401, body: '{"title":"Unauthorized"}', times: 0 },
      exits: [77],
    },
  ];
  for (const [route, cases] of diagonal(WRITES, failing)) {
    for (const { fault, exits } of cases) {
      test(`${route.match}: ${fault.name}`, async () => {
        const wanted = await calmOutcome(seasoned);
        const one = await seasoned();
        const { name: _, ...strike } = fault;
        one.amo.fault({ match: route.match, ...strike });
        for (let pass = 1; pass <= 3; pass++) {
          expect(exits).toContain((await one.run()).exit);
          one.clock.advance(60_000);
        }
        one.amo.faults.length = 0;
        await one.settle({ tickMs: LONG_TICK_MS });
        expect(one.outcome()).toEqual(wanted);
      });
    }
  }

  test('notes that are refused keep back no deal, contact or good', async () => {
    const wanted = await calmOutcome(seasoned);
    const one = await seasoned(patient);
    one.amo.fault({ match: 'POST /api/v4/leads/notes', kind: 'status', status: 500, times: 0 });
    expect((await one.run()).exit).toBe(1);
    const { deals, contacts, goods, counts } = one.outcome();
    const quiet = (deal: Outcome['deals'][number]) => ({ ...deal, notes: [] });
    expect(deals.map(quiet)).toEqual(wanted.deals.map(quiet));
    expect({ contacts, goods }).toEqual({ contacts: wanted.contacts, goods: wanted.goods });
    expect(counts.notes).toBeLessThan(wanted.counts.notes);
  });

  test('goods that cannot be made keep back neither deals nor notes', async () => {
    const one = await seasoned(patient);
    one.amo.fault({ match: 'POST /api/v4/catalogs', kind: 'status', status: 500, times: 0 });
    expect((await one.run()).exit).toBe(1);
    const wanted = await calmOutcome(seasoned);
    expect(one.outcome().counts).toMatchObject({ deals: wanted.counts.deals, notes: wanted.counts.notes });
    expect(one.outcome().contacts).toEqual(wanted.contacts);
  });

  const unreadable: [string, Partial<Outcome['counts']>][] = [
    ['GET /api/v4/catalogs/5501/custom_fields', { deals: 9, contacts: 7, elements: 2, notes: 8 }],
    ['GET /api/v4/catalogs/5501/elements', { deals: 9, contacts: 7, elements: 2, notes: 8 }],
    ['GET /api/v4/leads/custom_fields', { deals: 1, contacts: 7, elements: 7 }],
    ['GET /api/v4/contacts', { deals: 1, contacts: 2, elements: 7 }],
  ];
  test.each(unreadable)('%s: exit 69, what does not need it is delivered, the rest later', async (match, counts) => {
    const wanted = await calmOutcome();
    const one = await open();
    one.amo.fault({ match, kind: 'status', status: 500, times: 0 });
    expect((await one.run()).exit).toBe(69);
    expect(one.outcome().counts).toMatchObject(counts);
    expect(await one.open()).toEqual({ pending: expect.any(Number) });
    one.amo.faults.length = 0;
    await one.settle();
    expect(one.outcome()).toEqual(wanted);
  });

  test('Kaspi unreachable: exit 69, what waits in the outbox goes out all the same', async () => {
    const wanted = await calmOutcome(seasoned);
    const one = await seasoned();
    one.amo.fault({ match: 'POST /api/v4/leads/notes', kind: 'status', status: 500 });
    await one.run();
    one.kaspi.fault({ match: '/orders', kind: 'status', status: 500, times: 0 });
    one.clock.advance(60_000);
    for (let pass = 1; pass <= 4; pass++) {
      expect((await one.run()).exit).toBe(69);
      one.clock.advance(60_000);
    }
    expect(one.outcome()).toEqual(wanted);
  });

  test('Kaspi refuses the token: 77; orders of that time come in afterwards', async () => {
    const wanted = await calmOutcome(seasoned);
    const one = await seasoned();
    one.kaspi.fault({ match: '/orders', kind: 'status', status: 401, body: '{"errors":[]}', times: 0 });
    expect((await one.run()).exit).toBe(77);
    one.kaspi.faults.length = 0;
    one.clock.advance(3 * 24 * 3_600_000);
    await one.settle();
    expect(one.outcome()).toEqual(wanted);
  });
});

describe('an item that amoCRM does not take', () => {
  async function rows(one: World) {
    const alerts = await one.database.db.selectFrom('alerts').select(['kind', 'subject']).execute();
    const failed = await one.database.db.selectFrom('failed_records').select(['key', 'last_error']).execute();
    return { alerts, failed };
  }

  test('a stale field of the mapping: the deal goes without it, one alert, a note says so, others unharmed', async () => {
    const wanted = await calmOutcome();
    // Only orders with an address fill the stale field, so that the others stand in the batch unharmed.
    const mapping = mappingText({ fields: '900101: "{code}"\n      999999: "{deliveryAddress.formattedAddress}"' });
    const one = await open({ mapping });
    expect((await one.run()).exit).toBe(0);
    const { deals, counts } = one.outcome();
    expect(counts).toEqual({ ...wanted.counts, notes: wanted.counts.notes + 1 });
    const touched = deals.find((deal) => deal.name === 'Kaspi #1005');
    expect(touched?.fields).toEqual({ 900101: '1005' });
    expect(touched?.notes.filter((note) => note.includes('999999'))).toHaveLength(1);
    expect(deals.filter((deal) => deal !== touched)).toEqual(
      wanted.deals.filter((deal) => deal.name !== 'Kaspi #1005'),
    );
    expect(await rows(one)).toEqual({ alerts: [{ kind: 'mapping', subject: 'amocrm:field 999999' }], failed: [] });
    await one.settle();
    expect(one.outcome().counts).toEqual(counts);
    expect((await rows(one)).alerts).toHaveLength(1);
  });

  test('a responsible user who has left: every deal is delivered without them', async () => {
    const wanted = await calmOutcome();
    const one = await open({ env: { AMO_RESPONSIBLE_USER_ID: '12380451' } });
    expect((await one.run()).exit).toBe(0);
    const { deals, contacts, counts } = one.outcome();
    expect(contacts).toEqual(wanted.contacts);
    expect({ ...counts, notes: 0 }).toEqual({ ...wanted.counts, notes: 0 });
    expect(deals.map((deal) => ({ ...deal, notes: [] }))).toEqual(wanted.deals.map((deal) => ({ ...deal, notes: [] })));
    const told = deals.filter((deal) => deal.notes.some((note) => note.includes('responsible user')));
    expect(told).toHaveLength(wanted.counts.deals - 1);
    expect((await rows(one)).alerts).toEqual([{ kind: 'mapping', subject: 'amocrm:responsible user' }]);
  });

  test('an unknown stage: kept with its reason, the others delivered, delivered once the mapping is mended', async () => {
    const wanted = await calmOutcome();
    const one = await open({ mapping: mappingText({ pickupStatus: 1 }) });
    expect((await one.run()).exit).toBe(1);
    const names = one.outcome().deals.map((deal) => deal.name);
    const refused = ['Kaspi #1002', 'Kaspi #1008'];
    expect(names).toEqual(wanted.deals.map((deal) => deal.name).filter((name) => !refused.includes(name)));
    const { failed } = await rows(one);
    expect(failed.map((row) => row.key).sort()).toEqual(['1002', '1008']);
    for (const row of failed) expect(row.last_error).toContain('status_id');
    await one.remap(mappingText());
    await one.settle({ tickMs: LONG_TICK_MS });
    expect(one.outcome()).toEqual(wanted);
    expect((await rows(one)).failed).toEqual([]);
  });

  test('a good deleted by a person while its link waits is made anew', async () => {
    const wanted = await calmOutcome();
    const one = await open();
    one.amo.fault({ match: 'POST /api/v4/leads/link', kind: 'status', status: 429, times: 4 });
    expect((await one.run()).exit).toBe(69);
    const lamp = one.amo.standin.elements().find((element) => element.sku === 'LAMP');
    one.amo.standin.remove({ element: lamp?.id ?? 0 });
    await one.settle({ tickMs: LONG_TICK_MS });
    expect(one.outcome()).toEqual(wanted);
  });

  test('a contact deleted by a person before its deal is made is made anew', async () => {
    const wanted = await calmOutcome();
    const one = await open();
    one.amo.fault({ match: 'POST /api/v4/leads', kind: 'status', status: 429, times: 4 });
    expect((await one.run()).exit).toBe(69);
    const olga = one.amo.standin.contacts().find((contact) => contact.name.startsWith('Ольга'));
    one.amo.standin.remove({ contact: olga?.id ?? 0 });
    await one.settle({ tickMs: LONG_TICK_MS });
    expect(one.outcome()).toEqual(wanted);
  });
});
