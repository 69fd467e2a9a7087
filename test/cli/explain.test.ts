import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { leaked, type SandboxWorld, sandboxWorld } from '../support/sandbox-world.ts';

const GOOD = '1000000001';
const BAD = '1000000002';
const PHONE = '7015551234';

let world: SandboxWorld;

beforeAll(async () => {
  world = await sandboxWorld();
  world.kaspi.standin.seed({
    orders: [
      { code: GOOD, customer: { firstName: 'Айгерим', cellPhone: PHONE }, entries: [{ sku: 'TEA', name: 'Tea' }] },
      { code: BAD, state: 'TELEPORT', customer: { firstName: 'Данияр', cellPhone: '7015559876' } },
    ],
  });
  expect(await world.poll()).toMatchObject({ code: 1 });
});

afterAll(async () => {
  await world.close();
});

async function json(...args: string[]): Promise<Record<string, unknown>> {
  return JSON.parse((await world.sdelka(['--json', ...args])).stdout);
}

const list = (value: unknown) => value as Record<string, unknown>[];

describe('explain', () => {
  test('a delivered order: what was done, the deal that stands, and no phone in any byte', async () => {
    const outcome = await world.sdelka(['explain', 'kaspi-order', GOOD, '--json']);
    expect(outcome).toMatchObject({ code: 0, stderr: '' });
    const [card] = world.dealsOf(GOOD);
    const told = JSON.parse(outcome.stdout);
    expect(told).toMatchObject({
      found: true,
      next: { action: 'none', text: `nothing to do: deal ${card?.deal.id} stands` },
    });
    const events = list(told.records[0].timeline).map(({ event }) => event);
    expect(events.slice(0, 3)).toEqual(['ordered', 'first seen', 'planned']);
    expect(events).toContain('done');
    expect(told.records[0].runs).toEqual([expect.objectContaining({ id: 1, job: 'kaspi:poll' })]);
    expect(told.records[0].effects).toContainEqual(
      expect.objectContaining({ kind: 'amocrm.contact', payload: expect.objectContaining({ phone: '+7********34' }) }),
    );
    expect(leaked(outcome.stdout, [PHONE])).toEqual([]);
  });

  test('the deal and the contact lead to the same order, by number or address', async () => {
    const [card] = world.dealsOf(GOOD);
    for (const args of [
      ['lead', String(card?.deal.id)],
      ['lead', `https://demo.amocrm.ru/leads/detail/${card?.deal.id}`],
      ['contact', String(card?.contact?.id)],
    ]) {
      expect(list((await json('explain', ...args)).records).map(({ key }) => key)).toEqual([GOOD]);
    }
  });

  test('nothing known: exit 1, with where it was looked for and how far was read', async () => {
    const outcome = await world.sdelka(['explain', 'kaspi-order', '1999999999']);
    expect(outcome).toMatchObject({ code: 1, stderr: '' });
    expect(JSON.parse(outcome.stdout)).toMatchObject({
      found: false,
      looked_for: [
        expect.stringContaining('Kaspi order 1999999999'),
        expect.stringContaining('kaspi:poll has read up to'),
      ],
    });
  });

  test.each([
    [['explain', 'ghost', '1'], 'There is no kind of record called ghost'],
    [['explain', 'lead', 'abc'], 'This is no id of a lead'],
    [['explain', 'lead'], "Missing required argument 'id'"],
  ])('%j is wrong usage', async (args, msg) => {
    const outcome = await world.sdelka(args);
    expect(outcome).toMatchObject({ code: 64, stdout: '' });
    expect(outcome.lines).toEqual([expect.objectContaining({ msg })]);
  });
});

describe('failed, retry, ignore', () => {
  const id = async () => String(list((await json('failed')).records)[0]?.id);

  test('the order that cannot be read is listed with its reason and next attempt', async () => {
    expect((await json('failed')).records).toEqual([
      expect.objectContaining({
        kind: 'kaspi-order',
        key: BAD,
        attempts: 1,
        reason: expect.stringContaining('TELEPORT'),
      }),
    ]);
    expect(await json('failed', '--kind', 'call')).toEqual({ records: [] });
    const { next } = await json('explain', 'kaspi-order', BAD);
    expect(next).toMatchObject({ action: 'retry', text: expect.stringContaining(`\`sdelka retry ${await id()}\``) });
  });

  test('a rehearsal of retry and ignore changes nothing', async () => {
    const before = await json('failed');
    expect(await json('--dry-run', 'retry', '--all')).toMatchObject({
      dry_run: true,
      retried: [{ key: BAD, effects: 0 }],
    });
    expect(await json('--dry-run', 'ignore', await id(), '--why', 'x')).toMatchObject({ dry_run: true, key: BAD });
    expect(await json('failed')).toEqual(before);
  });

  test('set aside, it is tried no more; revived and mended at Kaspi, it becomes a deal', async () => {
    const number = await id();
    const why = 'the buyer called it off, 87015559876';
    expect(await json('ignore', number, '--why', why)).toMatchObject({
      key: BAD,
      why: expect.not.stringContaining('5559876'),
    });
    expect(await json('failed')).toEqual({ records: [] });
    expect((await json('explain', 'kaspi-order', BAD)).next).toMatchObject({ action: 'ignored' });
    world.kaspi.standin.edit(BAD, { state: 'NEW' });
    expect(await world.poll()).toMatchObject({ code: 0 });
    expect(world.dealsOf(BAD)).toEqual([]);

    expect(await json('retry', number)).toMatchObject({ retried: [{ key: BAD }] });
    expect(await world.poll()).toMatchObject({ code: 0 });
    expect(world.dealsOf(BAD)).toHaveLength(1);
    expect(await json('failed')).toEqual({ records: [] });
  });

  test.each([
    [['retry'], 'Expected ids, or --all, and not both'],
    [['retry', '1', '--all'], 'Expected ids, or --all, and not both'],
    [['retry', 'x'], 'An id is a whole number above 0'],
    [['retry', '4711'], 'There is no failed record 4711; nothing was changed'],
    [['ignore', '4711'], '--why is missing'],
    [['ignore', '4711', '--why', 'x'], 'There is no failed record 4711; nothing was changed'],
  ])('%j is wrong usage', async (args, msg) => {
    const outcome = await world.sdelka(args);
    expect(outcome).toMatchObject({ code: 64, stdout: '' });
    expect(outcome.lines).toEqual([expect.objectContaining({ msg })]);
  });
});
