// This module loads the chart library, several hundred kilobytes: only who writes the page may import it.
import { BarChart, LineChart } from 'echarts/charts';
import { GridComponent, LegendComponent } from 'echarts/components';
import * as echarts from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';
import type { ReportLocale } from './columns.ts';
import type { CallReport, DayFigures, ManagerFigures } from './figures.ts';
import { formatNumber } from './format.ts';

echarts.use([BarChart, LineChart, GridComponent, LegendComponent, SVGRenderer]);

export interface Chart {
  title: string;
  /** What it shows, for those who hear the page. */
  label: string;
  /** `<svg>` elements for wide and narrow screens; colours are variables of the page's style. */
  wide: string;
  narrow: string;
}

interface Drawing {
  option: echarts.EChartsCoreOption;
  height: number;
}

const WIDTHS = { wide: 960, narrow: 360 };
const DAY_CHART_HEIGHT = 280;
/** A row of a chart by manager, and what stands below the rows. */
const ROW_HEIGHT = 26;
const BELOW = 28;
const MOST_MANAGERS = 25;
const DAY_MS = 86_400_000;

/**
 * The library reckons with colours and so takes no CSS variables; these stand for them while it draws. Each is one that it
 * would not come to by itself.
 */
const STANDS = {
  ink: '#010203',
  dim: '#020304',
  rule: '#030405',
  good: '#040506',
  bad: '#050607',
  line: '#060708',
  deal: '#070809',
};

const WORDS = {
  ru: {
    days: 'Звонки по дням',
    waits: 'Ожидание ответа, 90-й процентиль, секунды',
    managers: 'Звонки по менеджерам',
    conversion: 'Конверсия в заказы по менеджерам, %',
    answered: 'Отвеченные',
    missed: 'Пропущенные',
    other: 'Исходящие без ответа',
    nobody: 'никому не звонило',
  },
  en: {
    days: 'Calls by day',
    waits: 'Wait for an answer, 90th percentile, seconds',
    managers: 'Calls by manager',
    conversion: 'Conversion to orders by manager, %',
    answered: 'Answered',
    missed: 'Missed',
    other: 'Outgoing, no answer',
    nobody: 'nobody was rung',
  },
} satisfies Record<ReportLocale, Record<string, string>>;

type Words = (typeof WORDS)[ReportLocale];

/** The four charts of a report that has calls. */
export function callCharts(report: CallReport, locale: ReportLocale): Chart[] {
  const words = WORDS[locale];
  const days = everyDay(report.days);
  const managers = report.managers.slice(0, MOST_MANAGERS).reverse();
  const { total } = report;
  return [
    chart(words.days, `${words.days}: ${total.calls}`, (narrow) => callsByDay(days, words, locale, narrow)),
    chart(words.waits, words.waits, (narrow) => waitsByDay(days, locale, narrow)),
    chart(words.managers, words.managers, (narrow) => callsByManager(managers, words, locale, narrow)),
    chart(words.conversion, words.conversion, (narrow) => conversionByManager(managers, locale, narrow)),
  ];
}

/** Who a row of the report is about: the mapping's word, else the extension, else that nobody was rung. */
export function personOf({ manager, extensions }: ManagerFigures, locale: ReportLocale): string {
  // A page is passed on: of an e-mail it shows who it is, and not the address.
  return manager?.replace(/@.*$/, '') ?? (extensions.join(', ') || WORDS[locale].nobody);
}

function chart(title: string, label: string, draw: (narrow: boolean) => Drawing): Chart {
  return { title, label, wide: svg(draw(false), WIDTHS.wide), narrow: svg(draw(true), WIDTHS.narrow) };
}

/**
 * Inline in HTML the element needs neither its namespace nor a size: it takes the width that there is. What the library adds for
 * a pointer goes, its style above all: under the pointer a bar would get the colour that stood for its own.
 */
function svg({ option, height }: Drawing, width: number): string {
  const drawn = echarts.init(null, null, { renderer: 'svg', ssr: true, width, height });
  drawn.setOption({ animation: false, textStyle: { fontFamily: 'inherit', color: STANDS.ink }, ...option });
  const text = drawn.renderToSVGString();
  drawn.dispose();
  return Object.entries(STANDS)
    .reduce((rest, [name, stand]) => rest.replaceAll(stand, `var(--${name})`), text)
    .replace(/<svg [^>]*>/, `<svg viewBox="0 0 ${width} ${height}" aria-hidden="true">`)
    .replace(/<style[\s\S]*?<\/style>\s*/g, '')
    .replace(/ (?:class|ecmeta_\w+|pointer-events|xml:space)="[^"]*"/g, '');
}

/** Days without calls have their place on the axis, those before the first and after the last call do not. */
function everyDay(days: readonly DayFigures[]): (DayFigures | string)[] {
  const known = new Map(days.map((row) => [row.day, row]));
  const [first, last] = [days[0]?.day ?? '', days.at(-1)?.day ?? ''];
  const all: (DayFigures | string)[] = [];
  for (let at = Date.parse(first); at <= Date.parse(last); at += DAY_MS) {
    const day = new Date(at).toISOString().slice(0, 10);
    all.push(known.get(day) ?? day);
  }
  return all;
}

function callsByDay(
  days: readonly (DayFigures | string)[],
  words: Words,
  locale: ReportLocale,
  narrow: boolean,
): Drawing {
  const series = (name: string, color: string, value: (row: DayFigures) => number) =>
    stack(
      name,
      color,
      days.map((row) => (typeof row === 'string' ? 0 : value(row))),
    );
  return {
    height: DAY_CHART_HEIGHT,
    option: {
      ...dayAxes(days, locale, narrow, legendRoom(narrow)),
      legend: legend(narrow),
      series: [
        series(words.answered, STANDS.good, ({ answered }) => answered),
        series(words.missed, STANDS.bad, ({ missed }) => missed),
        series(words.other, STANDS.dim, ({ calls, answered, missed }) => calls - answered - missed),
      ],
    },
  };
}

function waitsByDay(days: readonly (DayFigures | string)[], locale: ReportLocale, narrow: boolean): Drawing {
  return {
    height: DAY_CHART_HEIGHT,
    option: {
      ...dayAxes(days, locale, narrow, 12),
      series: [
        {
          type: 'line',
          data: days.map((row) => (typeof row === 'string' ? null : row.p90_wait)),
          connectNulls: true,
          // A range of one day would be an invisible line.
          symbol: 'circle',
          symbolSize: days.length > 62 ? 0 : 5,
          itemStyle: { color: STANDS.line },
          lineStyle: { color: STANDS.line, width: 2 },
        },
      ],
    },
  };
}

function callsByManager(rows: readonly ManagerFigures[], words: Words, locale: ReportLocale, narrow: boolean): Drawing {
  return {
    height: rows.length * ROW_HEIGHT + legendRoom(narrow) + BELOW,
    option: {
      ...managerAxes(rows, locale, narrow, legendRoom(narrow)),
      legend: legend(narrow),
      series: [
        stack(
          words.answered,
          STANDS.good,
          rows.map(({ answered }) => answered),
        ),
        stack(
          words.missed,
          STANDS.bad,
          rows.map(({ missed }) => missed),
        ),
        stack(
          words.other,
          STANDS.dim,
          rows.map(({ calls, answered, missed }) => calls - answered - missed),
        ),
      ],
    },
  };
}

function conversionByManager(rows: readonly ManagerFigures[], locale: ReportLocale, narrow: boolean): Drawing {
  const axes = managerAxes(rows, locale, narrow, 4);
  return {
    height: rows.length * ROW_HEIGHT + BELOW,
    option: {
      ...axes,
      grid: { ...axes.grid, right: 56 },
      series: [
        {
          ...stack(
            '',
            STANDS.deal,
            rows.map(({ conversion }) => conversion ?? 0),
          ),
          label: {
            show: true,
            position: 'right',
            color: STANDS.ink,
            formatter: ({ value }: { value: number }) => formatNumber(value, locale, 1),
          },
        },
      ],
    },
  };
}

function stack(name: string, color: string, data: readonly number[]) {
  return { name, type: 'bar', stack: 'all', data, barMaxWidth: 18, itemStyle: { color } };
}

/** On a phone the legend takes two lines. */
function legendRoom(narrow: boolean): number {
  return narrow ? 56 : 36;
}

function legend(narrow: boolean) {
  return {
    top: 0,
    left: 0,
    itemWidth: 12,
    itemHeight: 12,
    itemGap: narrow ? 8 : 16,
    textStyle: { color: STANDS.ink, fontSize: narrow ? 11 : 12 },
  };
}

function dayAxes(days: readonly (DayFigures | string)[], locale: ReportLocale, narrow: boolean, top: number) {
  return {
    grid: { left: 4, right: 12, top, bottom: 4, outerBoundsMode: 'same' },
    xAxis: {
      type: 'category',
      data: days.map((row) => shortDay(typeof row === 'string' ? row : row.day, locale)),
      axisLine: { lineStyle: { color: STANDS.rule } },
      axisTick: { show: false },
      axisLabel: { color: STANDS.dim, hideOverlap: true, fontSize: narrow ? 11 : 12 },
    },
    yAxis: valueAxis(),
  };
}

/** The names' room is fixed: the library can only guess how wide the reader's letters are, and would cut them at the edge. */
function managerAxes(rows: readonly ManagerFigures[], locale: ReportLocale, narrow: boolean, top: number) {
  const { letters, room } = narrow ? { letters: 14, room: 116 } : { letters: 32, room: 256 };
  return {
    grid: { left: room, right: 20, top, bottom: 24, outerBoundsMode: 'none' },
    yAxis: {
      type: 'category',
      data: rows.map((row) => brief(personOf(row, locale), letters)),
      axisLine: { lineStyle: { color: STANDS.rule } },
      axisTick: { show: false },
      axisLabel: { color: STANDS.ink, interval: 0, fontSize: narrow ? 11 : 12 },
    },
    xAxis: valueAxis(),
  };
}

function brief(text: string, letters: number): string {
  return text.length <= letters ? text : `${text.slice(0, letters - 1)}…`;
}

function valueAxis() {
  return {
    type: 'value',
    minInterval: 1,
    splitNumber: 4,
    splitLine: { lineStyle: { color: STANDS.rule } },
    axisLabel: { color: STANDS.dim, hideOverlap: true },
  };
}

/** `01.11`, `Nov 1`. */
function shortDay(day: string, locale: ReportLocale): string {
  const [, month = '', date = ''] = day.split('-');
  if (locale === 'ru') return `${date}.${month}`;
  return `${'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ')[Number(month) - 1]} ${Number(date)}`;
}
