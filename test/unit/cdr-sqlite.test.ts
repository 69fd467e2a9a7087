import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Secret } from '../../src/base/secret.ts';
import type { CdrRow } from '../../src/domain/call.ts';
import type { CdrPlace, CdrSource } from '../../src/systems/asterisk/api.ts';
import { openCdr } from '../../src/systems/asterisk/cdr/index.ts';

const FREEPBX =
  'calldate, clid, src, dst, dcontext, channel, dstchannel, lastapp, lastdata, duration, billsec, disposition, uniqueid, did, recordingfile, cnum, linkedid, sequence';

let dir: string;
let made = 0;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sdelka-cdr-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** A file with a table `cdr` of these columns; rows are given by name, the rest is ''. */
function fileOf(columns: string, rows: readonly Record<string, string | number | null>[], table = 'cdr'): string {
  made += 1;
  const path = join(dir, `${made}.db`);
  const db = new Sqlite(path);
  const names = columns.split(', ');
  db.exec(`CREATE TABLE "${table}" (${names.map((name) => `"${name}"`).join(', ')})`);
  const insert = db.prepare(`INSERT INTO "${table}" VALUES (${names.map(() => '?').join(', ')})`);
  db.transaction(() => {
    for (const row of rows) insert.run(names.map((name) => (row[name] === undefined ? '' : row[name])));
  })();
  db.close();
  return path;
}

function placeOf(path: string, change: Partial<CdrPlace> = {}): CdrPlace {
  const { signal } = new AbortController();
  return {
    ...{ url: new Secret(`sqlite:${path}`), baseDir: dir, host: 'pbx1', table: 'cdr', zone: 'Asia/Almaty', signal },
    ...change,
  };
}

async function rowsOf(source: CdrSource, from: string, to: string): Promise<CdrRow[]> {
  const rows: CdrRow[] = [];
  for await (const chunk of source.rows({ from: new Date(from), to: new Date(to) })) rows.push(...chunk);
  return rows;
}

const row = (calldate: string, uniqueid: string, more: Record<string, string | number | null> = {}) => ({
  ...{ calldate, uniqueid, linkedid: uniqueid, src: '79000000001', dst: '600', channel: 'PJSIP/trunk-a-0000000a' },
  ...{ duration: 30, billsec: 20, disposition: 'ANSWERED', sequence: 7 },
  ...more,
});

describe('columns', () => {
  test("FreePBX's table: times of the zone, the end by the duration, nothing of the answer", async () => {
    const path = fileOf(FREEPBX, [
      row('2026-09-14 10:00:00', '1789362000.10', { did: '77270000001', recordingfile: 'a.wav', cnum: null }),
    ]);
    const source = await openCdr(placeOf(path));
    const [found] = await rowsOf(source, '2026-09-14T05:00:00Z', '2026-09-14T05:00:01Z');
    expect(found).toMatchObject({
      ...{ host: 'pbx1', uniqueid: '1789362000.10', linkedid: '1789362000.10', sequence: 7, src: '79000000001' },
      ...{ start: new Date('2026-09-14T05:00:00Z'), end: new Date('2026-09-14T05:00:30Z'), answer: undefined },
      ...{ duration: 30, billsec: 20, did: '77270000001', recordingfile: 'a.wav', cnum: undefined, dstchannel: '' },
    });
    expect(await source.about()).toEqual({ columns: FREEPBX.split(', '), newest: new Date('2026-09-14T05:00:00Z') });
    await source.close();
  });

  test("MikoPBX's table: other names, the row's own id, the duration by the end", async () => {
    const columns =
      'id, start, answer, endtime, src_num, dst_num, src_chan, dst_chan, billsec, recordingfile, UNIQUEID, linkedid, disposition, is_app, did';
    const path = fileOf(
      columns,
      [
        {
          ...{
            start: '2026-09-14 10:00:00.250',
            answer: '2026-09-14 10:00:08.000',
            endtime: '2026-09-14 10:01:00.250',
          },
          ...{ UNIQUEID: 'mikopbx-1789362000.10_aB3dE5gH7j', linkedid: 'mikopbx-1789362000.10', is_app: '0' },
          ...{ src_num: '101', dst_num: '79000000001', src_chan: 'PJSIP/101-1', dst_chan: 'PJSIP/T-2', billsec: '52' },
          ...{ recordingfile: '/storage/monitor/2026/a.mp3' },
        },
      ],
      'cdr_general',
    );
    const source = await openCdr(placeOf(path, { table: 'main.cdr_general' }));
    const [found] = await rowsOf(source, '2026-09-14T05:00:00Z', '2026-09-14T06:00:00Z');
    expect(found).toMatchObject({
      ...{ uniqueid: 'mikopbx-1789362000.10', linkedid: 'mikopbx-1789362000.10', duration: 60, billsec: 52 },
      ...{ start: new Date('2026-09-14T05:00:00.250Z'), answer: new Date('2026-09-14T05:00:08Z') },
      ...{ src: '101', channel: 'PJSIP/101-1', dstchannel: 'PJSIP/T-2', recordingfile: '/storage/monitor/2026/a.mp3' },
    });
    expect(await source.rowsOf('mikopbx-1789362000.10')).toEqual([found]);
  });

  test('the sample of cdr_sqlite3_custom lacks numbers: that is said, with what to do', async () => {
    const path = fileOf('calldate, clid, dcontext, channel, dstchannel, lastapp, duration, billsec, uniqueid', []);
    await expect(openCdr(placeOf(path))).rejects.toMatchObject({
      ...{ code: 'CDR_COLUMNS', exit: 78, kind: 'operator', system: 'pbx' },
      message: "the PBX's call records cannot be read: they have no column for src, dst",
      hint: expect.stringContaining('cdr_sqlite3_custom.conf'),
    });
  });
});

describe('time', () => {
  // On 25 October 2026 at 03:00 local time Berlin's clocks went back to 02:00, at 01:00 UTC.
  const BERLIN = { zone: 'Europe/Berlin' };
  const epoch = (text: string) => Date.parse(text) / 1000;

  test('the hour that comes twice: ids tell which one, else it is the earlier; rows come in order of time', async () => {
    const path = fileOf(FREEPBX, [
      row('2026-10-25 02:10:00', `${epoch('2026-10-25T01:10:00Z')}.4`),
      row('2026-10-25 02:20:00', `${epoch('2026-10-25T00:20:00Z')}.2`),
      row('2026-10-25 02:30:00', 'crm-1'),
      row('2026-10-25 01:59:59', `${epoch('2026-10-24T23:59:59Z')}.1`),
      row('2026-10-25 03:00:00', `${epoch('2026-10-25T02:00:00Z')}.5`, { sequence: 1 }),
      // Began at 00:40 UTC; a part of it that began in the second hour, and ended in it.
      row('2026-10-25 02:35:00', `pbx-${epoch('2026-10-25T00:40:00Z')}.3`, { duration: 600 }),
    ]);
    const source = await openCdr(placeOf(path, BERLIN));
    const found = await rowsOf(source, '2026-10-24T23:00:00Z', '2026-10-25T03:00:00Z');
    expect(
      found.map(({ start, end }) => `${start.toISOString().slice(11, 19)} ${end?.toISOString().slice(11, 16)}`),
    ).toEqual([
      '23:59:59 00:00',
      '00:20:00 00:20',
      '00:30:00 00:30',
      '01:10:00 01:10',
      '01:35:00 01:45',
      '02:00:00 02:00',
    ]);
  });

  test('a range cuts exactly, and a skipped time is read all the same', async () => {
    const path = fileOf(FREEPBX, [
      row('2026-03-29 01:59:59', 'a'),
      row('2026-03-29 02:30:00', 'b'),
      row('2026-03-29 03:00:00', 'c'),
    ]);
    const source = await openCdr(placeOf(path, BERLIN));
    const idsOf = async (from: string, to: string) => (await rowsOf(source, from, to)).map(({ uniqueid }) => uniqueid);
    expect(await idsOf('2026-03-29T00:59:59Z', '2026-03-29T01:00:00Z')).toEqual(['a']);
    expect(await idsOf('2026-03-29T01:00:00Z', '2026-03-29T02:00:00Z')).toEqual(['c', 'b']);
  });

  test('odd rows are left out and counted, and stop nothing', async () => {
    const path = fileOf(FREEPBX, [
      row('2026-09-14 10:00:00', ''),
      row('2026-09-14 10:xx', '1.1'),
      row('2026-09-14 10:00:00+05', '1789362000.2', { duration: 'long', billsec: null, sequence: 'x' }),
      row('2026-09-14 05:30:00', '1789363800.3', { duration: '999999999999999', billsec: '4294967295' }),
    ]);
    const source = await openCdr(placeOf(path, { zone: 'UTC' }));
    const found = await rowsOf(source, '2026-09-14T04:00:00Z', '2026-09-14T11:00:00Z');
    const half = new Date('2026-09-14T05:30:00Z');
    expect(found).toMatchObject([
      { start: new Date('2026-09-14T05:00:00Z'), duration: 0, billsec: 0 },
      { start: half, end: half, duration: 0, billsec: 0 },
    ]);
    expect(source.skipped).toBe(2);
  });
});

test('many rows come in pages, also where thousands start at once, each once', async () => {
  const second = (n: number) =>
    `2026-09-14 10:${String(Math.floor(n / 60)).padStart(2, '0')}:${String(n % 60).padStart(2, '0')}`;
  // Of 14,000 rows 9,000 start in second 20, more than two pages.
  const rows = Array.from({ length: 14_000 }, (_, n) => row(second(n < 9000 ? 20 : n % 600), `1789362000.${n}`));
  const source = await openCdr(placeOf(fileOf(FREEPBX, rows), { zone: 'UTC' }));
  const found = await rowsOf(source, '2026-09-14T00:00:00Z', '2026-09-15T00:00:00Z');
  expect(found).toHaveLength(14_000);
  expect(new Set(found.map(({ uniqueid }) => uniqueid)).size).toBe(14_000);
  const times = found.map(({ start }) => +start);
  expect(times).toEqual(times.toSorted((one, other) => one - other));
});

test('two pages of the hour that comes twice are in order of time as well', async () => {
  const begin = Date.parse('2026-10-25T00:00:00Z') / 1000;
  const rows = Array.from({ length: 7200 }, (_, n) => {
    const local = new Date(Date.parse('2026-10-25T02:00:00Z') + (n % 3600) * 1000).toISOString();
    return row(local.slice(0, 19).replace('T', ' '), `${begin + n}.1`);
  });
  const source = await openCdr(placeOf(fileOf(FREEPBX, rows), { zone: 'Europe/Berlin' }));
  const found = await rowsOf(source, '2026-10-24T00:00:00Z', '2026-10-26T00:00:00Z');
  expect(found.map(({ start }) => +start / 1000 - begin)).toEqual(Array.from({ length: 7200 }, (_, n) => n));
});

test('rows of one call: of its linkedid, never of an id that is the same number', async () => {
  const rows = [
    row('2026-09-14 10:00:20', '1789380000.11', { linkedid: '1789380000.10' }),
    row('2026-09-14 10:00:00', '1789380000.10'),
    row('2026-09-14 10:00:00', '1789380000.1'),
    row('2026-09-14 10:00:00', '1789380000.12', { linkedid: '' }),
  ];
  const source = await openCdr(placeOf(fileOf(FREEPBX, rows), { zone: 'UTC' }));
  const idsOf = async (id: string) => (await source.rowsOf(id)).map(({ uniqueid }) => uniqueid);
  expect(await idsOf('1789380000.10')).toEqual(['1789380000.10', '1789380000.11']);
  expect(await idsOf('1789380000.12')).toEqual(['1789380000.12']);
  expect(await idsOf('1789380000.11')).toEqual([]);
});

test.each([
  ['sqlite:none.db', 'CDR_MISSING', 78],
  ['sqlite://pbx/share/master.db', 'CDR_URL_INVALID', 78],
  ['sqlite:', 'CDR_URL_INVALID', 78],
  ['odbc:dsn', 'CDR_URL_INVALID', 78],
  ['mysql:secret-word@host', 'CDR_URL_INVALID', 78],
  ['mysql://u:secret-word@127.0.0.1/db?multipleStatements=true', 'CDR_URL_INVALID', 78],
  ['mysql://u:secret-word@127.0.0.1:1/db', 'CDR_UNREACHABLE', 69],
  ['postgres://u:secret-word@127.0.0.1:1/db', 'CDR_UNREACHABLE', 69],
  ['postgres://u:secret%word@127.0.0.1:1/db', 'CDR_URL_INVALID', 78],
  ['sqlite:broken.db', 'CDR_DAMAGED', 78],
])('%s is %s', async (url, code, exit) => {
  await writeFile(join(dir, 'broken.db'), 'no database at all '.repeat(100));
  const fault = await openCdr(placeOf('', { url: new Secret(url) })).catch((error: unknown) => error);
  expect(fault).toMatchObject({ name: 'RemoteError', system: 'pbx', code, exit, hint: expect.any(String) });
  expect(`${JSON.stringify(fault)} ${String(fault)}`).not.toContain('secret');
});

test('a table that is not there, and a name that is no name', async () => {
  const path = fileOf(FREEPBX, []);
  for (const table of ['calls', 'cdr" --', "cdr'; DROP TABLE cdr"]) {
    await expect(openCdr(placeOf(path, { table }))).rejects.toMatchObject({ code: 'CDR_MISSING', exit: 78 });
  }
  expect(await (await openCdr(placeOf(path))).about()).toMatchObject({ newest: undefined });
});
