import { configError, usageError } from '../base/errors.ts';
import { coreSettings, defineGroup, readSettings } from '../config/settings.ts';
import { type CallFigures, type Column, columns, meaningOf } from '../insight/calls/columns.ts';
import type { CallReport } from '../insight/calls/figures.ts';
import { formatFigure } from '../insight/calls/format.ts';
import { asteriskSettings } from '../systems/asterisk/settings.ts';
import { type CommandContext, defineCommand, type Output, oneOf, text, wholeNumber } from './define.ts';
import { readState } from './open-state.ts';

const DEFAULT_DAYS = 30;
const STDOUT = '-';
/** Between two columns of a terminal's table. */
const GAP = 2;
const LONGEST_NAME = 40;
const SHORTEST_NAME = 12;
/** Figures are about people and sums: for the operator's eyes. */
const OWN_EYES = 0o600;

const pbxZone = defineGroup({ PBX_TIMEZONE: asteriskSettings.variables.PBX_TIMEZONE });

const options = {
  from: { value: 'date', description: `first day, YYYY-MM-DD; default: ${DEFAULT_DAYS} days up to --to`, parse: day },
  to: { value: 'date', description: 'last day, included; default: today', parse: day },
  by: {
    value: 'manager|day',
    description: 'what a row is about',
    parse: oneOf(['manager', 'day']),
    fallback: 'manager' as const,
  },
  enterprise: { value: 'number', description: 'one enterprise alone; default: all together', parse: text },
  within: {
    value: 'days',
    description: 'an order counts for a call that it followed within so many days',
    parse: wholeNumber(1, 3660),
    fallback: 30,
  },
  csv: { value: 'file', description: 'writes the rows as CSV (RFC 4180, UTF-8); - for stdout', parse: text },
  excel: {
    description:
      'the CSV as Excel opens it at a double click in the language of LOCALE (Russian: semicolons, decimal commas)',
  },
  html: { value: 'file', description: 'writes a page with charts that needs nothing else; - for stdout', parse: text },
};

interface Question {
  from: string;
  to: string;
  by: 'manager' | 'day';
  csv: string | undefined;
  html: string | undefined;
  excel: boolean;
}

export const retailReportCommand = defineCommand({
  name: 'retail:report',
  summary: 'Call statistics, conversion to orders, handling time',
  details: [
    'Reads the database alone, as the last passes of retail:sync-calls and retail:sync-history left it. Days are local ones of the PBX (PBX_TIMEZONE), both ends included; JSON and CSV give times in seconds. Files are made anew as a whole, mode 0600. The same figures can be queried: call_facts, calls_by_day, calls_by_manager.',
    ...columns.map(
      (column) =>
        `${column.head}${column.head === column.key ? '' : ` (${column.key})`}: ${meaningOf(column, 'en', 'N')}`,
    ),
  ].join('\n\n'),
  options,
  examples: [
    'retail:report',
    'retail:report --from 2026-11-01 --to 2026-11-30 --by day',
    'retail:report --csv calls.csv --excel --html calls.html',
    'retail:report --by day --within 14 --csv -',
  ],
  quiet: true,
  run: async (ctx, _args, { from, to, by, enterprise, within, csv, excel, html }) => {
    const settings = readSettings(ctx.environment, [coreSettings, pbxZone]);
    const timeZone = settings.PBX_TIMEZONE ?? settings.TIMEZONE;
    const now = ctx.clock.now();
    const question = { ...(await rangeOf(from, to, timeZone, now)), by, csv, html, excel };
    refuseConfusion(question);
    const report = await readState(ctx, settings, async (database) => {
      const { callFigures, enterprisesSeen } = await import('../insight/calls/figures.ts');
      if (enterprise !== undefined) refuseStranger(enterprise, await enterprisesSeen(database));
      return await callFigures(database, { ...question, enterprise, withinDays: within });
    });
    const files = await contentsOf(report, question, { locale: settings.LOCALE, now, timeZone });
    for (const { path, content } of files) {
      // The text ends with its own line feed, and `line` adds one.
      if (path === STDOUT) ctx.out.line(content.slice(0, -1));
      else if (!ctx.globals.dryRun) await writeWhole(path, content);
    }
    if (!files.some(({ path }) => path === STDOUT)) await show(ctx, report, question, files);
    return undefined;
  },
});

/** A slip in the number would look like a firm that nobody calls. */
function refuseStranger(enterprise: string, seen: readonly string[]): void {
  if (seen.length === 0 || seen.includes(enterprise)) return;
  throw usageError(`there is no call of an enterprise ${enterprise}`, `Calls are kept of ${seen.join(', ')}.`);
}

function day(value: string): string {
  const at = /^\d{4}-\d\d-\d\d$/.test(value) ? new Date(`${value}T00:00:00.000Z`) : undefined;
  if (at === undefined || Number.isNaN(at.getTime()) || at.toISOString().slice(0, 10) !== value) {
    throw usageError('expected a day: YYYY-MM-DD');
  }
  return value;
}

/** Calendar arithmetic, not hours: a day with a clock change is a day all the same. */
async function rangeOf(from: string | undefined, to: string | undefined, timeZone: string, now: Date) {
  const { dayIn } = await import('../state/runs.ts');
  const last = to ?? dayIn(timeZone, now);
  const first = new Date(`${last}T00:00:00.000Z`);
  first.setUTCDate(first.getUTCDate() - DEFAULT_DAYS + 1);
  const range = { from: from ?? first.toISOString().slice(0, 10), to: last };
  if (range.from > range.to)
    throw usageError(`--from ${range.from} is after ${to === undefined ? 'today' : '--to'} (${last})`);
  return range;
}

function refuseConfusion({ csv, html, excel }: Question): void {
  if (csv === STDOUT && html === STDOUT) throw usageError('only one of --csv and --html can go to stdout');
  if (excel && csv === undefined) throw usageError('--excel says how --csv is written; give that too');
}

interface Made {
  path: string;
  content: string;
}

async function contentsOf(
  report: CallReport,
  { csv, html, excel, by }: Question,
  { locale, now, timeZone }: { locale: 'ru' | 'en'; now: Date; timeZone: string },
): Promise<Made[]> {
  const files: Made[] = [];
  if (csv !== undefined) {
    const { csvReport } = await import('../insight/calls/csv.ts');
    files.push({ path: csv, content: csvReport(report, { by, excel: excel ? locale : undefined }) });
  }
  if (html !== undefined) {
    const { callPage } = await import('../insight/calls/page.ts');
    const options = { timeZone, dateStyle: 'short', timeStyle: 'short' } as const;
    const madeAt = `${new Intl.DateTimeFormat(locale === 'ru' ? 'ru' : 'en-GB', options).format(now)} (${timeZone})`;
    files.push({ path: html, content: callPage(report, { locale, madeAt }) });
  }
  return files;
}

/** Whole or not at all, so that a web server never hands out half a page; what is no plain file is written into, not replaced. */
async function writeWhole(path: string, content: string): Promise<void> {
  const { chmod, realpath, rename, rm, stat, writeFile } = await import('node:fs/promises');
  try {
    const real = await realpath(path).catch(() => path);
    const there = await stat(real).catch(() => undefined);
    if (there !== undefined && !there.isFile()) {
      await writeFile(real, content);
      return;
    }
    const fresh = `${real}.${process.pid}.new`;
    try {
      await writeFile(fresh, content, { mode: OWN_EYES, flag: 'wx' });
      await chmod(fresh, OWN_EYES);
      await rename(fresh, real);
    } catch (error) {
      await rm(fresh, { force: true });
      throw error;
    }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    throw configError(
      'FILE_UNWRITABLE',
      `${path} cannot be written (${code})`,
      'Check that the folder exists and that this user may write there.',
    );
  }
}

async function show(
  ctx: CommandContext,
  report: CallReport,
  question: Question,
  files: readonly Made[],
): Promise<void> {
  const { days, managers, ...rest } = report;
  const written = ctx.globals.dryRun ? [] : files.map(({ path }) => path);
  const rows = question.by === 'day' ? days : managers;
  const { from, to, enterprise, within_days, total } = rest;
  await ctx.out.result(
    {
      from,
      to,
      by: question.by,
      enterprise,
      within_days,
      total,
      rows,
      ...(files.length > 0 ? { files: written } : {}),
    },
    async () => {
      const told = files.map(({ path }) => (ctx.globals.dryRun ? `${path}: not written (dry run)` : `${path} written`));
      return [await render(report, question.by, ctx.out), ...told].join('\n');
    },
  );
}

async function render(report: CallReport, by: Question['by'], out: Output): Promise<string> {
  const { from, to, within_days, total } = report;
  if (total.calls === 0) return `no calls from ${from} to ${to}`;
  const rows: (readonly [string, CallFigures])[] =
    by === 'day' ? report.days.map((row) => [row.day, row]) : report.managers.map((row) => [nameOf(row, report), row]);
  const all = [...rows, ['total', total] as const];
  const shown = fitting(all, out.width);
  const room = out.width - shown.reduce((sum, column) => sum + GAP + widthOf(column, all), 0);
  const longest = Math.min(LONGEST_NAME, Math.max(SHORTEST_NAME, room));
  const table = await out.table(
    [by, ...shown.map(({ head }) => head)],
    all.map(([name, figures]) => [
      name.length > longest ? `${name.slice(0, longest - 1)}…` : name,
      ...shown.map((column) => formatFigure(column, figures, 'en')),
    ]),
  );
  const left = columns.length - shown.length;
  const hint = left === 0 ? '' : `; ${left} more columns in a wider window, --json, --csv or --html`;
  return `${table}\n${from} to ${to}, orders within ${within_days} days${hint}`;
}

function nameOf({ enterprise, manager, extensions }: CallReport['managers'][number], report: CallReport): string {
  const several = new Set(report.managers.map((row) => row.enterprise)).size > 1;
  const who = [extensions.join(','), manager ?? ''].filter((part) => part !== '').join(' ');
  return `${several ? `${enterprise}: ` : ''}${who === '' ? '(nobody was rung)' : who}`;
}

/** The columns that fit beside a name of some length; what can be spared goes first. */
function fitting(rows: readonly (readonly [string, CallFigures])[], width: number): readonly Column[] {
  const name = Math.min(LONGEST_NAME / 2, Math.max(...rows.map(([text]) => text.length)));
  let shown = columns;
  const needed = () => shown.reduce((sum, column) => sum + GAP + widthOf(column, rows), name);
  for (let last = Math.max(...columns.map(({ leaves }) => leaves)); last > 0 && needed() > width; last -= 1) {
    shown = shown.filter(({ leaves }) => leaves !== last);
  }
  return shown;
}

function widthOf(column: Column, rows: readonly (readonly [string, CallFigures])[]): number {
  return Math.max(column.head.length, ...rows.map(([, figures]) => formatFigure(column, figures, 'en').length));
}
