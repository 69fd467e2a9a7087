import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AppError } from '../../src/base/errors.ts';
import type { CommandContext } from '../../src/commands/define.ts';
import { retailReportCommand } from '../../src/commands/retail-report.ts';
import { type CallFigures, columns } from '../../src/insight/calls/columns.ts';
import { csvReport } from '../../src/insight/calls/csv.ts';
import type { CallReport } from '../../src/insight/calls/figures.ts';
import { callPage } from '../../src/insight/calls/page.ts';
import { openDatabase } from '../../src/state/database.ts';
import { migrate } from '../../src/state/migrate.ts';

const figures: CallFigures = {
  ...{ calls: 1234, incoming: 1000, outgoing: 234, answered: 1100, missed: 100, never_called_back: 12 },
  ...{ average_wait: 12.5, p90_wait: 31, talk_seconds: 7384, average_talk: 95, average_callback: 190_000 },
  ...{ orders: 99, conversion: 8, order_total: 45_000.5, average_to_order: null },
};
const HOSTILE = `=cmd("</text><script src='https://evil.example/x.js'>")`;
const report: CallReport = {
  ...{ from: '2026-05-01', to: '2026-05-03', enterprise: null, within_days: 14, total: figures },
  days: [
    { day: '2026-05-01', ...figures },
    { day: '2026-05-03', ...figures },
  ],
  managers: [
    { enterprise: '0001', manager: HOSTILE, extensions: ['201', '202'], ...figures },
    { enterprise: '0002', manager: null, extensions: [], ...figures },
  ],
};

/** Every element that is opened is closed, in order: what a browser would mend without a word. */
function openElements(html: string): string[] {
  const open: string[] = [];
  const body = html.replace(/<style>[\s\S]*?<\/style>/, '').replace('<!doctype html>', '');
  for (const [, close, name = '', single] of body.matchAll(/<(\/?)([a-z][\w-]*)(?:"[^"]*"|[^">])*?(\/?)>/gi)) {
    if (single === '/' || name === 'meta') continue;
    if (close === '') open.push(name);
    else expect(open.pop()).toBe(name);
  }
  return open;
}

test.each(['ru', 'en'] as const)(
  '%s: the page is whole, runs nothing and asks for nothing, whatever a manager is called',
  (locale) => {
    const page = callPage(report, { locale, madeAt: 'now' });
    expect(openElements(page)).toEqual([]);
    expect(page).not.toMatch(/<script|javascript:|\son\w+=|@import|url\((?!#)|<link|<img|<iframe/i);
    expect(page).not.toMatch(/<[^>]*\s(?:src|href|xlink:href)=/i);
    expect(page.replaceAll('&#39;https://evil.example', '')).not.toContain('//');
    expect(page).toContain('&lt;script src=&#39;');
    expect(page).toContain("default-src 'none'");
    expect(page.match(/<svg /g)).toHaveLength(8);
    expect(page).not.toMatch(/NaN|undefined|#0[1-7]0[2-8]0[3-9]|rgba|CDATA/);
    // Each term stands in both tables and in the definitions.
    for (const { title } of columns) expect(page.split(`>${title[locale]}<`).length - 1).toBeGreaterThanOrEqual(3);
    expect(page).toContain(locale === 'ru' ? 'заказ за 14 дн.' : 'within 14 days');
    expect(page).toContain(locale === 'ru' ? '2\u00a0д\u00a05\u00a0ч' : '2\u00a0d\u00a05\u00a0h');
    expect(page).toContain('2:03:04');
  },
);

test('the page of a range without calls says so', () => {
  const page = callPage(
    { ...report, total: { ...figures, calls: 0 }, days: [], managers: [] },
    { locale: 'en', madeAt: 'now' },
  );
  expect(page).toContain('There are no calls on these days.');
  expect(page).not.toContain('<svg');
  expect(openElements(page)).toEqual([]);
});

test('CSV: for programs as RFC 4180 says, for Excel as it opens it; no cell is a formula', () => {
  const plain = csvReport(report, { by: 'manager' }).split('\r\n');
  expect(plain[0]).toBe(`enterprise,extensions,manager,${columns.map(({ key }) => key).join(',')}`);
  expect(plain[1]).toMatch(/^0001,201 202,"'=cmd\(""<\/text><script src='https:\/\/evil\.example\/x\.js'>""\)",1234,/);
  expect(plain[2]).toBe('0002,,,1234,1000,234,1100,100,12,12.5,31,7384,95,190000,99,8,45000.5,');
  expect(plain.slice(3)).toEqual(['']);
  const excel = csvReport(report, { by: 'day', excel: 'ru' }).split('\r\n');
  expect(excel[0]).toMatch(/^\ufeffДень;Звонки;/);
  expect(excel[1]).toBe('2026-05-01;1234;1000;234;1100;100;12;12,5;31;7384;95;190000;99;8;45000,5;');
});

let dir: string;
let url: string;
let printed: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sdelka-report-'));
  url = `sqlite:${join(dir, 'integrator.db')}`;
  await migrate({ url, baseDir: dir, create: true });
  const database = await openDatabase({ url, baseDir: dir });
  const at = '2026-05-02T20:30:00.000Z';
  await database.db
    .insertInto('calls')
    .values({
      ...{ external_id: 'pbx1:1', enterprise_number: '0001', direction: 'in', result: 'answered', day: '2026-05-03' },
      ...{ started_at: at, ended_at: at, phone: '+77010000001', extension: '201', manager: 'anna@firm.example' },
      ...{ duration: 60, wait: 5, hash: 'h', created_at: at, updated_at: at },
    })
    .execute();
  await database.close();
});

afterAll(async () => {
  await rm(dir, { recursive: true, force: true });
});

/** Runs the command as on a terminal of `width` columns, or into a pipe. */
async function run(given: Record<string, unknown>, { width = 0, dryRun = false } = {}): Promise<void> {
  printed = '';
  const out = {
    ...{ isTerminal: width > 0, json: false, width },
    result: async (value: unknown, render?: () => string | Promise<string>) => {
      printed = width > 0 && render !== undefined ? await render() : JSON.stringify(value);
    },
    line: (text: string) => {
      printed += `${text}\n`;
    },
    table: async (head: readonly string[], rows: readonly (readonly unknown[])[]) =>
      [head, ...rows].map((row) => row.join('  ')).join('\n'),
  };
  const context = {
    environment: { values: { DATABASE_URL: url, PBX_TIMEZONE: 'Asia/Tokyo' }, baseDir: dir, file: undefined },
    globals: { dryRun },
    // In Tokyo the next day has begun.
    clock: { now: () => new Date('2026-05-02T20:31:00.000Z') },
    out,
  } as unknown as CommandContext;
  const options = { by: 'manager', within: 30, excel: false, ...given };
  await retailReportCommand.run(context, [], options);
}

test('the command: JSON in a pipe, the last 30 days of the PBX by default', async () => {
  await run({});
  const { from, to, by, within_days, total, rows } = JSON.parse(printed);
  expect({ from, to, by, within_days }).toEqual({
    from: '2026-04-04',
    to: '2026-05-03',
    by: 'manager',
    within_days: 30,
  });
  expect(total).toMatchObject({ calls: 1, p90_wait: 5 });
  expect(rows).toMatchObject([{ enterprise: '0001', manager: 'anna@firm.example', extensions: ['201'], calls: 1 }]);
  expect(printed).not.toContain('7701');
});

test('the command: a table that fits the terminal, or one line where there are no calls', async () => {
  await run({}, { width: 80 });
  const [head = '', row = ''] = printed.split('\n');
  expect(head).toMatch(/^manager {2}calls {2}missed {2}lost {2}.*orders {2}conv %/);
  expect(head).not.toContain('to order');
  expect(row).toMatch(/^201 anna@firm\.example {2}1 {2}0/);
  await run({ by: 'day' }, { width: 200 });
  expect(printed).toMatch(/^day {2}calls {2}in {2}out .*to order\n2026-05-03 {2}1/);
  await run({ from: '2026-01-01', to: '2026-01-31' }, { width: 80 });
  expect(printed).toBe('no calls from 2026-01-01 to 2026-01-31');
});

test('the command: files whole and for their owner alone, none in a dry run; - is stdout', async () => {
  const [csv, html] = [join(dir, 'calls.csv'), join(dir, 'calls.html')];
  await run({ csv, html }, { dryRun: true });
  expect((await readdir(dir)).filter((name) => name.startsWith('calls'))).toEqual([]);
  await run({ csv, html });
  await run({ csv, html });
  expect(JSON.parse(printed).files).toEqual([csv, html]);
  expect((await readdir(dir)).filter((name) => name.startsWith('calls')).sort()).toEqual(['calls.csv', 'calls.html']);
  expect([(await stat(csv)).mode & 0o777, (await stat(html)).mode & 0o777]).toEqual([0o600, 0o600]);
  const page = await readFile(html, 'utf8');
  expect(page).toContain('(Asia/Tokyo)');
  // Who it is, without his address: pages are passed on.
  expect(page).toContain('anna');
  expect(page).not.toContain('anna@');
  await run({ csv: '-' });
  expect(printed).toBe(await readFile(csv, 'utf8'));
});

test.each([
  [{ from: '2026-05-04' }, 'USAGE'],
  [{ csv: '-', html: '-' }, 'USAGE'],
  [{ excel: true }, 'USAGE'],
  [{ enterprise: '9999' }, 'USAGE'],
  [{ csv: '/nowhere/calls.csv' }, 'FILE_UNWRITABLE'],
])('the command refuses %j', async (given, code) => {
  const error = await run(given).catch((caught: AppError) => caught);
  expect(error).toMatchObject({ code: expect.stringContaining(code) });
});

test.each(['2026-02-30', '1.5.2026', '2026-5-1', 'today'])('%s is no day', (value) => {
  const { from } = (retailReportCommand.options ?? {}) as Record<string, { parse: (text: string) => unknown }>;
  expect(() => from?.parse(value)).toThrow('YYYY-MM-DD');
  expect(from?.parse('2024-02-29')).toBe('2024-02-29');
});
