import type { CallFigures, Column, ReportLocale } from './columns.ts';

const MINUTE = 60;
const HOUR = 3600;
const DAY = 86_400;
const UNITS: Record<ReportLocale, { day: string; hour: string; minute: string }> = {
  ru: { day: 'д', hour: 'ч', minute: 'мин' },
  en: { day: 'd', hour: 'h', minute: 'min' },
};
const NOTHING = '–';

/** A figure as people read it, by its column's kind; `–` where there is none. */
export function formatFigure(column: Column, figures: CallFigures, locale: ReportLocale): string {
  const value = figures[column.key];
  if (value === null) return NOTHING;
  if (column.kind === 'clock') return clock(value);
  if (column.kind === 'span') return span(value, locale);
  if (column.kind === 'percent') return `${formatNumber(value, locale, 1)}${locale === 'ru' ? '\u00a0' : ''}%`;
  // Sums of money too: their hundredths are in JSON and CSV, and would make columns and tiles burst here.
  return formatNumber(value, locale);
}

/** With thousands apart and exactly so many decimals. */
export function formatNumber(value: number, locale: ReportLocale, decimals = 0): string {
  const [whole = '', fraction] = Math.abs(value).toFixed(decimals).split('.');
  const [apart, point] = locale === 'ru' ? ['\u00a0', ','] : [',', '.'];
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, apart);
  return `${value < 0 ? '−' : ''}${grouped}${fraction === undefined ? '' : point + fraction}`;
}

/** `0:42`, `12:05`, `3:20:09`. */
function clock(seconds: number): string {
  const whole = Math.round(seconds);
  const [hours, minutes] = [Math.floor(whole / HOUR), Math.floor((whole % HOUR) / MINUTE)];
  const two = (value: number) => String(value).padStart(2, '0');
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % MINUTE)}` : `${minutes}:${two(whole % MINUTE)}`;
}

/** `12 min`, `5 h 20 min`, `3 d 4 h`; under a minute as a clock shows it. */
function span(seconds: number, locale: ReportLocale): string {
  const { day, hour, minute } = UNITS[locale];
  const pair = (large: number, unit: string, small: number, part: string) =>
    `${large}\u00a0${unit}${small === 0 ? '' : `\u00a0${small}\u00a0${part}`}`;
  if (seconds < MINUTE) return clock(seconds);
  const minutes = Math.round(seconds / MINUTE);
  if (minutes < 60) return `${minutes}\u00a0${minute}`;
  if (seconds < 2 * DAY) return pair(Math.floor(minutes / 60), hour, minutes % 60, minute);
  const hours = Math.round(seconds / HOUR);
  return pair(Math.floor(hours / 24), day, hours % 24, hour);
}
