import { expect, test } from 'vitest';
import {
  type AmiScene,
  originateEvents,
  type SceneOptions,
  sceneEvents,
  sceneMaker,
} from '../../src/sandbox/ami/scenes.ts';
import { callEvents, type EventRules, type RetailCallEvent } from '../../src/systems/asterisk/ami-events.ts';

const RULES: EventRules = {
  host: 'pbx1',
  country: 'RU',
  extensions: new Set(['201', '202', '203']),
  trunks: ['PJSIP/trunk-a'],
  internalLength: { min: 3, max: 4 },
  outboundPrefix: '9',
};
const SCENE: SceneOptions = {
  ...{ phone: '89000000001', extensions: ['201', '202'], did: '74950000000', trunk: 'PJSIP/trunk-a' },
  ...{ epoch: 1754220600, counter: 17 },
};
const CALL = 'pbx1:1754220600.17';
const NOW = 1_754_220_600_000;

type Given = Readonly<Record<string, string>>;
const message = (event: Given) => new Map(Object.entries(event).map(([name, value]) => [name.toLowerCase(), value]));

/** All that is told of these events, the first batch let ripen after the `pauseAfter`th. */
function told(events: readonly Given[], rules: EventRules = RULES, pauseAfter = -1) {
  const machine = callEvents(rules);
  const seen: RetailCallEvent[] = [];
  let now = NOW;
  for (const [index, event] of events.entries()) {
    seen.push(...machine.push(message(event), now));
    now += 10;
    if (index !== pauseAfter) continue;
    now += 400;
    seen.push(...machine.ripe(now));
  }
  return { seen, machine };
}

const scene = (name: AmiScene, own: Partial<SceneOptions> = {}) => sceneEvents(name, { ...SCENE, ...own });
const short = ({ type, codes, hangupStatus }: RetailCallEvent) =>
  [type, codes.join(), hangupStatus ?? ''].join(' ').trim();

test.each<[AmiScene, string[]]>([
  ['in-answered', ['in 201,202', 'hangup 202,201 answered']],
  ['in-missed-group', ['in 201,202', 'hangup 201,202 no answered']],
  ['in-queue-abandoned', ['in 201,202', 'hangup 201,202 no answered']],
  ['out-answered', ['out 201', 'hangup 201 answered']],
  ['out-busy', ['out 201', 'hangup 201 busy']],
  ['in-anonymous', []],
  ['internal', []],
])('%s', (name, expected) => {
  const { seen, machine } = told(scene(name));
  expect(seen.map(short)).toEqual(expected);
  expect(new Set(seen.map(({ phone, callExternalId }) => `${phone} ${callExternalId}`))).toEqual(
    new Set(expected.length > 0 ? [`+79000000001 ${CALL}`] : []),
  );
  expect(machine.size).toBe(0);
});

test('an incoming call names our own number; an outgoing one is told without the prefix for an outside line', () => {
  expect(told(scene('in-answered')).seen.map(({ externalPhone }) => externalPhone)).toEqual([
    '74950000000',
    '74950000000',
  ]);
  const [out] = told(scene('out-answered', { phone: '989000000001' })).seen;
  expect(out).toEqual({ type: 'out', phone: '+79000000001', codes: ['201'], callExternalId: CALL });
});

test('a ring group is one event, 300 ms after its first phone; a phone that rings later is told of by itself, once', () => {
  const maker = sceneMaker(SCENE);
  const line = maker.channel('PJSIP/trunk-a', { context: 'from-trunk', exten: '74950000000', number: '79000000001' });
  const [one, two] = ['201', '202'].map((number) =>
    maker.channel(`PJSIP/${number}`, { context: 'from-internal', number }),
  );
  if (one === undefined || two === undefined) throw new Error('two phones');
  const machine = callEvents(RULES);
  for (const event of maker.events) machine.push(message(event), NOW);
  const ring = (phone: typeof one, now: number) => {
    maker.begin(line, phone, phone.number);
    return machine.push(message(maker.events.at(-1) ?? {}), now).map(short);
  };
  expect(machine.ripeAt()).toBeUndefined();
  expect(ring(one, NOW)).toEqual([]);
  expect(machine.ripeAt()).toBe(NOW + 300);
  expect(machine.ripe(NOW + 299)).toEqual([]);
  expect(machine.ripe(NOW + 300).map(short)).toEqual(['in 201']);
  expect(ring(one, NOW + 5000)).toEqual([]);
  expect(ring(two, NOW + 6000)).toEqual([]);
  expect(machine.ripe(NOW + 6300).map(short)).toEqual(['in 202']);
  expect(machine.ripe(NOW + 9000)).toEqual([]);
});

test('a menu or voicemail that answers through a loop is no answer', () => {
  const maker = sceneMaker(SCENE);
  const line = maker.channel('PJSIP/trunk-a', { context: 'from-trunk', number: '79000000001' });
  const loop = maker.channel('Local/201@from-internal-0001;1', { context: 'from-internal', exten: '201' });
  maker.begin(line, loop, '201@from-internal');
  maker.end(line, loop, 'ANSWER');
  maker.hangup(loop, 16);
  maker.hangup(line, 16);
  expect(told(maker.events).seen.map(short)).toEqual(['in 201', 'hangup 201 no answered']);
});

test.each([
  ['BUSY', '16', 'busy'],
  ['CHANUNAVAIL', '16', 'failed'],
  ['NOANSWER', '16', 'no answered'],
  ['CANCEL', '16', 'cancel'],
  ['CONTINUE', '17', 'busy'],
  ['CONTINUE', '34', 'failed'],
  ['ANSWER', '16', 'answered'],
])('an outgoing call that ended with %s and cause %s was %s', (status, cause, expected) => {
  const maker = sceneMaker(SCENE);
  const phone = maker.channel('PJSIP/201', { context: 'from-internal', exten: '89000000001', number: '201' });
  const line = maker.channel('PJSIP/trunk-a', { context: 'from-trunk' });
  maker.begin(phone, line, '89000000001@trunk-a');
  maker.end(phone, line, status);
  maker.hangup(line, 16);
  maker.hangup(phone, Number(cause));
  expect(told(maker.events).seen.at(-1)).toMatchObject({ type: 'hangup', hangupStatus: expected });
});

test('a call to a colleague whose phone is forwarded outside stays internal', () => {
  const maker = sceneMaker(SCENE);
  const phone = maker.channel('PJSIP/201', { context: 'from-internal', exten: '202', number: '201' });
  const line = maker.channel('PJSIP/trunk-a', { context: 'from-trunk' });
  maker.begin(phone, line, '79000000009@trunk-a');
  maker.hangup(line, 16);
  maker.hangup(phone, 16);
  expect(told(maker.events).seen).toEqual([]);
});

test('without trunks in the mapping a call is known by its context, or by the number that was dialled', () => {
  const bare = { ...RULES, trunks: [], extensions: new Set<string>() };
  expect(told(scene('in-answered', { trunk: 'SIP/line1' }), bare).seen.map(short)[0]).toBe('in 201,202');
  expect(told(scene('out-answered', { trunk: 'SIP/line1' }), bare).seen.map(short)).toEqual([
    'out 201',
    'hangup 201 answered',
  ]);
});

test('an attended transfer ends the consultation and leaves the first call with the client', () => {
  const maker = sceneMaker(SCENE);
  const line = maker.channel('PJSIP/trunk-a', { context: 'from-trunk', number: '79000000001' });
  const first = maker.channel('PJSIP/201', { context: 'from-internal', number: '201' });
  maker.begin(line, first, '201');
  maker.end(line, first, 'ANSWER');
  const aside = sceneMaker({ epoch: SCENE.epoch, counter: 90 });
  const asking = aside.channel('PJSIP/201', { context: 'from-internal', exten: '202', number: '201' });
  const second = aside.channel('PJSIP/202', { context: 'from-internal', number: '202' });
  aside.begin(asking, second, '202');
  aside.end(asking, second, 'ANSWER');
  const joined = aside.events.length;
  aside.bridge(second, 2);
  const moved = aside.events.slice(joined).map((event) => ({ ...event, Linkedid: line.id }));
  aside.hangup(asking, 16);
  maker.hangup(first, 16);
  maker.hangup(line, 16);
  const lastHangup = { ...aside.events.at(-1), Event: 'Hangup', Uniqueid: second.id, Linkedid: line.id, Cause: '16' };
  const order = [
    ...maker.events.slice(0, -2),
    ...aside.events.slice(0, joined),
    ...moved,
    ...aside.events.slice(joined + 1),
  ];
  const { seen, machine } = told([...order, ...maker.events.slice(-2), lastHangup]);
  expect(seen.map(short)).toEqual(['in 201', 'hangup 201 answered']);
  expect(machine.size).toBe(0);
});

test('calls whose beginning was missed, or whose end is, leak neither events nor memory', () => {
  const events = scene('in-answered');
  expect(told(events.slice(5)).seen).toEqual([]);
  // Listened to while phones begin to ring: what rings from then on is told.
  expect(told(events.slice(4)).seen.map(short)).toEqual(['in 202', 'hangup 202 answered']);
  const late = [...events, ...events.filter(({ Event }) => Event === 'DialEnd')];
  expect(told(late).machine.size).toBe(0);
  const { machine } = told(events.slice(0, 5));
  expect(machine.size).toBe(1);
  machine.push(
    message({ Event: 'Newchannel', Channel: 'PJSIP/201-9', Uniqueid: '9.9', Linkedid: '9.9' }),
    NOW + 7 * 3_600_000,
  );
  expect(machine.size).toBe(1);
  machine.push(message({ Event: 'FullyBooted' }), NOW);
  expect(machine.size).toBe(0);
  expect(machine.ripeAt()).toBeUndefined();
});

test.each([
  ['Local/201@from-internal', 'crm-0123456789ab'],
  ['PJSIP/201', 'crm-0123456789ab'],
  // Over SSH nothing marks the call.
  ['Local/201@from-internal', ''],
  ['PJSIP/201', ''],
])('a click that rings %s as "%s" is an outgoing call once the client is dialled', (channel, id) => {
  const click = { ...SCENE, extensions: ['201'], channel, exten: '979000000001', context: 'from-internal' };
  const { seen, machine } = told(originateEvents(id, click, 'answered'));
  expect(seen.map(short)).toEqual(['out 201', 'hangup 201 answered']);
  expect(seen[0]).toMatchObject({ phone: '+79000000001', callExternalId: id === '' ? CALL : `pbx1:${id}` });
  const { seen: nothing } = told(originateEvents(id, click, 'no-answer'));
  expect([nothing, machine.size]).toEqual([[], 0]);
});
