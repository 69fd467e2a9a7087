import { describe, expect, test } from 'vitest';
import type { AmocrmOptions } from '../../src/sandbox/amocrm.ts';
import {
  calmRun,
  closeLast,
  cutAtSteps,
  expectSound,
  faultAfter,
  open,
  type Scene,
  stepsOf,
} from '../support/cut-loop.ts';
import { fewOf, POSTGRES_STRIDE, STRIDE } from '../support/stride.ts';
import { mappingText } from '../support/world.ts';

const TICK_MS = 60_000;

/** A fresh database looks for everything before it makes it, which might hide that a doubt is not looked up. */
const fresh: Scene = { options: {}, prepare: async () => undefined };

/** Without a field for the code a deal is found again by its name. */
const byName: Scene = {
  options: { mapping: mappingText({ externalId: '', fields: '900102: "{deliveryAddress.formattedAddress}"' }) },
  prepare: async () => undefined,
};

/** Orders that come in after a first pass are made without looking first. */
function seasoned(amo: Partial<AmocrmOptions> = {}, env: Record<string, string> = {}): Scene {
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
const lagging: Scene = {
  ...seasoned({ listLagMs: 60_000, searchLagMs: 60_000 }, { DOUBT_QUIET_SECONDS: '40', HTTP_TIMEOUT_MS: '1000' }),
  tickMs: 10_000,
  most: 30,
};

describe('without a cut', () => {
  test('the calm outcome is what the orders say, and a second pass adds nothing', async () => {
    const one = await open('sqlite');
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
  test('sqlite, a fresh database', async () => {
    expectSound(await cutAtSteps('sqlite', fresh, STRIDE), 100);
  });

  test('sqlite, new orders after a first pass', async () => {
    expectSound(await cutAtSteps('sqlite', seasoned(), STRIDE), 80);
  });

  const onPostgres: [string, Scene, number][] = [
    ['new orders after a first pass', seasoned(), 80],
    ['a fresh database', fresh, 100],
  ];
  test.each(fewOf(onPostgres, 1))('postgres, %s', async (_, scene, least) => {
    expectSound(await cutAtSteps('postgres', scene, POSTGRES_STRIDE), least);
  });

  test('sqlite, lists that lag behind what was made, looked at every ten seconds', async () => {
    expectSound(await cutAtSteps('sqlite', lagging, STRIDE + 2), 80);
  });

  test('sqlite, deals known by their names alone', async () => {
    expectSound(await cutAtSteps('sqlite', byName, 2 * STRIDE + 1), 100);
  });

  test.each(fewOf(['sqlite', 'postgres'] as const, 1))(
    '%s, passes that clean up after a cut are cut as well',
    async (dialect) => {
      const seeds = Math.ceil(40 / (dialect === 'sqlite' ? STRIDE : POSTGRES_STRIDE));
      const { wanted } = await calmRun(dialect, seasoned());
      const wrong: string[] = [];
      for (let seed = 1; seed <= seeds; seed++) {
        const cuts = stepsOf(seed, 90);
        const one = await open(dialect, seasoned().options);
        await seasoned().prepare(one);
        for (const dieAt of cuts) {
          await one.run({ dieAt });
          one.clock.advance(TICK_MS);
        }
        const fault = await faultAfter(one, seasoned(), wanted);
        if (fault !== undefined) wrong.push(`seed ${seed}, cut at steps ${cuts.join(', ')}: ${fault}`);
        await closeLast();
      }
      expect(wrong).toEqual([]);
    },
  );
});
