import { describe, expect, test } from 'vitest';
import type { Enterprise } from '../../src/config/mapping-calls-types.ts';
import { contactBook, type MissedCall, planMissed } from '../../src/jobs/calls-missed.ts';
import { planCall } from '../../src/jobs/calls-plan.ts';
import { call, enterprise, missedCall, NOW, PHONE, rules } from '../support/call-samples.ts';

const MINUTE = 60_000;

describe('who is to be called back', () => {
  /** Minutes before now; `m` missed, `a` answered, `o` a talk that we began, `n` nobody took ours, `u` not over yet. */
  function asking(contacts: string, { due = 15, within = 7 * 24 * 60 } = {}): string[] {
    const book = contactBook({ dueMs: due * MINUTE, withinMs: within * MINUTE, now: NOW });
    for (const word of contacts.split(' ')) {
      const [, kind, ago, phone = '1'] = /^(\w)(\d+)(?:@(\d))?$/.exec(word) ?? [];
      const common = { linkedid: word, phone: `8029000000${phone}`, startedAt: new Date(+NOW - Number(ago) * MINUTE) };
      const direction = kind === 'o' || kind === 'n' ? 'out' : 'in';
      const given = kind === 'a' || kind === 'o' ? call(common) : missedCall({ ...common, closed: kind !== 'u' });
      book.note({ ...given, direction }, planCall({ ...given, direction }, rules));
    }
    const all = book.missed({ from: new Date(0), to: NOW });
    return all.filter((one) => book.asksForCallback(one)).map(({ linkedid }) => linkedid);
  }

  test.each([
    ['m5', 'm5'],
    ['m5 o3', ''],
    ['m5 a3', ''],
    ['m5 n3', 'm5'],
    ['m5 o3@2', 'm5'],
    ['m60 o46', ''],
    ['m60 o45', ''],
    ['m60 o44', 'm60'],
    ['m60 o61', 'm60'],
    ['m60 m50 m40', 'm60'],
    ['m60 m50 m40 o30', 'm60'],
    ['m60 m50 o49', ''],
    ['m60 o58 m50', 'm50'],
    ['m60 m44', 'm60 m44'],
    ['m60 m50@2', 'm60 m50@2'],
    ['u5', ''],
    ['m10079', 'm10079'],
    ['m10081', ''],
  ])('%s: %s', (contacts, wanted) => {
    expect(asking(contacts).join(' ')).toBe(wanted);
  });

  test('two missed calls of one second are one run; what turns out to have been a talk is none', () => {
    expect(asking('m05 m5')).toEqual(['m05']);
    const book = contactBook({ dueMs: 1, withinMs: 86_400_000, now: NOW });
    book.note(missedCall(), planCall(missedCall(), rules));
    expect(book.find('pbx1:1795345200.10')).toMatchObject({ phone: PHONE, isFullNumber: true, user: 25 });
    const [missed] = book.missed({ from: new Date(0), to: NOW });
    expect(missed && book.asksForCallback(missed)).toBe(true);
    book.note(call(), planCall(call(), rules));
    expect(missed && book.asksForCallback(missed)).toBe(false);
    expect(book.find('pbx1:1795345200.10')).toBeUndefined();
  });

  const missed: MissedCall = {
    ...{ externalId: 'pbx1:7', host: 'pbx1', linkedid: '7', phone: PHONE, isFullNumber: true, user: 25 },
    ...{ startedAt: new Date('2026-11-22T11:30:00Z'), waitSeconds: 25, line: '375170000001' },
  };
  const plan = (change: Partial<Enterprise>, one: MissedCall = missed, locale: 'ru' | 'en' = 'ru') =>
    planMissed(one, { enterprise: { ...enterprise, ...change }, locale, zone: 'Europe/Minsk' });

  test('the task: text, deadline, performer, the customer it belongs to', () => {
    const customerKey = `retailcrm:customer:0001:${PHONE}`;
    const { effects, ...rest } = plan({});
    expect(rest).toEqual({ record: { kind: 'missed-call', key: 'pbx1:7' }, since: '2026-11-22T11:30:00.000Z' });
    expect(effects.map(({ key }) => key)).toEqual([customerKey, 'retailcrm:task:pbx1:7']);
    expect(effects[1]).toMatchObject({ kind: 'retailcrm.task@0001', needs: [customerKey] });
    expect(effects[1]?.payload).toEqual({
      text: `Перезвонить ${PHONE}: пропущенный звонок 22.11 14:30, ждал 25 с, линия 375170000001`,
      ...{ marker: 'sdelka pbx1:7', due: '2026-11-22T11:45:00.000Z', phone: PHONE, performer: 25, customerKey },
      calledAt: '2026-11-22T11:30:00.000Z',
    });
    const english = plan({}, { ...missed, waitSeconds: 65, line: undefined }, 'en').effects[1]?.payload;
    expect(english).toMatchObject({ text: `Call back ${PHONE}: missed call 2026-11-22 14:30, waited 1 min 5 s` });
  });

  test('without a customer where none is wanted or the number is short; the performer of the mapping where nobody is known', () => {
    const given = { ...enterprise.missed, performer: 'boss@example.com' };
    const [task, ...others] = plan({ missed: given }, { ...missed, isFullNumber: false, user: undefined }).effects;
    expect(others).toEqual([]);
    expect(task).toMatchObject({ needs: [], payload: { performer: 'boss@example.com' } });
    const off = { createCustomers: { incoming: true, outgoing: true, missed: false } };
    expect(plan(off).effects.map(({ kind }) => kind)).toEqual(['retailcrm.task@0001']);
  });

  test('a draft order, beside the task or alone', () => {
    const order = { ...enterprise.missed, task: false, order: true, orderMethod: 'missed-call', orderStatus: 'new' };
    const { effects } = plan({ missed: order });
    expect(effects.map(({ key }) => key)).toEqual([`retailcrm:customer:0001:${PHONE}`, 'retailcrm:order:pbx1:7']);
    expect(effects[1]?.payload).toMatchObject({
      ...{ externalId: 'missed-pbx1-7', phone: PHONE, firstName: PHONE, manager: 25 },
      ...{ method: 'missed-call', status: 'new', customerKey: `retailcrm:customer:0001:${PHONE}` },
    });
    expect(plan({ missed: { ...order, task: true } }).effects).toHaveLength(3);
  });
});
