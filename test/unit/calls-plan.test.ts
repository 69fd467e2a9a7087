import { describe, expect, test } from 'vitest';
import { parseTemplate, type Template } from '../../src/base/template.ts';
import type { Enterprise } from '../../src/config/mapping-calls-types.ts';
import type { Call } from '../../src/domain/call.ts';
import { dialledPhone } from '../../src/domain/dialled-phone.ts';
import { type CallRules, planCall } from '../../src/jobs/calls-plan.ts';
import { recordingUrl } from '../../src/jobs/calls-recording.ts';
import { call, enterprise, missedCall, PHONE, rules } from '../support/call-samples.ts';

/** `<what the PBX wrote> <E.164 in BY> <in RU> <in KZ>`; `-`: no full number there, `=`: as in BY. */
const numbers = `
  +375290000001 +375290000001 = =
  375290000001 +375290000001 = =
  80290000001 +375290000001 = =
  80171234567 +375171234567 = =
  0290000001 +375290000001 - -
  290000001 +375290000001 - -
  +80290000001 +375290000001 = =
  +0290000001 +375290000001 - -
  -375290000001 +375290000001 = =
  8(029)000-00-01 +375290000001 = =
  375290000 - = =
  8029000000 - +78029000000 +78029000000
  79160000001 +79160000001 = =
  +79160000001 +79160000001 = =
  89160000001 +79160000001 = =
  84950000001 +74950000001 = =
  9160000001 - +79160000001 +79160000001
  88001234567 - +78001234567 +78001234567
  77010000001 +77010000001 = =
  87010000001 +77010000001 = =
  7010000001 - +77010000001 +77010000001
  810375290000001 +375290000001 = =
  00375290000001 +375290000001 = =
  81079160000001 +79160000001 = =
  810491701234567 +491701234567 = =
  0048601234567 +48601234567 = =
  2345678 - = =
  12345 - = =
  00000000000 - = =
  79*****0001 - = =
  anonymous - = =
  8029000000180290000001 - = =`
  .trim()
  .split('\n')
  .map((line) => line.trim().split(' '));

test.each(numbers)('%s is %s in BY, %s in RU, %s in KZ', (text = '', by = '', ru, kz) => {
  const wanted = [by, ru, kz].map((one) => (one === '=' ? by : one));
  expect(['BY', 'RU', 'KZ'].map((country) => dialledPhone(text, country) ?? '-')).toEqual(wanted);
});

describe('the link of a recording', () => {
  const free = 'external-201-79000000001-20250803-143000-1754220600.1.wav';
  const template = (text: string) =>
    parseTemplate(text, ['file', 'name', 'YYYY', 'MM', 'DD', 'uniqueid']) as unknown as Template;
  const told = { startedAt: new Date('2025-08-03T21:30:00Z'), linkedid: '1754256600.7' };
  const url = (base: string, file: string, path?: string) =>
    recordingUrl(base, file, told, 'Europe/Minsk', path === undefined ? undefined : template(path));

  test.each([
    ['https://r.example/x', free, `https://r.example/x/2025/08/03/${free}`],
    ['https://r.example/x//', free, `https://r.example/x/2025/08/03/${free}`],
    ['https://r.example/?f=', free, `https://r.example/?f=2025/08/03/${free}`],
    ['https://r.example', `2025/08/04/${free}`, `https://r.example/2025/08/04/${free}`],
    ['https://r.example', `/var/spool/asterisk/monitor/2025/08/03/${free}`, `https://r.example/2025/08/03/${free}`],
    ['https://r.example', `/var/spool/asterisk/monitor/${free}`, `https://r.example/2025/08/03/${free}`],
    [
      'https://r.example',
      '/storage/monitor/2025/08/03/14/mikopbx-1.mp3',
      'https://r.example/2025/08/03/14/mikopbx-1.mp3',
    ],
    ['https://r.example', 'q-600-a-b-20250803-143000-pbx1-1754220600.1.wav', /\/2025\/08\/03\/q-600-a-b-.*wav$/],
    ['https://r.example', 'call 7.wav', 'https://r.example/call%207.wav'],
    ['https://r.example', '?a=b&c#d%2f.wav', 'https://r.example/%3Fa%3Db%26c%23d%252f.wav'],
    ['https://r.example', 'звонок\ud800.wav', /\/%D0%B7.*%EF%BF%BD\.wav$/],
  ])('%s with %s', (base, file, wanted) => {
    expect(url(base, file)).toEqual(typeof wanted === 'string' ? wanted : expect.stringMatching(wanted));
  });

  test.each(['../secret.wav', '/var/monitor/../../etc/passwd', 'a/./b.wav', 'a//b.wav', '/', ''])(
    'a name that leads elsewhere, or nowhere, has none: %s',
    (file) => expect(url('https://r.example', file)).toBeUndefined(),
  );

  test('a template says otherwise; the day is that of the name, else the local one of the call', () => {
    expect(url('https://r.example', free, '{uniqueid}.mp3')).toBe('https://r.example/1754220600.1.mp3');
    expect(url('https://r.example', 'a b.wav', 'rec/{YYYY}-{MM}-{DD}/{name}')).toBe(
      'https://r.example/rec/2025-08-04/a%20b.wav',
    );
    expect(url('https://r.example/get?', 'x/y.wav', 'f={file}&u={uniqueid}')).toBe(
      'https://r.example/get?/f=x/y.wav&u=1754256600.7',
    );
  });
});

describe('what is planned of a call', () => {
  const payloads = (given: Call, with_: Partial<Enterprise> = {}) =>
    planCall(given, { ...rules, enterprise: { ...enterprise, ...with_ } }).plan.effects.map(({ kind, payload }) => ({
      kind,
      ...(payload as object),
    }));

  test('a talk: the customer with his manager, and the call that needs him', () => {
    const { plan, stored } = planCall(call({ recording: 'a.wav' }), rules);
    expect(plan).toEqual({
      record: { kind: 'call', key: 'pbx1:1795345200.10' },
      since: '2026-11-22T11:00:00.000Z',
      effects: [
        {
          ...{
            key: `retailcrm:customer:0001:${PHONE}`,
            kind: 'retailcrm.customer@0001',
            record: plan.record,
            needs: [],
          },
          payload: { externalId: 'tel-375290000001', phone: PHONE, firstName: PHONE, manager: 25 },
        },
        {
          ...{ key: 'retailcrm:call:pbx1:1795345200.10', kind: 'retailcrm.call@0001', record: plan.record },
          needs: [`retailcrm:customer:0001:${PHONE}`],
          payload: {
            ...{ externalId: 'pbx1:1795345200.10', date: '2026-11-22T11:00:00.000Z', type: 'in', phone: PHONE },
            ...{ code: '102', user: 25, result: 'answered', duration: 50, durationWaiting: 10 },
            ...{ recordUrl: 'https://rec.example/a/a.wav', externalPhone: '375170000001' },
          },
        },
      ],
    });
    expect(stored).toMatchObject({
      phone: PHONE,
      extension: '102',
      manager: '25',
      day: '2026-11-22',
      line: '375170000001',
    });
  });

  test('the first who spoke, where the mapping says so; of a missed call still who was rung last', () => {
    expect(payloads(call(), { manager: 'first' })[1]).toMatchObject({ code: '101', user: 'anna@example.com' });
    expect(payloads(missedCall(), { manager: 'first' })[1]).toMatchObject({ code: '102', result: 'no answer' });
  });

  test('a manager belongs to a customer with whom he spoke; extensions without a user go by their code', () => {
    const [customer, upload] = payloads(missedCall({ lastExtension: '777' }));
    expect(customer).not.toHaveProperty('manager');
    expect(upload).toMatchObject({ code: '777', duration: 0, durationWaiting: 25 });
    expect(upload).not.toHaveProperty('user');
  });

  test.each([
    ['incoming', call()],
    ['missed', missedCall()],
    ['outgoing', call({ direction: 'out' })],
    ['outgoing', missedCall({ direction: 'out' })],
  ] as const)('no customer where the mapping wants none of %s calls', (kind, given) => {
    const { createCustomers } = enterprise;
    const without = payloads(given, { createCustomers: { ...createCustomers, [kind]: false } });
    expect(without.map((one) => one.kind)).toEqual(['retailcrm.call@0001']);
    const alone = payloads(given, {
      createCustomers: { incoming: false, outgoing: false, missed: false, [kind]: true },
    });
    expect(alone).toHaveLength(2);
  });

  test('a short number goes as it is written, without a customer; an anonymous caller and an unknown direction do not go', () => {
    expect(payloads(call({ phone: '23-45-67' }))).toMatchObject([{ kind: 'retailcrm.call@0001', phone: '23-45-67' }]);
    for (const kept of [call({ phone: undefined }), call({ direction: 'unknown', phone: undefined })]) {
      const { plan, stored } = planCall(kept, rules);
      expect([plan.effects, stored?.phone, stored?.direction]).toEqual([[], undefined, kept.direction]);
    }
    expect(planCall(call({ direction: 'internal' }), rules)).toMatchObject({
      stored: undefined,
      plan: { effects: [] },
    });
  });

  test('what was dialled is shown as it is; only a number goes with the call', () => {
    for (const [did, sent] of [
      ['s', undefined],
      ['<b>1</b>', undefined],
      ['12', undefined],
      ['+375 (17) 000-00-01', true],
    ] as const) {
      const { plan, stored } = planCall(call({ did }), rules);
      expect([stored?.line, plan.effects[1]?.payload]).toMatchObject([did, sent ? { externalPhone: did } : {}]);
      expect(Object.hasOwn(plan.effects[1]?.payload as object, 'externalPhone')).toBe(sent === true);
    }
  });

  test('the day is the local one; the hash follows the rows and what the mapping makes of them', () => {
    const late = call({ startedAt: new Date('2026-11-22T21:30:00Z') });
    expect(planCall(late, rules).stored?.day).toBe('2026-11-23');
    const hash = (given: Call, with_: Partial<CallRules> = {}) => planCall(given, { ...rules, ...with_ }).stored?.hash;
    const moved = { ...enterprise, extensions: new Map([['102', 26]]) };
    const hashes = [
      hash(call()),
      hash(call({ hash: 'h2' })),
      hash(call(), { enterprise: moved }),
      hash(call(), { country: 'RU', enterprise: { ...enterprise, manager: 'first' } }),
      hash(call({ recording: 'a.wav' })),
      hash(call({ recording: 'a.wav' }), { recordingsBase: undefined }),
    ];
    expect(new Set(hashes).size).toBe(5);
    expect(hashes[0]).toBe(hashes[5]);
    expect(hash(call())).toBe(hashes[0]);
  });
});
