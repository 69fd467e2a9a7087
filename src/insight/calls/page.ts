import { type Chart, callCharts, personOf } from './charts.ts';
import { type CallFigures, type Column, columns, meaningOf, type ReportLocale } from './columns.ts';
import type { CallReport, ManagerFigures } from './figures.ts';
import { formatFigure } from './format.ts';
import { pageStyle } from './page-style.ts';

export interface PageOptions {
  locale: ReportLocale;
  /** The moment of the figures, as it is to be read: local, with its zone. */
  madeAt: string;
}

const WORDS = {
  ru: {
    title: 'Звонки',
    of: 'Предприятие',
    made: 'Составлено',
    managers: 'По менеджерам',
    days: 'По дням',
    manager: 'Менеджер',
    day: 'День',
    total: 'Всего',
    extension: 'вн.',
    empty: 'За эти дни звонков нет.',
    definitions: 'Что значат цифры',
    about: 'Дни местные, по часам АТС; время в минутах и секундах.',
  },
  en: {
    title: 'Calls',
    of: 'Enterprise',
    made: 'Made',
    managers: 'By manager',
    days: 'By day',
    manager: 'Manager',
    day: 'Day',
    total: 'Total',
    extension: 'ext.',
    empty: 'There are no calls on these days.',
    definitions: 'What the figures mean',
    about: 'Days are local ones of the PBX; times are minutes and seconds.',
  },
} satisfies Record<ReportLocale, Record<string, string>>;

/** What stands in large type above the charts; the second one smaller below it. */
const TILES: readonly (readonly [keyof CallFigures, keyof CallFigures | undefined])[] = [
  ['calls', 'answered'],
  ['missed', 'never_called_back'],
  ['average_wait', 'p90_wait'],
  ['average_talk', 'talk_seconds'],
  ['orders', 'conversion'],
  ['order_total', 'average_to_order'],
];

/**
 * The report as one HTML page that needs nothing else: no script, no request to anywhere (the page forbids both to itself),
 * light or dark as the reader's system, fit for a phone and for paper.
 */
export function callPage(report: CallReport, { locale, madeAt }: PageOptions): string {
  const words = WORDS[locale];
  const range = `${longDay(report.from, locale)} – ${longDay(report.to, locale)}`;
  const of = report.enterprise === null ? '' : ` · ${words.of} ${escapeHtml(report.enterprise)}`;
  return `<!doctype html>
<html lang="${locale}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${words.title}: ${range}</title>
<style>${pageStyle}</style>
</head>
<body>
<header><h1>${words.title}</h1><p>${range}${of}</p></header>
<main>
${report.total.calls === 0 ? `<p>${words.empty}</p>` : contents(report, locale)}
</main>
<footer><p>${words.about} ${words.made}: ${escapeHtml(madeAt)}.</p></footer>
</body>
</html>
`;
}

function contents(report: CallReport, locale: ReportLocale): string {
  const words = WORDS[locale];
  const enterprises = new Set(report.managers.map(({ enterprise }) => enterprise)).size;
  return [
    tiles(report.total, locale),
    ...callCharts(report, locale).map(figure),
    table(
      words.managers,
      words.manager,
      report.managers.map((row) => [personCell(row, locale, enterprises > 1), row]),
      report.total,
      locale,
    ),
    table(
      words.days,
      words.day,
      report.days.map((row) => [longDay(row.day, locale), row]),
      report.total,
      locale,
    ),
    definitions(report.within_days, locale),
  ].join('\n');
}

function tiles(total: CallFigures, locale: ReportLocale): string {
  const shown = TILES.map(([large, small]) => {
    const [first, second] = [columnOf(large), small === undefined ? undefined : columnOf(small)];
    const below =
      second === undefined ? '' : `<small>${second.title[locale]}: ${formatFigure(second, total, locale)}</small>`;
    return `<li><span>${first.title[locale]}</span><strong>${formatFigure(first, total, locale)}</strong>${below}</li>`;
  });
  return `<ul class="tiles">${shown.join('')}</ul>`;
}

function columnOf(key: keyof CallFigures): Column {
  return columns.find((column) => column.key === key) as Column;
}

function figure({ title, label, wide, narrow }: Chart): string {
  return `<figure><figcaption>${escapeHtml(title)}</figcaption><div role="img" aria-label="${escapeHtml(label)}"><div class="wide">${wide}</div><div class="narrow">${narrow}</div></div></figure>`;
}

/** `head` of the rows is HTML. */
function table(
  title: string,
  first: string,
  rows: readonly (readonly [string, CallFigures])[],
  total: CallFigures,
  locale: ReportLocale,
): string {
  const head = columns.map((column) => `<th scope="col">${column.title[locale]}</th>`).join('');
  const line = (name: string, figures: CallFigures) =>
    `<tr><th scope="row">${name}</th>${columns.map((column) => `<td>${formatFigure(column, figures, locale)}</td>`).join('')}</tr>`;
  return `<section><h2>${title}</h2><div class="scroll" tabindex="0" role="region" aria-label="${title}"><table>
<thead><tr><th scope="col">${first}</th>${head}</tr></thead>
<tbody>
${rows.map(([name, figures]) => line(name, figures)).join('\n')}
</tbody>
<tfoot>${line(WORDS[locale].total, total)}</tfoot>
</table></div></section>`;
}

function personCell(row: ManagerFigures, locale: ReportLocale, withEnterprise: boolean): string {
  const at =
    row.manager !== null && row.extensions.length > 0 ? `${WORDS[locale].extension} ${row.extensions.join(', ')}` : '';
  const small = [at, withEnterprise ? row.enterprise : ''].filter((text) => text !== '').join(' · ');
  return `${escapeHtml(personOf(row, locale))}${small === '' ? '' : `<small>${escapeHtml(small)}</small>`}`;
}

function definitions(days: number, locale: ReportLocale): string {
  const terms = columns.map((column) => `<dt>${column.title[locale]}</dt><dd>${meaningOf(column, locale, days)}</dd>`);
  return `<section><h2>${WORDS[locale].definitions}</h2><dl>${terms.join('\n')}</dl></section>`;
}

/** `01.11.2026`, or as it is written in English. */
function longDay(day: string, locale: ReportLocale): string {
  return locale === 'ru' ? day.split('-').reverse().join('.') : day;
}

function escapeHtml(text: string): string {
  const signs: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
  return text.replace(/[&<>"']/g, (sign) => signs[sign] ?? sign);
}
