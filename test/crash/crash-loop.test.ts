import { afterEach, describe, expect, test } from 'vitest';
import type { AmocrmOptions } from '../../src/sandbox/amocrm.ts';
import type { Dialect } from '../support/databases.ts';
import type { Step } from '../support/mortal.ts';
import { mappingText, type Outcome, type World, type WorldOptions, world } from '../support/world.ts';

const TICK_MS = 60_000;
/** After so many wrong ends the rest would tell nothing new. */
const ENOUGH = 3;

const opened: World[] = [];

afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});

async function open(dialect: Dialect, options: WorldOptions): Promise<World> {
  const made = await world(dialect, options);
  opened.push(made);
  return made;
}

interface Variant {
  options: WorldOptions;
  /** Brings a world to the moment before the pass that is cut. */
  prepare(one: World): Promise<void>;
}

/** A fresh database looks for everything before it makes it, which might hide that a doubt is not looked up. */
const fresh: Variant = { options: {}, prepare: async () => undefined };

/** Without a field for the code a deal is found again by its name. */
const byName: Variant = {
  options: { mapping: mappingText({ externalId: '', fields: '900102: "{deliveryAddress.formattedAddress}"' }) },
  prepare: async () => undefined,
};

/** Orders that come in after a first pass are made without looking first. */
function seasoned(amo: Partial<AmocrmOptions> = {}, env: Record<string, string> = {}): Variant {
  return {
    options: { orders: 'first', amo, env },
    prepare: async (one) => {
      await one.settle();
      one.clock.advance(30 * 60_000);
      one.arrive();
    },
  };
}

/** What was made shows in lists after a minute: past the first look, before the second. */
const lagging = seasoned(
  { listLagMs: 60_000, searchLagMs: 60_000 },
  { DOUBT_QUIET_SECONDS: '40', HTTP_TIMEOUT_MS: '1000' },
);

/** How often cron comes, and how often it may come until all is done. */
interface Pace {
  tickMs?: number;
  most?: number;
}

interface Loop {
  cut: number;
  kinds: Set<Step>;
  wrong: string[];
}

/** Cuts a pass at its first step, the next world's at the `stride`th after it, and so on, until a pass gets through. */
async function cutAtSteps(dialect: Dialect, variant: Variant, stride: number, pace: Pace = {}): Promise<Loop> {
  const wanted = await calmOutcome(dialect, variant);
  const loop: Loop = { cut: 0, kinds: new Set(), wrong: [] };
  for (let step = 1; loop.wrong.length < ENOUGH; step += stride) {
    const one = await open(dialect, variant.options);
    await variant.prepare(one);
    const end = await one.run({ dieAt: step });
    if (end.exit !== 'killed') return loop;
    loop.cut += 1;
    const last = end.steps.at(-1);
    if (last !== undefined) loop.kinds.add(last);
    const fault = await faultAfter(one, wanted, pace);
    if (fault !== undefined) loop.wrong.push(`cut at step ${step} (${last}): ${fault}`);
    await opened.pop()?.close();
  }
  return loop;
}

async function calmOutcome(dialect: Dialect, variant: Variant): Promise<Outcome> {
  const calm = await open(dialect, variant.options);
  await variant.prepare(calm);
  await calm.settle();
  const outcome = calm.outcome();
  await opened.pop()?.close();
  return outcome;
}

async function faultAfter(one: World, wanted: Outcome, pace: Pace): Promise<string | undefined> {
  try {
    await one.settle(pace);
    expect(one.outcome()).toEqual(wanted);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

const EVERY_KIND = ['commit: after', 'commit: before', 'request: after', 'request: before'];

function expectSound({ cut, kinds, wrong }: Loop, least: number): void {
  expect(wrong).toEqual([]);
  expect(cut).toBeGreaterThan(least);
  expect([...kinds].sort()).toEqual(EVERY_KIND);
}

describe('without a cut', () => {
  test('the calm outcome is what the orders say, and a second pass adds nothing', async () => {
    const one = await open('sqlite', {});
    const first = await one.run();
    expect(first.exit).toBe(0);
    const { deals, contacts, counts } = one.outcome();
    expect(counts).toEqual({ deals: 9, contacts: 7, elements: 7, links: 12, notes: 8 });
    expect(contacts.filter((name) => name.startsWith('Жанар'))).toEqual(['Жанар Оспанова: +77479000008']);
    expect(deals.find((deal) => deal.name === 'Kaspi #1006')).toMatchObject({
      price: 4400,
      stage: '10226282/80953556',
      tags: ['KASPI_DELIVERY', 'Kaspi'],
      contacts: ['Ерлан: +77059000003'],
      goods: ['CUP × 3'],
      fields: { 900101: '1006' },
    });
    const before = one.outcome();
    const writes = () => one.amo.journal.filter((entry) => entry.method !== 'GET').length;
    const written = writes();
    one.clock.advance(TICK_MS);
    expect((await one.run()).exit).toBe(0);
    expect(writes()).toBe(written);
    expect(one.outcome()).toEqual(before);
  });
});

describe('a pass cut at any step ends in the calm outcome', () => {
  test('sqlite, a fresh database, every step', async () => {
    expectSound(await cutAtSteps('sqlite', fresh, 1), 100);
  });

  test('sqlite, new orders after a first pass, every step', async () => {
    expectSound(await cutAtSteps('sqlite', seasoned(), 1), 80);
  });

  // Three is odd, so that moments before and after take turns.
  test('postgres, a fresh database, every third step', async () => {
    expectSound(await cutAtSteps('postgres', fresh, 3), 30);
  });

  test('postgres, new orders after a first pass, every third step', async () => {
    expectSound(await cutAtSteps('postgres', seasoned(), 3), 25);
  });

  test('sqlite, lists that lag behind what was made, looked at every ten seconds', async () => {
    expectSound(await cutAtSteps('sqlite', lagging, 3, { tickMs: 10_000, most: 30 }), 25);
  });

  test('sqlite, deals known by their names alone, every fifth step', async () => {
    expectSound(await cutAtSteps('sqlite', byName, 5), 20);
  });

  test.each(['sqlite', 'postgres'] as const)(
    '%s, passes that clean up after a cut are cut as well',
    async (dialect) => {
      const seeds = Array.from({ length: dialect === 'sqlite' ? 40 : 8 }, (_, index) => index + 1);
      const wanted = await calmOutcome(dialect, seasoned());
      const wrong: string[] = [];
      for (const seed of seeds) {
        const cuts = stepsOf(seed);
        const one = await open(dialect, seasoned().options);
        await seasoned().prepare(one);
        for (const dieAt of cuts) {
          await one.run({ dieAt });
          one.clock.advance(TICK_MS);
        }
        const fault = await faultAfter(one, wanted, {});
        if (fault !== undefined) wrong.push(`seed ${seed}, cut at steps ${cuts.join(', ')}: ${fault}`);
        await opened.pop()?.close();
      }
      expect(wrong).toEqual([]);
    },
  );
});

/** Four steps of a pass, the same for a seed in every run (mulberry32). */
function stepsOf(seed: number): number[] {
  let state = seed;
  return Array.from({ length: 4 }, () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return 1 + (((mixed ^ (mixed >>> 14)) >>> 0) % 90);
  });
}
