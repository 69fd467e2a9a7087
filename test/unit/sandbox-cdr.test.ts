import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { afterAll, describe, expect, test } from 'vitest';
import type { CdrRow } from '../../src/domain/call.ts';
import { dialledPhone } from '../../src/domain/dialled-phone.ts';
import {
  type CallTruth,
  type CdrOptions,
  type CdrRecord,
  cdrCsv,
  cdrInserts,
  cdrTable,
  generateCdr,
  SINGLE_CHANNEL_KINDS,
  writeCdrCsv,
  writeCdrSqlite,
} from '../../src/sandbox/cdr.ts';
import { type FoldRules, foldCalls } from '../../src/systems/asterisk/fold.ts';
import { callsFirm } from '../support/calls-world.ts';

const TO = Date.parse('2026-11-20T06:00:00Z');
const DAY_MS = 86_400_000;
const dir = mkdtempSync(join(tmpdir(), 'sdelka-cdr-test-'));

afterAll(() => rmSync(dir, { recursive: true, force: true }));

const generate = (options: Partial<CdrOptions> = {}) =>
  generateCdr({ from: TO - DAY_MS, to: TO, zone: 'UTC', calls: 400, seed: 7, ...options });

const rules: FoldRules = {
  ...{ extensions: new Set(['201', '202', '203', '204']), trunks: ['PJSIP/trunk-a'], outboundPrefix: '' },
  ...{ internalLength: { min: 2, max: 4 }, quietMs: 180_000, now: new Date(TO) },
};

/** As a table of FreePBX gives them: neither answer nor end. */
function rowsOf(records: readonly CdrRecord[], host = 'pbx1'): CdrRow[] {
  const start = ({ calldate }: CdrRecord) => new Date(`${calldate.replace(' ', 'T')}Z`);
  return records.map((record) => ({ ...record, host, start: start(record), answer: undefined, end: undefined }));
}

type Shown = { direction: string } & Partial<Record<keyof CallTruth, unknown>>;

/** What is the same on both sides; waiting and talk only where rows can tell them. */
function shown(call: Shown, phone: unknown, exact: boolean) {
  const { externalId, direction, result, answered, firstExtension, lastExtension, recording, did } = call;
  const { waitSeconds, talkSeconds, startedAt, endedAt } = call;
  const outside = direction === 'internal' ? {} : { phone, firstExtension, lastExtension };
  const times = { startedAt: Number(startedAt), endedAt: Number(endedAt) };
  const parts = exact ? { waitSeconds, talkSeconds } : {};
  return { externalId, direction, result, answered, recording, did, ...outside, ...times, ...parts };
}

function expectTruth(
  truth: readonly CallTruth[],
  records: readonly CdrRecord[],
  given: Partial<FoldRules>,
  country: string,
) {
  const calls = new Map(foldCalls(rowsOf(records), { ...rules, ...given }).map((call) => [call.externalId, call]));
  for (const wanted of truth) {
    const call = calls.get(wanted.externalId);
    const phone = call?.phone && (dialledPhone(call.phone, country) ?? call.phone);
    expect(call && shown(call, phone, wanted.exact), wanted.kind).toEqual(shown(wanted, wanted.phone, wanted.exact));
  }
  expect(calls.size).toBe(truth.length);
}

describe('the script', () => {
  test.each(['BY', 'RU', 'KZ'] as const)('%s: rows fold into the truth, late ones included', (country) => {
    const { records, late, truth } = generate({ country, late: 0.1 });
    expect(new Set(truth.map(({ kind }) => kind)).size).toBe(29);
    expect(late.length).toBeGreaterThan(20);
    expectTruth(truth, [...records, ...late.map(({ record }) => record)], {}, country);
  });

  test('a prefix is dialled before every outside number; no rule needs to name the lines', () => {
    const { records, truth } = generate({ outboundPrefix: '9' });
    expectTruth(truth, records, { outboundPrefix: '9', trunks: [], extensions: new Set() }, 'RU');
  });

  test('the same options give the same script; on another host the same ids are other calls', () => {
    expect(generate()).toEqual(generate());
    expect(generate({ seed: 8 }).records).not.toEqual(generate().records);
    const [one, other] = [generate({ calls: 20 }), generate({ calls: 20, host: 'pbx2' })];
    expect(one.records).toEqual(other.records);
    expect(other.truth.map(({ externalId }) => externalId)).toEqual(
      one.truth.map(({ externalId }) => externalId.replace('pbx1', 'pbx2')),
    );
    expect(foldCalls([...rowsOf(one.records), ...rowsOf(other.records, 'pbx2')], rules)).toHaveLength(
      one.truth.length * 2,
    );
  });

  test('rows come in the order of writing, some twice, some in one second; late ones long after', () => {
    const { records, late, truth } = generate({ repeats: 0.1, late: 0.1 });
    expect(records.map(({ end }) => end)).toEqual(records.map(({ end }) => end).sort());
    expect(new Set(records).size).toBeLessThan(records.length);
    expect(new Set(truth.map(({ startedAt }) => startedAt)).size).toBeLessThan(truth.length - 20);
    for (const { writtenAt, record } of late) {
      expect(writtenAt - Date.parse(`${record.end.replace(' ', 'T')}Z`)).toBeGreaterThanOrEqual(20 * 60_000);
    }
    expect(truth.every(({ startedAt, endedAt }) => startedAt >= TO - DAY_MS && endedAt < TO)).toBe(true);
  });

  test('times are local to the zone, over the change of the clocks too', () => {
    const from = Date.parse('2026-10-25T00:00:00Z');
    const { records, truth } = generate({ from, to: from + 3 * 3_600_000, zone: 'Europe/Berlin', repeats: 0 });
    const format = new Intl.DateTimeFormat('sv-SE', {
      timeZone: 'Europe/Berlin',
      dateStyle: 'short',
      timeStyle: 'medium',
    });
    const begun = new Set(truth.map(({ startedAt }) => format.format(startedAt)));
    for (const text of begun) expect(records.some(({ calldate }) => calldate === text)).toBe(true);
    expect(records.every(({ calldate, end }) => calldate <= end || calldate.startsWith('2026-10-25 02:'))).toBe(true);
  });

  test('what it cannot make is refused', () => {
    expect(() => generate({ extensions: ['201'] })).toThrow(/two extensions/);
    expect(() => generate({ kinds: {} })).toThrow(/kind/);
    expect(() => generate({ from: TO })).toThrow(/span/);
    expect(generate({ calls: 0 })).toMatchObject({ records: [], truth: [] });
  });
});

describe('the writers', () => {
  const { records } = generate({ calls: 60 });

  test('SQLite: the rows stand there as they are, and more may follow', () => {
    const file = join(dir, 'cdr.db');
    writeCdrSqlite(file, records.slice(0, 50));
    writeCdrSqlite(file, records.slice(50));
    const database = new Sqlite(file, { readonly: true });
    const rows = database.prepare<[], CdrRecord>('SELECT * FROM cdr ORDER BY rowid').all();
    database.close();
    expect(rows).toEqual(records.map(({ answer: _answer, end: _end, ...record }) => record));
  });

  test('SQL: the statements of both other databases make what the file holds', () => {
    const database = new Sqlite(':memory:');
    const odd = records.map((record, nth) => (nth === 0 ? { ...record, clid: `"O'Neil" <1>` } : record));
    for (const statement of cdrTable('postgres', 'calls')) database.exec(statement);
    for (const statement of cdrInserts(odd, 'postgres', 'calls', 7)) database.exec(statement);
    expect(database.prepare('SELECT clid, sequence FROM calls ORDER BY rowid').all()).toEqual(
      odd.map(({ clid, sequence }) => ({ clid, sequence })),
    );
    database.close();
    expect([...cdrInserts([{ ...odd[0], userfield: `a\\'b` } as CdrRecord], 'mysql')].join()).toContain(`'a\\\\''b'`);
    const widths = [...(cdrTable('mysql')[0] ?? '').matchAll(/(\w+) varchar\((\d+)\)/g)];
    expect(widths).toHaveLength(21);
    for (const [, column = '', width] of widths) {
      const longest = Math.max(...generate().records.map((record) => String(record[column as keyof CdrRecord]).length));
      expect(longest, column).toBeLessThanOrEqual(Number(width));
    }
    expect(cdrTable('mysql')[0]).toMatch(/uniqueid varchar\(32\) NOT NULL DEFAULT ''.*sequence int\(11\)/);
  });

  test('CSV: 18 columns as shipped or 21, quotes doubled, no quotes where no time is', () => {
    const missed = records.find(({ answer, src }) => answer === '' && src.startsWith('+')) as CdrRecord;
    const line = cdrCsv([missed]);
    expect(line).toContain(`"""${missed.src}"" <${missed.src}>"`);
    expect(line).toContain(`"${missed.calldate}",,"${missed.end}",${missed.duration},0,"${missed.disposition}"`);
    expect(line.endsWith(`"DOCUMENTATION","${missed.uniqueid}",""\n`)).toBe(true);
    expect(cdrCsv([missed], 21)).toBe(`${line.trimEnd()},"","${missed.linkedid}",${missed.sequence}\n`);
    const file = join(dir, 'Master.csv');
    writeCdrCsv(file, records.slice(0, 9));
    writeCdrCsv(file, records.slice(9));
    expect(readFileSync(file, 'utf8')).toBe(cdrCsv(records));
  });

  test('without linkedid the kinds of one channel still fold into the truth', () => {
    const single = generate({ kinds: SINGLE_CHANNEL_KINDS });
    const bare = single.records.map((record) => ({ ...record, linkedid: '' }));
    expectTruth(single.truth, bare, {}, 'RU');
  });
});

describe('the truth against an account', () => {
  test('an empty account lacks every call; a right one lacks nothing; every slip is named', async () => {
    const firm = await callsFirm({ cdr: { calls: 30, late: 0.2 }, known: 30, crm: { now: () => TO } });
    const due = firm.script.truth.filter(({ direction, phone }) => direction !== 'internal' && phone !== undefined);
    expect(firm.truthAgainst().filter((fault) => fault.endsWith('is there 0 times'))).toHaveLength(due.length);
    const upload = (calls: unknown[]) => {
      const body = new URLSearchParams({ calls: JSON.stringify(calls) });
      const headers = { 'x-api-key': firm.env.RETAILCRM_API_KEY ?? '' };
      return fetch(`${firm.crm.url}/api/v5/telephony/calls/upload`, { method: 'POST', body, headers });
    };
    const wires = due.map((call) => ({
      ...{ externalId: call.externalId, date: '2026-11-19 10:00:00', type: call.direction, phone: call.phone },
      ...{ result: call.result, duration: call.talkSeconds, durationWaiting: call.waitSeconds },
      ...{ code: call.lastExtension, externalPhone: call.did },
      recordUrl: call.recording && `https://pbx.firm.example/${call.recording}`,
    }));
    for (let from = 0; from < wires.length; from += 50)
      expect((await upload(wires.slice(from, from + 50))).status).toBe(200);
    expect(firm.truthAgainst()).toEqual([]);
    expect(firm.held.calls(due[0]?.externalId ?? '')).toHaveLength(1);
    firm.crm.standin.seed({ customers: [{ phones: [{ number: due.find(({ whole }) => whole)?.phone }] }] });
    firm.crm.standin.seed({ customers: [{ phones: [{ number: '+375 33 111-22-33' }] }] });
    await upload([{ ...wires[0], externalId: 'pbx1:1.1' }]);
    const faults = firm.truthAgainst().join('\n');
    for (const part of ['is 2 customers', 'a customer is no client', 'pbx1:1.1: is no call']) {
      expect(faults).toContain(part);
    }
  });
});
