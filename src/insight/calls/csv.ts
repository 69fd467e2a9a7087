import { columns, type ReportLocale } from './columns.ts';
import type { CallReport } from './figures.ts';

export interface CsvForm {
  by: 'day' | 'manager';
  /**
   * Absent: RFC 4180 for programs, with the names of the JSON. Else as the Excel of that language opens it at a double click:
   * marked as UTF-8, titles in words; for Russian semicolons and decimal commas (Excel takes `12.5` for the twelfth of May there).
   */
  excel?: ReportLocale | undefined;
}

const HEADS: Record<ReportLocale, Record<'day' | 'enterprise' | 'extensions' | 'manager', string>> = {
  ru: { day: 'День', enterprise: 'Предприятие', extensions: 'Внутренние номера', manager: 'Менеджер' },
  en: { day: 'Day', enterprise: 'Enterprise', extensions: 'Extensions', manager: 'Manager' },
};

type Value = string | number | null;

/** The rows of the report as CSV, lines ended by CRLF; without the total, which would be added to its own parts. Seconds and percent as numbers. */
export function csvReport(report: CallReport, { by, excel }: CsvForm): string {
  const labels = by === 'day' ? (['day'] as const) : (['enterprise', 'extensions', 'manager'] as const);
  const head =
    excel === undefined
      ? [...labels, ...columns.map(({ key }) => key)]
      : [...labels.map((label) => HEADS[excel][label]), ...columns.map(({ title }) => title[excel])];
  const rows: Value[][] =
    by === 'day'
      ? report.days.map((row) => [row.day, ...columns.map(({ key }) => row[key])])
      : report.managers.map((row) => [
          ...[row.enterprise, row.extensions.join(' '), row.manager],
          ...columns.map(({ key }) => row[key]),
        ]);
  const russian = excel === 'ru';
  const lines = [head, ...rows].map((row) => row.map((value) => cell(value, russian)).join(russian ? ';' : ','));
  return `${excel === undefined ? '' : '\ufeff'}${lines.join('\r\n')}\r\n`;
}

function cell(value: Value, russian: boolean): string {
  if (value === null) return '';
  if (typeof value === 'number') return russian ? String(value).replace('.', ',') : String(value);
  // Spreadsheets run a text that begins like a formula; the apostrophe tells them that it is none.
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",;\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
