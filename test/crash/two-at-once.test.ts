import { afterEach, expect, test } from 'vitest';
import { defineJob } from '../../src/jobs/define.ts';
import { kaspiPoll } from '../../src/jobs/kaspi-poll.ts';
import { kaspiStandin } from '../../src/sandbox/kaspi.ts';
import { serve } from '../../src/sandbox/kit.ts';
import { dialects } from '../support/databases.ts';
import { exclusive } from '../support/mortal.ts';
import { STRIDE } from '../support/stride.ts';
import { type RunOptions, type World, world } from '../support/world.ts';

const closing: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function open(dialect: 'sqlite' | 'postgres'): Promise<World> {
  const made = await world(dialect);
  closing.push(made.close);
  return made;
}

test.each(dialects)('%s: two processes of one job at once: one works, the other ends as skipped', async (dialect) => {
  const wanted = await open(dialect);
  await wanted.settle();
  const one = await open(dialect);
  const turns = exclusive();
  const ends = await Promise.all([one.run({ turns }), one.run({ turns })]);
  expect(ends.map((end) => end.exit)).toEqual([0, 0]);
  expect(ends.map((end) => end.result?.outcome).sort()).toEqual(['ok', 'skipped']);
  expect(one.outcome()).toEqual(wanted.outcome());
  const runs = await one.database.db.selectFrom('runs').select('outcome').execute();
  expect(runs).toEqual([{ outcome: 'ok' }]);
});

const BOTH_SHOPS = JSON.stringify({ deals: 11, contacts: 7, elements: 7, links: 14, notes: 10 });

/** The same work under another name, its own lock and cursor. */
const secondPoll = defineJob({ ...kaspiPoll, name: 'kaspi:poll-second' });

/** A second shop: other orders, the same buyer, goods that the first shop sells too. */
async function secondShop(one: World): Promise<RunOptions> {
  const now = () => one.clock.now().getTime();
  const shop = await serve(kaspiStandin({ now }));
  closing.push(shop.close);
  const zhanar = { name: 'Жанар', firstName: 'Жанар', lastName: 'Оспанова', cellPhone: '7479000008' };
  const lamp = { sku: 'LAMP', name: 'Лампа', basePrice: 12_500 };
  shop.standin.seed({
    orders: [
      { code: '2001', state: 'NEW', customer: zhanar, entries: [lamp], created_at: now() - 60_000 },
      { code: '2002', state: 'NEW', customer: zhanar, entries: [lamp], created_at: now() - 50_000 },
    ],
  });
  return { job: secondPoll, env: { KASPI_API_URL: `${shop.url}/shop/api/v2` } };
}

test.each(dialects)('%s: two jobs that want one buyer and one good make each once', async (dialect) => {
  const one = await open(dialect);
  const second = await secondShop(one);
  const turns = exclusive();
  // The lists lag, so that neither can see what the other has just made: only the reservation keeps them apart.
  one.amo.standin.configure({ listLagMs: 600_000, searchLagMs: 600_000 });
  const ends = await Promise.all([one.run({ turns }), one.run({ ...second, turns })]);
  for (const end of ends) expect([0, 1]).toContain(end.exit);
  await one.settle({ jobs: [{}, second] });
  const { deals, contacts, goods, counts } = one.outcome();
  expect(contacts.filter((name) => name.startsWith('Жанар'))).toEqual(['Жанар Оспанова: +77479000008']);
  expect(goods.filter((name) => name.startsWith('LAMP'))).toEqual(['LAMP: Лампа, 12500']);
  expect(counts).toEqual({ deals: 11, contacts: 7, elements: 7, links: 14, notes: 10 });
  for (const name of ['Kaspi #1001', 'Kaspi #2001', 'Kaspi #2002']) {
    expect(deals.find((deal) => deal.name === name)?.contacts).toEqual(['Жанар Оспанова: +77479000008']);
  }
});

test.each(dialects)('%s: who comes second waits for the holder of the reservation, dead or alive', async (dialect) => {
  const one = await open(dialect);
  const second = await secondShop(one);
  one.amo.standin.configure({ listLagMs: 30_000, searchLagMs: 30_000 });
  // The first job dies when the contacts are made and before it knows of it.
  one.amo.fault({ match: 'POST /api/v4/contacts', kind: 'lost' });
  const env = { DOUBT_QUIET_SECONDS: '60' };
  expect((await one.run({ env })).exit).toBe(1);
  expect((await one.run({ ...second, env: { ...second.env, ...env } })).exit).toBe(0);
  expect(one.outcome().deals.some((deal) => deal.name.startsWith('Kaspi #200'))).toBe(false);
  await one.settle({ jobs: [{ env }, { ...second, env: { ...second.env, ...env } }] });
  const { contacts, counts } = one.outcome();
  expect(contacts.filter((name) => name.startsWith('Жанар'))).toHaveLength(1);
  expect(counts).toEqual({ deals: 11, contacts: 7, elements: 7, links: 14, notes: 10 });
});

test('sqlite: a whole pass of another job between any two transactions of a pass makes nothing twice', async () => {
  const wrong: string[] = [];
  // Without a gap up to the end, where stride is 1; a pass has some fifty transactions.
  let at = 1;
  for (let came = true; came; at += STRIDE) {
    const one = await open('sqlite');
    const second = await secondShop(one);
    one.amo.standin.configure({ listLagMs: 600_000, searchLagMs: 600_000 });
    came = false;
    const between = async (transaction: number) => {
      if (transaction !== at) return;
      came = true;
      await one.run(second);
    };
    await one.run({ between });
    await one.settle({ jobs: [{}, second] });
    const counts = JSON.stringify(one.outcome().counts);
    if (counts !== BOTH_SHOPS) wrong.push(`before transaction ${at}: ${counts}`);
    for (const close of closing.splice(0).reverse()) await close();
  }
  expect(wrong).toEqual([]);
  expect(at).toBeGreaterThan(20);
});
