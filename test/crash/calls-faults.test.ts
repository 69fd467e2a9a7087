import { describe, expect, test } from 'vitest';
import { FIRM_STAFF } from '../../src/sandbox/calls-firm.ts';
import type { Fault } from '../../src/sandbox/kit.ts';
import type { RetailcrmOptions } from '../../src/sandbox/retailcrm.ts';
import {
  changedPeople,
  clearJournal,
  disagreements,
  doubles,
  failedOf,
  laterCalls,
  MISSED,
  newCalls,
  type StreamOptions,
  SYNC,
  seen,
} from '../support/calls-stream.ts';
import { attachFirms, type CallsFirm, firmOf } from '../support/calls-world.ts';
import { calmRun, closeLast, cutAgainAndAgain, faultAfter, open, type Scene } from '../support/cut-loop.ts';
import { fewOf, STRIDE } from '../support/stride.ts';
import type { World } from '../support/world.ts';

/** Past the longest pause of the breaker, and of a failed record that was tried a few times. */
const LONG_TICK_MS = 61 * 60_000;
const DEADLINE_MS = 250;

const said = (errorMsg: string, rest = {}) => JSON.stringify({ success: false, errorMsg, ...rest });

type Strike = Omit<Fault, 'match'> & { name: string; at?: RegExp };

const STRIKES: Strike[] = [
  { name: 'lost', kind: 'lost' },
  { name: 'reset', kind: 'reset', times: 4 },
  { name: '500', kind: 'status', status: 500 },
  { name: '502 after the effect', kind: 'status-after', status: 502 },
  { name: 'cut', kind: 'cut' },
  { name: 'HTML instead of JSON', kind: 'html' },
  { name: 'busy for a moment', kind: 'status', status: 503, times: 2 },
  { name: 'busy for long', kind: 'status', status: 503, times: 12, body: said('Rate limit exceeded') },
  { name: '429', kind: 'status', status: 429, times: 12 },
  { name: '503 after the effect', kind: 'status-after', status: 503, at: /upload/ },
  { name: 'never taken, never answered', kind: 'hang' },
  { name: 'taken, never answered', kind: 'hang-after' },
  { name: 'the key is refused', kind: 'status', status: 403, body: said('Wrong "apiKey" value.') },
  { name: 'a refusal', kind: 'status', status: 400, body: said('Errors in the entity format'), at: /^POST/ },
  { name: 'a refusal with 200', kind: 'status', status: 200, body: said('Errors in the entity format'), at: /^POST/ },
  { name: 'too large', kind: 'status', status: 413, at: /upload/ },
  { name: '460 without a word', kind: 'status', status: 460, body: said('Loaded with errors'), at: /upload/ },
  { name: '460 after the effect', kind: 'status-after', status: 460, body: said('Loaded with errors'), at: /upload/ },
  { name: '460 in HTML', kind: 'status', status: 460, at: /upload/ },
  { name: 'no telephony', kind: 'status', status: 200, body: said('Telephony not enabled'), at: /telephony/, times: 3 },
];

interface Calm {
  routes: string[];
  wanted: unknown;
}

async function calm(scene: Scene): Promise<Calm> {
  const one = await open('sqlite', scene.options);
  await scene.prepare(one);
  clearJournal(one);
  expect((await one.run(scene.run)).exit).toBe(0);
  const { journal } = firmOf(one).crm;
  const routes = [...new Set(journal.map(({ method, path }) => `${method} ${path.replace(/missed-.*/, 'missed-')}`))];
  await one.settle({ jobs: [scene.run ?? {}] });
  const wanted = await seen(one);
  await closeLast();
  return { routes, wanted };
}

/** One pass is struck by the fault, and the passes after it are not. */
async function faultOf(scene: Scene, match: string, strike: Strike, wanted: unknown): Promise<string | undefined> {
  const one = await open('sqlite', scene.options);
  await scene.prepare(one);
  clearJournal(one);
  const { name: _, at: __, ...fault } = strike;
  const { crm } = firmOf(one);
  crm.fault({ match, ...fault });
  const env = fault.kind.startsWith('hang') ? { env: { HTTP_TIMEOUT_MS: String(DEADLINE_MS) } } : {};
  const { exit, error } = await one.run({ ...scene.run, ...env });
  const hit = crm.journal.some((entry) => entry.fault !== undefined);
  crm.faults.length = 0;
  const wrong = !hit
    ? 'the fault did not strike'
    : [0, 1, 69, 77].includes(Number(exit)) && !/\n\s+at /.test(error?.message ?? '')
      ? await faultAfter(one, { ...scene, tickMs: LONG_TICK_MS }, wanted)
      : `exit ${exit}: ${error?.message}`;
  await closeLast();
  return wrong;
}

describe('a fault at any route passes by without a trace', () => {
  const scenes: [string, Scene][] = [
    ['new calls', newCalls()],
    ['later calls', laterCalls()],
    ['changed people', changedPeople()],
  ];
  test.each(fewOf(scenes, 2))('%s', async (_, scene) => {
    const { routes, wanted } = await calm(scene);
    const strikes = routes.flatMap((route) =>
      STRIKES.filter(({ at }) => at === undefined || at.test(route)).map((strike) => ({ route, strike })),
    );
    const wrong: string[] = [];
    const every = 2 * (STRIDE - 1) + 1;
    for (const [at, { route, strike }] of strikes.entries()) {
      if (at % every !== 0) continue;
      const fault = await faultOf(scene, route, strike, wanted);
      if (fault !== undefined) wrong.push(`${route}: ${strike.name}: ${fault}`);
    }
    expect(wrong).toEqual([]);
  });
});

describe('accounts differ, and what stands there in the end does not', () => {
  const accounts: [string, Partial<RetailcrmOptions>][] = [
    ['names are searched whole', { nameFilter: 'whole' }],
    ['names are searched by digits', { nameFilter: 'digits' }],
    ['the filter of phones is passed over', { phoneFilter: 'ignored' }],
    ['the filter of phones is refused', { phoneFilter: 'refused', unknownFilters: 'refused' }],
    ['lists run from the newest', { listOrder: 'descending' }],
    ['customers who are there are updated', { takenInUpload: 'updated' }],
    ['a bad call spares the others', { badCallInUpload: 'partial' }],
    ['calls are updated', { duplicateUpdates: true }],
    ['calls that are there are counted', { duplicatesCounted: true }],
    ['errors are lists', { errorsAs: 'list' }],
    ['empty maps are maps', { emptyMapsAs: 'map' }],
    ['ids are texts', { stringIds: true }],
    ['several stores', { sites: ['shop', 'second'] }],
    ['refusals of telephony are 400', { telephonyRefusalStatus: 400 }],
    ['another zone', { timeZone: 'Asia/Novosibirsk' }],
    ['a noisy history', { segmentNoise: 5 }],
    // The last one is met at every stride.
    [
      'the worst of all',
      {
        nameFilter: 'whole',
        phoneFilter: 'refused',
        listOrder: 'descending',
        stringIds: true,
        duplicatesCounted: true,
      },
    ],
  ];
  /** They stand in the account's own zone. */
  async function withoutDates(one: World): Promise<unknown> {
    const text = JSON.stringify(await seen(one));
    return JSON.parse(text.replace(/\\"date(time)?\\":\\"[^"]*"/g, ''));
  }

  test('later calls', async () => {
    const { wanted } = await calmRun('sqlite', { ...laterCalls(), seen: withoutDates });
    const wrong: string[] = [];
    const turns = accounts.filter((_, at) => at % STRIDE === 0);
    for (const [name, crm] of new Set([...turns, ...accounts.slice(-1)])) {
      const scene = { ...laterCalls({ crm }), seen: withoutDates };
      const one = await open('sqlite', scene.options);
      await scene.prepare(one);
      const fault = await faultAfter(one, scene, wanted);
      if (fault !== undefined) wrong.push(`${name}: ${fault}`);
      await closeLast();
    }
    expect(wrong).toEqual([]);
  });

  test.each([
    ['updated', { takenInUpload: 'updated' }],
    ['counted, in lists', { duplicatesCounted: true, errorsAs: 'list', listOrder: 'descending' }],
  ] as [string, Partial<RetailcrmOptions>][])('%s: passes cut at any step', async (_, crm) => {
    expect(await cutAgainAndAgain('sqlite', laterCalls({ crm }), Math.ceil(40 / STRIDE ** 2))).toEqual([]);
  });

  test.each([
    ['a part of the number as typed', { nameFilter: 'substring' }, (phone: string) => phone.replace(/^\+7/, '8')],
    ['digits', { nameFilter: 'digits', listOrder: 'descending' }, undefined],
  ] as [string, Partial<RetailcrmOptions>, StreamOptions['typed']][])(
    'the way over the manager of a phone is closed, names are searched by %s: who was typed in is found',
    async (_, crm, typed) => {
      const scene = laterCalls({ crm, ...(typed && { typed }) });
      const one = await open('sqlite', scene.options);
      await scene.prepare(one);
      const match = 'GET /api/v5/telephony/manager';
      const closed = { match, kind: 'status', status: 403, body: said('Access denied.'), times: 0 } as const;
      firmOf(one).crm.fault(closed);
      await one.settle({ jobs: [SYNC] });
      expect([...doubles(one), ...(await disagreements(one))]).toEqual([]);
      expect(firmOf(one).crm.journal.filter(({ path }) => path.endsWith('/manager')).length).toBeLessThan(9);
    },
  );

  test('telephony is off for a while: customers are made, calls wait, and all of them arrive', async () => {
    const one = await open('sqlite', newCalls().options);
    await newCalls().prepare(one);
    const firm = firmOf(one);
    firm.crm.standin.configure({ telephonyOff: true });
    for (let pass = 1; pass <= 3; pass++) {
      const { exit, error } = await one.run(SYNC);
      expect(exit).toBe(69);
      expect(error?.hint).toContain('retail:register');
      one.clock.advance(60_000);
    }
    expect(firm.crm.standin.calls()).toEqual([]);
    firm.crm.standin.configure({ telephonyOff: false });
    await one.settle({ jobs: [SYNC] });
    expect(firm.truthAgainst()).toEqual([]);
    expect([...doubles(one), ...(await disagreements(one))]).toEqual([]);
  });
});

describe('one bad call among sixty', () => {
  const all = { calls: 60, phones: 20, repeats: 0, late: 0 };

  async function sixty(
    crm: Partial<RetailcrmOptions>,
    lines: readonly string[] = [MISSED],
  ): Promise<[World, CallsFirm]> {
    const one = await open('sqlite', newCalls().options);
    const now = one.clock.now().getTime();
    const cdr = { ...all, from: now - 23 * 3_600_000, to: now - 3_600_000 };
    const [firm] = await attachFirms(one, { lines, crm, cdr });
    if (!firm) throw new Error('no firm');
    return [one, firm];
  }

  const ways: Partial<RetailcrmOptions>[] = [
    { badCallInUpload: 'refuses-all', errorsAs: 'map' },
    { badCallInUpload: 'partial', errorsAs: 'list' },
    { badCallInUpload: 'refuses-all', errorsAs: 'list' },
    { badCallInUpload: 'partial', errorsAs: 'map' },
  ];
  test.each(fewOf(ways, 2))('%j: it is kept with the reason, the others arrive', async (crm) => {
    const [one, firm] = await sixty(crm);
    const bad = firm.script.truth.find(({ kind }) => kind === 'queue')?.externalId ?? '';
    firm.crm.standin.configure({ refusedInUpload: [bad] });
    expect(await one.run(SYNC)).toMatchObject({ exit: 1, result: { failed: 1 } });
    expect(await failedOf(one)).toEqual([expect.stringContaining('Refused by the account')]);
    expect(firm.truthAgainst()).toEqual([`queue ${bad}: is there 0 times`]);
    firm.crm.standin.configure({ refusedInUpload: [] });
    await one.settle({ tickMs: LONG_TICK_MS, jobs: [SYNC] });
    expect(firm.truthAgainst()).toEqual([]);
    expect(await failedOf(one)).toEqual([]);
  });

  test.each(fewOf(ways, 1))('%j: an extension and a user that are not there: those calls go without', async (crm) => {
    const people = FIRM_STAFF.slice(0, 3).map(({ extension, email }) => `"${extension}": ${email}`);
    const lines = [MISSED, `extensions: { ${people.join(', ')}, "204": 999 }`];
    const [one, firm] = await sixty({ ...crm, unknownCodeInUpload: 'refused' }, lines);
    const known = FIRM_STAFF.slice(0, 3).map(({ userId, extension }) => ({ userId, code: extension }));
    firm.crm.standin.seed({ modules: { sdelka: { integrations: { telephony: { additionalCodes: known } } } } });
    expect(await one.run(SYNC)).toMatchObject({ exit: 0, result: { failed: 0 } });
    const wrong = firm.truthAgainst().map((line) => line.replace(/^\w+ \S+ /, ''));
    expect(new Set(wrong)).toEqual(new Set(['extension undefined instead of 204', 'manager undefined instead of 27']));
    const alerts = await one.database.db.selectFrom('alerts').select('kind').execute();
    expect(new Set(alerts.map(({ kind }) => kind))).toEqual(new Set(['retail_code', 'retail_mapping', 'retail_user']));
  });
});
