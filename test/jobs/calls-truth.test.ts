import { afterEach, expect, test } from 'vitest';
import { retailSyncCalls } from '../../src/jobs/retail-sync-calls.ts';
import { retailSyncHistory } from '../../src/jobs/retail-sync-history.ts';
import { accountOf, attachFirms, firmOf } from '../support/calls-world.ts';
import { type World, world } from '../support/world.ts';

const open: World[] = [];

afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

async function start(...firms: Parameters<typeof attachFirms>[1][]): Promise<World> {
  const one = await world('sqlite');
  open.push(one);
  await attachFirms(one, ...firms);
  return one;
}

const SYNC = { jobs: [{ job: retailSyncCalls }] };

test('each call of every kind comes to the account once, as it was; a second pass asks for nothing', async () => {
  const one = await start({ cdr: { calls: 100, country: 'BY', outboundPrefix: '9' } });
  const firm = firmOf(one);
  await one.settle(SYNC);
  expect(firm.truthAgainst()).toEqual([]);
  const [held, requests] = [accountOf(firm), firm.crm.journal.length];
  one.clock.advance(60_000);
  expect(await one.run({ job: retailSyncCalls })).toMatchObject({ exit: 0, result: { created: 0 } });
  expect(accountOf(firm)).toEqual(held);
  expect(firm.crm.journal.length).toBe(requests);
});

test('rows that come hours late bring their calls, and no call twice', async () => {
  const one = await start({ cdr: { calls: 80, late: 0.2 } });
  const firm = firmOf(one);
  await one.settle(SYNC);
  expect(firm.truthAgainst({ late: 'not yet' })).toEqual([]);
  one.clock.advance(3 * 3_600_000);
  firm.append(firm.script.late.map(({ record }) => record));
  // The oldest of them are out of a look-back of one day by now.
  await one.settle({ jobs: [{ job: retailSyncCalls, env: { RETAIL_CALLS_LOOKBACK: '2' } }] });
  expect(firm.truthAgainst({ late: 'since' })).toEqual([]);
});

test('two firms whose PBXes give the same ids: to each account its own calls', async () => {
  const cdr = { calls: 30 };
  const one = await world('sqlite');
  open.push(one);
  const firms = await attachFirms(one, { number: '0001', cdr }, { number: '0002', cdr });
  await one.settle(SYNC);
  const ids = firms.map(({ script }) => script.truth.map(({ linkedid }) => linkedid));
  expect(ids[0]).toEqual(ids[1]);
  for (const firm of firms) expect(firm.truthAgainst()).toEqual([]);
});

test('a client who is called back in time: his task, made before, is done, and nothing is asked again', async () => {
  const one = await start({ cdr: { calls: 1, kinds: { calledBack: 1 } }, written: false });
  const firm = firmOf(one);
  const { records, truth } = firm.script;
  const missed = truth.find((call) => call.missed);
  firm.append(records.filter(({ linkedid }) => linkedid === missed?.linkedid));
  await one.settle(SYNC);
  expect(firm.held.tasks()).toMatchObject([{ complete: false }]);
  firm.append(records.filter(({ linkedid }) => linkedid !== missed?.linkedid));
  expect(await one.run({ job: retailSyncCalls })).toMatchObject({ exit: 0, result: { updated: 1, failed: 0 } });
  expect(firm.held.tasks()).toMatchObject([{ complete: true }]);
  const requests = firm.crm.journal.length;
  await one.settle(SYNC);
  expect(firm.crm.journal.length).toBe(requests);
});

test('an account that refuses its key keeps back its own calls alone', async () => {
  const one = await world('sqlite');
  open.push(one);
  const cdr = { calls: 10 };
  const [first, second] = await attachFirms(one, { number: '0001', cdr }, { number: '0002', cdr });
  const key = one.environment.RETAILCRM_API_KEY;
  one.environment.RETAILCRM_API_KEY = 'not-the-right-one';
  expect(await one.run({ job: retailSyncCalls })).toMatchObject({ exit: 77 });
  expect([first?.crm.standin.calls(), second?.truthAgainst()]).toEqual([[], []]);
  Object.assign(one.environment, { RETAILCRM_API_KEY: key });
  await one.settle(SYNC);
  for (const firm of [first, second]) expect(firm?.truthAgainst()).toEqual([]);
});

test('a customer whom somebody has deleted is made again for the next call, and only then', async () => {
  const one = await start({ cdr: { calls: 1, kinds: { calledBack: 1 } }, known: 0, written: false });
  const firm = firmOf(one);
  const { records, truth } = firm.script;
  const missed = truth.find((call) => call.missed);
  const phone = missed?.phone ?? '';
  firm.append(records.filter(({ linkedid }) => linkedid === missed?.linkedid));
  await one.settle(SYNC);
  await one.settle({ jobs: [{ job: retailSyncHistory }] });
  const [made] = firm.held.customers(phone);
  firm.crm.standin.seed({ remove: { customer: made?.id ?? 0 } });
  await one.settle({ jobs: [{ job: retailSyncHistory }, { job: retailSyncCalls }] });
  expect(firm.held.customers(phone)).toEqual([]);
  firm.append(records.filter(({ linkedid }) => linkedid !== missed?.linkedid));
  await one.settle(SYNC);
  expect(firm.held.customers(phone)).toMatchObject([{ externalId: `tel-${phone.slice(1)}` }]);
  expect(firm.held.customers(phone)[0]?.id).not.toBe(made?.id);
});
