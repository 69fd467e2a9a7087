import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Secret } from '../../src/base/secret.ts';
import type { CdrRow } from '../../src/domain/call.ts';
import type { CdrPlace, CdrSource } from '../../src/systems/asterisk/api.ts';
import { csvRecords } from '../../src/systems/asterisk/cdr/csv-records.ts';
import { openCdr } from '../../src/systems/asterisk/cdr/index.ts';

let dir: string;
let made = 0;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sdelka-csv-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** As cdr_csv writes a record; `id` is its uniqueid, `more` what follows userfield. */
function line(start: string, duration: number, id: string, more = '', userfield = ''): string {
  const end = new Date(Date.parse(`${start}Z`) + duration * 1000).toISOString().slice(0, 19).replace('T', ' ');
  const clid = '"""Anna ""A"", sales"" <79000000001>"';
  const channels = '"PJSIP/trunk-a-0000000a","PJSIP/101-0000000b","Dial","PJSIP/101,30"';
  const times = `"${start}",,"${end}",${duration},0`;
  return `"","79000000001","101","from-trunk",${clid},${channels},${times},"NO ANSWER","DOCUMENTATION","${id}","${userfield}"${more}\n`;
}

async function fileOf(text: string, before?: string): Promise<string> {
  made += 1;
  const path = join(dir, `Master-${made}.csv`);
  await writeFile(path, text);
  if (before !== undefined) await writeFile(`${path}.1`, before);
  return path;
}

function open(path: string, change: Partial<CdrPlace> = {}): Promise<CdrSource> {
  const { signal } = new AbortController();
  const url = new Secret(`csv:${path}`);
  return openCdr({ url, baseDir: dir, host: 'pbx1', table: 'cdr', zone: 'UTC', signal, ...change });
}

async function rowsOf(source: CdrSource, from = '2026-09-14T00:00:00Z', to = '2026-09-15T00:00:00Z') {
  const rows: CdrRow[] = [];
  for await (const chunk of source.rows({ from: new Date(from), to: new Date(to) })) rows.push(...chunk);
  return rows;
}

const idsOf = async (source: CdrSource, from?: string) => (await rowsOf(source, from)).map(({ uniqueid }) => uniqueid);

describe('layouts', () => {
  test('18 columns as the sample has them, and 21 of the same file', async () => {
    const path = await fileOf(
      line('2026-09-14 10:00:00', 25, '1.1') + line('2026-09-14 10:01:00', 25, '1.3', ',"","1.2",7'),
    );
    const source = await open(path);
    const [first, second] = await rowsOf(source);
    expect(first).toMatchObject({
      ...{ host: 'pbx1', uniqueid: '1.1', linkedid: '', src: '79000000001', dst: '101', dcontext: 'from-trunk' },
      ...{ start: new Date('2026-09-14T10:00:00Z'), end: new Date('2026-09-14T10:00:25Z'), answer: undefined },
      ...{ channel: 'PJSIP/trunk-a-0000000a', dstchannel: 'PJSIP/101-0000000b', lastdata: 'PJSIP/101,30' },
      ...{ duration: 25, billsec: 0, disposition: 'NO ANSWER' },
    });
    expect(second).toMatchObject({ uniqueid: '1.3', linkedid: '1.2', sequence: 7 });
    expect(await source.rowsOf('1.2')).toEqual([second]);
    const about = await source.about();
    expect(about.newest).toEqual(new Date('2026-09-14T10:01:00Z'));
    expect(about.columns).toHaveLength(21);
  });

  test("cdr_custom's: the columns that the mapping gives, and no others", async () => {
    const columns = ['calldate', 'src', 'dst', 'channel', 'uniqueid', 'duration'];
    const path = await fileOf('"2026-09-14 10:00:00","101","102","SIP/101-a","1.1","20"\n');
    expect(await rowsOf(await open(path, { columns }))).toMatchObject([{ dst: '102', duration: 20, disposition: '' }]);
    await expect(open(path, { columns: columns.slice(0, 4) })).rejects.toMatchObject({
      ...{ code: 'CDR_COLUMNS', exit: 78, message: expect.stringContaining('no column for uniqueid') },
    });
  });

  test('a file that nothing can be read of is a fault, with what to set', async () => {
    const source = await open(await fileOf(line('2026-09-14 10:00:00', 25, '1.1').replace(/,"1\.1".*/, '')));
    await expect(rowsOf(source)).rejects.toMatchObject({
      ...{ code: 'CDR_COLUMNS', exit: 78, message: expect.stringContaining('16 columns, not 18 or 21') },
      hint: expect.stringContaining('loguniqueid=yes'),
    });
    expect(await rowsOf(await open(await fileOf('')))).toEqual([]);
  });
});

describe('rows', () => {
  test('come in order of their start, which is not the order of the file', async () => {
    const text =
      line('2026-09-14 10:00:05', 5, '1.2') +
      line('2026-09-14 10:00:09', 5, '1.3') +
      line('2026-09-14 10:00:00', 900, '1.1');
    expect(await idsOf(await open(await fileOf(text)))).toEqual(['1.1', '1.2', '1.3']);
    expect(await idsOf(await open(await fileOf(text)), '2026-09-14T10:00:05Z')).toEqual(['1.2', '1.3']);
  });

  test('a line that is still being written is not read, a broken one costs no other', async () => {
    const torn = line('2026-09-14 10:00:02', 5, '1.2').slice(0, 90);
    const text = `${line('2026-09-14 10:00:01', 5, '1.1')}${torn}\n\r\n${line('2026-09-14 10:00:03', 5, '1.3')}${line('2026-09-14 10:00:04', 5, '1.4').replaceAll('2026', 'year')}`;
    const path = await fileOf(text + line('2026-09-14 10:00:05', 5, '1.5').slice(0, -1));
    const source = await open(path);
    expect(await idsOf(source)).toEqual(['1.1', '1.3']);
    expect(source.skipped).toBe(2);
    await writeFile(path, text + line('2026-09-14 10:00:05', 5, '1.5'));
    expect(await idsOf(source)).toEqual(['1.1', '1.3', '1.5']);
  });

  test('line breaks and bytes that are no UTF-8 stand in texts', async () => {
    const text = line('2026-09-14 10:00:00', 5, '1.1', '', 'a\nb,""c""\r\n');
    const source = await open(await fileOf(text));
    expect((await rowsOf(source))[0]?.userfield).toBe('a\nb,"c"');
    const path = await fileOf('');
    await writeFile(path, Buffer.from(text.replace('Anna', '\xc0\xed\xed\xe0'), 'latin1'));
    expect(await idsOf(await open(path))).toEqual(['1.1']);
  });
});

describe('rotation', () => {
  const before = line('2026-09-14 09:00:00', 5, '1.1') + line('2026-09-14 09:50:00', 5, '1.2');
  const now = line('2026-09-14 08:00:00', 7200, '1.0') + line('2026-09-14 10:05:00', 5, '1.3');

  test('the file before is read where rows of the range may stand in it', async () => {
    const source = await open(await fileOf(now, before));
    expect(await idsOf(source)).toEqual(['1.0', '1.1', '1.2', '1.3']);
    // The first row of the file began before the range, but the file before ends within it.
    expect(await idsOf(source, '2026-09-14T09:30:00Z')).toEqual(['1.2', '1.3']);
  });

  test('and not where they cannot', async () => {
    const source = await open(await fileOf(now, 'no records\n'));
    expect(await idsOf(source, '2026-09-14T10:00:00Z')).toEqual(['1.3']);
    expect(source.skipped).toBe(0);
  });

  test('right after it there is no file yet', async () => {
    const path = await fileOf(before);
    const source = await open(path);
    await rename(path, `${path}.1`);
    expect(await idsOf(source)).toEqual(['1.1', '1.2']);
    await rename(`${path}.1`, path);
    await expect(open(`${path}x`)).rejects.toMatchObject({ code: 'CDR_MISSING', exit: 78 });
    await mkdir(`${path}.d`);
    await expect(open(`${path}.d`)).rejects.toMatchObject({ code: 'CDR_MISSING' });
  });
});

test('a text cut anywhere gives the same records', async () => {
  const text = `"a ""b""",1,,"c\nd"\nx\r\n"torn,1\n"e",2\n${'"long",'.repeat(3000)}\n"f"\n"half`;
  async function* cut(size: number) {
    for (let at = 0; at < text.length; at += size) yield text.slice(at, at + size);
  }
  for (const size of [97, 1000, 5000, text.length]) {
    const records = [];
    for await (const some of csvRecords(cut(size))) records.push(...some.map(({ fields }) => fields));
    expect(records).toEqual([['a "b"', '1', '', 'c\nd'], ['x'], undefined, ['e', '2'], undefined, ['f']]);
  }
});
