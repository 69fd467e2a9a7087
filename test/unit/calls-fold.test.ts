import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Call, CdrRow } from '../../src/domain/call.ts';
import { type FoldRules, foldCalls } from '../../src/systems/asterisk/fold.ts';

const EPOCH = 1754220600;
const CLIENT = '375290000001';
const DID = '375170000001';

const rules: FoldRules = {
  extensions: new Set(['101', '102', 'anna-bee']),
  trunks: ['PJSIP/trunk-a', 'DAHDI/i1'],
  internalLength: { min: 2, max: 4 },
  outboundPrefix: '',
  quietMs: 180_000,
  now: new Date((EPOCH + 86_400) * 1000),
};

/** `T` is an outside line, `101` that phone, `L102;1` half of a loop, `-` nothing; else the name as it is. */
function channelOf(word: string): string {
  if (word.includes('/')) return word;
  const [name, half] = word.split(';');
  if (word.startsWith('L')) return `Local/${name?.slice(1)}@from-queue-0000000a;${half}`;
  return word === '-' ? '' : `PJSIP/${word === 'T' ? 'trunk-a' : word}-0000000b`;
}

/**
 * Rows of one call, each as `<start, s> <channel>><dstchannel> <dst> <disposition> <duration>/<billsec> [column=value …]`, in
 * FreePBX's columns (no answer, no end). Each channel has an id of its own; the call's is that of the first.
 */
function rowsOf(...lines: string[]): CdrRow[] {
  const channels: string[] = [];
  return lines.map((line, index) => {
    const [at = '', path = '', dst = '', status = '', times = '', ...others] = line.split(' ');
    const [from = '', to = ''] = path.split('>');
    const [duration = 0, billsec = 0] = times.split('/').map(Number);
    if (!channels.includes(from)) channels.push(from);
    return {
      ...{
        host: 'pbx1',
        uniqueid: `${EPOCH}.1${channels.indexOf(from)}`,
        linkedid: `${EPOCH}.10`,
        sequence: 20 + index,
      },
      ...{ start: new Date((EPOCH + Number(at)) * 1000), duration, billsec, disposition: status.replace('_', ' ') },
      ...{ src: /^\d+$/.test(from) ? from : CLIENT, dst, dcontext: '', lastapp: 'Dial', lastdata: '' },
      ...{ channel: channelOf(from), dstchannel: channelOf(to), did: from === 'T' ? DID : '' },
      ...Object.fromEntries(others.map((other) => other.split('='))),
    };
  });
}

function fold(rows: CdrRow[], change: Partial<FoldRules> = {}): Call {
  const calls = foldCalls(rows, { ...rules, ...change });
  expect(calls).toHaveLength(1);
  return calls[0] as Call;
}

/** `<direction> <phone> <first extension>,<last> <result> <waiting>+<talk>`. */
function textOf(call: Call): string {
  const { direction, firstExtension = '-', lastExtension = '-', result, waitSeconds, talkSeconds } = call;
  return `${direction} ${call.phone?.replace(CLIENT, 'C') ?? '-'} ${firstExtension},${lastExtension} ${result} ${waitSeconds}+${talkSeconds}`;
}

const queue = rowsOf(
  '0 T>L101;1 600 NO_ANSWER 15/15 lastapp=Queue',
  '15 T>L102;1 600 ANSWERED 70/70 lastapp=Queue',
  '0 L101;2>101 101 NO_ANSWER 15/0',
  '15 L102;2>102 102 ANSWERED 70/62',
);
const attended = rowsOf('0 T>101 101 ANSWERED 60/50', '30 101>102 102 ANSWERED 20/15', '60 T>102 102 ANSWERED 30/30');
const rung = rowsOf('0 T>101 101 NO_ANSWER 25/0');

/** `<name> => <call> | <row> | <row>`; C is the client's number. */
const cases = `
  rung out => in C 101,101 no answer 25+0 | 0 T>101 101 NO_ANSWER 25/0
  busy => in C 101,101 busy 2+0 | 0 T>101 101 BUSY 2/0
  the phone is not there => in C 101,101 failed 0+0 | 0 T>101 101 FAILED 0/0
  a talk => in C 101,101 answered 10+30 | 0 T>101 101 ANSWERED 40/30
  a ring group => in C 102,102 answered 10+30 | 0 T>101 601 NO_ANSWER 40/0 | 0 T>102 601 ANSWERED 40/30 | 0 T>103 601 NO_ANSWER 40/0
  a ring group, nobody: who was rung last => in C 101,102 no answer 25+0 | 0 T>101 601 NO_ANSWER 25/0 | 0 T>102 601 NO_ANSWER 25/0
  a menu before: billed, not spoken => in C 101,101 no answer 25+0 | 0 T>101 101 NO_ANSWER 25/25
  a queue of phones => in C 102,102 answered 60+120 | 0 T>101 600 BUSY 180/0 lastapp=Queue | 0 T>102 600 ANSWERED 180/120 lastapp=Queue
  a queue of loops => in C 102,102 answered 23+62 | 0 T>L101;1 600 NO_ANSWER 15/15 lastapp=Queue | 15 T>L102;1 600 ANSWERED 70/70 lastapp=Queue | 0 L101;2>101 101 NO_ANSWER 15/0 | 15 L102;2>102 102 ANSWERED 70/62
  loops whose far halves are missing => in C 102,102 answered 15+70 | 0 T>L101;1 600 NO_ANSWER 15/15 lastapp=Queue | 15 T>L102;1 600 ANSWERED 70/70 lastapp=Queue
  a loop into voicemail => in C 102,102 no answer 70+0 | 0 T>L102;1 600 ANSWERED 70/70 | 0 L102;2>- vmu102 ANSWERED 70/60 lastapp=VoiceMail
  a loop into the dialplan => in C -,- no answer 70+0 | 0 T>Ls;1 600 ANSWERED 70/70
  voicemail, anonymous => in - -,- no answer 30+0 | 0 T>- vmu101 ANSWERED 30/28 lastapp=VoiceMail src=anonymous
  an address for a caller => in +C 101,101 no answer 25+0 | 0 SIP/provider-1f>101 101 NO_ANSWER 25/0 did=1 src=<sip:+375290000001@192.0.2.1;user=phone>
  an address without a name => in - 101,101 no answer 25+0 | 0 SIP/provider-1f>101 101 NO_ANSWER 25/0 did=1 src=sip:anonymous@anonymous.invalid
  an address that was dialled => out +79000000002 101,101 answered 10+30 | 0 101>T +79000000002@192.0.2.1 ANSWERED 40/30
  an address behind a line => out +79000000002 101,101 answered 10+30 | 0 101>T s ANSWERED 40/30 lastdata=PJSIP/trunk-a/sip:+79000000002@192.0.2.1,300
  an address of our own => out 80290000002 101,101 answered 10+30 | 0 SIP/desk-1f>T 80290000002 ANSWERED 40/30 src=sip:101@192.0.2.1
  voicemail in the row of the phone => in C 101,101 no answer 30+0 | 0 T>101 vmu101 ANSWERED 30/28
  a menu alone => in C -,- no answer 12+0 | 0 T>- s ANSWERED 12/12 lastapp=BackGround
  a blind transfer => in C 101,102 answered 10+80 | 0 T>101 101 ANSWERED 60/50 | 60 T>102 102 ANSWERED 40/30
  an attended transfer => in C 101,102 answered 10+80 | 0 T>101 101 ANSWERED 60/50 | 30 101>102 102 ANSWERED 20/15 | 60 T>102 102 ANSWERED 30/30
  a consultation, the client stays => in C 101,101 answered 10+50 | 0 T>101 101 ANSWERED 60/50 | 30 101>102 102 ANSWERED 20/15
  the same by a loop => in C 101,101 answered 10+50 | 0 T>101 101 ANSWERED 60/50 | 30 101>L102;1 102 ANSWERED 20/15 | 30 L102;2>102 102 ANSWERED 20/15
  a conference: overlaps once => in C 101,102 answered 0+90 | 0 T>101 101 ANSWERED 60/60 | 30 T>102 102 ANSWERED 60/60
  parked and fetched => in C 102,102 answered 20+30 | 0 T>- 70 ANSWERED 20/20 lastapp=Park | 20 T>102 102 ANSWERED 30/30
  follow-me => in C 101,101 answered 10+30 | 0 T>LFMPR-101;1 101 ANSWERED 40/30
  follow-me to a mobile => in C -,- answered 10+30 | 0 T>LFMGL-79000000009#;1 101 ANSWERED 40/40 | 0 LFMGL-79000000009#;2>T 79000000009 ANSWERED 40/30
  slashes and dashes in names => in C anna-bee,anna-bee answered 10+30 | 0 DAHDI/i1/375290000001-1a>SIP/anna-bee-0000001f 5 ANSWERED 40/30
  a renamed channel => in C 101,101 answered 10+30 | 0 AsyncGoto/PJSIP/trunk-a-0000001f<ZOMBIE>>101 101 ANSWERED 40/30
  a phone named otherwise than its number => in C 101,101 answered 10+30 | 0 T>SIP/desk-0000001f 101 ANSWERED 40/30
  an unknown line, a number of ours => in C 101,101 no answer 25+0 | 0 SIP/provider-1f>101 101 NO_ANSWER 25/0 did=375170000001
  an unknown line, a telling context => in C 101,101 no answer 25+0 | 0 SIP/provider-1f>101 101 NO_ANSWER 25/0 dcontext=from-trunk
  an unknown line => unknown - 101,101 no answer 25+0 | 0 SIP/provider-1f>101 101 NO_ANSWER 25/0
  outgoing => out 80290000002 101,101 answered 10+30 | 0 101>T 80290000002 ANSWERED 40/30
  outgoing, the first line refuses => out 80290000002 101,101 busy 3+0 | 0 101>T 80290000002 FAILED 0/0 | 0 101>T 80290000002 BUSY 3/0
  outgoing, no line at all => out 80290000002 101,101 failed 3+0 | 0 101>- 80290000002 CONGESTION 3/0
  outgoing by an unknown line => out 80290000002 101,101 answered 10+30 | 0 101>SIP/provider-1f 80290000002 ANSWERED 40/30
  outgoing, phone known by cnum => out 80290000002 101,101 answered 10+30 | 0 SIP/desk-1f>T 80290000002 ANSWERED 40/30 cnum=101 src=375170000001
  behind a feature code => out 80290000002 101,101 no answer 9+0 | 0 101>T *3180290000002 CANCEL 9/0 lastdata=PJSIP/80290000002@trunk-a,300
  outgoing, handed to a colleague => out 80290000002 101,102 answered 10+45 | 0 101>T 80290000002 ANSWERED 40/30 | 40 T>102 102 ANSWERED 20/15 did=
  between colleagues => internal - 102,102 answered 5+15 | 0 101>102 102 ANSWERED 20/15
  a feature code alone => internal - -,- no answer 20+0 | 0 101>- *97 ANSWERED 20/20 lastapp=VoiceMailMain
  originated by a loop => out 80290000002 101,101 answered 10+40 | 0 L101;1>T 80290000002 ANSWERED 50/40 | 0 L101;2>101 101 ANSWERED 50/45
  click-to-call not taken up => out C 101,101 no answer 25+0 | 0 L101;2>101 101 NO_ANSWER 25/0 uniqueid=crm-77-2 linkedid=crm-77
  click-to-call by account => out - 101,101 no answer 25+0 | 0 101>- s NO_ANSWER 25/0 accountcode=crm-77 lastapp=AppDial
  a system name is no mark => internal - 102,102 no answer 25+0 | 0 101>102 102 NO_ANSWER 25/0 uniqueid=crm-1754220600.10 linkedid=crm-1754220600.10
  no disposition that is known => in C 101,101 unknown 25+0 | 0 T>101 101 ODD 25/0
  a disposition without its blank => in C 101,101 no answer 25+0 | 0 T>101 101 NOANSWER 25/0
  a numeric disposition => in C 101,101 answered 10+30 | 0 T>101 101 8 40/30
`;

const table = cases.match(/\S.*/g)?.map((line) => line.split(/ => | \| /)) ?? [];

describe('one call', () => {
  test.each(table)('%s', (_, expected, ...rows) => {
    expect(textOf(fold(rowsOf(...rows)))).toBe(expected);
  });

  const nobody = ['', 'Anonymous', 'private', 'restricted', '<unknown>', '*97', '101', '112', 'Bank'];
  test.each(nobody)('"%s" is no client\'s number', (src) => {
    expect(fold(rung.map((row) => ({ ...row, src })))).toMatchObject({ direction: 'in', phone: undefined });
  });

  test.each([
    ['9', '980290000002', '80290000002'],
    ['9', '9112', undefined],
    ['0', '+375(29)000-00-02', '+375(29)000-00-02'],
  ])('prefix "%s": %s was dialled', (outboundPrefix, dst, phone) => {
    expect(fold(rowsOf(`0 101>T ${dst} NO_ANSWER 25/0`), { outboundPrefix }).phone).toBe(phone);
  });

  test('a trunk named as an extension begins is not taken for it', () => {
    const trunks = ['PJSIP/10'];
    for (const extensions of [rules.extensions, new Set<string>()]) {
      expect(fold(rowsOf('0 101>102 102 NO_ANSWER 25/0'), { trunks, extensions }).direction).toBe('internal');
    }
    expect(fold(rowsOf('0 10>102 102 NO_ANSWER 25/0'), { trunks }).direction).toBe('in');
  });

  test('the answer of the table counts; so do the number of ours and the recording of the longest row', () => {
    const given = rowsOf(
      '0 T>101 101 ANSWERED 40/40 recordingfile=a.wav',
      '40 T>102 102 ANSWERED 90/90 recordingfile=b.wav',
      '130 T>- s ANSWERED 99/99',
    );
    const answer = new Date((EPOCH + 12) * 1000);
    const call = fold(given.map((row, index) => (index === 0 ? { ...row, answer } : row)));
    expect(call).toMatchObject({ waitSeconds: 12, talkSeconds: 118, recording: 'b.wav', did: DID });
    expect(call.startedAt).toEqual(rung[0]?.start);
  });
});

describe('identity', () => {
  test('one id on two hosts is two calls, and so are ids that are equal as numbers', () => {
    const hosts = foldCalls(rung.concat(rung.map((row) => ({ ...row, host: 'pbx2' }))), rules);
    expect(hosts.map(({ externalId }) => externalId)).toEqual([`pbx1:${EPOCH}.10`, `pbx2:${EPOCH}.10`]);
    const id = `${EPOCH}.1`;
    expect(foldCalls(rung.concat(rung.map((row) => ({ ...row, uniqueid: id, linkedid: id }))), rules)).toHaveLength(2);
  });

  test('without linkedid the uniqueid names the call', () => {
    const rows = queue.map((row) => ({ ...row, linkedid: '' }));
    const calls = foldCalls(rows, rules);
    expect(calls.map(({ linkedid }) => linkedid)).toEqual([0, 1, 2].map((channel) => `${EPOCH}.1${channel}`));
  });

  test('a repeat changes nothing; rows whose sequence is always 0 are no repeats', () => {
    const group = rowsOf('0 T>101 601 NO_ANSWER 40/0', '0 T>102 601 ANSWERED 40/30');
    for (const row of group) row.sequence = 0;
    expect(fold([...group, ...group])).toEqual(fold(group));
    expect(fold(group)).toMatchObject({ answered: true, firstExtension: '102' });
  });

  test('a late row folds under the same name with another hash; a recording entered later counts', () => {
    const [before, after] = [fold(attended.slice(0, 1)), fold(attended)];
    expect([after.externalId, after.linkedid]).toEqual([before.externalId, before.linkedid]);
    expect(after.hash).not.toBe(before.hash);
    const recorded = rung.map((row) => ({ ...row, recordingfile: 'a.wav' }));
    expect(fold([...recorded, ...rung])).toEqual(fold(recorded));
  });

  test('a call closes after the quiet time; rows of its loops alone wait for that of its first channel', () => {
    const closing = (seconds: number) => ({ now: new Date((EPOCH + 85 + seconds) * 1000) });
    expect([179, 180].map((wait) => fold(queue, closing(wait)).closed)).toEqual([false, true]);
    expect(fold(queue.slice(2), closing(180))).toMatchObject({ closed: false, direction: 'unknown' });
    expect(fold(queue.slice(2), closing(7200)).closed).toBe(true);
  });

  test('the epoch in the ids tells a wrong zone', () => {
    const shifted = queue.map((row) => ({ ...row, start: new Date(+row.start - 3 * 3_600_000) }));
    const own = queue.map((row) => ({ ...row, uniqueid: 'crm-77', linkedid: 'crm-77' }));
    expect([queue, shifted, own].map((rows) => fold(rows).skewSeconds)).toEqual([0, -10_800, undefined]);
  });
});

describe('laws', () => {
  const channel = fc.constantFrom('-', 'T', '101', '102', 'SIP/x-1', 'L101;1', 'L101;2', 'Ls;1', 'Ls;2').map(channelOf);
  const id = fc.constantFrom(`${EPOCH}.1`, `${EPOCH}.10`, `${EPOCH}.2`);
  const anyRow = fc.record({
    ...{ host: fc.constantFrom('pbx1', 'pbx2'), uniqueid: id, linkedid: fc.option(id, { nil: '' }) },
    ...{ sequence: fc.option(fc.nat(3), { nil: undefined }), did: fc.constantFrom(undefined, '', DID) },
    ...{ start: fc.nat(60).map((at) => new Date((EPOCH + at) * 1000)), duration: fc.nat(90), billsec: fc.nat(90) },
    ...{ src: fc.constantFrom('', CLIENT, '101'), dst: fc.constantFrom('s', '102', '80290000002', 'vmu101') },
    ...{ dcontext: fc.constant(''), channel, dstchannel: channel },
    ...{ lastapp: fc.constantFrom('Dial', 'VoiceMail'), lastdata: fc.constant('') },
    disposition: fc.constantFrom('ANSWERED', 'ANSWERED', 'NO ANSWER', 'BUSY', 'FAILED', '?'),
  });
  const anyRows = fc.array(anyRow, { maxLength: 12 });
  const nameOf = (row: CdrRow) => `${row.host}:${row.linkedid || row.uniqueid}`;

  test('neither order nor repeats matter', () => {
    const same = fc.property(anyRows, fc.func(fc.nat()), (rows, rank) => {
      const shuffled = [...rows, ...rows].sort((one, other) => rank(one) - rank(other));
      expect(foldCalls(shuffled, rules)).toEqual(foldCalls(rows, rules));
    });
    fc.assert(same);
  });

  test('every row belongs to one call, which no other row changes and whose figures fit into its time', () => {
    fc.assert(
      fc.property(anyRows, (rows) => {
        const calls = foldCalls(rows, rules);
        expect(calls.map(({ externalId }) => externalId).sort()).toEqual([...new Set(rows.map(nameOf))].sort());
        for (const call of calls) {
          const own = rows.filter((row) => nameOf(row) === call.externalId);
          expect(foldCalls(own, rules)).toEqual([call]);
          const end = Math.max(...own.map((row) => +row.start + row.duration * 1000));
          expect(call.waitSeconds).toBeGreaterThanOrEqual(0);
          expect(call.waitSeconds + call.talkSeconds).toBeLessThanOrEqual((end - +call.startedAt) / 1000);
          expect(call.answered).toBe(call.result === 'answered');
        }
      }),
    );
  });
});
