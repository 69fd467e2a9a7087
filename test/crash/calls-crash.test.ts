import { describe, expect, test } from 'vitest';
import {
  changedPeople,
  clearJournal,
  disagreements,
  doubles,
  failedOf,
  laterCalls,
  loseDatabase,
  newCalls,
  SYNC,
  seen,
  smallFirm,
} from '../support/calls-stream.ts';
import { accountOf, attachFirms, firmOf } from '../support/calls-world.ts';
import { calmRun, cutAgainAndAgain, cutAtSteps, expectSound, open, type Scene } from '../support/cut-loop.ts';
import type { Dialect } from '../support/databases.ts';
import { exclusive } from '../support/mortal.ts';
import { STRIDE } from '../support/stride.ts';
import type { World } from '../support/world.ts';

/** A world that has gone through the scene in calm passes. */
async function calm(scene: Scene): Promise<World> {
  const one = await open('sqlite', scene.options);
  await scene.prepare(one);
  await one.settle({ jobs: [scene.run ?? {}] });
  return one;
}

/** Nothing twice, and the tables say what the account holds. */
async function expectWhole(one: World): Promise<void> {
  expect(doubles(one)).toEqual([]);
  expect(await disagreements(one)).toEqual([]);
}

describe('what calm passes bring', () => {
  test('each call, client, task and draft order once; the tables agree with the account', async () => {
    const one = await calm(newCalls());
    const { truthAgainst, held } = firmOf(one);
    expect(truthAgainst()).toEqual([]);
    await expectWhole(one);
    const asked = [...held.tasks().map(({ phone }) => phone)].sort();
    expect(asked).toEqual(
      held
        .orders()
        .map(({ phone }) => phone)
        .sort(),
    );
    // Three runs of missed calls of one client, and one of another; who was called back in time asks for nothing.
    expect(asked).toHaveLength(4);
    expect(await failedOf(one)).toEqual([]);
  });

  test('later calls too; the one task of a client who was called back in time is done', async () => {
    const one = await calm(laterCalls());
    await expectWhole(one);
    expect(
      firmOf(one)
        .held.tasks()
        .filter(({ complete }) => complete),
    ).toHaveLength(1);
    expect(firmOf(one).held.tasks()).toHaveLength(firmOf(one).held.orders().length);
  });
});

describe('a pass cut at any step ends as a calm one', () => {
  const scenes: [name: string, scene: Scene, coarseness: number, least: number][] = [
    ['new calls', newCalls(), 16, 120],
    ['later calls', laterCalls(), 8, 60],
    ['changed people', changedPeople(), 1, 20],
  ];
  test.each(STRIDE === 1 ? scenes : scenes.slice(0, 2))('%s', async (_, scene, coarseness, least) => {
    expectSound(await cutAtSteps('sqlite', scene, coarseness * (STRIDE - 1) + 1), least);
  });

  const cleaning: [Dialect, string, Scene, most: number][] = [
    ['sqlite', 'later calls', laterCalls(), 40],
    ['sqlite', 'new calls', newCalls(), 40],
    ['postgres', 'new calls', newCalls(), 20],
  ];
  test.each(STRIDE === 1 ? cleaning : cleaning.slice(0, 1))(
    '%s, %s: passes that clean up after a cut are cut as well',
    async (dialect, _, scene, most) => {
      expect(await cutAgainAndAgain(dialect, scene, Math.ceil(most / STRIDE ** 2))).toEqual([]);
    },
  );
});

describe('several at once', () => {
  test('two processes: one works, the other ends as skipped', async () => {
    const { wanted } = await calmRun('sqlite', newCalls());
    const one = await open('sqlite', newCalls().options);
    await newCalls().prepare(one);
    const turns = exclusive();
    const ends = await Promise.all([one.run({ ...SYNC, turns }), one.run({ ...SYNC, turns })]);
    expect(ends.map(({ exit }) => exit)).toEqual([0, 0]);
    expect(ends.map(({ result }) => result?.outcome).sort()).toEqual(['ok', 'skipped']);
    expect(await seen(one)).toEqual(wanted);
  });

  type Trouble = [name: string, exit: number, strike: (one: World) => Promise<void>];
  const troubles: Trouble[] = [
    ['is not reached', 69, async (one) => firmOf(one).crm.close()],
    ['is no account', 69, async (one) => firmOf(one).crm.standin.configure({ accountMissing: true })],
    ['refuses the key', 77, async (one) => firmOf(one).crm.standin.configure({ apiKey: 'another' })],
    ['has telephony off', 69, async (one) => firmOf(one).crm.standin.configure({ telephonyOff: true })],
    ['is always busy', 69, async (one) => firmOf(one).crm.standin.configure({ busyTimes: 1_000_000 })],
    ['fails', 69, async (one) => firmOf(one).crm.fault({ match: '/api/', kind: 'status', status: 500, times: 0 })],
  ];
  test.each(troubles)('the account of one enterprise %s: the calls of the other arrive', async (_, exit, strike) => {
    const one = await open('sqlite', newCalls().options);
    const now = one.clock.now().getTime();
    const [, other] = await attachFirms(one, smallFirm(now), smallFirm(now, { number: '0002' }));
    await strike(one);
    const end = await one.run(SYNC);
    expect(end.exit).toBe(exit);
    expect(end.error?.message).not.toMatch(/\bat .*\.ts:\d/);
    expect(other?.truthAgainst({ late: 'not yet' })).toEqual([]);
    expect(other?.held.tasks().length).toBeGreaterThan(0);
  });

  test('two enterprises of the same clients: each account has its own customers', async () => {
    const one = await open('sqlite', newCalls().options);
    const now = one.clock.now().getTime();
    const firms = await attachFirms(one, smallFirm(now), smallFirm(now, { number: '0002', known: 0 }));
    expect(await one.run(SYNC)).toMatchObject({ exit: 0 });
    expect(firms.map((firm) => firm.truthAgainst({ late: 'not yet' }))).toEqual([[], []]);
  });
});

describe('what a database does not know', () => {
  test('a lost database: all is found at the account, and nothing is made twice', async () => {
    const one = await calm(laterCalls());
    const before = accountOf(firmOf(one));
    await loseDatabase(one);
    clearJournal(one);
    const ends = await one.settle({ jobs: [SYNC] });
    // The first pass counts the calls as sent, since it cannot tell that they stood there.
    expect(ends.map(({ exit }) => exit)).toEqual([0, 0]);
    expect(accountOf(firmOf(one))).toEqual(before);
    await expectWhole(one);
    const asked = firmOf(one).crm.journal.map(({ method, path }) => `${method} ${path}`);
    // Calls are sent again, since the account has no list of them and stores none twice; everything else is found.
    expect(asked.filter((line) => line.startsWith('POST'))).toEqual(['POST /api/v5/telephony/calls/upload']);
    expect(asked.some((line) => line.includes('/api/v5/tasks'))).toBe(true);
  });

  test('a customer who is refused for good: his calls, task and order are there all the same', async () => {
    const scene = newCalls();
    const one = await open('sqlite', scene.options);
    await scene.prepare(one);
    const firm = firmOf(one);
    const phone = '+79165001234';
    firm.crm.standin.configure({ refusedInUpload: [`tel-${phone.slice(1)}`] });
    expect(await one.run(SYNC)).toMatchObject({ exit: 1 });
    expect(firm.truthAgainst({ makesCustomer: (call) => call.phone !== phone })).toEqual([]);
    expect(firm.held.customers(phone)).toEqual([]);
    expect(await failedOf(one)).toEqual([expect.stringContaining('Refused by the account')]);
    expect(JSON.stringify(await failedOf(one))).not.toContain(phone.slice(4));
    firm.crm.standin.configure({ refusedInUpload: [] });
    await one.settle({ tickMs: 61 * 60_000, jobs: [SYNC] });
    expect(firm.held.customers(phone)).toHaveLength(1);
    expect(doubles(one)).toEqual([]);
    expect(await failedOf(one)).toEqual([]);
  });
});
