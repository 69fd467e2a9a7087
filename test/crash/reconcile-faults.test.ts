import { describe, expect, test } from 'vitest';
import type { Fault } from '../../src/sandbox/kit.ts';
import { calmRun, closeLast, difference, faultAfter, open, type Scene } from '../support/cut-loop.ts';
import {
  alertsOf,
  cable,
  changedWorld,
  cup,
  dealOf,
  elementOf,
  fan,
  idOf,
  kettle,
  lamp,
  polledWorld,
  RECONCILE,
  type SceneOptions,
  toldChanges,
} from '../support/reconcile-scene.ts';
import { cutsOf, diagonal, STRIDE } from '../support/stride.ts';
import type { World } from '../support/world.ts';

/** Past the longest pause of the breaker, and of a failed record that was tried a few times. */
const LONG_TICK_MS = 61 * 60_000;
const DEADLINE_MS = 250;

const UPDATE = 'PATCH /api/v4/leads';
const UNLINK = 'POST /api/v4/leads/unlink';
const LINK = 'POST /api/v4/leads/link';
const NOTE = 'POST /api/v4/leads/notes';

/** Alerts that tell of the fault itself come and go; those of people's changes must be as after a calm run. */
async function seen(one: World): Promise<unknown> {
  const alerts = await alertsOf(one);
  return { crm: one.outcome(), conflicts: alerts.filter((text) => text.startsWith('conflict')) };
}

function struckWorld(options: SceneOptions): Scene {
  return { ...changedWorld({ missed: false, ...options }), tickMs: LONG_TICK_MS, seen };
}

/** One pass is struck by the fault, and the passes after it are not. */
async function endsCalm(scene: Scene, fault: Fault, wanted: unknown): Promise<void> {
  const one = await open('sqlite', scene.options);
  await scene.prepare(one);
  const system = fault.match.includes('/shop/') ? one.kaspi : one.amo;
  system.fault(fault);
  const waits = fault.kind.startsWith('hang') || fault.kind === 'slow';
  const end = await one.run({ ...RECONCILE, ...(waits ? { env: { HTTP_TIMEOUT_MS: String(DEADLINE_MS) } } : {}) });
  expect(system.journal.filter((entry) => entry.fault !== undefined).length, 'the fault struck').toBeGreaterThan(0);
  system.faults.length = 0;
  expect([0, 1, 69]).toContain(end.exit);
  expect(await faultAfter(one, scene, wanted), `${fault.match}: ${fault.kind} ${fault.status ?? ''}`).toBeUndefined();
  await closeLast();
}

describe('a fault in the middle of changes passes by without a trace', () => {
  const strikes: Omit<Fault, 'match'>[] = [
    { kind: 'lost' },
    { kind: 'reset' },
    { kind: 'status', status: 429, times: 4 },
    { kind: 'status-after', status: 502 },
    { kind: 'cut' },
    { kind: 'status', status: 500 },
    { kind: 'hang-after' },
    { kind: 'status', status: 403 },
    { kind: 'html' },
    { kind: 'hang' },
    { kind: 'slow', delayMs: 2 * DEADLINE_MS },
  ];
  for (const [match, turns] of diagonal([UPDATE, UNLINK, LINK, NOTE], strikes)) {
    test(match, async () => {
      const scene = struckWorld({ linkMode: 'add' });
      const { wanted } = await calmRun('sqlite', scene);
      for (const strike of turns) await endsCalm(scene, { match, ...strike }, wanted);
    });
  }

  const reads = ['GET /api/v4/leads', 'GET /api/v4/leads/pipelines', 'GET /shop/api/v2/orders'];
  for (const [match, turns] of diagonal(reads, strikes)) {
    test(match, async () => {
      const scene = struckWorld({});
      const { wanted } = await calmRun('sqlite', scene);
      for (const strike of turns) await endsCalm(scene, { times: 4, match, ...strike }, wanted);
    });
  }

  const accounts: [string, SceneOptions][] = [
    ['a second link adds a row', { linkMode: 'add' }],
    ['a second link replaces the first, which nobody knows', {}],
    ['a second link replaces the first, which is known', { probed: true }],
  ];
  test.each(accounts)('%s: answers of each write are lost, and links are refused for a while', async (_, options) => {
    const scene = struckWorld(options);
    const { wanted } = await calmRun('sqlite', scene);
    for (const match of [UPDATE, UNLINK, LINK]) await endsCalm(scene, { match, kind: 'lost' }, wanted);
    // What was taken off stands nowhere until the link goes through, in some later pass.
    await endsCalm(scene, { match: LINK, kind: 'status', status: 429, times: 4 }, wanted);
    await endsCalm(
      scene,
      { match: LINK, kind: 'status', status: 400, body: '{"title":"Bad Request"}', times: 9 },
      wanted,
    );
  });

  test('links that fail for three passes, while the goods change again: the last ones stand there, nobody is blamed', async () => {
    const scene = polledWorld({ linkMode: 'add' });
    for (const fault of [{ kind: 'status', status: 500 }, { kind: 'status', status: 429 }, { kind: 'lost' }] as const) {
      const one = await open('sqlite', scene.options);
      await scene.prepare(one);
      one.amo.fault({ match: LINK, times: 0, ...fault });
      for (const quantity of [2, 3, 4]) {
        one.kaspi.standin.edit('1003', { entries: [{ ...cup, quantity }] });
        one.clock.advance(LONG_TICK_MS);
        await one.run(RECONCILE);
      }
      one.amo.faults.length = 0;
      await one.settle({ jobs: [RECONCILE], tickMs: LONG_TICK_MS });
      expect(dealOf(one, '1003').goods, fault.kind).toEqual(['CUP × 4']);
      expect(toldChanges(dealOf(one, '1003'), 'CUP').map(({ to }) => to)).toEqual(['2', '3', '4']);
      expect((await alertsOf(one)).filter((text) => text.startsWith('conflict'))).toEqual([]);
      await closeLast();
    }
  });

  test('a good that a person deleted from the catalog is made anew when an order takes it up', async () => {
    const scene = polledWorld();
    const one = await open('sqlite', scene.options);
    await scene.prepare(one);
    one.amo.standin.remove({ element: elementOf(one, 'CABLE') });
    one.kaspi.standin.edit('1003', { entries: [cup, cable] });
    one.kaspi.standin.edit('1002', { entries: [{ ...lamp, quantity: 2 }] });
    await one.settle({ jobs: [RECONCILE, {}], tickMs: LONG_TICK_MS });
    expect(dealOf(one, '1003').goods).toEqual(['CABLE × 1', 'CUP × 1']);
    expect(dealOf(one, '1002').goods).toEqual(['LAMP × 2']);
    expect(one.outcome().goods.filter((name) => name.startsWith('CABLE'))).toHaveLength(1);
  });
});

/** Managers come to work after the cut: a price, a tag, a good and a quantity of their own. */
function managersStep(one: World): void {
  const { standin } = one.amo;
  const { elements } = standin.add({ elements: [{ name: 'Подарок', sku: 'GIFT', price: 0 }] });
  const [first, third] = [idOf(one, '1001'), idOf(one, '1003')];
  standin.edit({ lead: third }, { price: 5000 });
  standin.edit({ lead: first }, { tags: [...dealOf(one, '1001').tags, 'VIP'] });
  standin.link(first, elements[0] ?? 0, 1);
  if (dealOf(one, '1001').goods.some((good) => good.startsWith('CUP'))) standin.unlink(first, elementOf(one, 'CUP'));
  standin.link(first, elementOf(one, 'CUP'), 9);
}

test('what managers do between a cut pass and the next one stays, and is reported once', async () => {
  const scene: Scene = {
    ...polledWorld({ linkMode: 'add' }),
    prepare: async (one) => {
      await polledWorld().prepare(one);
      one.kaspi.standin.edit('1001', {
        entries: [kettle, lamp, cable, fan, { ...cup, quantity: 4 }],
        state: 'PICKUP',
      });
      one.kaspi.standin.edit('1003', { totalPrice: 1300 });
    },
  };
  const { steps } = await calmRun('sqlite', scene);
  const wrong: string[] = [];
  for (const dieAt of cutsOf(steps, STRIDE)) {
    const one = await open('sqlite', scene.options);
    await scene.prepare(one);
    await one.run({ ...RECONCILE, dieAt });
    managersStep(one);
    try {
      await one.settle({ jobs: [RECONCILE] });
      const deal = dealOf(one, '1001');
      expect(deal.goods).toEqual(['CABLE × 1', 'CUP × 9', 'FAN × 1', 'GIFT × 1', 'KETTLE × 1', 'LAMP × 1']);
      expect(deal).toMatchObject({ price: 7990 + 12_500 + 900 + 9900 + 6000, tags: ['Kaspi', 'PICKUP', 'VIP'] });
      expect(dealOf(one, '1003').price).toBe(5000);
      const alerts = await alertsOf(one);
      expect(alerts.filter((text) => text !== 'conflict kaspi-order:1001:goods CUP')).toEqual([
        'conflict kaspi-order:1003:the budget',
      ]);
      expect(new Set(alerts).size).toBe(alerts.length);
      expect(new Set(deal.notes).size).toBe(deal.notes.length);
    } catch (error) {
      wrong.push(`cut at step ${dieAt} (${steps[dieAt - 1]}): ${(error as Error).message}`);
    }
    await closeLast();
  }
  expect(wrong).toEqual([]);
});

describe('orders that change before their poll is through', () => {
  const halfDone: Scene = { options: { ...polledWorld().options }, prepare: async () => undefined };

  function change(one: World): void {
    // No article is gone from all orders, or the catalog would show what was seen before the cut.
    one.kaspi.standin.edit('1001', { entries: [{ ...kettle, quantity: 5 }, { ...cup, quantity: 2 }, cable, fan] });
    one.kaspi.standin.edit('1002', { state: 'KASPI_DELIVERY' });
    one.kaspi.standin.edit('1003', { totalPrice: 1700 });
  }

  /** How many changes are told depends on what was seen before the cut. */
  function withoutNotes(one: World): unknown {
    const { deals, contacts, goods, counts } = one.outcome();
    return { deals: deals.map((deal) => ({ ...deal, notes: [] })), contacts, goods, counts: { ...counts, notes: 0 } };
  }

  test.each(['replace', 'add'] as const)('a poll cut at any step, then both jobs (links: %s)', async (linkMode) => {
    const options = { ...halfDone.options, amo: { linkMode } };
    const calm = await open('sqlite', options);
    const { steps } = await calm.run();
    change(calm);
    await calm.run(RECONCILE);
    await calm.settle({ jobs: [{}, RECONCILE] });
    const wanted = withoutNotes(calm);
    await closeLast();
    const wrong: string[] = [];
    for (const dieAt of cutsOf(steps, 2 * STRIDE - 1)) {
      const one = await open('sqlite', options);
      await one.run({ dieAt });
      change(one);
      try {
        await one.run(RECONCILE);
        await one.settle({ jobs: [{}, RECONCILE] });
        const fault = difference(withoutNotes(one), wanted);
        if (fault !== undefined) throw new Error(fault);
        expect((await alertsOf(one)).filter((text) => text.startsWith('conflict'))).toEqual([]);
        for (const { notes } of one.outcome().deals) expect(new Set(notes).size).toBe(notes.length);
      } catch (error) {
        wrong.push(`cut at step ${dieAt} (${steps[dieAt - 1]}): ${(error as Error).message}`);
      }
      await closeLast();
    }
    expect(wrong).toEqual([]);
  });
});
