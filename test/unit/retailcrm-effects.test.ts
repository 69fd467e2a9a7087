import { afterEach, describe, expect, test } from 'vitest';
import { retailEffects } from '../../src/systems/retailcrm/effects/index.ts';
import {
  callEffect,
  customerEffect,
  customerKey,
  phoneOf,
  type RetailScene,
  retailScene,
} from '../support/retailcrm-scene.ts';

let open: RetailScene | undefined;
async function scene(...given: Parameters<typeof retailScene>): Promise<RetailScene> {
  open = await retailScene(...given);
  return open;
}
afterEach(async () => {
  await open?.close();
  open = undefined;
});

const person = (number: string, more = {}) => ({ firstName: 'Анна', phones: [{ number }], ...more });
const UPLOAD = 'POST customers/upload';
const CALLS = 'POST telephony/calls/upload';
const LOOK_UP = 'GET telephony/manager';

describe('customers', () => {
  test('are found by phones as people typed them, the rest are made, 50 at once; the index is read once', async () => {
    const typed = ['8 (029) 100-00-01', '+375 29 1000002', '80291000003', '291000004'];
    const it = await scene({}, { customers: typed.map((number, at) => person(number, { id: 500 + at })) });
    const first = await it.deliver(Array.from({ length: 60 }, (_, n) => customerEffect(phoneOf(n + 1))));
    expect(first.requests).toEqual(['GET customers', UPLOAD, UPLOAD]);
    expect([first.counts.created, it.crm.customers().length]).toEqual([56, 60]);
    expect(await Promise.all([1, 2, 3, 4].map((n) => it.idOf(customerKey(phoneOf(n)))))).toEqual([
      '500',
      '501',
      '502',
      '503',
    ]);
    const second = await it.deliver([customerEffect(phoneOf(61), { manager: 'ANNA@retail.example' })]);
    expect(second.requests).toEqual([LOOK_UP, UPLOAD]);
    const made = it.crm.customers().find(({ externalId }) => externalId === `tel-${phoneOf(61).slice(1)}`);
    expect(made).toMatchObject({ phones: [{ number: phoneOf(61) }], managerId: 24 });
    expect((await it.memory.customers([phoneOf(61)])).get(phoneOf(61))).toBe(made?.id);
  });

  test('an index that fails midway is read anew; many pages in any order are one index', async () => {
    const customers = Array.from({ length: 250 }, (_, n) => person(phoneOf(n), { id: 1000 + n }));
    const it = await scene({ listOrder: 'descending' }, { customers });
    it.fault({ match: 'GET /api/v5/customers', kind: 'status', nth: 2, times: 0, status: 500 });
    const broken = await it.deliver([customerEffect(phoneOf(249))]);
    expect(broken.error).toMatchObject({ code: 'REMOTE_FAILING' });
    expect(await it.memory.fact('index')).toBeUndefined();
    await it.close();
    open = undefined;
    const well = await scene({ listOrder: 'descending' }, { customers });
    expect((await well.deliver([customerEffect(phoneOf(0))])).requests).toEqual(Array(3).fill('GET customers'));
    expect(await well.idOf(customerKey(phoneOf(0)))).toBe('1000');
  });

  test('of several with one phone: our store, then who has ordered, then the first', async () => {
    const [a, b, c] = [phoneOf(1), phoneOf(2), phoneOf(3)];
    const customers = [
      person(a, { id: 11, site: 'other' }),
      person(a, { id: 12 }),
      person(b, { id: 21 }),
      person(b, { id: 22 }),
      person(c, { id: 31 }),
      person(c, { id: 32 }),
    ];
    const orders = [{ customer: { id: 11 }, site: 'other' }, { customer: { id: 22 } }];
    for (const listOrder of ['ascending', 'descending'] as const) {
      const it = await scene({ sites: ['shop', 'other'], listOrder }, { customers, orders });
      await it.deliver([a, b, c].map((phone) => customerEffect(phone)));
      expect(await Promise.all([a, b, c].map((phone) => it.idOf(customerKey(phone))))).toEqual(['12', '22', '31']);
      await it.close();
    }
    open = undefined;
  });

  test('one who only looks alike is not ours, and where telephony may not be asked the search is', async () => {
    const it = await scene({ unknownFilters: 'ignored' });
    await it.deliver([customerEffect(phoneOf(1))]);
    // The stand-in matches the last nine digits, as RetailCRM may: a Russian number is no Belarusian one.
    it.crm.seed({ customers: [person('+7 9 291000002'), person('+375 (29) 100-00-03', { id: 903 })] });
    await it.deliver([customerEffect(phoneOf(2)), customerEffect(phoneOf(3))]);
    expect(await it.idOf(customerKey(phoneOf(3)))).toBe('903');
    expect(it.crm.customers().filter(({ externalId }) => externalId === 'tel-375291000002')).toHaveLength(1);
    // Telephony shows one of both; the search shows the other.
    it.crm.configure({ nameFilter: 'digits' });
    it.crm.seed({ customers: [person('+7 9 291000005', { id: 100 }), person('029 100 00 05', { id: 905 })] });
    const { requests: both } = await it.deliver([customerEffect(phoneOf(5))]);
    expect([both, await it.idOf(customerKey(phoneOf(5)))]).toEqual([[LOOK_UP, 'GET customers'], '905']);
    it.crm.configure({
      scopes: ['customer_read', 'customer_write', 'user_read', 'reference_read'],
      nameFilter: 'digits',
    });
    it.crm.seed({ customers: [person('8-029-1000004', { id: 904 })] });
    const { requests } = await it.deliver([customerEffect(phoneOf(4))]);
    expect([requests, await it.idOf(customerKey(phoneOf(4)))]).toEqual([[LOOK_UP, 'GET customers'], '904']);
  });

  test('an answer that was lost, an external id that is taken, a manager who is unknown: each one customer', async () => {
    const it = await scene();
    await it.deliver([]);
    it.fault({ match: 'customers/upload', kind: 'lost', times: 9 });
    const lost = await it.deliver([customerEffect(phoneOf(1))]);
    expect([lost.counts.created, it.crm.customers().length]).toEqual([1, 1]);
    expect(await it.idOf(customerKey(phoneOf(1)))).toBe(String(it.crm.customers()[0]?.id));

    await it.close();
    open = undefined;
    const other = await scene(
      {},
      {
        customers: [
          { id: 7, externalId: 'tel-375291000003', phones: [] },
          { id: 8, externalId: 'tel-375291000004', phones: [{ number: '+79161234567' }] },
        ],
      },
    );
    const { counts } = await other.deliver([
      customerEffect(phoneOf(2), { manager: 999 }),
      customerEffect(phoneOf(3)),
      customerEffect(phoneOf(4)),
      customerEffect(phoneOf(5), { manager: 'nobody@retail.example' }),
    ]);
    expect([counts.created, counts.failed]).toEqual([3, 1]);
    expect(await other.idOf(customerKey(phoneOf(3)))).toBe('7');
    expect((await other.rowOf(customerKey(phoneOf(4)))).last_error).toContain('another phone');
    const alerts = await other.alerts();
    expect(alerts.map(({ kind, subject }) => `${kind} ${subject}`).sort()).toEqual([
      'retail_user 0001:customer',
      'retail_user 0001:manager',
    ]);
    expect(JSON.stringify(alerts)).not.toMatch(/nobody@|375291/);
  });

  test('a fresh database adopts who stands there, with no request for each', async () => {
    const it = await scene({}, { customers: [person(phoneOf(1), { id: 501 }), person(phoneOf(2), { id: 502 })] });
    const { requests, counts } = await it.deliver(
      [1, 2].map((n) => customerEffect(phoneOf(n))),
      true,
    );
    expect([requests, counts.created]).toEqual([['GET customers'], 0]);
    expect(await it.idOf(customerKey(phoneOf(2)))).toBe('502');
  });

  test('a dry run reads alone and shows no phone', async () => {
    const it = await scene();
    const [handler] = retailEffects(it.parts);
    const { payload } = customerEffect(phoneOf(1), { manager: 'anna@retail.example' });
    const shown = handler?.describe(payload);
    expect(shown).toEqual({ phone: '+375*******01', firstName: '+375*******01', manager: 'a***@***.example' });
    const recordUrl = 'https://rec.example/external-201-0291000001-20261120-090001-1795000000.1.wav';
    const call = retailEffects(it.parts)[1]?.describe(callEffect(1, { recordUrl }).payload);
    expect(JSON.stringify(call)).not.toContain('1000001');
    expect(call).toMatchObject({ recordUrl: expect.stringMatching(/-029\*{7}-20261120-090001-1795000000\.1\.wav$/) });
  });
});

describe('calls', () => {
  test('go by 50 and come back as duplicates where the answer was lost; what stands there is kept without the phone', async () => {
    const it = await scene();
    it.fault({ match: 'calls/upload', kind: 'lost', times: 4 });
    const first = callEffect(1, { user: 'anna@retail.example', recordUrl: 'https://rec.example/1.wav' });
    const all = [first, ...Array.from({ length: 119 }, (_, n) => callEffect(n + 2))];
    const { counts, requests, error } = await it.deliver(all);
    expect([counts.created, counts.failed, error]).toEqual([120, 0, undefined]);
    expect(new Set(requests)).toEqual(new Set([CALLS]));
    expect(
      it.crm
        .calls()
        .map(({ externalId }) => externalId)
        .sort(),
    ).toHaveLength(120);
    expect(it.crm.calls()[0]).toMatchObject({ code: '201', userId: 24, managerId: 24, date: '2026-11-20 12:00:01' });
    const { applied } = (await it.linkOf(first.key)) ?? {};
    expect(applied).toEqual({
      ...{ date: '2026-11-20T09:00:01.000Z', type: 'in', code: '201', userId: 24, result: 'answered' },
      ...{ duration: 61, durationWaiting: 5, recordUrl: 'https://rec.example/1.wav' },
    });
  });

  test.each(['refuses-all', 'partial'] as const)(
    'a bad one fails alone, named or not (%s)',
    async (badCallInUpload) => {
      for (const errorsAs of ['map', 'list'] as const) {
        const it = await scene({ badCallInUpload, errorsAs });
        const bad = callEffect(7, { phone: '' });
        const { counts } = await it.deliver([...Array.from({ length: 20 }, (_, n) => callEffect(n + 100)), bad]);
        expect([counts.created, counts.failed, it.crm.calls().length]).toEqual([20, 1, 20]);
        expect((await it.rowOf(bad.key)).last_error).toContain('phone');
        await it.close();
      }
      open = undefined;
    },
  );

  test('a batch that is refused without a name is halved; less than was sent is not taken for all', async () => {
    const it = await scene();
    const body = (status: number, answer: object) => ({
      kind: 'status' as const,
      status,
      body: JSON.stringify(answer),
    });
    const partly = { success: false, errorMsg: 'Calls are loaded with errors' };
    it.fault({ match: 'calls/upload', ...body(460, partly) });
    const { counts, requests } = await it.deliver(Array.from({ length: 4 }, (_, n) => callEffect(n)));
    expect([counts.created, requests.length]).toEqual([4, 3]);
    it.fault({ match: 'calls/upload', ...body(200, { success: true, processedCallsCount: 1, duplicateCalls: [] }) });
    const silent = await it.deliver([callEffect(10), callEffect(11)]);
    expect([silent.counts.created, silent.requests.length, it.crm.calls().length]).toEqual([2, 3, 6]);
    it.fault({ match: 'calls/upload', ...body(200, { success: true }) });
    expect((await it.deliver([callEffect(12)])).requests).toHaveLength(1);
  });

  test('an extension or user that RetailCRM does not take is left out, and told of once', async () => {
    const it = await scene({ unknownCodeInUpload: 'refused' });
    const strange = [1, 2].map((n) => callEffect(n, { code: '999' }));
    const user = callEffect(3, { user: 999 });
    const { counts } = await it.deliver([...strange, user, callEffect(4, { user: 'nobody@retail.example' })]);
    expect([counts.created, counts.failed]).toEqual([4, 0]);
    expect(it.crm.calls().map(({ code, userId }) => [code, userId])).toEqual([
      [undefined, undefined],
      [undefined, undefined],
      ['201', undefined],
      ['201', undefined],
    ]);
    expect((await it.alerts()).map(({ kind, subject }) => `${kind} ${subject}`).sort()).toEqual([
      'retail_code 0001:999',
      'retail_user 0001:201',
    ]);
  });

  test('without telephony calls wait, none is refused, and the hint says what to do', async () => {
    for (const telephonyRefusalStatus of [200, 400] as const) {
      const it = await scene({ telephonyOff: true, telephonyRefusalStatus });
      const call = callEffect(1);
      const { error, counts } = await it.deliver([call, callEffect(2)]);
      expect(error).toMatchObject({ exit: 69, kind: 'operator', hint: expect.stringContaining('retail:register') });
      expect([counts.failed, (await it.rowOf(call.key)).state]).toEqual([0, 'pending']);
      it.crm.configure({ telephonyOff: false });
      expect((await it.run()).counts.created).toBe(2);
      await it.close();
    }
    open = undefined;
  });

  test('goes although its customer was refused for good', async () => {
    const refused = 'tel-375291000001';
    const it = await scene({ refusedInUpload: [refused] });
    const call = callEffect(1, {}, [customerKey(phoneOf(1))]);
    const { counts } = await it.deliver([customerEffect(phoneOf(1)), call]);
    expect([counts.created, counts.failed, it.crm.calls().length]).toEqual([1, 1, 1]);
  });
});
